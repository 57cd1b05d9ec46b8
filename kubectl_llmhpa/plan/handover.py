"""An HPA changes hands, to KEDA and back, without a moment in which the workload has none.

KEDA takes an HPA over when a ScaledObject names it and asks for it in an annotation; its webhook refuses anything
else (apis/keda/v1alpha1/scaledobject_webhook.go, verifyHpas). It writes that very object: uid, status and what the HPA
controller remembers of it stay.

KEDA owns it then (a controller ownerReference), so the garbage collector takes it with the ScaledObject. Deleting that
with `propagationPolicy: Orphan` makes the collector drop the reference instead. The HPA cannot read its External metric
then, and an HPA that cannot read a metric keeps its replicas. KEDA's operator has to take a finalizer off a
ScaledObject before that is gone; the collector does not wait for it.
"""

from __future__ import annotations

import copy
import time

from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Json, Reader, Writer
from kubectl_llmhpa.backends.scaled_object import TRANSFER
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.plan import objects
from kubectl_llmhpa.plan.steps import Change

_LET_GO_SECONDS = 30.0
_FINALIZER_SECONDS = 10.0
_POLL_SECONDS = 0.5


def holds(scaled: Json | None, scaler: Json | None) -> bool:
    """Whether the HPA belongs to the ScaledObject."""
    owners = scaler["metadata"].get("ownerReferences") or () if scaler else ()
    return scaled is not None and any(one.get("uid") == scaled["metadata"]["uid"] for one in owners)


def asking(scaled: Json) -> Json:
    """A ScaledObject as one applies it to take its HPA over, made of a live one or a planned one."""
    made = _bare(scaled)
    made["metadata"]["annotations"] = {**made["metadata"]["annotations"], TRANSFER: "true"}
    return made


def settled(scaled: Json) -> Json:
    """The same once it has the HPA."""
    made = _bare(scaled)
    made["metadata"]["annotations"].pop(TRANSFER, None)
    return made


def release(writer: Writer, scaled: Json) -> Json | None:
    """Delete a ScaledObject and keep its HPA, which belongs to nobody then; the HPA, None when there is none.

    KEDA's operator is waited for a while only: `wait_gone` says when it does not let the ScaledObject go. Raises
    LlmHpaError when the HPA does not get free.
    """
    namespace, name = scaled["metadata"]["namespace"], scaled["metadata"]["name"]
    writer.delete(SCALED_OBJECTS, namespace, name, uid=scaled["metadata"]["uid"], propagation="Orphan")
    began = time.monotonic()
    while holds(scaled, found := objects.read(writer, HPAS, namespace, scaled_objects.hpa_name(scaled))):
        if time.monotonic() - began > _LET_GO_SECONDS:
            raise LlmHpaError(
                f"take HorizontalPodAutoscaler {namespace}/{scaled_objects.hpa_name(scaled)} back from KEDA",
                f"it still belongs to ScaledObject {name}, which is being deleted",
                "remove its ownerReferences, then run this again",
            )
        time.sleep(_POLL_SECONDS)
    while _is_there(writer, namespace, name) and time.monotonic() - began < _FINALIZER_SECONDS:
        time.sleep(_POLL_SECONDS)
    return found


def wait_gone(reader: Reader, namespace: str, name: str) -> None:
    """Wait until a deleted ScaledObject is gone. Raises LlmHpaError when KEDA keeps it."""
    began = time.monotonic()
    while _is_there(reader, namespace, name):
        if time.monotonic() - began > _LET_GO_SECONDS:
            raise LlmHpaError(
                f"delete ScaledObject {namespace}/{name}",
                f"KEDA's operator has not taken its finalizer off in {_LET_GO_SECONDS:.0f} s, so it is still there",
                "see that KEDA's operator runs, then run this again",
            )
        time.sleep(_POLL_SECONDS)


