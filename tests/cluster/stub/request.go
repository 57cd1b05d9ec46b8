package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"
)

const (
	charsPerToken     = 4
	tokensPerMessage  = 4 // what a chat template adds around one message
	completionDefault = 16
	chatDefault       = 128
)

// Request is the part of an OpenAI request that the model engine heeds.
type Request struct {
	Model               string          `json:"model"`
	Prompt              json.RawMessage `json:"prompt"`
	Messages            []Message       `json:"messages"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	MinTokens           int             `json:"min_tokens"`
	IgnoreEOS           bool            `json:"ignore_eos"`
	N                   int             `json:"n"`
	Stream              bool            `json:"stream"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// Message is one turn of a chat; its content is a string or a list of parts.
type Message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// Job is what a request asks of the engine.
type Job struct {
	Prompts      []int // tokens in each prompt
	MaxTokens    int
	FinishReason string
}

func readRequest(r *http.Request) (*Request, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	request := &Request{N: 1}
	if err := json.Unmarshal(body, request); err != nil {
		return nil, fmt.Errorf("the request is not valid JSON: %w", err)
	}
	return request, nil
}

// job counts the tokens of a request and checks them against the model's length and the cache.
func (r *Request) job(chat bool, maxModelLen, kvTokens int) (*Job, error) {
	var prompts []int
	var err error
	job := &Job{FinishReason: "length"}
	if chat {
		if len(r.Messages) == 0 {
			return nil, fmt.Errorf("messages: at least one is required")
		}
		prompts = []int{chatTokens(r.Messages)}
		job.MaxTokens = chatDefault
	} else {
		if prompts, err = promptTokens(r.Prompt); err != nil {
			return nil, err
		}
		job.MaxTokens = completionDefault
	}
	asked := r.MaxCompletionTokens
	if asked == nil {
		asked = r.MaxTokens
	}
	switch {
	case asked != nil && *asked < 1:
		return nil, fmt.Errorf("max_tokens must be at least 1, got %d", *asked)
	case asked != nil:
		job.MaxTokens = *asked
	case chat && !r.IgnoreEOS:
		job.FinishReason = "stop" // nobody set a limit, so the model came to an end by itself
	}
	for _, tokens := range prompts {
		if total := tokens + job.MaxTokens; total > min(maxModelLen, kvTokens) {
			if asked == nil && tokens < min(maxModelLen, kvTokens) {
				job.MaxTokens = min(maxModelLen, kvTokens) - tokens
				job.FinishReason = "length"
				continue
			}
			return nil, fmt.Errorf(
				"This model's maximum context length is %d tokens. However, you requested %d output tokens and "+
					"your prompt contains at least %d input tokens", min(maxModelLen, kvTokens), job.MaxTokens, tokens)
		}
	}
	for range max(r.N, 1) {
		job.Prompts = append(job.Prompts, prompts...)
	}
	return job, nil
}

// promptTokens returns the tokens of each prompt: a string, token ids, or a list of either.
func promptTokens(raw json.RawMessage) ([]int, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil && len(raw) > 0 && raw[0] == '"' {
		return []int{textTokens(text)}, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil || len(items) == 0 {
		return nil, fmt.Errorf("prompt: a string, a list of token ids or a list of those is required")
	}
	if items[0][0] != '"' && items[0][0] != '[' {
		return []int{len(items)}, nil
	}
	prompts := []int{}
	for _, item := range items {
		one, err := promptTokens(item)
		if err != nil {
			return nil, err
		}
		prompts = append(prompts, one...)
	}
	return prompts, nil
}

func chatTokens(messages []Message) int {
	tokens := 0
	for _, message := range messages {
		tokens += tokensPerMessage + contentTokens(message.Content)
	}
	return tokens
}

func contentTokens(raw json.RawMessage) int {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return textTokens(text)
	}
	var parts []struct {
		Text string `json:"text"`
	}
	tokens := 0
	if json.Unmarshal(raw, &parts) == nil {
		for _, part := range parts {
			tokens += textTokens(part.Text)
		}
	}
	return tokens
}

func textTokens(text string) int {
	return max(1, (utf8.RuneCountInString(text)+charsPerToken-1)/charsPerToken)
}
