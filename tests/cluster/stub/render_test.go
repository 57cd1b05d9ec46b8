package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const recorded = "../../bodies"

func snapshot(seen bool) Snapshot {
	e := idle(8, 16000)
	now := e.Snapshot(nil)
	now.Seen = seen
	now.Values["running"], now.Values["waiting"], now.Values["in_flight"], now.Values["kv"] = 8, 17, 25, 0.5
	now.Histograms["first_token"].Observe(0.2)
	now.Started = time.Unix(1_800_000_000, 0)
	return now
}

func render(t *testing.T, body string, now Snapshot, absent bool) string {
	t.Helper()
	renderer, err := NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	template, err := LoadTemplate(recorded, body)
	if err != nil {
		t.Fatal(err)
	}
	return renderer.Render(template, now, "tiny", absent)
}

// sample returns the line that begins with prefix.
func sample(t *testing.T, text, prefix string) string {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	t.Fatalf("no line begins with %q", prefix)
	return ""
}

func TestEveryBodyKeepsItsLinesInOrder(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(recorded, "*-busy.txt"))
	if len(paths) < 10 {
		t.Fatalf("only %d bodies", len(paths))
	}
	for _, path := range paths {
		before, _ := os.ReadFile(path)
		after := render(t, strings.TrimSuffix(filepath.Base(path), ".txt"), snapshot(true), false)
		old, now := strings.Split(string(before), "\n"), strings.Split(after, "\n")
		if len(old) != len(now) {
			t.Fatalf("%s: %d lines became %d", path, len(old), len(now))
		}
		for i := range old {
			name := strings.FieldsFunc(old[i]+" ", func(r rune) bool { return r == '{' || r == ' ' })
			if len(name) > 0 && !strings.HasPrefix(now[i], name[0]) {
				t.Errorf("%s line %d: %q became %q", path, i+1, old[i], now[i])
			}
		}
	}
}

func TestBodiesShowTheEnginesOwnValues(t *testing.T) {
	for body, want := range map[string][]string{
		"vllm-0.8.5":    {`vllm:num_requests_waiting{engine="0",model_name="tiny"} 17.0`, `vllm:gpu_cache_usage_perc{engine="0",model_name="tiny"} 0.5`},
		"vllm-0.8.5-v0": {`vllm:num_requests_waiting{model_name="tiny"} 17.0`, `vllm:time_to_first_token_seconds_count{model_name="tiny"} 1.0`},
		"vllm-0.9.2":    {`vllm:gpu_cache_usage_perc{engine="0",model_name="tiny"} 0.5`, `vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} 0.5`},
		"vllm-0.11.2":   {`vllm:num_requests_running{engine="0",model_name="tiny"} 8.0`, `vllm:generation_tokens_total{engine="0",model_name="tiny"} 0.0`},
		"vllm-0.20.2": {
			`vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 17.0`,
			`vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="deferred"} 0.0`,
			`vllm:time_to_first_token_seconds_bucket{engine="0",le="0.1",model_name="tiny"} 0.0`,
			`vllm:time_to_first_token_seconds_bucket{engine="0",le="0.25",model_name="tiny"} 1.0`,
			`vllm:time_to_first_token_seconds_sum{engine="0",model_name="tiny"} 0.2`,
			`vllm:num_requests_running{engine="0",model_name="tiny"} 8.0`,
			`process_start_time_seconds 1.8e+09`,
		},
		"sglang-0.5.12": {`sglang:num_queue_reqs{engine_type="unified",model_name="tiny",moe_ep_rank="0",pp_rank="0",tp_rank="0"} 17.0`},
		"dynamo-1.6.1-worker-vllm0.31.0": {
			`dynamo_component_inflight_requests{dynamo_component="backend",dynamo_endpoint="generate",dynamo_namespace="dynamo",model="tiny",worker_id="aba047e65f91ce7d"} 25`,
			`dynamo_component_gpu_cache_usage_percent{dp_rank="0",dynamo_component="backend",model="tiny"} 0.5`,
		},
	} {
		text := render(t, body, snapshot(true), false)
		for _, line := range want {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("%s: no line %s; there is %s", body, line, sample(t, text, strings.Split(line, " ")[0]))
			}
		}
	}
	if strings.Contains(render(t, "vllm-0.20.2-nostats", snapshot(true), false), "vllm:") {
		t.Error("without stats there is no vllm family")
	}
	cache := sample(t, render(t, "vllm-0.20.2", snapshot(true), false), "vllm:cache_config_info")
	if !strings.Contains(cache, `num_gpu_blocks="1001"`) {
		t.Errorf("the cache's size is not this engine's: %s", cache)
	}
}

func TestSeriesCanBeAbsentBeforeTheFirstRequest(t *testing.T) {
	if fresh := render(t, "sglang-0.5.12", snapshot(false), false); strings.Contains(fresh, "num_queue_reqs{") {
		t.Error("the fresh body has no queue")
	}
	if absent := render(t, "vllm-0.20.2", snapshot(false), true); strings.Contains(absent, "vllm:num_requests_waiting{") {
		t.Error("the queue must be absent")
	}
	if seen := render(t, "vllm-0.20.2", snapshot(true), true); !strings.Contains(seen, "vllm:num_requests_waiting{") {
		t.Error("the queue must be there after a request")
	}
}

func TestRanksShareTheLoad(t *testing.T) {
	text := render(t, "sglang-0.4.10.post2-dp2", snapshot(true), false)
	for rank, want := range map[string]string{"0": "9.0", "1": "8.0"} {
		line := sample(t, text, `sglang:num_queue_reqs{dp_rank="`+rank+`"`)
		if !strings.HasSuffix(line, " "+want) {
			t.Errorf("rank %s: %s, want %s", rank, line, want)
		}
	}
}

func TestFloatsLookLikePythons(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0.0", 8: "8.0", 0.42: "0.42", 12288: "12288.0", 1234567: "1.234567e+06", 1e6: "1e+06", 0.00001: "1e-05",
	} {
		if got := formatFloat(value); got != want {
			t.Errorf("%v: %s, want %s", value, got, want)
		}
	}
}
