// Command oracle says what the HPA controller of Kubernetes would do, by the controller's own code.
//
// It reads one JSON object a line and answers each with one line, in their order:
//
//	{"quantity": "700m"}                        the thousandths and the float of a quantity
//	{"calculate": {"source": "pods", ...}}      one metric, by the replica calculator (calculate.go)
//	{"play": {"hpa": {...}, "steps": [...]}}    a whole HPA over time, by the controller itself (play.go)
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/resource"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

type question struct {
	Quantity  *string    `json:"quantity"`
	Calculate *metric    `json:"calculate"`
	Play      *autoscale `json:"play"`
}

type quantity struct {
	Error       string  `json:"error,omitempty"`
	Milli       int64   `json:"milli"`
	Approximate float64 `json:"approximate"`
}

// main runs within the test framework, which alone can make the clock of the controller ours (testing/synctest).
func main() {
	log.SetFlags(0)
	klog.SetLogger(logr.Discard())
	utilruntime.ErrorHandlers = nil // one of them waits by the clock, which is ours and stands in the past
	all := func(string, string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "oracle", F: answerAll}}, nil, nil)
}

func answerAll(t *testing.T) {
	out := bufio.NewWriter(os.Stdout)
	lines, answers := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(out)
	for {
		asked := question{}
		if err := lines.Decode(&asked); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			log.Fatal(err)
		}
		given, err := answer(t, &asked)
		if err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(given); err != nil {
			log.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
	os.Exit(0) // before the framework says PASS among the answers
}

func answer(t *testing.T, asked *question) (any, error) {
	switch {
	case asked.Quantity != nil:
		parsed, err := resource.ParseQuantity(*asked.Quantity)
		if err != nil {
			return quantity{Error: err.Error()}, nil
		}
		return quantity{Milli: parsed.MilliValue(), Approximate: parsed.AsApproximateFloat64()}, nil
	case asked.Calculate != nil:
		return asked.Calculate.calculate()
	case asked.Play != nil:
		return asked.Play.play(t)
	}
	return nil, fmt.Errorf("a question of no known kind")
}
