// Command oracle says whether Prometheus accepts an expression or a series selector, by Prometheus' own parser.
//
// It reads one JSON object a line: {"expression": "sum(up)"}, or a selector as `/api/v1/series` gets one with the labels
// of a series, {"selector": "up{pod!=\"\"}", "labels": {"__name__": "up"}}. It answers each with one line: the error;
// the type of the expression; whether the selector selects the series.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"github.com/prometheus/prometheus/promql/parser"
)

type question struct {
	Expression string            `json:"expression"`
	Selector   string            `json:"selector"`
	Labels     map[string]string `json:"labels"`
}

type answer struct {
	Error   string `json:"error,omitempty"`
	Type    string `json:"type,omitempty"`
	Selects bool   `json:"selects"`
}

// prometheus parses as a server without feature flags does.
var prometheus = parser.NewParser(parser.Options{})

func main() {
	log.SetFlags(0)
	lines, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		asked := question{}
		if err := lines.Decode(&asked); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		given, err := asked.answer()
		if err != nil {
			given = answer{Error: err.Error()}
		}
		if err := answers.Encode(given); err != nil {
			log.Fatal(err)
		}
	}
}

func (q question) answer() (answer, error) {
	if q.Expression != "" {
		expression, err := prometheus.ParseExpr(q.Expression)
		if err != nil {
			return answer{}, err
		}
		return answer{Type: string(expression.Type())}, nil
	}
	matchers, err := prometheus.ParseMetricSelector(q.Selector)
	if err != nil {
		return answer{}, err
	}
	for _, matcher := range matchers {
		if !matcher.Matches(q.Labels[matcher.Name]) {
			return answer{}, nil
		}
	}
	return answer{Selects: true}, nil
}
