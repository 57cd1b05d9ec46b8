"""The two steps in which an HPA that works changes hands, each checked before the old backend is forgotten.

Undone, the workload is scaled by what scaled it before. Where an interrupted move is taken back by moving the other
way, there is nothing to undo to: the step fails, and the next run goes on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import HPAS, MANAGER, SCALED_OBJECTS, Json, Writer
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan import handover, objects
from kubectl_llmhpa.plan.handover import Taken
from kubectl_llmhpa.plan.journal import Move
from kubectl_llmhpa.plan.setting_up import hops, keda_hops
from kubectl_llmhpa.plan.setting_up.hops import Hop, HopState
from kubectl_llmhpa.plan.setting_up.scalers import Scaler
from kubectl_llmhpa.plan.steps import Change
from kubectl_llmhpa.workloads import Workload

_TRIES = 5


@dataclass(frozen=True)
class Hands:
    """What both steps need: the workload, the move as the journal has it, and how to wait for a hop."""

    writer: Writer
    workload: Workload
    move: Move
    wait: Callable[[Hop], None]

    def replicas(self) -> int:
        """`spec.replicas` of the workload's scale subresource."""
        workload = self.workload
        scale = self.writer.get(workload.resource.path(workload.namespace, workload.name, "scale"))
        return int(scale["spec"].get("replicas", 0))

    def floor(self, low: int, high: int) -> int:
        """The lower limit while the HPA changes hands: the replicas there are, within the HPA's own limits."""
        return max(low, min(high, self.replicas()))

    def check(self, floor: int, name: str) -> None:
        """See that it is the same HPA and reads its metrics, and that the replicas are not below the floor.

        Raises LlmHpaError where it is not so, or not in time.
        """
        workload = self.workload
        found = objects.read(self.writer, HPAS, workload.namespace, name)
        if found is None or found["metadata"]["uid"] != self.move.hpa:
            raise LlmHpaError(
                f"move HorizontalPodAutoscaler {workload.namespace}/{name}",
                "it was deleted meanwhile"
                if found is None
                else "another one of that name was made meanwhile",
                "run this again",
            )
        self.wait(hops.scaling_active(self.writer, workload, name))
        self.wait(
            Hop(
                "replicas",
                lambda: self._not_below(floor),
                f"see: kubectl -n {workload.namespace} describe hpa {name}",
            )
        )

    def _not_below(self, floor: int) -> HopState:
        now = self.replicas()
        return HopState(now >= floor, f"{now}, of at least {floor}")


class ToKeda(Taken):
    """KEDA takes our HPA over with a ScaledObject of ours."""

    def __init__(self, hands: Hands, scaler: Scaler) -> None:
        super().__init__(hands.writer, SCALED_OBJECTS, scaler.object)
        self._hands = hands
        self._scaler = scaler
        self._begun = False
        self._floor = 0

    def changes(self) -> list[Change]:
        """See `Step.changes`."""
        before = self._checked()
        after = self._apply(dry_run=True, wanted=handover.asking(self._wanted))
        return [Change(self._resource, *self._place, objects.presentable(before), objects.presentable(after))]

    def validate(self) -> None:
        """See `Step.validate`."""
        self.changes()

    def do(self) -> list[Change]:
        """See `Step.do`."""
        self._begun = True
        return super().do()

    def undo(self) -> None:
        """See `Step.undo`."""
        before = self._hands.move.scaler
        if not self._begun or before["kind"] == SCALED_OBJECTS.kind:
            return
        live = objects.read(self._writer, SCALED_OBJECTS, *self._place)
        if live is not None:
            handover.release(self._writer, live)
        handover.put_back(self._writer, before)
        handover.wait_gone(self._writer, *self._place)

    def _asked(self) -> Json:
        made = handover.asking(self._wanted)
        self._floor = self._hands.floor(self._scaler.least, self._scaler.most)
        made["spec"]["minReplicaCount"] = self._floor
        return made

    def _held(self) -> None:
        hands = self._hands
        hands.wait(keda_hops.ready(self._writer, hands.workload, self._scaler.name))
        hands.check(self._floor, self._scaler.hpa_name)

    def _settled(self) -> None:
        name, least = self._scaler.hpa_name, self._scaler.least

        def look() -> HopState:
            found = self._writer.get(HPAS.path(self._hands.workload.namespace, name))
            now = found["spec"].get("minReplicas", 1)
            return HopState(now == least, f"minReplicas {now}")

        self._hands.wait(Hop("lower limit", look, "see that KEDA's operator runs"))


