"""From anything around a workload to what is scaled, over recorded objects."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.workloads import Workload, identify, owners_of, resolve
from tests.unit.cluster_facts import NAMESPACE, Facts, made

DEPLOYMENT = made("Deployment", "vllm", spec={"replicas": 2}, scale=("app=vllm", 2))
REPLICA_SET = made("ReplicaSet", "vllm-1", by=DEPLOYMENT, scale=("app=vllm,pod-template-hash=1", 2))
POD = made("Pod", "vllm-1-a", by=REPLICA_SET)
LWS = made(
    "LeaderWorkerSet",
    "llama",
    spec={"replicas": 2, "leaderWorkerTemplate": {"size": 4}},
    scale=("leaderworkerset.sigs.k8s.io/name=llama,leaderworkerset.sigs.k8s.io/worker-index=0", 2),
)
LEADERS = made("StatefulSet", "llama", by=LWS, scale=("leaderworkerset.sigs.k8s.io/name=llama", 2))
LEADER = made("Pod", "llama-0", by=LEADERS)
WORKERS = made("StatefulSet", "llama-0", by=LEADER, scale=("leaderworkerset.sigs.k8s.io/name=llama", 3))
WORKER = made("Pod", "llama-0-1", by=WORKERS)


class TestClimbing:
    @pytest.mark.parametrize("words", ["po/vllm-1-a", "rs/vllm-1", "deploy/vllm"])
    def test_to_the_deployment(self, words: str) -> None:
        found = resolve(Facts(DEPLOYMENT, REPLICA_SET, POD), words, NAMESPACE)
        assert (found.reference, found.selector, found.replicas) == ("Deployment/vllm", "app=vllm", 2)

    def test_says_what_was_asked(self) -> None:
        found = resolve(Facts(DEPLOYMENT, REPLICA_SET, POD), "po/vllm-1-a", NAMESPACE)
        assert found.asked == "Pod/vllm-1-a"
        assert found.notes == ("Pod/vllm-1-a belongs to Deployment/vllm, which is what is scaled",)
        assert resolve(Facts(DEPLOYMENT), "deploy/vllm", NAMESPACE).notes == ()

    @pytest.mark.parametrize("words", ["po/llama-0-1", "sts/llama-0", "po/llama-0", "sts/llama", "lws/llama"])
    def test_to_the_leader_worker_set(self, words: str) -> None:
        found = resolve(Facts(LWS, LEADERS, LEADER, WORKERS, WORKER), words, NAMESPACE)
        assert found.reference == "LeaderWorkerSet/llama"
        assert (found.topology, found.pods_per_replica, found.counted_per_replica) == ("leader-worker", 4, 1)
        assert found.pod_selector["matchLabels"]["leaderworkerset.sigs.k8s.io/worker-index"] == "0"
        assert found.scale_target["apiVersion"] == "leaderworkerset.x-k8s.io/v1"

    def test_an_owner_that_is_gone_is_not_above(self) -> None:
        assert resolve(Facts(REPLICA_SET), "rs/vllm-1", NAMESPACE).reference == "ReplicaSet/vllm-1"

    def test_an_owner_that_may_not_be_read_is_told(self) -> None:
        facts = Facts(LWS, LEADERS, forbidden=["LeaderWorkerSet"])
        with pytest.raises(ApiError, match="may not read"):
            resolve(facts, "sts/llama", NAMESPACE)


class TestOtherKinds:
    def test_one_with_a_scale_subresource(self) -> None:
        facts = Facts(made("Widget", "w", scale=("app=w", 3)))
        found = resolve(facts, "widgets/w", NAMESPACE)
        assert (found.reference, found.replicas, found.topology) == ("Widget/w", 3, "replicas")

    def test_it_is_above_what_it_made(self) -> None:
        widget = made("Widget", "w", scale=("app=w", 3))
        facts = Facts(widget, made("Deployment", "w", by=widget, scale=("app=w", 3)))
        assert resolve(facts, "deploy/w", NAMESPACE).reference == "Widget/w"

    def test_it_is_not_where_its_selector_is_empty(self) -> None:
        widget = made("Widget", "w", scale=("", 3))
        facts = Facts(widget, made("Deployment", "w", by=widget, scale=("app=w", 3)))
        found = resolve(facts, "deploy/w", NAMESPACE)
        assert found.reference == "Deployment/w"
        assert found.notes == ("Widget/w made Deployment/w and may take changes of its replicas back",)
        with pytest.raises(LlmHpaError, match="names no selector"):
            resolve(facts, "widget/w", NAMESPACE)

    def test_one_without_one(self) -> None:
        gadget = made("Gadget", "g")
        facts = Facts(gadget, made("Pod", "g-0", by=gadget))
        with pytest.raises(LlmHpaError, match="no readable scale subresource"):
            resolve(facts, "gadget/g", NAMESPACE)
        with pytest.raises(LlmHpaError, match="Gadget/g made it, which has no scale subresource"):
            resolve(facts, "po/g-0", NAMESPACE)

    def test_one_that_may_not_be_read_is_left_out(self) -> None:
        gadget = made("Gadget", "g")
        facts = Facts(gadget, made("Deployment", "g", by=gadget, scale=("app=g", 1)), forbidden=["Gadget"])
        assert resolve(facts, "deploy/g", NAMESPACE).reference == "Deployment/g"


class TestRefusals:
    @pytest.mark.parametrize(
        ("objects", "words", "reason"),
        [
            ([made("Pod", "bare")], "po/bare", "no controller made this pod"),
            (
                [made("Job", "once"), made("Pod", "once-1", by=made("Job", "once"))],
                "po/once-1",
                "Job/once runs it once",
            ),
            ([made("DaemonSet", "all")], "ds/all", "one pod on every node"),
            ([made("Service", "front")], "svc/front", "a Service has no replicas"),
            ([{**DEPLOYMENT, "scale": ("", 1)}], "deploy/vllm", "names no selector"),
            (
                [made("LeaderWorkerSet", "new", spec={}, scale=("", 1))],
                "lws/new",
                "the LeaderWorkerSet controller has not written status.hpaPodSelector",
            ),
            (
                [made("Deployment", "vllm", deletionTimestamp="2026-01-01T00:00:00Z", scale=("a=b", 1))],
                "deploy/vllm",
                "it is being deleted",
            ),
            ([], "deploy/none", "there is none of that name"),
            ([], "unicorn/x", "no resource of that type"),
        ],
    )
    def test_with_the_reason(self, objects: list[Json], words: str, reason: str) -> None:
        with pytest.raises(LlmHpaError, match=reason):
            resolve(Facts(*objects), words, NAMESPACE)

    def test_a_namespace_that_does_not_exist(self) -> None:
        with pytest.raises(LlmHpaError, match="the namespace does not exist"):
            resolve(Facts(), "deploy/x", "nowhere")

    def test_zero_replicas_is_a_note(self) -> None:
        (note,) = resolve(Facts({**DEPLOYMENT, "scale": ("app=vllm", 0)}), "deploy/vllm", NAMESPACE).notes
        assert note.startswith("Deployment/vllm has 0 replicas")


class TestRequests:
    def test_built_in_types_need_no_discovery(self) -> None:
        facts = Facts(DEPLOYMENT, REPLICA_SET)
        resolve(facts, "deploy/vllm", NAMESPACE)
        assert facts.asked == [
            "/apis/apps/v1/namespaces/llm/deployments/vllm",
            "/apis/apps/v1/namespaces/llm/deployments/vllm/scale",
        ]
        resolve(facts, "rs/vllm-1", NAMESPACE)
        assert "/apis" not in facts.asked

    def test_others_need_one(self) -> None:
        facts = Facts(LWS, LEADERS, LEADER, WORKERS, WORKER)
        resolve(facts, "lws/llama", NAMESPACE)
        resolve(facts, "po/llama-0-1", NAMESPACE)
        assert facts.asked.count("/apis") == 2  # one a command


class TestIdentify:
    def test_climbs_without_a_scale_subresource(self) -> None:
        found = identify(Facts({**LWS, "scale": ("", 0)}, LEADERS), "sts/llama", NAMESPACE)
        assert (found.reference, found.asked) == ("LeaderWorkerSet/llama", "StatefulSet/llama")

    @pytest.mark.parametrize("words", ["deploy/gone", "lws/gone"])
    def test_what_is_gone(self, words: str) -> None:
        assert identify(Facts(), words, NAMESPACE).name == "gone"

    def test_what_cannot_be_scaled(self) -> None:
        assert identify(Facts(made("Pod", "bare")), "po/bare", NAMESPACE).reference == "Pod/bare"

    def test_what_may_not_be_read(self) -> None:
        facts = Facts(LWS, forbidden=["LeaderWorkerSet"])
        assert identify(facts, "lws/llama", NAMESPACE).reference == "LeaderWorkerSet/llama"

    def test_no_type(self) -> None:
        with pytest.raises(LlmHpaError, match="no resource of that type"):
            identify(Facts(), "unicorn/x", NAMESPACE)


class TestOwners:
    def test_of_one_pod(self) -> None:
        (found,) = owners_of(Facts(DEPLOYMENT, REPLICA_SET), [POD])
        assert isinstance(found, Workload)
        assert (found.reference, found.asked, found.notes) == ("Deployment/vllm", "", ())

    def test_of_one_that_nothing_controls(self) -> None:
        (refusal,) = owners_of(Facts(), [made("Pod", "bare")])
        assert "no controller made this pod" in str(refusal)

    def test_of_many_with_one_read_for_each_owner(self) -> None:
        objects, pods = [], []
        for index in range(50):
            deployment = made("Deployment", f"d{index}", scale=(f"app=d{index}", 10))
            replica_set = made("ReplicaSet", f"d{index}-1", by=deployment)
            objects += [deployment, replica_set]
            pods += [made("Pod", f"d{index}-1-{number}", by=replica_set) for number in range(10)]
        facts = Facts(*objects)
        found = owners_of(facts, [*pods, made("Pod", "bare")])
        assert isinstance(found[-1], LlmHpaError)
        names = [one.name for one in found if not isinstance(one, LlmHpaError)]
        assert names == [f"d{index}" for index in range(50) for _ in range(10)]
        assert found[0] is found[9]
        assert len(facts.asked) == 150

    def test_of_pods_several_owners_below(self) -> None:
        facts = Facts(LWS, LEADERS, LEADER, WORKERS)
        found = owners_of(facts, [LEADER, WORKER])
        assert [one.reference for one in found if not isinstance(one, LlmHpaError)] == [
            "LeaderWorkerSet/llama"
        ] * 2
