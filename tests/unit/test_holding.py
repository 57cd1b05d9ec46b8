"""What holds a request while there is no pod: who is recognised, who is refused with which reason, what is written."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends.keda import Keda
from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.backends.scaled_object import QUEUE
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.looking import holding
from kubectl_llmhpa.plan.looking.holding import Holding
from kubectl_llmhpa.plan.setting_up import planning, scalers
from kubectl_llmhpa.plan.setting_up.planning import Plan
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.workloads import inference_pools
from kubectl_llmhpa.workloads.inference_pools import InferencePool
from tests.unit.test_plan import WORKLOAD, sight, stored, surroundings

POOL = InferencePool("qwen", "qwen-epp", {"app": "vllm"})
READY = {"__name__": "inference_pool_ready_pods", "name": "qwen"}
OLD_READY = {"__name__": "llm_d_epp_ready_endpoints", "name": "another"}
QUEUED = {"__name__": "inference_extension_flow_control_queue_size", "inference_pool": "qwen"}
FULL = {"__name__": "llm_d_epp_flow_control_pool_saturation", "inference_pool": "qwen"}
SEEN = Holding((POOL,), {"qwen": ()}, (READY, QUEUED), Server("monitoring", "prometheus", 9090))
AROUND: dict[str, Any] = {
    "keda": Keda("keda", "2.21.0", "", True),
    "server": Server("monitoring", "prometheus", 9090),
}
ZERO = Wishes(min_replicas=0, max_replicas=3, backend=KEDA)


def plan(wishes: Wishes = ZERO, seen: Holding = SEEN, live: Json | None = None, **around: Any) -> Plan:
    scaled = [live] if live else []
    return planning.make(
        WORKLOAD,
        sight(),
        surroundings(**{**AROUND, "scaled_objects": scaled, **around}),
        wishes,
        None,
        (),
        seen,
    )


def pool(spec: Json, name: str = "qwen") -> InferencePool:
    (found,) = inference_pools.read([{"metadata": {"name": name}, "spec": spec}])
    return found


class TestPools:
    """InferencePools of both groups."""

    @pytest.mark.parametrize(
        "spec",
        [
            {"selector": {"matchLabels": {"app": "vllm"}}, "endpointPickerRef": {"name": "qwen-epp"}},
            {"selector": {"app": "vllm"}, "extensionRef": {"name": "qwen-epp"}},
        ],
    )
    def test_both_forms_say_the_same(self, spec: Json) -> None:
        assert pool(spec) == POOL

    def test_one_served_by_both_groups_is_one(self) -> None:
        one = {"metadata": {"name": "qwen"}, "spec": {"selector": {"app": "vllm"}}}
        assert len(inference_pools.read([one, one])) == 1

    @pytest.mark.parametrize(
        ("labels", "selected"),
        [({"app": "vllm", "x": "y"}, True), ({"app": "other"}, False), (None, False)],
    )
    def test_pods_by_their_labels(self, labels: Json | None, *, selected: bool) -> None:
        assert POOL.selects({"metadata": {"labels": labels}}) is selected

    def test_a_pool_without_a_selector_selects_nothing(self) -> None:
        assert not pool({}).selects({"metadata": {"labels": {"app": "vllm"}}})


class TestWhoHolds:
    """`judge`: a holder, or the reason why there is none."""

    @pytest.mark.parametrize("sign", [QUEUED, FULL])
    def test_a_picker_with_flow_control(self, sign: dict[str, str]) -> None:
        found = holding.judge(WORKLOAD, "vllm", replace(SEEN, signs=(READY, sign)))
        assert (found.namespace, found.pool, found.picker) == ("ml", "qwen", "qwen-epp")

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"pools": ()}, "no InferencePool selects its pods, and a Service or a router answers with an error"),
            ({"addons": ("web",)}, "HTTPScaledObject web.* makes a ScaledObject of its own"),
            ({"pools": (POOL, replace(POOL, name="b"))}, r"several InferencePools select its pods \(qwen, b\)"),
            ({"others": {"qwen": ("decode-0",)}}, r"pods of other workloads too \(decode-0\)"),
            ({"signs": None, "blind": "you may not"}, r"cannot be seen \(you may not\)"),
            ({"signs": None}, "no Prometheus that can be asked is known"),
            ({"signs": ()}, r"no samples of the endpoint picker of InferencePool qwen \(qwen-epp\)"),
            ({"signs": (OLD_READY, {**QUEUED, "inference_pool": "another"})}, "Prometheus has no samples of"),
            ({"signs": (READY,)}, "shows no queue: its flow control is off"),
            ({"signs": (READY, {"__name__": QUEUED["__name__"]})}, "version before 1.3, which answers 503"),
            ({"signs": (QUEUED,)}, "does not tell how many pods the pool has"),
        ],
    )  # fmt: skip
    def test_a_reason(self, changed: dict[str, Any], said: str) -> None:
        with pytest.raises(LlmHpaError, match=f"go to zero replicas: .*{said}"):
            holding.judge(WORKLOAD, "vllm", replace(SEEN, **changed))

    def test_dynamos_frontend_is_named(self) -> None:
        with pytest.raises(LlmHpaError, match="Dynamo's frontend answers 404"):
            holding.judge(WORKLOAD, "dynamo", Holding())


class TestScaledObject:
    """What is written for zero replicas."""

    def test_the_queue_wakes_it_and_the_engines_queries_give_0_without_pods(self) -> None:
        spec = plan().scaler.object["spec"]
        assert (spec["minReplicaCount"], spec["pollingInterval"]) == (0, 5)
        assert (spec["cooldownPeriod"], spec["initialCooldownPeriod"]) == (300, 300)
        *engine, queue = spec["triggers"]
        assert [one["name"] for one in engine] == ["running", "waiting", "kv-cache"]
        empty = (
            'or (max(llm_d_epp_ready_endpoints{namespace="ml",name="qwen"} or '
            'inference_pool_ready_pods{namespace="ml",name="qwen"}) == 0)'
        )
        assert all(one["metadata"]["query"].endswith(empty) for one in engine)
        assert [one["metadata"].get("activationThreshold") for one in engine] == [None, None, "1000000"]
        assert (queue["name"], queue["metricType"], queue["metadata"]["threshold"]) == (
            QUEUE,
            "AverageValue",
            "4",
        )
        assert 'inference_pool="qwen"' in queue["metadata"]["query"]
        assert queue["metadata"]["ignoreNullValues"] == "false"

    def test_the_plan_says_what_holds_the_request(self) -> None:
        said = " ".join(plan().notes)
        assert "the endpoint picker of InferencePool ml/qwen holds requests" in said
        assert "defaultRequestTTL" in said

    def test_the_cooldown_is_the_window_of_scale_down(self) -> None:
        assert plan(replace(ZERO, scale_down_window=30)).scaler.object["spec"]["cooldownPeriod"] == 30

    def test_twice_is_once_and_an_edited_threshold_stays(self) -> None:
        first = stored(plan().scaler.object)
        assert plan(Wishes(), live=first).scaler.object["spec"] == first["spec"]
        assert QUEUE not in scalers.targets(first)
        first["spec"]["triggers"][-1]["metadata"]["threshold"] = "9"
        again = plan(Wishes(), live=first).scaler.object["spec"]
        assert again["triggers"][-1]["metadata"]["threshold"] == "9"

    def test_back_to_one_nothing_of_it_is_left(self) -> None:
        live = stored(plan().scaler.object)
        one = plan(Wishes(min_replicas=1), live=live).scaler.object["spec"]
        assert one == plan(replace(ZERO, min_replicas=1)).scaler.object["spec"]
        assert not one.keys() & {"pollingInterval", "cooldownPeriod", "initialCooldownPeriod"}

    @pytest.mark.parametrize(
        "wishes", [replace(ZERO, preset="vendor"), replace(ZERO, targets={"kv-cache": Decimal("0.5")})]
    )
    def test_targets_by_which_an_engine_at_work_looks_idle_are_refused(self, wishes: Wishes) -> None:
        with pytest.raises(LlmHpaError, match=r"put to sleep under its requests; .*--signal running=4"):
            plan(wishes)


def test_a_scaled_object_of_a_controller_is_not_taken_over() -> None:
    """KEDA's HTTP add-on makes one for an HTTPScaledObject."""
    theirs = stored(plan().scaler.object, ours=False)
    theirs["metadata"]["ownerReferences"] = [
        {"kind": "HTTPScaledObject", "name": "web", "controller": True, "uid": "1"}
    ]
    with pytest.raises(LlmHpaError, match="belongs to HTTPScaledObject web, whose controller writes it anew"):
        plan(replace(ZERO, adopt=True), live=theirs)


class TestPlainHpa:
    """Metrics of pods bring nothing back from zero."""

    def test_the_adapter_is_refused(self) -> None:
        with pytest.raises(
            LlmHpaError, match=r"no pod to measure.*refuses minReplicas 0.*use --backend keda"
        ):
            plan(replace(ZERO, backend=PROMETHEUS_ADAPTER))

    def test_auto_takes_keda(self) -> None:
        assert plan(replace(ZERO, backend="auto")).backend.backend == KEDA

    def test_without_keda(self) -> None:
        with pytest.raises(LlmHpaError, match=r"no pod to measure.*KEDA, which could, is not installed"):
            plan(replace(ZERO, backend="auto"), keda=None)

    def test_a_live_one_is_to_be_moved_first(self) -> None:
        first = plan(replace(ZERO, min_replicas=1, backend=PROMETHEUS_ADAPTER)).scaler.object
        with pytest.raises(LlmHpaError, match="migrate Deployment/vllm -n ml --to keda first"):
            plan(Wishes(min_replicas=0), hpas=[stored(first)])
