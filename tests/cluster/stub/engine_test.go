package main

import (
	"math"
	"testing"
	"time"
)

// idle returns an engine whose steps a test runs itself.
func idle(seats, kvTokens int) *Engine {
	return &Engine{Seats: seats, KVTokens: kvTokens, Pace: DefaultPace, work: make(chan struct{}, 1), stats: NewStats(time.Now())}
}

// step runs one step at once and returns the time that it stands for.
func step(e *Engine) time.Duration {
	cost, batch := e.plan()
	e.apply(batch, time.Now())
	return cost
}

func TestSeatsLimitTheBatchAndTheQueueIsFirstInFirstOut(t *testing.T) {
	e := idle(2, 1000)
	parts := []*Sequence{}
	for range 4 {
		parts = append(parts, e.Submit(10, 3, "length"))
	}
	step(e)
	if now := e.Snapshot(nil).Values; now["running"] != 2 || now["waiting"] != 2 {
		t.Fatalf("running %v, waiting %v", now["running"], now["waiting"])
	}
	e.Abort(parts[0])
	step(e)
	for i, want := range []int{1, 2, 1, 0} {
		if got, _ := e.Progress(parts[i]); got != want {
			t.Errorf("sequence %d has %d tokens, want %d", i, got, want)
		}
	}
	step(e)
	if _, done := e.Progress(parts[1]); !done {
		t.Error("three steps must finish three tokens")
	}
	now := e.Snapshot(nil).Values
	if now["finished_length"] != 1 || now["finished_abort"] != 1 || now["prompt_tokens"] != 30 {
		t.Errorf("unexpected counters: %v", now)
	}
}

func TestPaceFollowsTheMeasuredSweep(t *testing.T) {
	for _, row := range []struct {
		streams int
		latency float64 // seconds for 96 prompt and 48 output tokens, all streams at once
	}{{1, 0.435}, {2, 0.479}, {4, 0.595}, {6, 0.713}, {8, 0.840}} {
		e := idle(8, 16384)
		for range row.streams {
			e.Submit(96, 48, "length")
		}
		total := time.Duration(0)
		for range 48 {
			total += step(e)
		}
		if off := math.Abs(total.Seconds()/row.latency - 1); off > 0.05 {
			t.Errorf("%d streams take %v, measured %v s", row.streams, total, row.latency)
		}
	}
}

func TestAFullCacheSendsTheNewestBack(t *testing.T) {
	e := idle(4, 100)
	first, second := e.Submit(45, 20, "length"), e.Submit(45, 20, "length")
	for range 6 {
		step(e)
	}
	now := e.Snapshot(nil).Values
	if now["preempted"] == 0 || now["running"] != 1 || now["waiting"] != 1 {
		t.Fatalf("no preemption: %v", now)
	}
	for range 60 {
		step(e)
	}
	for _, sequence := range []*Sequence{first, second} {
		if got, done := e.Progress(sequence); !done || got != 20 {
			t.Errorf("got %d tokens, done %v", got, done)
		}
	}
	if now := e.Snapshot(nil).Values; now["prompt_tokens"] != 90 || now["generation_tokens"] != 40 || now["kv"] != 0 {
		t.Errorf("unexpected counters: %v", now)
	}
}

func TestALongPromptIsComputedInSeveralSteps(t *testing.T) {
	e := idle(2, 10000)
	e.Pace.StepTokens = 100
	sequence := e.Submit(250, 1, "length")
	step(e)
	step(e)
	if got, _ := e.Progress(sequence); got != 0 {
		t.Fatal("the first token came before the prompt was through")
	}
	step(e)
	if _, done := e.Progress(sequence); !done {
		t.Fatal("three steps of 100 tokens must be enough for 250")
	}
}

func TestHistogramCutsBucketsAfterwards(t *testing.T) {
	h := &Histogram{}
	for _, value := range []float64{0, 0.001, 0.005, 0.0051, 0.3, 1, 2.5, 1000, 1e12} {
		h.Observe(value)
	}
	bounds := []float64{0.001, 0.005, 0.01, 0.3, 1, 2.5, 10, 1000, math.Inf(1)}
	want := []float64{2, 3, 4, 5, 6, 7, 7, 8, 9}
	for i, got := range h.Cumulative(bounds) {
		if got != want[i] {
			t.Errorf("le=%v: %v, want %v", bounds[i], got, want[i])
		}
	}
}
