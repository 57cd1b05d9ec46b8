package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

func TestLlamaServersCommandLine(t *testing.T) {
	for line, want := range map[string]Options{
		"-m /m.gguf -np 8 --metrics --host 0.0.0.0": {Model: "/m.gguf", Seats: 8, Metrics: true, Address: "0.0.0.0:8080"},
		"--model /m.gguf --alias tiny --port 9":     {Model: "/m.gguf", Seats: 4, Address: "127.0.0.1:9"},
	} {
		got, err := ParseOptions("/app/llama-server", strings.Fields(line))
		if err != nil || got.Model != want.Model || got.Seats != want.Seats || got.Metrics != want.Metrics || got.Address != want.Address {
			t.Errorf("%s: %+v %v", line, got, err)
		}
	}
	t.Setenv("LLAMA_ARG_ENDPOINT_METRICS", "1")
	t.Setenv("LLAMA_ARG_N_PARALLEL", "2")
	got, err := ParseOptions("llama-server", strings.Fields("-m a -np 3"))
	if err != nil || !got.Metrics || got.Seats != 3 {
		t.Errorf("%+v %v: a flag goes before a variable", got, err)
	}
}

func TestLlamaServersMetricsAndSlots(t *testing.T) {
	_, url := serveAs(t, "llama-server -m /m.gguf -np 2 --metrics")
	post(t, url+"/admin/load", `{"running":2,"waiting":5}`)
	_, text := get(t, url+"/metrics")
	for _, line := range []string{"llamacpp:requests_processing 2", "llamacpp:requests_deferred 5"} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s; there is %s", line, sample(t, text, strings.Fields(line)[0]))
		}
	}
	if status, text := get(t, url+"/slots"); status != http.StatusOK || strings.Count(text, `"is_processing":true`) != 2 {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := get(t, url+"/slots?fail_on_no_slot=1"); status != http.StatusServiceUnavailable {
		t.Errorf("no slot is free: %d", status)
	}
	if _, text := get(t, url+"/props"); !strings.Contains(text, `"total_slots":2`) {
		t.Error(text)
	}
}

func TestMetricsThatWereNotSwitchedOn(t *testing.T) {
	_, url := serveAs(t, "llama-server -m /m.gguf")
	if status, text := get(t, url+"/metrics"); status != http.StatusNotImplemented || !strings.Contains(text, "not_supported_error") {
		t.Errorf("%d %s", status, text)
	}
	_, url = serveAs(t, "sglang --model-path m")
	if status, _ := get(t, url+"/metrics"); status != http.StatusNotFound {
		t.Errorf("%d", status)
	}
}
