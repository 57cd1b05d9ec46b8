"""What a simulation is given: traces, loads, durations, service curves, HPAs and ScaledObjects."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_llmhpa.engines import ENGINES, over_all
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate import files, loads, scalers, traces
from kubectl_llmhpa.simulate.live import start_times
from kubectl_llmhpa.simulate.measures import LATENCIES, SIGNALS, Measure
from kubectl_llmhpa.simulate.queries import Unknown, measure
from kubectl_llmhpa.simulate.results import Slo, duration
from kubectl_llmhpa.simulate.service import DEFAULT, service
from kubectl_llmhpa.simulate.words import pairs, seconds

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
GOOD = "2023-11-16 18:17:03.9799600,4808,10\n"
MOONCAKE = '{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}\n'


def trace(folder: Path, text: str, *, skip_bad: bool = False) -> traces.Trace:
    path = folder / "trace"
    path.write_text(text)
    return traces.read(path, skip_bad=skip_bad)


# Traces


def test_an_azure_trace_begins_at_zero(tmp_path: Path) -> None:
    read = trace(tmp_path, AZURE + GOOD + "2023-11-16 18:17:04.0319600,3180,8\n").requests
    assert list(read.at) == pytest.approx([0.0, 0.052], abs=1e-6)
    assert list(read.prompt) == [4808, 3180]
    assert list(read.output) == [10, 8]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2023-11-17 00:00:00", 20576.02004),
        ("2023-11-16T18:17:04.5", 0.52004),
        ("2023-11-16 18:17:05.979960+00:00", 2.0),
        ("2023-11-16 18:17:05.979960Z", 2.0),
    ],
)
def test_times_of_azure_in_all_their_spellings(tmp_path: Path, time: str, expected: float) -> None:
    read = trace(tmp_path, f"{AZURE}{GOOD}{time},1,1\n").requests
    assert read.at[1] == pytest.approx(expected, abs=1e-5)


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    text = "GeneratedTokens,x,TIMESTAMP,ContextTokens\n1,,2023-11-16 18:17:03,7\n2,,2023-11-16 18:17:05,8\n"
    read = trace(tmp_path, text).requests
    assert (list(read.at), list(read.prompt), list(read.output)) == ([0.0, 2.0], [7, 8], [1, 2])


def test_a_mooncake_trace_is_in_milliseconds(tmp_path: Path) -> None:
    read = trace(tmp_path, MOONCAKE + MOONCAKE.replace("27482", "30000")).requests
    assert list(read.at) == pytest.approx([0.0, 2.518])
    assert (read.prompt[0], read.output[0]) == (6955, 52)


BAD_ROWS = [
    ("2023-11-16 18:17:01.0,5,5", "before the row above"),
    ("2023-11-16 18:17:04.0,-5,5", "prompt of -5 tokens"),
    ("2023-11-16 18:17:04.0,5,0", "answer of 0 tokens"),
    ("2023-11-16 18:17:04.0,5,99999999999", "answer of 99999999999 tokens"),
    ("2023-11-16 18:17:04.0,5", "2 columns instead of 3"),
    ("2023-11-16 18:17:04.0,,5", "no number of tokens"),
    ("2023-11-16 18:17:04.0,5.5,5", "'5.5' is not a number of tokens"),
    ("2023-13-16 18:17:04.0,5,5", "is not a time"),
    ("2023-11-16 18:17:04.x,5,5", "is not a time"),
    (",5,5", "no time"),
    ("2033-11-16 18:17:04.0,5,5", "days after the row above"),
]


@pytest.mark.parametrize(("row", "said"), BAD_ROWS)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(LlmHpaError, match="line 3: ") as error:
        trace(tmp_path, f"{AZURE}{GOOD}{row}\n")
    assert said in str(error.value)
    assert "--skip-bad" in str(error.value)


def test_bad_rows_can_be_left_out_and_are_counted(tmp_path: Path) -> None:
    rows = "\n".join(row for row, _ in BAD_ROWS)
    read = trace(tmp_path, f"{AZURE}{GOOD}{rows}\n2023-11-16 18:17:05.0,1,1\n", skip_bad=True)
    assert (len(read.requests), read.skipped) == (2, len(BAD_ROWS))
    assert read.fault.startswith("line 3: it comes ")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("[]", "not a JSON object"),
        ("{", "not a JSON object"),
        ('{"timestamp": 1}', "no input_length, output_length"),
        ('{"timestamp": -1, "input_length": 1, "output_length": 1}', "not a number of milliseconds"),
        ('{"timestamp": NaN, "input_length": 1, "output_length": 1}', "not a number of milliseconds"),
        ('{"timestamp": 99999, "input_length": true, "output_length": 1}', "not a number of tokens"),
        ('{"timestamp": 99999, "input_length": 1e999, "output_length": 1}', "not a number of tokens"),
    ],
)
def test_a_bad_line_of_mooncake(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(LlmHpaError, match="line 2: ") as error:
        trace(tmp_path, f"{MOONCAKE}{row}\n")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        (AZURE, "no request in it"),
        ("a,b,c\n1,2,3\n", "no column TIMESTAMP, ContextTokens, GeneratedTokens"),
        (AZURE + GOOD, "at the same moment"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LlmHpaError, match=said):
        trace(tmp_path, text)


def test_a_trace_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(LlmHpaError, match="No such file"):
        traces.read(tmp_path / "absent")
    with pytest.raises(LlmHpaError, match="directory"):
        traces.read(tmp_path)
    (tmp_path / "zipped").write_bytes(b"\x1f\x8b\x08\x00\xff\xfe")
    with pytest.raises(LlmHpaError, match="not text"):
        traces.read(tmp_path / "zipped")


# Loads


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constant:rate=5,duration=10m", 3000),
        ("ramp:from=0,to=10,duration=10m", 3000),
        ("step:low=0,high=10,at=1m,for=5m,duration=10m", 3000),
        ("day:peak=10,trough=0,duration=10m", 3000),
        ("bursty:base=0,peak=50,every=100s,for=10s,duration=10m", 3000),
    ],
)
def test_a_load_has_the_requests_that_it_says(text: str, expected: int) -> None:
    made = loads.load(text)
    assert len(made) == pytest.approx(expected, rel=0.1)
    assert list(made.at) == sorted(made.at)
    assert made.length == 600


def test_lengths_have_the_mean_that_was_asked_for() -> None:
    made = loads.load("constant:rate=50,duration=10m,prompt=700,output=90,spread=0.7")
    assert statistics.mean(made.prompt) == pytest.approx(700, rel=0.05)
    assert statistics.mean(made.output) == pytest.approx(90, rel=0.05)


def test_without_spread_all_lengths_are_the_same() -> None:
    made = loads.load("constant:rate=5,duration=1m,prompt=700,output=90,spread=0")
    assert (set(made.prompt), set(made.output)) == ({700}, {90})


def test_a_load_comes_out_the_same_for_the_same_seed() -> None:
    one, same, other = (loads.load("day:peak=5,duration=10m", seed=seed) for seed in (1, 1, 2))
    assert one.at == same.at
    assert one.at != other.at


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dya:peak=4", "choose one of constant, ramp"),
        ("day", "peak is missing"),
        ("day:peak", "not of the form key=value"),
        ("day:peak=4,peek=1", "day has no 'peek'"),
        ("day:peak=x", "peak=x is not a number"),
        ("day:peak=-1", "not a number of 0 or more"),
        ("day:peak=nan", "not a number of 0 or more"),
        ("day:peak=4,peak=5", "given twice"),
        ("day:peak=4,duration=4", "not a duration"),
        ("constant:rate=0", "no request ever comes"),
        ("constant:rate=1,duration=0s", "duration must be above 0"),
        ("constant:rate=1000000", "requests, more than"),
        ("constant:rate=1,prompt=0", "prompt must be at least 1 token"),
        ("constant:rate=1,spread=9", "spread is the sigma"),
        ("step:high=4,at=2h", "the step comes after the end"),
        ("bursty:peak=4,every=1m,for=2m", "a burst must be shorter"),
    ],
)
def test_a_load_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(LlmHpaError) as error:
        loads.load(text)
    assert said in str(error.value)


# Words


@pytest.mark.parametrize(
    ("text", "expected"), [("80ms", 0.08), ("2s", 2), ("1h30m", 5400), ("1.5s", 1.5), ("0s", 0)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds("", text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "5", "5 s", "s", "-5s", "1d", "9999999h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(LlmHpaError):
        seconds("--start-up", text)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.08, "80ms"), (1.5, "1.5s"), (120, "2m"), (150, "2m30s"), (0.00015, "0.15ms")]
)
def test_durations_are_shown_as_they_are_written(value: float, expected: str) -> None:
    assert duration(value) == expected


@pytest.mark.parametrize("text", ["", "ttft", "ttft=", "ttft=2", "ttft=0s", "tttf=2s"])
def test_what_is_no_slo(text: str) -> None:
    with pytest.raises(LlmHpaError):
        Slo.parse(text)


def test_a_curve_takes_what_is_given_and_says_what_is_not() -> None:
    assert service({}) == DEFAULT
    some = service({"step": "8ms"}, seats=16)
    assert (some.step, some.seats, some.prefill, some.assumed) == (0.008, 16, DEFAULT.prefill, True)
    whole = service(pairs("", "seats=8,step=8ms,per-request=0ms,prefill=2000,kv=50000"))
    assert not whole.assumed


@pytest.mark.parametrize(
    "text", ["speed=9", "step=9", "step=0ms", "prefill=0", "prefill=x", "kv=1.5", "seats=inf", "chunk=-4"]
)
def test_a_curve_that_no_pod_can_have(text: str) -> None:
    with pytest.raises(LlmHpaError, match="--service"):
        service(pairs("", text))


# Autoscalers


WRITTEN = sorted(
    {(signal.name, over_all(signal, matchers='x="y"')) for one in ENGINES for signal in one.signals}
)


@pytest.mark.parametrize(
    ("name", "query"), WRITTEN, ids=[f"{at} {name}" for at, (name, _) in enumerate(WRITTEN)]
)
def test_what_enable_writes_for_keda_can_be_simulated(name: str, query: str) -> None:
    if name in (*SIGNALS, *LATENCIES):
        assert measure(query, name=name).signal == name
    else:
        with pytest.raises(Unknown):
            measure(query, name=name)


RUNNING = 'vllm:num_requests_running{namespace="a"}'
WAITING = 'vllm:num_requests_waiting{namespace="a"}'


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"sum({RUNNING})", Measure("running", "sum")),
        (f"avg({WAITING})", Measure("waiting", "mean")),
        (f"max(({RUNNING}))", Measure("running", "max")),
        (f"sum by (namespace) ({RUNNING})", Measure("running", "sum")),
        (f"sum(sum by (pod) (max by (pod, engine) ({RUNNING})))", Measure("running", "sum")),
        (f"sum({RUNNING}) + sum({WAITING})", Measure("in-flight", "sum")),
        ("sum(vllm:kv_cache_usage_perc or vllm:gpu_cache_usage_perc)", Measure("kv-cache", "sum")),
        (f"sum(avg_over_time({RUNNING}[1m]))", Measure("running", "sum", "mean", 60)),
        (f"max_over_time(sum({RUNNING})[2m:15s])", Measure("running", "sum", "max", 120)),
        (f"sum({RUNNING}) or vector(0)", Measure("running", "sum", when_empty=0)),
        (
            f"(predict_linear(sum({RUNNING})[3m:15s], 120) > sum({RUNNING})) or sum({RUNNING})",
            Measure("running", "sum", "forecast", 180, ahead=120),
        ),
        (
            "histogram_quantile(0.95, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket[2m])))",
            Measure("ttft", "quantile", window=120, share=0.95),
        ),
    ],
)
def test_queries_that_the_model_follows(query: str, expected: Measure) -> None:
    assert measure(query) == expected


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sum(", "no PromQL"),
        ("vector(1)", "not one that the model"),
        ("sum(DCGM_FI_DEV_GPU_UTIL)", "no metric of an engine's queue"),
        ("sum(rate(vllm:generation_tokens_total[1m]))", "says generation-tokens"),
        (f"sum({RUNNING}) / count({RUNNING})", "not one that the model can evaluate"),
        (f"sum(max_over_time({RUNNING}[1m]))", "more to each pod's number"),
        (RUNNING, "not one that the model can evaluate"),
        (
            f"(predict_linear(sum({RUNNING})[3m:], 120) > sum({WAITING})) or sum({WAITING})",
            "not one that the model",
        ),
        (f"predict_linear({RUNNING}[3m], 120)", "not over a window of one"),
        (
            "histogram_quantile(0.9, rate(vllm:time_to_first_token_seconds_bucket[2m]))",
            "not a quantile of all",
        ),
        (
            "histogram_quantile(0.9, sum by (le) (rate(vllm:inter_token_latency_seconds_bucket[2m])))",
            "no latency itl",
        ),
        (
            'sum({__name__=~"vllm:num_requests_running|vllm:kv_cache_usage_perc"})',
            "mixes kv-cache and running",
        ),
        ("sum({job='x'})", "does not name a metric"),
        (f"sum({RUNNING}) * 2", "not one that the model can evaluate"),
        (f"sum({RUNNING}) + sum(vllm:kv_cache_usage_perc)", "not one that the model"),
    ],
)
def test_queries_that_it_does_not(query: str, said: str) -> None:
    with pytest.raises(Unknown, match=said):
        measure(query)


def hpa(*metrics: Any, **spec: Any) -> dict[str, Any]:
    whole = {"minReplicas": 2, "maxReplicas": 9, "metrics": list(metrics), **spec}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "x"},
        "spec": whole,
    }


def pods_metric(name: str, target: str = "5") -> dict[str, Any]:
    return {
        "type": "Pods",
        "pods": {"metric": {"name": name}, "target": {"type": "AverageValue", "averageValue": target}},
    }


def scaled_object(**metadata: str) -> dict[str, Any]:
    trigger = {"type": "prometheus", "metadata": {"query": f"sum({RUNNING})", "threshold": "16", **metadata}}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "x"},
        "spec": {"scaleTargetRef": {"name": "v"}, "maxReplicaCount": 7, "triggers": [trigger]},
    }


def test_an_hpa_as_it_stands() -> None:
    found = scalers.of_object(hpa(pods_metric("vllm:num_requests_waiting", "2500m")), "x")
    spec = found.scaling.spec
    assert (spec.min_replicas, spec.max_replicas, spec.metrics[0].target) == (2, 9, 2500)
    assert found.asks == "waiting 2.5"
    assert spec.up is None, "no behavior is the old fixed rules, and not ours"
    assert found.scaling.measures == (Measure("waiting"),)


@pytest.mark.parametrize(("ignore", "empty"), [({}, 0), ({"ignoreNullValues": "false"}, None)])
def test_a_scaled_object_as_kedas_hpa(ignore: dict[str, str], empty: int | None) -> None:
    found = scalers.of_object(scaled_object(**ignore), "x")
    spec = found.scaling.spec
    assert (spec.min_replicas, spec.max_replicas) == (1, 7)
    assert spec.metrics[0].source == "External"
    assert spec.metrics[0].target == 16_000
    assert spec.up is not None, "KEDA always writes a behavior"
    assert found.scaling.measures == (Measure("running", "sum", when_empty=empty),)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ({"type": "Resource", "resource": {"name": "cpu"}}, "no Resource metrics"),
        ({"type": "Object", "object": {"metric": {"name": "x"}}}, "no Object metrics"),
        (pods_metric("DCGM_FI_DEV_GPU_UTIL"), "the model knows nothing else"),
        (pods_metric("vllm:e2e_request_latency_seconds"), "says e2e"),
        (pods_metric("vllm:num_requests_waiting", "0"), "no target above 0"),
    ],
)
def test_a_metric_that_the_model_cannot_know_is_named(metric: dict[str, Any], said: str) -> None:
    with pytest.raises(LlmHpaError, match=said):
        scalers.of_object(hpa(pods_metric("vllm:num_requests_running"), metric), "x")


def test_broken_autoscalers_are_refused() -> None:
    with pytest.raises(LlmHpaError, match="no metrics"):
        scalers.of_object(hpa(), "x")
    with pytest.raises(LlmHpaError, match="below minReplicas"):
        scalers.of_object(hpa(pods_metric("vllm:num_requests_running"), maxReplicas=1), "x")
    found = scaled_object()
    found["spec"]["triggers"].append({"type": "cron"})
    with pytest.raises(LlmHpaError, match="a trigger of type cron"):
        scalers.of_object(found, "x")


def test_a_minimum_of_zero_is_said_to_be_one() -> None:
    found = scalers.of_object(hpa(pods_metric("vllm:num_requests_running"), minReplicas=0), "x")
    assert found.scaling.spec.min_replicas == 1
    assert "minimum of 0" in found.assumed[0]


def test_policies_are_for_the_engine_that_is_there() -> None:
    there = scalers.of_object(hpa(pods_metric("sglang:num_queue_reqs")), "x")
    facts = scalers.facts_for([there], 20, "given")
    found = scalers.of_policy("load", facts, least=1, most=4, external=False)
    assert facts.engine == "sglang"
    assert found.asks.startswith("running 12, waiting 5")
    outside = scalers.of_policy("load", facts, least=1, most=4, external=True)
    assert {one.combine for one in outside.scaling.measures} == {"sum"}


def test_policies_beside_a_scaled_object_are_for_its_engine() -> None:
    there = scalers.of_object(scaled_object(query="sum(sglang:num_queue_reqs)"), "x")
    assert scalers.facts_for([there], 20, "given").engine == "sglang"


def test_the_name_of_a_trigger_is_no_proof() -> None:
    with pytest.raises(Unknown):
        measure("sum(rate(vllm:request_success_total[1m]))", name="running")
    with pytest.raises(Unknown):
        measure("sum(rate(vllm:num_requests_running[1m]))", name="running")


def test_names_are_told_apart() -> None:
    one = scalers.of_object(scaled_object(), "load")
    assert [found.name for found in scalers.told_apart([one, one, one])] == ["load", "load (2)", "load (3)"]


def test_files_with_autoscalers_and_without(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("kind: Service\napiVersion: v1\nmetadata: {name: a}\n")
    with pytest.raises(LlmHpaError, match="there is no HorizontalPodAutoscaler or ScaledObject"):
        files.read(str(path))
    path.write_text("a: [\n")
    with pytest.raises(LlmHpaError, match=r"x\.yaml"):
        files.read(str(path))
    with pytest.raises(LlmHpaError, match="No such file"):
        files.read(str(tmp_path / "absent.yaml"))


@pytest.mark.parametrize(
    ("kind", "policy", "ordered"),
    [("Deployment", "", False), ("StatefulSet", "", True), ("StatefulSet", "Parallel", False)],
)
def test_pods_of_a_stateful_set_start_in_order(tmp_path: Path, kind: str, policy: str, ordered: bool) -> None:
    scaler = hpa(pods_metric("vllm:num_requests_running"), scaleTargetRef={"kind": kind, "name": "v"})
    scaled = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "v"}, "spec": {}}
    if policy:
        scaled["spec"] = {"podManagementPolicy": policy}
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([scaler, scaled]))
    candidates, found = files.read(str(tmp_path / "all.yaml"))
    assert [one.name for one in candidates] == ["hpa/x"]
    assert found is ordered


# Start-up


def pod(ready: str, *, restarts: int = 0, status: str = "True") -> dict[str, Any]:
    return {
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {
            "conditions": [{"type": "Ready", "status": status, "lastTransitionTime": ready}],
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


def test_start_up_times_come_from_pods_that_started_once() -> None:
    found = [
        pod("2026-01-01T00:03:00Z"),
        pod("2026-01-01T00:01:30Z"),
        pod("2026-01-01T00:01:00Z", restarts=1),
        pod("2026-01-01T00:01:00Z", status="False"),
        pod("2026-01-02T00:00:00Z"),
        {"metadata": {}, "status": {}},
    ]
    assert start_times(found) == (90.0, 180.0)
