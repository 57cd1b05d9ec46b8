"""Which labels of live series name the pod: those of the operator, of ARMS, of annotation jobs, of exporters."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.backends.series_labels import labels_of

PODS = ("vllm-0", "vllm-1")


@pytest.mark.parametrize(
    ("series", "pair"),
    [
        ({"namespace": "llm", "pod": "vllm-0"}, ("namespace", "pod")),
        ({"pod_namespace": "llm", "pod_name": "vllm-0"}, ("pod_namespace", "pod_name")),
        ({"namespace": "llm", "pod_name": "vllm-0"}, ("namespace", "pod_name")),
        (
            {"kubernetes_namespace": "llm", "kubernetes_pod_name": "vllm-0"},
            ("kubernetes_namespace", "kubernetes_pod_name"),
        ),
        (
            {"namespace": "llm", "pod": "vllm-0", "pod_namespace": "llm", "pod_name": "vllm-0"},
            ("namespace", "pod"),
        ),
        # the engine calls itself something: moved aside, and not its pod
        ({"namespace": "llm", "pod": "vllm-0", "exported_pod": "rank-0"}, ("namespace", "pod")),
        # an exporter's own pod and namespace
        (
            {
                "namespace": "monitoring",
                "pod": "exporter",
                "exported_namespace": "llm",
                "exported_pod": "vllm-1",
            },
            ("exported_namespace", "exported_pod"),
        ),
        ({"namespace": "monitoring", "pod": "exporter"}, None),
        ({"instance": "10.0.0.1:8000"}, None),
    ],
)
def test_one_series(series: dict[str, str], pair: tuple[str, str] | None) -> None:
    assert labels_of([series], namespace="llm", pods=PODS) == pair


def test_without_the_pods_names_the_best_known_pair_is_taken() -> None:
    series = {"namespace": "a", "pod": "b", "exported_pod": "c", "exported_namespace": "d"}
    assert labels_of([series]) == ("namespace", "pod")
    assert labels_of([]) is None


def test_the_pair_that_names_most_pods_wins_and_the_best_of_equal_ones() -> None:
    arms = [{"pod_namespace": "llm", "pod_name": pod} for pod in PODS]
    operator = [{"namespace": "llm", "pod": pod} for pod in PODS]
    assert labels_of([*arms, operator[0]], namespace="llm", pods=PODS) == ("pod_namespace", "pod_name")
    assert labels_of([*arms, *operator], namespace="llm", pods=PODS) == ("namespace", "pod")
