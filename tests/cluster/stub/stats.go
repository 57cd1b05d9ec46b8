package main

import (
	"math"
	"time"
)

// Stats is everything an engine tells about itself but its present load.
type Stats struct {
	Started          time.Time
	Seen             bool // whether any request has arrived yet
	PromptTokens     float64
	GenerationTokens float64
	Preempted        float64
	Finished         map[string]float64 // by reason

	FirstToken *Histogram
	InterToken *Histogram
	PerToken   *Histogram // mean of a request, without its first token
	EndToEnd   *Histogram
	Queue      *Histogram
	Prefill    *Histogram
	Decode     *Histogram
	Inference  *Histogram
	PromptSize *Histogram
	OutputSize *Histogram

	rate throughput
}

// NewStats returns the statistics of an engine that has done nothing yet.
func NewStats(now time.Time) Stats {
	return Stats{
		Started:    now,
		Finished:   map[string]float64{},
		FirstToken: &Histogram{},
		InterToken: &Histogram{},
		PerToken:   &Histogram{},
		EndToEnd:   &Histogram{},
		Queue:      &Histogram{},
		Prefill:    &Histogram{},
		Decode:     &Histogram{},
		Inference:  &Histogram{},
		PromptSize: &Histogram{},
		OutputSize: &Histogram{},
	}
}

// Generated counts one output token.
func (s *Stats) Generated(now time.Time) {
	s.GenerationTokens++
	s.rate.add(now)
}

// Finish records a request that got its last token.
func (s *Stats) Finish(sequence *Sequence, now time.Time) {
	s.Finished[sequence.FinishReason]++
	decode := now.Sub(sequence.firstToken).Seconds()
	s.EndToEnd.Observe(now.Sub(sequence.arrived).Seconds())
	s.Queue.Observe(sequence.admitted.Sub(sequence.arrived).Seconds())
	s.Prefill.Observe(sequence.firstToken.Sub(sequence.admitted).Seconds())
	s.Inference.Observe(now.Sub(sequence.admitted).Seconds())
	s.Decode.Observe(decode)
	if sequence.generated > 1 {
		s.PerToken.Observe(decode / float64(sequence.generated-1))
	}
	s.PromptSize.Observe(float64(sequence.PromptTokens))
	s.OutputSize.Observe(float64(sequence.generated))
}

// Histogram keeps observations to three significant digits, so that buckets can be cut after the fact:
// bodies of different engines cut differently, and the body can be changed while the engine runs.
type Histogram struct {
	Count float64
	Sum   float64
	cells [decades][900]uint32
}

const (
	lowestDecade = -6 // 0.000001
	decades      = 14 // up to 99,999,999
)

// Observe adds one value.
func (h *Histogram) Observe(value float64) {
	h.Count++
	h.Sum += value
	decade, digits := locate(value)
	h.cells[decade][digits]++
}

// Cumulative returns for each bound, sorted upwards, how many values do not exceed it.
func (h *Histogram) Cumulative(bounds []float64) []float64 {
	counts := make([]float64, len(bounds))
	total, decade, digits := 0.0, 0, 0
	for i, bound := range bounds {
		if math.IsInf(bound, 1) {
			counts[i] = h.Count
			continue
		}
		lastDecade, lastDigits := locate(bound)
		for decade < lastDecade || decade == lastDecade && digits <= lastDigits {
			total += float64(h.cells[decade][digits])
			if digits++; digits == 900 {
				decade, digits = decade+1, 0
				if decade == decades {
					break
				}
			}
		}
		counts[i] = total
	}
	return counts
}

// locate returns the cell of a value: values are rounded up to three digits, as bounds are inclusive.
func locate(value float64) (int, int) {
	if value <= math.Pow10(lowestDecade) {
		return 0, 0
	}
	decade := int(math.Floor(math.Log10(value)))
	digits := int(math.Ceil(value/math.Pow10(decade)*100 - 1e-9))
	if digits >= 1000 {
		decade, digits = decade+1, 100
	}
	if decade >= lowestDecade+decades {
		return decades - 1, 899
	}
	return decade - lowestDecade, max(digits, 100) - 100
}

// throughput counts events of the last few whole seconds.
type throughput struct {
	counts [8]float64
	second int64
}

const throughputWindow = 5

func (t *throughput) add(now time.Time) {
	t.advance(now.Unix())
	t.counts[t.second%int64(len(t.counts))]++
}

func (t *throughput) perSecond(now time.Time) float64 {
	t.advance(now.Unix())
	total := 0.0
	for back := int64(1); back <= throughputWindow; back++ {
		total += t.counts[(t.second-back)%int64(len(t.counts))]
	}
	return total / throughputWindow
}

func (t *throughput) advance(second int64) {
	for skipped := 0; t.second < second && skipped < len(t.counts); skipped++ {
		t.second = max(t.second+1, second-int64(len(t.counts))+1)
		t.counts[t.second%int64(len(t.counts))] = 0
	}
	t.second = max(t.second, second)
}
