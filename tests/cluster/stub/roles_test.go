package main

import (
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// serveAs starts a server by a command line, at twenty times the pace.
func serveAs(t *testing.T, line string) (*Server, string) {
	t.Helper()
	words := strings.Fields(line)
	options, err := ParseOptions(words[0], append(words[1:], "--bodies", recorded, "--speed", "20"))
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

// gauges returns the values of SGLang's series, without their prefix.
func gauges(t *testing.T, url string, names ...string) map[string]float64 {
	t.Helper()
	status, text := get(t, url+"/metrics")
	if status != 200 {
		t.Fatalf("/metrics: %d", status)
	}
	found := map[string]float64{}
	for _, name := range names {
		line := sample(t, text, "sglang:"+name+"{")
		value, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		if err != nil {
			t.Fatal(line)
		}
		found[name] = value
	}
	return found
}

var roleGauges = []string{
	"num_running_reqs", "num_queue_reqs", "num_prefill_bootstrap_queue_reqs", "num_prefill_inflight_queue_reqs",
	"num_decode_prealloc_queue_reqs", "num_decode_transfer_queue_reqs",
}

func TestALoadMovesTheQueuesOfItsRole(t *testing.T) {
	for mode, want := range map[string][]float64{
		"":                              {8, 5, 0, 0, 0, 0},
		"--disaggregation-mode prefill": {0, 2, 3, 8, 0, 0},
		"--disaggregation-mode decode":  {8, 0, 0, 0, 3, 2},
	} {
		_, url := serveAs(t, "sglang --model-path m --enable-metrics "+mode)
		_, fresh := get(t, url+"/metrics")
		if strings.Contains(fresh, "num_queue_reqs{") {
			t.Errorf("%q: a queue before the first request", mode)
		}
		if role := strings.TrimPrefix(mode, "--disaggregation-mode "); role != "" &&
			!strings.Contains(fresh, fmt.Sprintf(`engine_type="%s"`, role)) {
			t.Errorf("%q: the role is not shown at the start", mode)
		}
		post(t, url+"/admin/load", `{"running":8,"waiting":5,"kv":0.42}`)
		found := gauges(t, url, roleGauges...)
		for i, name := range roleGauges {
			if found[name] != want[i] {
				t.Errorf("%q: %s is %v, want %v", mode, name, found[name], want[i])
			}
		}
		post(t, url+"/admin/load", `{}`)
		for name, value := range gauges(t, url, roleGauges...) {
			if value != 0 {
				t.Errorf("%q idle: %s is %v", mode, name, value)
			}
		}
	}
}

func TestRealRequestsMoveThemToo(t *testing.T) {
	server, url := serveAs(t, "sglang --model-path m --enable-metrics --disaggregation-mode decode --max-running-requests 2")
	for range 5 {
		go func() { _, _ = post(t, url+"/v1/completions", `{"prompt":"abcd","max_tokens":4000}`) }()
	}
	waitFor(t, func() bool { return server.engine.Snapshot(nil).Values["waiting"] == 3 })
	found := gauges(t, url, roleGauges...)
	if found["num_running_reqs"] != 2 || found["num_decode_prealloc_queue_reqs"] != 2 || found["num_decode_transfer_queue_reqs"] != 1 {
		t.Errorf("%v", found)
	}
}

func TestPrefillGivesOneTokenAndDecodeComputesNoPrompt(t *testing.T) {
	_, url := serveAs(t, "sglang --model-path m --disaggregation-mode prefill")
	if _, text := post(t, url+"/v1/completions", `{"prompt":"abcd","max_tokens":9}`); !strings.Contains(text, `"completion_tokens":1,`) {
		t.Error(text)
	}
	decode := idle(8, 16000)
	decode.Computed = true
	decode.Submit(1000, 2, "length")
	if cost, batch := decode.plan(); len(batch) != 1 || cost != decode.Pace.StepBase+decode.Pace.StepPerSeq {
		t.Errorf("%d sequences in %v", len(batch), cost)
	}
	if held := decode.held(); held != 1000 {
		t.Errorf("the transferred prompt holds %d tokens", held)
	}
}

func TestARoleThatIsNone(t *testing.T) {
	if _, err := ParseOptions("sglang", []string{"--disaggregation-mode", "both"}); err == nil {
		t.Error("must be refused")
	}
	for _, mode := range []string{"null", "prefill"} {
		if _, err := ParseOptions("sglang", []string{"--disaggregation-mode", mode}); err != nil {
			t.Error(err)
		}
	}
}
