package main

import (
	_ "embed"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed dialects.json
var dialectsFile []byte

// Dialect maps the names that an engine uses to what the model engine knows.
type Dialect struct {
	Values     []ValueRule                  `json:"values"`
	Histograms map[string]string            `json:"histograms"`
	InfoLabels map[string]map[string]string `json:"info_labels"`
}

// ValueRule gives one series its value. A rule with labels stands before one without.
type ValueRule struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	Value  string            `json:"value"`
}

// Renderer writes metrics bodies. Rules of all engines lie in one table: their names never meet.
type Renderer struct {
	Values     map[string][]ValueRule
	Histograms map[string]string
	InfoLabels map[string]map[string]string
}

// modelLabels are the labels that carry the served model's name.
var modelLabels = map[string]bool{"model_name": true, "model": true}

// rankLabels tell apart the engines behind one endpoint; requests are spread over them.
var rankLabels = []string{"engine", "dp_rank"}

// spread are the quantities that ranks share rather than repeat.
var spread = map[string]bool{
	"running": true, "waiting": true, "prompt_tokens": true, "generation_tokens": true, "finished": true,
	"finished_stop": true, "finished_length": true, "finished_abort": true, "kv_used": true,
	"waiting_first": true, "waiting_later": true,
}

// NewRenderer reads the built-in table.
func NewRenderer() (*Renderer, error) {
	dialects := map[string]Dialect{}
	if err := json.Unmarshal(dialectsFile, &dialects); err != nil {
		return nil, err
	}
	renderer := &Renderer{map[string][]ValueRule{}, map[string]string{}, map[string]map[string]string{}}
	for _, dialect := range dialects {
		for _, rule := range dialect.Values {
			renderer.Values[rule.Name] = append(renderer.Values[rule.Name], rule)
		}
		for name, quantity := range dialect.Histograms {
			renderer.Histograms[name] = quantity
		}
		for name, labels := range dialect.InfoLabels {
			renderer.InfoLabels[name] = labels
		}
	}
	return renderer, nil
}

// Known says whether a series' values are made here and not taken from the recording.
func (r *Renderer) Known(name string) bool {
	if _, found := r.Values[name]; found {
		return true
	}
	_, _, found := r.histogram(name)
	return found
}

// histogram splits the name of a histogram's series into the quantity and the suffix.
func (r *Renderer) histogram(name string) (quantity, suffix string, found bool) {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, cut := strings.CutSuffix(name, suffix); cut {
			if quantity, found := r.Histograms[base]; found {
				return quantity, suffix, true
			}
		}
	}
	return "", "", false
}

// Snapshot is an engine's state at one moment, under the names that the table uses.
type Snapshot struct {
	Values     map[string]float64
	Histograms map[string]*Histogram
	Started    time.Time
	Seen       bool
}

// Render writes the body of a template with the values of a snapshot. With absent, series with values of
// our own are left out until a request has been seen.
func (r *Renderer) Render(template *Template, now Snapshot, model string, absent bool) string {
	lines := template.Lines
	if !now.Seen && template.Fresh != nil {
		lines = template.Fresh
	}
	ranks := rankOrder(lines)
	buckets := map[string]map[string]float64{}
	out := &strings.Builder{}
	for _, line := range lines {
		if line.Name == "" {
			line.write(out)
			continue
		}
		if absent && !now.Seen && r.Known(line.Name) {
			continue
		}
		if r.gone(line, now) {
			continue
		}
		line.Labels = r.labels(line, now, model)
		line.Value = r.value(line, now, ranks, buckets, lines)
		line.write(out)
	}
	return out.String()
}

// gone says whether a line shows a quantity that the snapshot has not.
func (r *Renderer) gone(line Line, now Snapshot) bool {
	for _, rule := range r.Values[line.Name] {
		if matches(line, rule.Labels) {
			_, found := now.Values[rule.Value]
			return !found
		}
	}
	return false
}

// labels returns the line's labels with the model's name and the cache's size of this engine.
func (r *Renderer) labels(line Line, now Snapshot, model string) []Label {
	changed := make([]Label, len(line.Labels))
	info := r.InfoLabels[line.Name]
	for i, label := range line.Labels {
		if modelLabels[label.Key] {
			label.Value = model
		}
		if quantity, found := info[label.Key]; found {
			label.Value = strconv.FormatFloat(now.Values[quantity], 'f', -1, 64)
		}
		changed[i] = label
	}
	return changed
}

// value returns the line's value: ours where the table has one, the recorded one otherwise.
func (r *Renderer) value(
	line Line, now Snapshot, ranks map[string]int, buckets map[string]map[string]float64, lines []Line,
) string {
	for _, rule := range r.Values[line.Name] {
		if !matches(line, rule.Labels) {
			continue
		}
		value := now.Values[rule.Value]
		if spread[rule.Value] && len(ranks) > 1 {
			value = fairShare(value, ranks[rankOf(line)], len(ranks))
		}
		return formatLike(line.Value, value)
	}
	if quantity, suffix, found := r.histogram(line.Name); found {
		histogram := now.Histograms[quantity]
		if ranks[rankOf(line)] > 0 {
			histogram = &Histogram{} // one rank does the observing
		}
		switch suffix {
		case "_sum":
			return formatFloat(histogram.Sum)
		case "_count":
			return formatLike(line.Value, histogram.Count)
		}
		key := line.Name + "/" + rankOf(line)
		if buckets[key] == nil {
			buckets[key] = cutBuckets(histogram, sortedBounds(lines, strings.TrimSuffix(line.Name, suffix)))
		}
		return formatLike(line.Value, buckets[key][canonical(line.Get("le"))])
	}
	if line.Name == "process_start_time_seconds" || strings.HasSuffix(line.Name, "_created") {
		return formatFloat(float64(now.Started.UnixMilli()) / 1000)
	}
	return line.Value
}

func cutBuckets(histogram *Histogram, bounds []float64) map[string]float64 {
	cut := make(map[string]float64, len(bounds))
	for i, count := range histogram.Cumulative(bounds) {
		cut[formatFloat(bounds[i])] = count
	}
	return cut
}

// canonical writes a bound in one way: bodies have both "1" and "1.0".
func canonical(bound string) string {
	value, err := strconv.ParseFloat(bound, 64)
	if err != nil {
		return bound
	}
	return formatFloat(value)
}

func matches(line Line, labels map[string]string) bool {
	for key, value := range labels {
		if line.Get(key) != value {
			return false
		}
	}
	return true
}

func rankOf(line Line) string {
	for _, key := range rankLabels {
		if value := line.Get(key); value != "" {
			return value
		}
	}
	return ""
}

// rankOrder numbers the ranks of a body.
func rankOrder(lines []Line) map[string]int {
	ranks := []string{}
	for _, line := range lines {
		if rank := rankOf(line); rank != "" && !slices.Contains(ranks, rank) {
			ranks = append(ranks, rank)
		}
	}
	slices.Sort(ranks)
	order := map[string]int{}
	for i, rank := range ranks {
		order[rank] = i
	}
	return order
}

// fairShare deals a whole number out to ranks; the first ones get what is left over. Every rank has what is no number.
func fairShare(value float64, rank, ranks int) float64 {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return value
	}
	whole := int(value)
	share := whole / ranks
	if rank < whole%ranks {
		share++
	}
	return float64(share)
}
