"""What is carried from one backend's form into the other's, what is refused, and what the plan says."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import pytest

from kubectl_llmhpa.api import HPAS, MANAGER, SCALED_OBJECTS, Json
from kubectl_llmhpa.backends.keda import Keda
from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.backends.scaled_object import TRANSFER
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan import handover, journal, migrating
from kubectl_llmhpa.plan.journal import Journal, Move
from kubectl_llmhpa.plan.setting_up import carrying
from kubectl_llmhpa.plan.setting_up.enabling import Prepared
from kubectl_llmhpa.plan.setting_up.planning import Plan
from kubectl_llmhpa.plan.setting_up.rivals import Live
from kubectl_llmhpa.plan.wishes import Wishes
from tests.unit.test_plan import CACHE, RUNNING, make, sight, stored, surroundings

AROUND: dict[str, Any] = {
    "keda": Keda("keda", "2.21.0", "", True),
    "server": Server("monitoring", "prometheus", 9090),
}
FLAGS = Wishes(min_replicas=2, max_replicas=9, targets={"running": Decimal(3), "kv-cache": Decimal("0.65")})
HPA = stored(make(replace(FLAGS, backend=PROMETHEUS_ADAPTER)).scaler.object, uid="hpa")
SCALED = stored(make(replace(FLAGS, backend=KEDA), **AROUND).scaler.object, uid="so")


def move(scaler: Json, to: str, **around: Any) -> Plan:
    """The plan of a move of what scales now; KEDA's HPA stands beside its ScaledObject."""
    key = "scaled_objects" if scaler["kind"] == SCALED_OBJECTS.kind else "hpas"
    return make(Wishes(backend=to, moving=True), **{key: [scaler], **AROUND, **around})


def edited(scaler: Json, **spec: Any) -> Json:
    made = copy.deepcopy(scaler)
    made["spec"] |= spec
    return made


def without_transfer(scaler: Json) -> Json:
    return handover.settled(scaler)


