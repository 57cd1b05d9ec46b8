package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// words are what the model says, one token each.
var words = strings.Fields("the queue is short and every seat is taken so the next one waits for its turn")

var requestNumber atomic.Uint64

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// answer is one running request: its sequences and how they are written.
type answer struct {
	server  *Server
	request *Request
	job     *Job
	chat    bool
	id      string
	created int64
	parts   []*Sequence
}

func (s *Server) completions(chat bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		request, err := readRequest(r)
		if err != nil {
			writeError(w, http.StatusBadRequest, err.Error())
			return
		}
		if request.Model != "" && !s.serves(request.Model) {
			writeError(w, http.StatusNotFound, fmt.Sprintf("The model `%s` does not exist.", request.Model))
			return
		}
		job, err := request.job(chat, s.options.MaxModelLen, s.options.KVTokens)
		if err != nil {
			writeError(w, http.StatusBadRequest, err.Error())
			return
		}
		if s.options.Role == "prefill" {
			job.MaxTokens = 1 // the decode server gives the others
		}
		prefix := "cmpl"
		if chat {
			prefix = "chatcmpl"
		}
		a := &answer{
			server:  s,
			request: request,
			job:     job,
			chat:    chat,
			id:      fmt.Sprintf("%s-%d-%d", prefix, s.started.UnixNano(), requestNumber.Add(1)),
			created: time.Now().Unix(),
		}
		for _, tokens := range job.Prompts {
			a.parts = append(a.parts, s.engine.Submit(tokens, job.MaxTokens, job.FinishReason))
		}
		defer a.abort()
		if request.Stream {
			a.stream(r.Context(), w)
		} else {
			a.whole(r.Context(), w)
		}
	}
}

// abort gives the seats back; what has finished is not touched.
func (a *answer) abort() {
	for _, part := range a.parts {
		a.server.engine.Abort(part)
	}
}

// whole answers when all tokens are there.
func (a *answer) whole(ctx context.Context, w http.ResponseWriter) {
	choices := []any{}
	for index, part := range a.parts {
		for done := false; !done; {
			if _, done = a.server.engine.Progress(part); done {
				break
			}
			select {
			case <-part.wake:
			case <-ctx.Done():
				return
			}
		}
		text := &strings.Builder{}
		for token := range a.job.MaxTokens {
			text.WriteString(word(token))
		}
		choice := map[string]any{"index": index, "finish_reason": part.FinishReason, "logprobs": nil}
		if a.chat {
			choice["message"] = map[string]any{"role": "assistant", "content": text.String()}
		} else {
			choice["text"] = text.String()
		}
		choices = append(choices, choice)
	}
	object := "text_completion"
	if a.chat {
		object = "chat.completion"
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"id": a.id, "object": object, "created": a.created, "model": a.server.model(),
		"choices": choices, "usage": a.usage(len(a.parts) * a.job.MaxTokens),
	})
}

// stream answers with one server-sent event for each token.
func (a *answer) stream(ctx context.Context, w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	out := http.NewResponseController(w)
	if a.chat {
		for index := range a.parts {
			a.event(w, []any{map[string]any{
				"index": index, "delta": map[string]any{"role": "assistant", "content": ""}, "finish_reason": nil,
			}}, nil)
		}
		_ = out.Flush()
	}
	sent := make([]int, len(a.parts))
	turns := make(chan int, len(a.parts))
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	for index, part := range a.parts {
		go func() {
			for {
				select {
				case <-part.wake:
				case <-stop.Done():
					return
				}
				select {
				case turns <- index:
				case <-stop.Done():
					return
				}
			}
		}()
	}
	for open := len(a.parts); open > 0; {
		var index int
		select {
		case index = <-turns:
		case <-ctx.Done():
			return
		}
		count, done := a.server.engine.Progress(a.parts[index])
		if sent[index] == count {
			continue
		}
		for ; sent[index] < count; sent[index]++ {
			last := done && sent[index] == count-1
			a.event(w, []any{a.delta(index, sent[index], last)}, nil)
		}
		if done {
			open--
		}
		if out.Flush() != nil {
			return
		}
	}
	if a.request.StreamOptions.IncludeUsage {
		total := a.usage(len(a.parts) * a.job.MaxTokens)
		a.event(w, []any{}, &total)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// delta is one token as a choice.
func (a *answer) delta(index, token int, last bool) map[string]any {
	choice := map[string]any{"index": index, "logprobs": nil, "finish_reason": nil}
	if last {
		choice["finish_reason"] = a.job.FinishReason
	}
	if a.chat {
		choice["delta"] = map[string]any{"content": word(token)}
	} else {
		choice["text"] = word(token)
	}
	return choice
}

func (a *answer) event(w http.ResponseWriter, choices []any, total *usage) {
	object := "text_completion"
	if a.chat {
		object = "chat.completion.chunk"
	}
	chunk := map[string]any{
		"id": a.id, "object": object, "created": a.created, "model": a.server.model(), "choices": choices,
	}
	if a.request.StreamOptions.IncludeUsage {
		chunk["usage"] = total
	}
	text, _ := json.Marshal(chunk)
	fmt.Fprintf(w, "data: %s\n\n", text)
}

func (a *answer) usage(completion int) usage {
	prompt := 0
	for _, tokens := range a.job.Prompts {
		prompt += tokens
	}
	return usage{prompt, completion, prompt + completion}
}

func word(token int) string {
	return " " + words[token%len(words)]
}

func writeJSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}

// writeError answers with an error in OpenAI's form.
func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{
		"message": message, "type": strings.ReplaceAll(http.StatusText(status), " ", "") + "Error", "code": status,
	}})
}