class FromKeda:
    """Our HPA on metrics of pods, over the one that KEDA lets go of."""

    def __init__(self, hands: Hands, scaler: Scaler, scaled_object: str) -> None:
        """`scaled_object` is the name of the ScaledObject that goes."""
        self._hands = hands
        self._writer = hands.writer
        self._wanted = scaler.object
        self._scaler = scaler
        self._place = hands.workload.namespace, scaled_object
        self._begun = False

    def changes(self) -> list[Change]:
        """See `Step.changes`."""
        namespace, name = self._place
        scaled = objects.read(self._writer, SCALED_OBJECTS, namespace, name)
        live = objects.read(self._writer, HPAS, namespace, self._scaler.name)
        after = self._writer.apply(self._wanted, force=True, dry_run=True)
        gone = [Change(SCALED_OBJECTS, namespace, name, objects.presentable(scaled), None)] if scaled else []
        return [
            *gone,
            Change(HPAS, namespace, self._scaler.name, objects.presentable(live), objects.presentable(after)),
        ]

    def validate(self) -> None:
        """See `Step.validate`."""
        self.changes()

    def do(self) -> list[Change]:
        """See `Step.do`."""
        self._begun = True
        namespace, name = self._place
        before = objects.read(self._writer, HPAS, namespace, self._scaler.name)
        floor = self._hands.floor(self._scaler.least, self._scaler.most)
        scaled = objects.read(self._writer, SCALED_OBJECTS, namespace, name)
        if scaled is not None:
            handover.release(self._writer, scaled)
        lifted = copy.deepcopy(self._wanted)
        lifted["spec"]["minReplicas"] = floor
        self._writer.apply(lifted, force=True)
        self._hands.check(floor, self._scaler.name)
        after = self._make_plain()
        gone = [Change(SCALED_OBJECTS, namespace, name, objects.presentable(scaled), None)] if scaled else []
        return [
            *gone,
            Change(
                HPAS, namespace, self._scaler.name, objects.presentable(before), objects.presentable(after)
            ),
        ]

    def undo(self) -> None:
        """See `Step.undo`."""
        before = self._hands.move.scaler
        if not self._begun or before["kind"] != SCALED_OBJECTS.kind:
            return
        live = objects.read(self._writer, SCALED_OBJECTS, *self._place)
        if live is not None and "deletionTimestamp" not in live["metadata"]:
            return
        handover.wait_gone(self._writer, *self._place)
        Taken(self._writer, SCALED_OBJECTS, handover.asking(before)).do()

    def _make_plain(self) -> Json:
        """The HPA as a fresh `enable` leaves it, without a label, an annotation or an owner of a field from KEDA."""
        for _ in range(_TRIES):
            live = self._writer.apply(self._wanted, force=True)
            metadata = live["metadata"]
            for key in ("labels", "annotations"):
                metadata[key] = dict(self._wanted["metadata"][key])
            metadata["managedFields"] = _entries(metadata["managedFields"])
            try:
                return self._writer.replace(live)
            except LlmHpaError as error:
                if not getattr(error, "conflict", False):
                    raise
        raise LlmHpaError(
            f"write HorizontalPodAutoscaler {self._hands.workload.namespace}/{self._scaler.name}",
            f"somebody else wrote it between our read and our write, {_TRIES} times", "run this again",
        )  # fmt: skip


def _entries(managed: Sequence[Json]) -> list[Json]:
    """The entries of what we applied and of the controllers' status; KEDA's have nothing left to own."""
    return [
        one
        for one in managed
        if one.get("subresource") == "status" or (one["manager"] == MANAGER and one["operation"] == "Apply")
    ]