def wait_held(reader: Reader, scaled: Json) -> Json:
    """Wait until KEDA has taken the HPA over, and return that. Raises LlmHpaError when it does not."""
    namespace, name = scaled["metadata"]["namespace"], scaled_objects.hpa_name(scaled)
    began = time.monotonic()
    while not holds(scaled, found := objects.read(reader, HPAS, namespace, name)):
        if time.monotonic() - began > _LET_GO_SECONDS:
            live = objects.read(reader, SCALED_OBJECTS, namespace, scaled["metadata"]["name"]) or {}
            conditions = (live.get("status") or {}).get("conditions") or ()
            ready: Json = next((one for one in conditions if one["type"] == "Ready"), {})
            said = f": {ready['message']}" if ready.get("status") == "False" and ready.get("message") else ""
            raise LlmHpaError(
                f"let KEDA take over HorizontalPodAutoscaler {namespace}/{name}",
                f"it has not done so in {_LET_GO_SECONDS:.0f} s{said}",
                "see that KEDA's operator runs",
            )
        time.sleep(_POLL_SECONDS)
    assert found is not None
    return found


def put_back(writer: Writer, scaler: Json) -> None:
    """Make an HPA what it was; where it is gone, make it anew."""
    namespace, name = scaler["metadata"]["namespace"], scaler["metadata"]["name"]
    live = objects.read(writer, HPAS, namespace, name)
    if live is not None and live["metadata"]["uid"] == scaler["metadata"]["uid"]:
        objects.restore(writer, HPAS, scaler)
    elif live is None:
        writer.create(objects.presentable(scaler) or {})


class Taken(objects.OwnObject):
    """The step for a ScaledObject with which KEDA takes an HPA over; undone, the HPA is what it was.

    The annotation that asks for it goes as soon as KEDA has the HPA, so that a later run finds nothing to change.
    """

    single_write = False
    _hpa: Json | None = None

    def do(self) -> list[Change]:
        """See `Step.do`."""
        before = self._checked()
        place = self._wanted["metadata"]["namespace"], scaled_objects.hpa_name(self._wanted)
        hpa = objects.read(self._writer, HPAS, *place)
        self._hpa = None if holds(before, hpa) else hpa
        self._before = before
        asked = self._asked()
        self._after = before if holds(before, hpa) and before else self._apply(dry_run=False, wanted=asked)
        wait_held(self._writer, self._after)
        self._held()
        self._after = self._apply(dry_run=False, wanted=settled(self._wanted))
        self._settled()
        return [
            Change(
                self._resource, *self._place, objects.presentable(before), objects.presentable(self._after)
            )
        ]

    def undo(self) -> None:
        """See `Step.undo`."""
        if self._after is None or self._before is not None:
            super().undo()
            return
        release(self._writer, self._after)
        if self._hpa is not None:
            put_back(self._writer, self._hpa)
        wait_gone(self._writer, *self._place)

    def _asked(self) -> Json:
        """What is applied first."""
        return asking(self._wanted)

    def _held(self) -> None:
        """Called when KEDA has the HPA."""

    def _settled(self) -> None:
        """Called when the ScaledObject is as it is to stay."""


def _is_there(reader: Reader, namespace: str, name: str) -> bool:
    return objects.read(reader, SCALED_OBJECTS, namespace, name) is not None


def _bare(scaled: Json) -> Json:
    """What an apply says: without what the server and KEDA add."""
    metadata = scaled["metadata"]
    labels = {
        key: value for key, value in (metadata.get("labels") or {}).items() if key != scaled_objects.LABEL
    }
    return {
        "apiVersion": SCALED_OBJECTS.api_version,
        "kind": SCALED_OBJECTS.kind,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": dict(metadata.get("annotations") or {}),
        },
        "spec": _filled(scaled["spec"]),
    }


def _filled(part: Json) -> Json:
    """Without empty objects: KEDA writes some of them (`scalingModifiers`) when it adds its finalizer."""
    return {
        key: _filled(value) if isinstance(value, dict) else copy.deepcopy(value)
        for key, value in part.items()
        if value != {}
    }
