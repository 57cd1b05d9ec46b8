package main

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// blockSize is the cache's block size in the recorded bodies.
const blockSize = 16

// Override replaces what an engine shows; nil leaves the real value. Absent quantities have no series.
type Override struct {
	Running *Number  `json:"running"`
	Waiting *Number  `json:"waiting"`
	KV      *Number  `json:"kv"`
	Absent  []string `json:"absent"`
}

// empty says whether it replaces nothing.
func (o *Override) empty() bool {
	return o.Running == nil && o.Waiting == nil && o.KV == nil && len(o.Absent) == 0
}

// Number is one that JSON may have as text, since it has no other form for NaN and the infinities.
type Number float64

// UnmarshalJSON reads 8, "NaN" and "+Inf".
func (n *Number) UnmarshalJSON(text []byte) error {
	value, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	*n = Number(value)
	return err
}

// MarshalJSON writes what UnmarshalJSON reads.
func (n Number) MarshalJSON() ([]byte, error) {
	return []byte(strconv.Quote(formatFloat(float64(n)))), nil
}

// derived are the quantities that are made of another.
var derived = map[string][]string{
	"running": {"in_flight"}, "waiting": {"in_flight", "waiting_first", "waiting_later"}, "kv": {"kv_used", "kv_free"},
}

// Snapshot returns the engine's state now, with the override in place.
func (e *Engine) Snapshot(override *Override) Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	stats := &e.stats
	held := float64(e.held())
	capacity := float64(e.KVTokens)
	finished := 0.0
	for reason, count := range stats.Finished {
		if reason != "abort" {
			finished += count
		}
	}
	values := map[string]float64{
		"zero":              0,
		"running":           float64(len(e.running)),
		"waiting":           float64(len(e.waiting)),
		"kv":                min(held/capacity, 1),
		"prompt_tokens":     stats.PromptTokens,
		"generation_tokens": stats.GenerationTokens,
		"generation_rate":   stats.rate.perSecond(time.Now()),
		"preempted":         stats.Preempted,
		"finished":          finished,
		"finished_stop":     stats.Finished["stop"],
		"finished_length":   stats.Finished["length"],
		"finished_abort":    stats.Finished["abort"],
		"kv_tokens":         capacity,
		"kv_blocks":         float64((e.KVTokens+blockSize-1)/blockSize + 1), // one block is never handed out
	}
	seen := stats.Seen
	if override != nil {
		for name, value := range map[string]*Number{
			"running": override.Running, "waiting": override.Waiting, "kv": override.KV,
		} {
			if value != nil {
				values[name] = float64(*value)
			}
		}
	}
	values["in_flight"] = values["running"] + values["waiting"]
	// SGLang's roles show two queues where others have one.
	values["waiting_later"] = math.Floor(values["waiting"] / 2)
	values["waiting_first"] = values["waiting"] - values["waiting_later"]
	values["kv_used"] = math.Trunc(values["kv"] * capacity)
	values["kv_free"] = capacity - values["kv_used"]
	if override != nil {
		for _, name := range override.Absent {
			for _, gone := range append(derived[name], name) {
				delete(values, gone)
			}
		}
	}
	return Snapshot{
		Values:  values,
		Started: stats.Started,
		Seen:    seen,
		Histograms: map[string]*Histogram{
			"first_token": stats.FirstToken.copy(),
			"inter_token": stats.InterToken.copy(),
			"per_token":   stats.PerToken.copy(),
			"end_to_end":  stats.EndToEnd.copy(),
			"queue":       stats.Queue.copy(),
			"prefill":     stats.Prefill.copy(),
			"decode":      stats.Decode.copy(),
			"inference":   stats.Inference.copy(),
			"prompt_size": stats.PromptSize.copy(),
			"output_size": stats.OutputSize.copy(),
		},
	}
}

func (h *Histogram) copy() *Histogram {
	twin := *h
	return &twin
}
