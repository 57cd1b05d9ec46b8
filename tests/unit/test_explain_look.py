"""Which HPA is meant, what is asked of the API server for it, and in how many rounds."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote_plus

import pytest

from kubectl_llmhpa.api import STATEFUL_SETS, Json
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.explain import Answer, Facts, Scale, find, look
from kubectl_llmhpa.explain.look import selector_text
from kubectl_llmhpa.hpa.arithmetic import Pod
from kubectl_llmhpa.workloads import Workload
from tests.unit.explain_facts import external, of_namespace
from tests.unit.hpa_objects import KV, W, average, hpa, pods

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
BASE = "/apis/autoscaling/v2/namespaces/llm/horizontalpodautoscalers"
SCALED = "/apis/keda.sh/v1alpha1/namespaces/llm/scaledobjects/chat"
CUSTOM = "/apis/custom.metrics.k8s.io"
LIST = f"{CUSTOM}/v1beta2/namespaces/llm"
SCALE = {"spec": {"replicas": 2}, "status": {"replicas": 1, "selector": "app=vllm"}}
VERSION = {"major": "1", "minor": "37+"}
POD = {
    "metadata": {"name": "vllm-0"},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


class Answers:
    """An `api.Reader` of answers by path; whatever is not there is not found. `rounds` are what was asked at once."""

    namespace = "llm"

    def __init__(self, answers: dict[str, Json | ApiError]) -> None:
        self.answers = answers
        self.rounds: list[list[str]] = []

    def _answer(self, path: str) -> Json | ApiError:
        nothing = ApiError(f"read {path}", 404, "NotFound", "the server could not find it")
        return self.answers.get(unquote_plus(path), nothing)

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        self.rounds.append([unquote_plus(path)])
        answer = self._answer(path)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        if paths:
            self.rounds.append([unquote_plus(path) for path in paths])
        return [self._answer(path) for path in paths]

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def seen_answers(answers: dict[str, Json | ApiError]) -> dict[str, Json | ApiError]:
    """These and what every look finds."""
    return {
        "/version": VERSION,
        CUSTOM: {"preferredVersion": {"version": "v1beta2"}},
        "/apis/apps/v1/namespaces/llm/statefulsets/vllm/scale": SCALE,
        "/api/v1/namespaces/llm/pods?labelSelector=app=vllm": {"items": [POD]},
        **answers,
    }


def seen(metrics: list[Json], answers: dict[str, Json | ApiError]) -> tuple[Facts, list[list[str]]]:
    reader: Any = Answers(seen_answers(answers))
    return look(reader, hpa(metrics=metrics), now=NOW), reader.rounds


def test_every_metric_is_read_as_the_controller_reads_it() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "name": "front"}
    chosen = {
        "matchLabels": {"b": "2"},
        "matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}],
    }
    metrics = [
        pods(W, average("5")),
        {"type": "Pods", "pods": {"metric": {"name": KV, "selector": chosen}, "target": average("800m")}},
        of_namespace("q", {"type": "Value", "value": "5"}),
        {"type": "Object", "object": {"metric": {"name": "r"}, "describedObject": service, "target": average("1")}},
        {"type": "External", "external": {"metric": {"name": "s0", "selector": chosen}, "target": average("5")}},
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}},
    ]  # fmt: skip
    item = {"describedObject": {"name": "vllm-0"}, "value": "4800m"}
    wanted: dict[str, Json | ApiError] = {
        f"{LIST}/pods/*/{W}?labelSelector=app=vllm": {"items": [item]},
        f"{LIST}/pods/*/{KV}?labelSelector=app=vllm&metricLabelSelector=a in (x,y),b=2": {"items": []},
        f"{LIST}/metrics/q": {"items": [{"value": "12"}]},
        f"{LIST}/services/front/r": {"items": [{"value": "1"}]},
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/llm/s0?labelSelector=a in (x,y),b=2": {
            "items": [{"value": "2"}, {"value": "9"}]
        },
    }
    found, rounds = seen(metrics, wanted)
    assert found.answers == (
        Answer("pods", pods={"vllm-0": "4800m"}),
        Answer("pods"),
        Answer("values", values=("12",)),
        Answer("values", values=("1",)),
        Answer("values", values=("2", "9")),
        Answer("none"),
    )
    assert (found.scale, found.pods, found.minor) == (Scale(2, 1, "app=vllm"), (Pod("vllm-0"),), 37)
    assert [len(one) for one in rounds] == [4, 6]
    assert rounds[1] == [*wanted, "/api/v1/namespaces/llm/pods?labelSelector=app=vllm"]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            {f"{LIST}/pods/*/{W}?labelSelector=app=vllm": ApiError("x", 404, "NotFound", "no metric for pods")},
            "unable to fetch metrics from custom metrics API: no metric for pods",
        ),
        (
            {CUSTOM: ApiError("x", 404, "NotFound", "")},
            "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered",
        ),
        (
            {f"{LIST}/pods/*/{W}?labelSelector=app=vllm": {"items": [{"value": "lots"}]}},
            "the custom metrics API answered 'lots', which is no quantity",
        ),
    ],
)  # fmt: skip
def test_a_refusal_is_kept(answers: dict[str, Json | ApiError], message: str) -> None:
    found, _ = seen([pods(W, average("5"))], answers)
    assert found.answers == (Answer("failed", message=message),)


def test_what_cannot_be_read_is_noted() -> None:
    forbidden = ApiError("x", 403, "Forbidden", "pods is forbidden")
    path = "/apis/apps/v1/namespaces/llm/statefulsets/vllm/scale"
    found, _ = seen([pods(W, average("5"))], {path: forbidden, "/version": forbidden})
    assert (found.scale, found.minor) == (None, None)
    assert found.unread == {
        "scale": "pods is forbidden",
        "version": "pods is forbidden",
        "events": "the server could not find it",
    }


def of_keda() -> Json:
    made = hpa(metrics=[external("s0-prometheus", average("5"))])
    metric = made["spec"]["metrics"][0]["external"]["metric"]
    metric["selector"] = {"matchLabels": {"scaledobject.keda.sh/name": "chat"}}
    return made


SO: Json = {"metadata": {"name": "chat", "namespace": "llm"}, "spec": {"scaleTargetRef": {"name": "vllm"}}}


@pytest.mark.parametrize(
    ("words", "rounds"),
    [
        (("hpa/vllm",), [f"{BASE}/vllm"]),
        (("hpa", "vllm"), [f"{BASE}/vllm"]),
        (("horizontalpodautoscalers.autoscaling/vllm",), [f"{BASE}/vllm"]),
        (("scaledobject/chat",), [SCALED, f"{BASE}/keda-hpa-chat"]),
        (("sts/vllm",), ["/apis/apps/v1/namespaces/llm/statefulsets/vllm", BASE]),
    ],
)
def test_the_ways_to_name_one(words: tuple[str, ...], rounds: list[str]) -> None:
    reader: Any = Answers(
        {f"{BASE}/vllm": hpa(), SCALED: SO, f"{BASE}/keda-hpa-chat": hpa(), BASE: {"items": [hpa()]}}
    )
    assert [one["metadata"]["name"] for one in find(reader, words, "llm")] == ["vllm"]
    assert [path for one in reader.rounds for path in one] == rounds


def test_a_workload_that_is_known_already() -> None:
    reader: Any = Answers({BASE: {"items": [hpa()]}})
    assert look(reader, Workload(STATEFUL_SETS, "llm", "vllm", {}, 1, ""), now=NOW).hpa == hpa()


def test_the_scaled_object_of_an_hpa_names_its_signals() -> None:
    reader: Any = Answers({SCALED: SO})
    assert look(reader, of_keda(), now=NOW).scaled_object == SO


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("sts/other",), "statefulset other in namespace 'llm': no HPA or ScaledObject scales it; make "
                         "one: kubectl llm-hpa enable sts/other -n llm --max N"),
        (("svc/other",), "find what scales Service/other in namespace 'llm': a Service has no replicas; name the "
                         "Deployment, StatefulSet or group behind it"),
        (("hpa/other",), "find horizontalpodautoscaler other in namespace 'llm': there is none of that name; see: "
                         "kubectl get horizontalpodautoscalers -n llm"),
        (("so/chat",), "ScaledObject chat in namespace 'llm': KEDA has not made its HPA yet; see: kubectl llm-hpa "
                       "doctor scaledobject/chat -n llm"),
    ],
)  # fmt: skip
def test_none_there(words: tuple[str, ...], sentence: str) -> None:
    there = {
        "/api/v1/namespaces/llm": {},
        STATEFUL_SETS.path("llm", "other"): {"metadata": {"name": "other", "namespace": "llm"}},
        STATEFUL_SETS.path("llm", "other", "scale"): {"status": {"selector": "app=other"}},
        "/api/v1/namespaces/llm/services/other": {"metadata": {"name": "other", "namespace": "llm"}},
    }
    reader: Any = Answers({BASE: {"items": [hpa()]}, SCALED: SO, **there})
    with pytest.raises(LlmHpaError) as caught:
        find(reader, words, "llm")
    assert str(caught.value) == sentence


def test_a_workload_that_is_not_there_is_not_told_to_be_enabled() -> None:
    reader: Any = Answers({BASE: {"items": []}, "/api/v1/namespaces/llm": {}})
    with pytest.raises(LlmHpaError, match="there is none of that name"):
        find(reader, ("sts/gone",), "llm")


def test_a_paused_scaled_object_is_what_scales_the_workload() -> None:
    paused = copy.deepcopy(SO)
    paused["metadata"]["annotations"] = {"autoscaling.keda.sh/paused": "true"}
    target = {"kind": "StatefulSet", "apiVersion": "apps/v1", "name": "vllm"}
    paused["spec"]["scaleTargetRef"] = target
    reader: Any = Answers(
        {BASE: {"items": []}, SCALED.rpartition("/")[0]: {"items": [paused]}, SCALED: paused}
    )
    with pytest.raises(LlmHpaError) as caught:
        find(reader, ("sts/vllm",), "llm")
    assert "KEDA is paused" in str(caught.value)
    assert "kubectl llm-hpa doctor scaledobject/chat -n llm" in str(caught.value)


def test_only_what_a_report_may_hold() -> None:
    noted = hpa(annotations={"kubectl.kubernetes.io/last-applied-configuration": "long", "mine": "x"})
    noted["metadata"]["managedFields"] = [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]
    reader: Any = Answers({})
    metadata = look(reader, noted, now=NOW).hpa["metadata"]
    assert (metadata["annotations"], metadata["managedFields"]) == ({"mine": "x"}, [{"manager": "kubectl"}])


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, ""),
        ({}, ""),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (
            {"matchExpressions": [{"key": "k", "operator": "NotIn", "values": ["w", "v"]},
                                  {"key": "e", "operator": "Exists"}, {"key": "d", "operator": "DoesNotExist"}]},
            "!d,e,k notin (v,w)",
        ),
    ],
)  # fmt: skip
def test_selectors_as_text(selector: Json | None, text: str) -> None:
    assert selector_text(selector) == text
