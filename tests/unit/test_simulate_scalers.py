"""What is simulated: HPAs and ScaledObjects, what their metrics and queries measure, policies, pods that start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_llmhpa.engines import ENGINES, over_all, peak
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate import files, scalers
from kubectl_llmhpa.simulate.measures import LATENCIES, SIGNALS, Measure
from kubectl_llmhpa.simulate.queries import Unknown, measure
from kubectl_llmhpa.workloads.pods import start_times

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
            peak(f"sum({RUNNING})", share=0.9, window=180, step=15),
            Measure("running", "sum", "peak", 180, share=0.9),
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
        (f"(sum({RUNNING}) and sum({WAITING})) > sum({RUNNING}) or sum({RUNNING})", "not one that the model"),
        (
            peak(f"sum({RUNNING})", share=0.9, window=180, step=15).replace(
                f"> sum({RUNNING}", f"> sum({WAITING}"
            ),
            "not one that",
        ),
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
    assert found.asks.startswith("running 10, waiting 5")
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
