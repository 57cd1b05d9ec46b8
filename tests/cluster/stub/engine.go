package main

import (
	"sync"
	"time"
)

// Pace says how long one engine step takes. Defaults follow a measured sweep of vLLM on a CPU:
// 8 seats, 96 prompt and 48 output tokens, 2.3 requests/s alone and 9.5 with all seats taken.
type Pace struct {
	StepBase   time.Duration // every step
	StepPerSeq time.Duration // for each sequence in the batch
	PerPrompt  time.Duration // for each prompt token computed in the step
	StepTokens int           // tokens one step may compute (vLLM's max-num-batched-tokens)
}

// DefaultPace is the measured pace.
var DefaultPace = Pace{
	StepBase:   7700 * time.Microsecond,
	StepPerSeq: 500 * time.Microsecond,
	PerPrompt:  360 * time.Microsecond,
	StepTokens: 2048,
}

// Sequence is one prompt on its way through the engine. Its fields belong to the engine's lock.
type Sequence struct {
	PromptTokens int
	MaxTokens    int
	FinishReason string // what the client reads at the end: "stop" or "length"

	prefillLeft int
	generated   int
	finished    bool
	arrived     time.Time
	admitted    time.Time
	firstToken  time.Time
	lastToken   time.Time
	wake        chan struct{}
}

// Engine is continuous batching in the small: a limited number of seats, a first-in first-out queue, and
// steps that compute one token for each running sequence and as much of the waiting prompts as fits.
type Engine struct {
	Seats    int
	KVTokens int
	Pace     Pace
	Computed bool // prompts arrive computed, as at a decode server

	mu      sync.Mutex
	work    chan struct{}
	waiting []*Sequence
	running []*Sequence
	stats   Stats
}

// NewEngine starts an engine with its step loop.
func NewEngine(seats, kvTokens int, pace Pace) *Engine {
	engine := &Engine{Seats: seats, KVTokens: kvTokens, Pace: pace, work: make(chan struct{}, 1)}
	engine.stats = NewStats(time.Now())
	go engine.loop()
	return engine
}

// Submit queues a prompt.
func (e *Engine) Submit(promptTokens, maxTokens int, finishReason string) *Sequence {
	sequence := &Sequence{
		PromptTokens: promptTokens,
		MaxTokens:    maxTokens,
		FinishReason: finishReason,
		prefillLeft:  promptTokens,
		arrived:      time.Now(),
		wake:         make(chan struct{}, 1),
	}
	if e.Computed {
		sequence.prefillLeft = 0
	}
	e.mu.Lock()
	e.waiting = append(e.waiting, sequence)
	e.stats.Seen = true
	e.mu.Unlock()
	select {
	case e.work <- struct{}{}:
	default:
	}
	return sequence
}

// Touch says that a request has been seen, as after a server's warm-up.
func (e *Engine) Touch() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Seen = true
}

// Abort gives up a sequence that its client no longer wants. A finished one stays as it is.
func (e *Engine) Abort(sequence *Sequence) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if sequence.finished {
		return
	}
	sequence.finished = true
	e.waiting = without(e.waiting, sequence)
	e.running = without(e.running, sequence)
	e.stats.Finished["abort"]++
}

// Progress returns how many tokens a sequence has and whether those are all.
func (e *Engine) Progress(sequence *Sequence) (int, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return sequence.generated, sequence.finished
}

// loop runs steps on a schedule of its own: a late timer is made up for by the next step.
func (e *Engine) loop() {
	timer := time.NewTimer(time.Hour)
	var due time.Time
	for {
		cost, batch := e.plan()
		if len(batch) == 0 {
			<-e.work
			due = time.Now()
			continue
		}
		if now := time.Now(); now.Sub(due) > 250*time.Millisecond {
			due = now
		}
		due = due.Add(cost)
		timer.Reset(time.Until(due))
		<-timer.C
		e.apply(batch, time.Now())
	}
}

// share is what one sequence gets from one step: prompt tokens, or else one output token.
type share struct {
	sequence *Sequence
	prompt   int
}

// plan fills free seats from the queue and says what the next step computes and how long it takes.
func (e *Engine) plan() (time.Duration, []share) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	held := e.held()
	for len(e.waiting) > 0 && len(e.running) < e.Seats {
		next := e.waiting[0]
		if held+next.size() > e.KVTokens && len(e.running) > 0 {
			break
		}
		held += next.size()
		e.waiting = e.waiting[1:]
		e.running = append(e.running, next)
		if next.admitted.IsZero() {
			next.admitted = now
		}
	}

	budget := e.Pace.StepTokens
	cost := e.Pace.StepBase
	batch := make([]share, 0, len(e.running))
	for _, sequence := range e.running {
		part := share{sequence: sequence, prompt: min(sequence.prefillLeft, budget)}
		if sequence.prefillLeft > 0 && part.prompt == 0 {
			continue
		}
		budget -= part.prompt
		cost += e.Pace.StepPerSeq + time.Duration(part.prompt)*e.Pace.PerPrompt
		batch = append(batch, part)
	}
	return cost, batch
}

// apply hands out what a step computed.
func (e *Engine) apply(batch []share, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, part := range batch {
		sequence := part.sequence
		if sequence.finished {
			continue
		}
		sequence.prefillLeft -= part.prompt
		if sequence.prefillLeft > 0 {
			continue
		}
		e.token(sequence, now)
		select {
		case sequence.wake <- struct{}{}:
		default:
		}
	}
	for e.held() > e.KVTokens && len(e.running) > 1 {
		e.preempt()
	}
}

// token adds one output token and retires the sequence with its last one.
func (e *Engine) token(sequence *Sequence, now time.Time) {
	sequence.generated++
	if sequence.firstToken.IsZero() {
		sequence.firstToken = now
		e.stats.PromptTokens += float64(sequence.PromptTokens)
		e.stats.FirstToken.Observe(now.Sub(sequence.arrived).Seconds())
	} else {
		e.stats.InterToken.Observe(now.Sub(sequence.lastToken).Seconds())
	}
	sequence.lastToken = now
	e.stats.Generated(now)
	if sequence.generated < sequence.MaxTokens {
		return
	}
	sequence.finished = true
	e.running = without(e.running, sequence)
	e.stats.Finish(sequence, now)
}

// preempt sends the newest running sequence back to the head of the queue, to be computed again.
func (e *Engine) preempt() {
	last := e.running[len(e.running)-1]
	e.running = e.running[:len(e.running)-1]
	last.prefillLeft = last.PromptTokens + last.generated
	e.waiting = append([]*Sequence{last}, e.waiting...)
	e.stats.Preempted++
}

// held counts the tokens in the cache: prompts from admission on, outputs as they come.
func (e *Engine) held() int {
	held := 0
	for _, sequence := range e.running {
		held += sequence.size()
	}
	return held
}

// size is what a sequence holds in the cache once its prompt is there.
func (s *Sequence) size() int { return s.PromptTokens + s.generated }

func without(list []*Sequence, gone *Sequence) []*Sequence {
	kept := make([]*Sequence, 0, len(list))
	for _, sequence := range list {
		if sequence != gone {
			kept = append(kept, sequence)
		}
	}
	return kept
}
