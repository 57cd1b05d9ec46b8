"""Judgement over what was seen, on plain data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubectl_llmhpa import engines, hpa
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.engines import EngineFacts, NotAnEngine, Source
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.plan.looking import sanity
from kubectl_llmhpa.plan.looking.sanity import Selected
from kubectl_llmhpa.workloads import Rival
from tests.unit.bodies import body_of

ABOUT = "Deployment/vllm"
VLLM = ("vllm", "serve", "m")
RUNNING, KV = "vllm:num_requests_running", "vllm:kv_cache_usage_perc"


def facts(name: str = "vllm-0.20.2-busy", *flags: str, command: tuple[str, ...] = VLLM) -> EngineFacts:
    return engines.identify(body_of(name), engines.clues([*command, *flags]))


def codes(found: tuple[Finding, ...]) -> list[str]:
    assert all(one.about == ABOUT for one in found)
    return [one.code for one in found]


def scaler(metric: str, target: Json, *, kind: str = "Pods", now: str | None = None) -> hpa.HpaView:
    field = kind.lower()
    current = [{"type": kind, field: {"metric": {"name": metric}, "current": {"averageValue": now}}}]
    return hpa.view(
        {
            "metadata": {"name": "h"},
            "spec": {
                "maxReplicas": 3,
                "metrics": [{"type": kind, field: {"metric": {"name": metric}, "target": target}}],
            },
            "status": {"currentReplicas": 1, "currentMetrics": current if now else []},
        }
    )


def average(value: str) -> Json:
    return {"type": "AverageValue", "averageValue": value}


@pytest.mark.parametrize(
    ("metric", "target", "kind", "found"),
    [
        (KV, average("80"), "Pods", ["ratio-target"]),
        (KV, average("1"), "Pods", ["ratio-target"]),
        (KV, average("1"), "External", ["ratio-target"]),
        (KV, average("800m"), "Pods", []),
        # the sum over pods of a ratio may well be above 1
        (KV, {"type": "Value", "value": "3"}, "External", []),
        # 8 seats: 8 / 7.3 is within the controller's tolerance of 0.1, 8 / 7.2 is not
        (RUNNING, average("8"), "Pods", ["target-above-seats"]),
        (RUNNING, average("7300m"), "Pods", ["target-above-seats"]),
        (RUNNING, average("7200m"), "Pods", []),
        # as prometheus-adapter's charts spell it
        ("vllm_num_requests_running", average("100"), "Pods", ["target-above-seats"]),
        ("requests_per_second", average("100"), "Pods", []),
    ],
)
def test_targets_of_an_hpa(metric: str, target: Json, kind: str, found: list[str]) -> None:
    view = scaler(metric, target, kind=kind, now="300m")
    assert codes(sanity.of_hpa(ABOUT, facts("vllm-0.20.2-busy", "--max-num-seqs", "8"), view)) == found


def test_the_better_target_is_a_share_of_the_seats() -> None:
    found = sanity.of_hpa(
        ABOUT, facts("vllm-0.20.2-busy", "--max-num-seqs", "10"), scaler(RUNNING, average("10"))
    )
    assert found[0].fix == "use 5 or so"
    found = sanity.of_hpa(
        ABOUT, facts("llamacpp-11434-idle", "-np", "1", command=("llama-server", "--metrics")),
        scaler("llamacpp:requests_processing", average("1")),
    )  # fmt: skip
    assert found[0].fix == "use waiting instead: one pod runs one request"


def test_a_default_flag_proves_no_target_wrong() -> None:
    assert sanity.of_hpa(ABOUT, facts(), scaler(RUNNING, average("300"))) == ()


@pytest.mark.parametrize(
    ("body", "metric", "now", "found"),
    [
        ("vllm-0.20.2-busy", "vllm:gpu_cache_usage_perc", None, ["renamed-metric"]),
        ("vllm-0.20.2-busy", "vllm_gpu_cache_usage_perc", None, ["renamed-metric"]),
        # a rule that knows the aliases serves it
        ("vllm-0.20.2-busy", "vllm:gpu_cache_usage_perc", "300m", []),
        ("vllm-0.20.2-busy", "vllm:kv_cache_usage_perc", None, []),
        ("vllm-0.8.5-busy", "vllm:kv_cache_usage_perc", None, ["renamed-metric"]),
        ("vllm-0.20.2-busy", "vllm:num_requests_waiting", None, []),
        ("vllm-0.20.2-busy", "sglang:num_queue_reqs", None, []),
    ],
)
def test_a_renamed_metric(body: str, metric: str, now: str | None, found: list[str]) -> None:
    view = scaler(metric, average("800m"), now=now)
    assert codes(sanity.of_hpa(ABOUT, facts(body), view)) == found


def test_names_that_are_only_assumed_accuse_nobody() -> None:
    assumed = engines.assume(engines.clues(["vllm", "serve", "m"]))
    view = scaler("vllm:gpu_cache_usage_perc", average("800m"))
    assert sanity.of_hpa(ABOUT, assumed, view) == ()


def test_a_queue_in_front_matters_to_those_who_scale_by_waiting() -> None:
    by_waiting = scaler("vllm:num_requests_waiting", average("5"))
    found = sanity.of_hpa(ABOUT, facts(), by_waiting, "Deployment/epp (an endpoint picker)")
    assert codes(found) == ["queue-upstream"]
    assert "Deployment/epp" in found[0].seen
    assert sanity.of_hpa(ABOUT, facts(), scaler(RUNNING, average("5")), "Deployment/epp") == ()


def test_several_series_of_one_pod() -> None:
    seen = facts()
    signals = {**seen.signals, "running": replace(seen.signals["running"], series=2)}
    found = sanity.of_facts(ABOUT, replace(seen, signals=signals))
    assert codes(found) == ["series-per-pod"]
    assert found[0].seen == "several series in one pod: vllm:num_requests_running (2)"
    assert found[0].fix == "nothing to do: the rules written here combine them by engine, model_name"


def test_what_the_engine_says_of_its_series_is_not_said_twice() -> None:
    line = 'vllm:num_requests_running{engine="1",model_name="Qwen/Qwen2.5-7B-Instruct"} 3.0\n'
    found = sanity.of_facts(ABOUT, engines.identify(body_of("vllm-0.20.2-busy") + line))
    assert codes(found) == ["series-per-pod"]


def test_series_per_process_are_no_ranks() -> None:
    found = codes(sanity.of_facts(ABOUT, facts("vllm-0.9.2-apiservers2-busy")))
    assert "series-per-process" in found
    assert found.count("series-per-pod") <= 1


def test_an_engine_that_has_not_worked_yet_is_armed() -> None:
    assert codes(sanity.of_facts(ABOUT, engines.identify(body_of("sglang-0.5.12-fresh")))) == ["armed"]


def test_nothing_to_say_of_a_healthy_engine() -> None:
    assert sanity.of_facts(ABOUT, facts()) == ()


def test_flags_that_hide_metrics_or_are_missing() -> None:
    hiding = engines.clues(["vllm", "serve", "m", "--disable-log-stats"])
    fault = sanity.hidden(ABOUT, hiding)
    assert fault is not None
    assert fault.fix.startswith("remove --disable-log-stats")
    assert sanity.hidden(ABOUT, engines.clues(["vllm", "serve", "m"])) is None
    sglang = ["python3", "-m", "sglang.launch_server", "--model-path", "m"]
    missing = sanity.switched_off(ABOUT, engines.clues(sglang), "HTTP 404")
    assert missing is not None
    assert missing.fix.startswith("add --enable-metrics")
    assert sanity.switched_off(ABOUT, engines.clues([*sglang, "--enable-metrics"]), "HTTP 404") is None
    assert sanity.switched_off(ABOUT, engines.clues(["nginx"]), "HTTP 404") is None
    worker = engines.clues(["python3", "-m", "dynamo.vllm", "--model", "m"])
    missing = sanity.switched_off(ABOUT, worker, "connection refused")
    assert missing is not None
    assert missing.fix.startswith("set DYN_SYSTEM_PORT=9090 in its environment (this restarts")


@pytest.mark.parametrize(
    ("body", "command", "found"),
    [
        (' [{"iter": 1}]', "", ["json-metrics"]),
        ('[{"numActiveRequests": 0}]', "", ["json-metrics"]),
        # its queue of statistics is empty
        ("[]", "trtllm-serve m", ["json-metrics"]),
        # an application's own answer
        ('{"detail": "Not Found"}', "", []),
        ("[]", "", []),
        ('[{"iter": ', "", []),
        ('{"detail": "Not Found"}', "vllm serve m", []),
    ],
)
def test_json_where_text_was_expected(body: str, command: str, found: list[str]) -> None:
    clues = engines.clues([command] if command else [])
    assert codes(sanity.of_refusal(ABOUT, NotAnEngine("the answer is JSON"), clues, body)) == found


def test_what_enable_refuses_is_told_beforehand() -> None:
    assert sanity.of_rival(ABOUT, None) == ()
    found = sanity.of_rival(ABOUT, Rival("NIMService/n sets its replicas", "let it make the HPA"))
    assert codes(found) == ["enable-refused"]
    assert str(found[0]) == (
        f"{ABOUT}: NIMService/n sets its replicas; enable makes no HPA for it as it is; let it make the HPA "
        "[enable-refused]"
    )
    assert (
        sanity.of_rival(ABOUT, Rival("Knative sets its replicas"))[0].fix == "leave its replicas as they are"
    )


def test_templates_side_by_side() -> None:
    assert sanity.of_templates(ABOUT, {"a": "vllm 0.20.2, 2 pods"}) == ()
    found = sanity.of_templates(ABOUT, {"a": "vllm 0.20.2, 2 pods", "b": "vllm 0.8.5, 1 pod"})
    assert codes(found) == ["two-versions"]
    assert found[0].seen == "a: vllm 0.20.2, 2 pods; b: vllm 0.8.5, 1 pod"


ENGINE = Selected("vllm-0", "", metrics=True)
ROUTER = Selected("router-0", "the SGLang router", metrics=False)
WORKER = Selected("vllm-0-1", "", metrics=False)


@pytest.mark.parametrize(
    ("selected", "found"),
    [
        ([ENGINE], []),
        ([ENGINE, ROUTER], ["router-in-match"]),
        ([ENGINE, WORKER], ["multi-node-workers"]),
        ([ENGINE, WORKER, ROUTER], ["router-in-match", "multi-node-workers"]),
        # nothing has metrics: that is another fault
        ([WORKER, WORKER], []),
        ([ROUTER], []),
        ([], []),
    ],
)
def test_pods_of_the_scale_selector(selected: list[Selected], found: list[str]) -> None:
    assert codes(sanity.of_selector(ABOUT, selected)) == found


def test_queries_for_what_only_prometheus_knows() -> None:
    signals = {
        name: one for name, one in facts().signals.items() if name in ("waiting", "running", "prompt-tokens")
    }
    assert sanity.stale(signals, ["vllm:generation_tokens_total"], 'namespace="ml"') == (
        'max by (namespace, pod) (min_over_time(vllm:num_requests_running{namespace="ml"}[10m]) > 0 or '
        'min_over_time(vllm:num_requests_waiting{namespace="ml"}[10m]) > 0) and on (namespace, pod) '
        '((sum by (namespace, pod) (increase(vllm:generation_tokens_total{namespace="ml"}[10m]))) == 0) '
        "unless on (namespace, pod) "
        '(sum by (namespace, pod) (increase(vllm:prompt_tokens_total{namespace="ml"}[10m])) > 0) '
        'and on (namespace, pod) max by (namespace, pod) (vllm:num_requests_running{namespace="ml"} offset 10m)'
    )
    assert sanity.twice_scraped([signals["waiting"], signals["running"]], 'namespace="ml"') == (
        "count by (namespace, pod) (count by (namespace, pod, container, job, instance, endpoint) "
        '({__name__=~"vllm:num_requests_running|vllm:num_requests_waiting",namespace="ml"})) > 1'
    )
    found = sanity.of_samples(ABOUT, ["vllm-0", "vllm-1"], ["vllm-1"])
    assert codes(found) == ["two-targets", "stale-gauge"]
    assert sanity.of_samples(ABOUT, [], []) == ()


def test_a_long_generation_is_not_stale_where_tokens_are_counted_at_its_end() -> None:
    moving = {engine.name: engine.counts_while_generating for engine in engines.ENGINES}
    llamacpp = facts("llamacpp-11434-idle", command=("llama-server", "--metrics"))
    assert sanity.stale(llamacpp.signals, moving["llamacpp"], "") == ""
    assert sanity.stale(facts("tgi-3.3.7-busy", command=()).signals, moving["tgi"], "") == ""
    # SGLang's moving counter is none of its signals; older versions have no series of it, so nothing matches
    query = sanity.stale(facts("sglang-0.5.12-busy", command=()).signals, moving["sglang"], "")
    assert "increase(sglang:realtime_tokens_total{}[10m])" in query
    assert "increase(sglang:generation_tokens_total" not in query


def test_what_is_not_live_is_not_called_renamed() -> None:
    weak = replace(facts(), source=Source.COMMAND)
    view = scaler("vllm:gpu_cache_usage_perc", average("800m"))
    assert sanity.of_hpa(ABOUT, weak, view) == ()
