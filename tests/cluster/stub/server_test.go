package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T, arguments ...string) (*Server, string) {
	t.Helper()
	options, err := ParseOptions("vllm", append([]string{"serve", "/models/tiny", "--bodies", recorded, "--speed", "20"}, arguments...))
	if err != nil {
		t.Fatal(err)
	}
	server, err := NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	t.Cleanup(web.Close)
	return server, web.URL
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	answer, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

func TestStreamHasAnEventForEachTokenAndTheUsage(t *testing.T) {
	_, url := serve(t, "--served-model-name", "tiny")
	status, text := post(t, url+"/v1/completions",
		`{"model":"tiny","prompt":"twelve chars","max_tokens":5,"stream":true,"stream_options":{"include_usage":true}}`)
	events := strings.Split(strings.TrimSpace(text), "\n\n")
	if status != http.StatusOK || len(events) != 7 || events[6] != "data: [DONE]" {
		t.Fatalf("%d: %s", status, text)
	}
	if !strings.Contains(events[4], `"finish_reason":"length"`) || !strings.Contains(events[5], `"prompt_tokens":3`) {
		t.Errorf("the end is wrong: %s", text)
	}
}

func TestChatAndPromptForms(t *testing.T) {
	_, url := serve(t)
	for body, want := range map[string][2]int{
		`{"prompt":[1,2,3],"max_tokens":2}`:             {3, 2},
		`{"prompt":["abcd","abcdefgh"],"max_tokens":2}`: {3, 4},
		`{"prompt":[[1,2],[3]],"max_tokens":1}`:         {3, 2},
		`{"prompt":"abcd"}`:                             {1, 16},
		`{"prompt":"abcd","n":2,"max_tokens":1}`:        {2, 2},
		`{"messages":[{"role":"user","content":"hi"}]}`: {5, 128},
	} {
		path := "/v1/completions"
		if strings.Contains(body, "messages") {
			path = "/v1/chat/completions"
		}
		_, text := post(t, url+path, body)
		answer := struct{ Usage usage }{}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatalf("%s: %s", body, text)
		}
		if got := [2]int{answer.Usage.PromptTokens, answer.Usage.CompletionTokens}; got != want {
			t.Errorf("%s: usage %v, want %v", body, got, want)
		}
	}
	for _, body := range []string{`{`, `{}`, `{"prompt":"a","max_tokens":5000}`, `{"prompt":"a","max_tokens":0}`} {
		if status, text := post(t, url+"/v1/completions", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if status, _ := post(t, url+"/v1/completions", `{"model":"other","prompt":"a"}`); status != http.StatusNotFound {
		t.Errorf("another model: %d", status)
	}
}

func TestAClientThatLeavesFreesItsSeat(t *testing.T) {
	server, url := serve(t)
	ctx, leave := context.WithCancel(context.Background())
	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/completions",
		strings.NewReader(`{"prompt":"a","max_tokens":4000,"stream":true}`))
	go func() { _, _ = http.DefaultClient.Do(request) }()
	waitFor(t, func() bool { return server.engine.Snapshot(nil).Values["running"] == 1 })
	leave()
	waitFor(t, func() bool {
		now := server.engine.Snapshot(nil).Values
		return now["running"] == 0 && now["finished_abort"] == 1
	})
}

func waitFor(t *testing.T, true func() bool) {
	t.Helper()
	for range 500 {
		if true() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("waited 5 s in vain")
}

func TestAdminSetsLoadFailuresAndBody(t *testing.T) {
	_, url := serve(t)
	metrics := func() string {
		answer, err := http.Get(url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return string(text)
	}
	post(t, url+"/admin/load", `{"running":8,"waiting":17,"kv":null}`)
	if !strings.HasSuffix(sample(t, metrics(), "vllm:num_requests_waiting{"), " 17.0") {
		t.Error("the load is not shown")
	}
	post(t, url+"/admin/load", `{"running":null}`)
	if !strings.HasSuffix(sample(t, metrics(), "vllm:num_requests_waiting{"), " 0.0") {
		t.Error("the load is not taken back")
	}
	post(t, url+"/admin/fail", `{"rate":1,"status":503}`)
	if status, _ := post(t, url+"/v1/completions", `{"prompt":"a"}`); status != http.StatusServiceUnavailable {
		t.Errorf("no failure: %d", status)
	}
	post(t, url+"/admin/fail", `{"rate":0}`)
	if status, _ := post(t, url+"/v1/completions", `{"prompt":"a"}`); status != http.StatusOK {
		t.Errorf("still failing: %d", status)
	}
	post(t, url+"/admin/body", `{"name":"vllm-0.8.5-v0"}`)
	sample(t, metrics(), `vllm:num_requests_waiting{model_name="/models/tiny"}`)
	if status, _ := post(t, url+"/admin/body", `{"name":"no-such"}`); status != http.StatusNotFound {
		t.Errorf("an unknown body: %d", status)
	}
}

func TestNothingAnswersDuringTheStart(t *testing.T) {
	_, url := serve(t, "--startup-delay", "300ms")
	for _, path := range []string{"/health", "/metrics", "/v1/models"} {
		answer, err := http.Get(url + path)
		if err != nil || answer.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("%s: %v %v", path, answer, err)
		}
	}
	waitFor(t, func() bool {
		answer, err := http.Get(url + "/health")
		return err == nil && answer.StatusCode == http.StatusOK
	})
}

func TestAdaptersAreListedBelowTheirModelAndServed(t *testing.T) {
	_, url := serve(t, "--served-model-name", "base", "--lora-modules", "lora-a=/loras/a", "lora-b=/loras/b")
	answer, err := http.Get(url + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	for _, entry := range []string{`"id":"lora-a"`, `"root":"/loras/b"`, `"parent":"base"`} {
		if !strings.Contains(string(text), entry) {
			t.Errorf("%s is not in %s", entry, text)
		}
	}
	if status, _ := post(t, url+"/v1/completions", `{"model":"lora-b","prompt":"a"}`); status != http.StatusOK {
		t.Errorf("an adapter is not served: %d", status)
	}
	if status, _ := post(t, url+"/v1/completions", `{"model":"lora-c","prompt":"a"}`); status != http.StatusNotFound {
		t.Errorf("an unknown adapter: %d", status)
	}
}

func TestEnginesCommandLines(t *testing.T) {
	vllm, err := ParseOptions("/usr/local/bin/vllm", strings.Fields(
		"serve /models/q --tensor-parallel-size 2 --enforce-eager --max-num-seqs=16 --served-model-name a b --port 9000"))
	if err != nil || vllm.Model != "/models/q" || vllm.Seats != 16 || vllm.Address != "0.0.0.0:9000" || len(vllm.ServedNames) != 2 {
		t.Errorf("%+v %v", vllm, err)
	}
	sglang, err := ParseOptions("sglang", strings.Fields("--model-path /m --host 0.0.0.0 --max-running-requests 4"))
	if err != nil || sglang.Address != "0.0.0.0:30000" || sglang.Seats != 4 || sglang.Metrics || sglang.Body != "sglang-0.5.12" {
		t.Errorf("%+v %v", sglang, err)
	}
	dynamo, err := ParseOptions("dynamo", strings.Fields("--model /m --max-num-seqs 4"))
	if err != nil || dynamo.Address != "0.0.0.0:9090" || dynamo.Seats != 4 || dynamo.Body != "dynamo-1.6.1-worker-vllm0.31.0" {
		t.Errorf("%+v %v", dynamo, err)
	}
	if _, err := ParseOptions("vllm", strings.Fields("serve m --max-num-seqs none")); err == nil {
		t.Error("a bad number must be refused")
	}
}

func TestATestShowsWhatJSONHasNoNumberForAndNoSeriesAtAll(t *testing.T) {
	_, url := serve(t, "--body", "vllm-0.9.2-dp2")
	metrics := func() string {
		answer, err := http.Get(url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return string(text)
	}
	for given, want := range map[string]string{`"NaN"`: "NaN", `"+Inf"`: "+Inf", `"inf"`: "+Inf", `4`: "2.0"} {
		if status, text := post(t, url+"/admin/load", `{"waiting": `+given+`}`); status != http.StatusOK {
			t.Fatalf("%s: %d %s", given, status, text)
		}
		if line := sample(t, metrics(), "vllm:num_requests_waiting{"); !strings.HasSuffix(line, " "+want) {
			t.Errorf("%s: %s", given, line)
		}
	}
	if status, _ := post(t, url+"/admin/load", `{"waiting": "many"}`); status != http.StatusBadRequest {
		t.Errorf("no number at all: %d", status)
	}
	post(t, url+"/admin/load", `{"running": 4, "absent": ["waiting"]}`)
	text := metrics()
	if strings.Contains(text, "\nvllm:num_requests_waiting{") || !strings.Contains(text, "\nvllm:num_requests_running{") {
		t.Errorf("waiting is to be absent, and nothing else: %s", text)
	}
}
