"""Which backend is taken, for which reason, and when none can be."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa.backends.choosing import AUTO, choose
from kubectl_llmhpa.backends.keda import Keda
from kubectl_llmhpa.backends.model import ACK, KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import LlmHpaError

NEEDED = ("vllm:num_requests_running", "vllm:num_requests_waiting")
SERVED = tuple(f"pods/{name}" for name in NEEDED)
DEPLOYMENT = {"metadata": {"name": "pa", "namespace": "monitoring"}}


def adapter(**changed: Any) -> Adapter:
    facts: dict[str, Any] = {
        "version": "v1beta1", "deployment": DEPLOYMENT, "config_map": "pa", "key": "config.yaml", "prometheus_url": "",
        "relist": 60, "max_age": 60,
    }  # fmt: skip
    return Adapter(**{**facts, **changed})


def keda(problem: str = "") -> Keda:
    return Keda("keda", "2.21.0", problem, True)


NOTHING: dict[str, Any] = {"adapter": None, "keda": None}


@pytest.mark.parametrize(
    ("served", "facts", "backend", "reason"),
    [
        (SERVED, {"adapter": adapter(), "keda": keda()}, PROMETHEUS_ADAPTER, "serves every metric already"),
        ((), {"adapter": adapter(), "keda": keda()}, KEDA, "no rule has to be added to the adapter"),
        (SERVED[:1], {"adapter": adapter(), "keda": keda()}, KEDA, "KEDA 2.21.0 runs here"),
        (
            (),
            {"adapter": adapter(), "keda": None},
            PROMETHEUS_ADAPTER,
            "monitoring/pa serves pod metrics here",
        ),
        ((), {"adapter": adapter(kind=ACK), "keda": None}, ACK, "serves pod metrics here"),
        (
            (),
            {"adapter": adapter(), "keda": keda("its operator is down")},
            PROMETHEUS_ADAPTER,
            "serves pod metrics",
        ),
        ((), {"adapter": None, "keda": keda()}, KEDA, "KEDA 2.21.0 runs here"),
        (SERVED, {"adapter": adapter(), "keda": keda(), "pods": "it counts twice"}, KEDA, "KEDA"),
        (
            SERVED,
            {"adapter": adapter(), "keda": keda(), "live": KEDA},
            KEDA,
            "it serves this workload already",
        ),
        (
            (),
            {"adapter": None, "keda": keda("it is down"), "live": KEDA},
            KEDA,
            "does not work now: it is down",
        ),
        (
            (),
            {"adapter": adapter(), "keda": keda(), "live": PROMETHEUS_ADAPTER},
            PROMETHEUS_ADAPTER,
            "already",
        ),
    ],
)
def test_the_choice_and_its_reason(served: Any, facts: dict[str, Any], backend: str, reason: str) -> None:
    choice = choose(AUTO, NEEDED, served, **facts)
    assert choice.backend == backend
    assert reason in choice.reason


@pytest.mark.parametrize(
    ("wanted", "facts", "words"),
    [
        (AUTO, NOTHING, ("no adapter and no KEDA",)),
        (
            AUTO,
            {**NOTHING, "adapter_problem": LlmHpaError("find it", "the APIService is down")},
            ("is down",),
        ),
        (
            AUTO,
            {**NOTHING, "adapter": adapter(custom=False)},
            ("CPU and memory", "--install-custom-metrics-api"),
        ),
        (
            AUTO,
            {"adapter": adapter(), "keda": None, "pods": "two pods a replica"},
            ("two pods", "install KEDA"),
        ),
        (AUTO, {"adapter": None, "keda": keda("another provider")}, ("another provider", "repair KEDA")),
        (KEDA, NOTHING, ("not installed",)),
        (KEDA, {"adapter": None, "keda": keda("its operator is down")}, ("operator is down",)),
        (
            ACK,
            {"adapter": adapter(), "keda": None},
            ("which is prometheus-adapter", "use prometheus-adapter"),
        ),
        (PROMETHEUS_ADAPTER, {"adapter": None, "keda": keda()}, ("no adapter",)),
        (
            PROMETHEUS_ADAPTER,
            {"adapter": adapter(), "keda": None, "pods": "two pods"},
            ("two pods", "--backend keda"),
        ),
    ],
)
def test_refused_with_what_would_help(wanted: str, facts: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(LlmHpaError) as refusal:
        choose(wanted, NEEDED, (), **facts)
    for word in words:
        assert word in str(refusal.value)