class TestCarrying:
    """Limits, behavior and targets are the same in both forms."""

    def test_to_keda_and_to_the_adapter(self) -> None:
        to_keda = move(HPA, KEDA).scaler
        assert to_keda.takes_over
        assert to_keda.hpa_name == HPA["metadata"]["name"]
        assert without_transfer(to_keda.object) == without_transfer(SCALED)
        to_adapter = move(SCALED, PROMETHEUS_ADAPTER).scaler
        assert to_adapter.object["spec"] == HPA["spec"]
        assert to_adapter.object["metadata"]["annotations"] == HPA["metadata"]["annotations"]

    def test_edits_by_hand_come_along(self) -> None:
        behavior = copy.deepcopy(HPA["spec"]["behavior"])
        behavior["scaleDown"]["stabilizationWindowSeconds"] = 17
        spec = move(edited(HPA, behavior=behavior, maxReplicas=12), KEDA).scaler.object["spec"]
        assert spec["maxReplicaCount"] == 12
        assert spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == behavior
        scaled = edited(SCALED, minReplicaCount=4)
        scaled["spec"]["triggers"][0]["metadata"]["threshold"] = "2.5"
        back = move(scaled, PROMETHEUS_ADAPTER).scaler
        assert back.least == 4
        assert back.object["spec"]["metrics"][0]["pods"]["target"]["averageValue"] == "2500m"

    def test_rules_follow_the_adapter_only(self) -> None:
        assert move(HPA, KEDA).rules == {}
        plan = move(SCALED, PROMETHEUS_ADAPTER)
        assert (sorted(plan.rules), sorted(plan.metrics)) == ([CACHE, RUNNING], [CACHE, RUNNING])

    @pytest.mark.parametrize(
        ("metric", "word"),
        [
            ({"type": "Resource", "resource": {"name": "cpu"}}, "Resource metric cpu"),
            ({"type": "Pods", "pods": {"metric": {"name": "other"}}}, "Pods metric other"),
            ({"type": "Pods", "pods": {"metric": {"name": RUNNING, "selector": {"matchLabels": {"a": "b"}}}}}, RUNNING),
            ({"type": "External", "external": {"metric": {"name": "queue"}}}, "External metric queue"),
        ],
    )  # fmt: skip
    def test_a_metric_that_others_added_is_refused(self, metric: Json, word: str) -> None:
        with pytest.raises(LlmHpaError, match=f"{word}.*no counterpart in KEDA's queries"):
            move(edited(HPA, metrics=[*HPA["spec"]["metrics"], metric]), KEDA)

    @pytest.mark.parametrize(
        ("spec", "word"),
        [
            ({"triggers": [{"type": "cron", "metadata": {}}]}, "trigger cron"),
            ({"triggers": [{"type": "prometheus", "name": "mine", "metadata": {"threshold": "1"}}]}, "trigger mine"),
            ({"triggers": [{"type": "prometheus", "name": "ttft", "metadata": {"threshold": "2"}}]}, "ttft"),
            ({"idleReplicaCount": 0}, "idleReplicaCount"),
            ({"advanced": {"scalingModifiers": {"formula": "a + b"}}}, "scalingModifiers"),
        ],
    )  # fmt: skip
    def test_what_only_keda_can_do_is_refused(self, spec: Json, word: str) -> None:
        with pytest.raises(LlmHpaError, match=f"{word}.*no counterpart in an HPA on metrics of pods"):
            move(edited(SCALED, **spec), PROMETHEUS_ADAPTER)

    def test_a_paused_scaled_object_is_refused(self) -> None:
        paused = copy.deepcopy(SCALED)
        paused["metadata"]["annotations"]["autoscaling.keda.sh/paused"] = "true"
        with pytest.raises(LlmHpaError, match="take the pause off first"):
            move(paused, PROMETHEUS_ADAPTER)

    def test_zero_replicas_are_refused(self) -> None:
        with pytest.raises(
            LlmHpaError, match="bring it back; kubectl llm-hpa enable Deployment/vllm -n ml --min 1 first"
        ):
            move(edited(SCALED, minReplicaCount=0), PROMETHEUS_ADAPTER)

    def test_labels_and_annotations_of_others_come_along_both_ways(self) -> None:
        others = {"labels": {"team": "search"}, "annotations": {"example.com/cost": "7"}}
        for scaler, to in ((HPA, KEDA), (SCALED, PROMETHEUS_ADAPTER)):
            marked = copy.deepcopy(scaler)
            for kind, marks in others.items():
                marked["metadata"][kind] |= marks
            made, plain = (
                move(marked, to).scaler.object["metadata"],
                move(scaler, to).scaler.object["metadata"],
            )
            for kind, marks in others.items():
                assert made[kind] == {**plain[kind], **marks}

    @pytest.mark.parametrize(
        ("kind", "key"),
        [
            ("labels", "app.kubernetes.io/instance"),
            ("labels", "argocd.argoproj.io/instance"),
            ("annotations", "meta.helm.sh/release-name"),
            ("annotations", "autoscaling.keda.sh/force-activation"),
        ],
    )
    def test_what_says_who_owns_it_stays_behind_and_is_said(self, kind: str, key: str) -> None:
        marked = copy.deepcopy(HPA)
        marked["metadata"][kind][key] = "x"
        made = move(marked, KEDA)
        assert key not in made.scaler.object["metadata"][kind]
        assert any(key in note for note in made.notes)

    def test_what_kubectl_compares_with_stays_behind(self) -> None:
        marked = copy.deepcopy(HPA)
        marked["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
        made = move(marked, KEDA)
        assert (made.scaler.object, made.notes) == (move(HPA, KEDA).scaler.object, move(HPA, KEDA).notes)

    def test_what_was_carried_stays_on_day_two_and_what_others_add_is_theirs(self) -> None:
        live = copy.deepcopy(SCALED)
        live["metadata"]["labels"] |= {"team": "search", "new": "x"}
        fields: Json = {"f:metadata": {"f:labels": {"f:team": {}}}}
        live["metadata"]["managedFields"] = [{"manager": MANAGER, "operation": "Apply", "fieldsV1": fields}]
        labels = make(Wishes(), scaled_objects=[live], **AROUND).scaler.object["metadata"]["labels"]
        assert labels == {**SCALED["metadata"]["labels"], "team": "search"}

    def test_the_same_form_is_left_alone(self) -> None:
        live = Live(HPAS, HPA, ours=True)
        assert carrying.over(live, sight().facts.signals, keda=False) is live


class TestWhoMayBeMoved:
    """Ours only, and an interrupted move goes on from what was there before it."""

    def test_nothing_and_others(self) -> None:
        with pytest.raises(LlmHpaError, match="nothing scales it; enable it first"):
            make(Wishes(backend=KEDA, moving=True), **AROUND)
        with pytest.raises(LlmHpaError, match=r"move autoscaling of .*was not made by.*enable --adopt"):
            move(stored(HPA, ours=False), KEDA)

    def test_an_interrupted_move(self) -> None:
        """KEDA's marks on the HPA, the ScaledObject gone: its targets are in the journal."""
        orphan = edited(
            HPA, metrics=[{"type": "External", "external": {"metric": {"name": "s0-prometheus"}}}]
        )
        orphan["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "keda-operator"}
        book = Journal(move=Move(SCALED, "hpa"))
        assert book.moves(orphan)
        forth = move(orphan, PROMETHEUS_ADAPTER, journal=book).scaler
        assert forth.object["spec"] == HPA["spec"]
        back = move(orphan, KEDA, journal=book).scaler
        assert without_transfer(back.object) == without_transfer(SCALED)
        with pytest.raises(
            LlmHpaError, match="has begun and not ended; run the same kubectl llm-hpa migrate again"
        ):
            make(Wishes(), hpas=[orphan], journal=book, **AROUND)

    def test_the_journal_knows_the_first_look(self) -> None:
        first, second = Move(HPA, "hpa"), Move(SCALED, "hpa")
        assert Journal(move=second).merged(Journal(move=first)).move == first
        text = json.dumps({"schemaVersion": journal.SCHEMA, **asdict(Journal(move=first))})
        stored_book: Json = {"metadata": {"namespace": "ml", "name": "j"}, "data": {"journal.json": text}}
        assert journal.read(stored_book).move == first


class TestPlan:
    """What is printed before anything is done."""

    def test_each_way(self) -> None:
        told = migrating.lines(prepared(HPA, KEDA))
        assert [line.partition(" ")[0] for line in told] == [
            "PodMonitor",
            "Prometheus",
            "ScaledObject",
            "the",
            "rules",
        ]
        assert "the lower limit is 2 again" in told[3]
        told = migrating.lines(prepared(SCALED, PROMETHEUS_ADAPTER))
        assert [line.partition(" ")[0] for line in told] == [
            "PodMonitor",
            "2",
            "the",
            "ScaledObject",
            "hpa/vllm",
            "the",
        ]

    def test_what_does_not_come_along_is_said(self) -> None:
        rich = edited(SCALED, fallback={"failureThreshold": 3, "replicas": 6})
        rich["spec"]["triggers"][0]["authenticationRef"] = {"name": "vllm"}
        one = prepared(rich, PROMETHEUS_ADAPTER)
        told = migrating.losses(one)
        assert "the fallback to 6 replicas goes" in told[0]
        assert "--prometheus-token-secret again" in told[1]
        assert migrating.lines(one)[-1].startswith("TriggerAuthentication vllm is deleted")
        assert migrating.losses(prepared(HPA, KEDA)) == []

    def test_there_already(self) -> None:
        assert migrating.arrived(prepared(SCALED, KEDA))
        assert not migrating.arrived(prepared(HPA, KEDA))
        assert not migrating.arrived(prepared(SCALED, KEDA, journal=Journal(move=Move(SCALED, "hpa"))))


def prepared(scaler: Json, to: str, **around: Any) -> Prepared:
    plan = move(scaler, to, **around)
    key = "scaled_objects" if scaler["kind"] == SCALED_OBJECTS.kind else "hpas"
    wishes = Wishes(backend=to, moving=True)
    return Prepared(sight(), surroundings(**{key: [scaler], **AROUND, **around}), wishes, plan, ())


def test_a_scaled_object_is_applied_again_without_what_keda_wrote() -> None:
    live = copy.deepcopy(SCALED)
    live["metadata"] |= {"finalizers": ["finalizer.keda.sh"]}
    live["metadata"]["labels"]["scaledobject.keda.sh/name"] = "vllm"
    live["spec"]["advanced"]["scalingModifiers"] = {}
    assert handover.settled(handover.asking(live)) == handover.settled(SCALED)
    assert handover.asking(live)["metadata"]["annotations"][TRANSFER] == "true"
    assert TRANSFER not in SCALED["metadata"]["annotations"]
