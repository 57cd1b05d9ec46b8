"""Replicas held at one number while a benchmark measures, and the way back, also for one that was killed.

An autoscaler is held by its own limits: lowest and highest become the same number. Before that the object as it was is
written into a ConfigMap of ours beside the workload, so that whichever command comes next can give it back. A
benchmark's Job says on which machine and by which process it was started: where that process is gone, the Job is an
orphan and goes away with the limits that it left.
"""

from __future__ import annotations

import copy
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from kubectl_llmhpa import __version__
from kubectl_llmhpa.api import (
    CONFIG_MAPS,
    HPAS,
    JOBS,
    MANAGED_BY,
    MANAGER,
    SCALED_OBJECTS,
    VERSION_ANNOTATION,
    WORKLOAD_LABEL,
    Json,
    Reader,
    Resource,
    Writer,
)
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.plan import journal, objects, steps
from kubectl_llmhpa.plan.steps import Change
from kubectl_llmhpa.workloads import Workload

#: On a benchmark's Job: `HOST/PID` of the process that follows it.
CLIENT_ANNOTATION = "kubectl-llm-hpa/client"
_KEY = "pin.json"
_TRIES = 5
#: Names of the lowest and the highest number of replicas.
_LIMITS = {HPAS: ("minReplicas", "maxReplicas"), SCALED_OBJECTS: ("minReplicaCount", "maxReplicaCount")}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Pin:
    """What is held (`before` is the whole autoscaler as it was) and at how many replicas."""

    resource: Resource
    before: Json
    replicas: int

    def as_json(self) -> str:
        """Its text in the ConfigMap."""
        content = {"resource": self.resource._asdict(), "before": self.before, "replicas": self.replicas}
        return json.dumps(content, sort_keys=True)

    @classmethod
    def read(cls, text: str) -> Pin:
        """The inverse of `as_json`."""
        content = json.loads(text)
        return cls(Resource(**content["resource"]), content["before"], content["replicas"])


def client() -> str:
    """This process, as the annotation names it."""
    return f"{socket.gethostname()}/{os.getpid()}"


def scaler_of(reader: Reader, hpa: Json) -> tuple[Resource, Json]:
    """What sets the limits of an HPA: itself, or the ScaledObject that KEDA makes it from, where that is there."""
    metadata = hpa["metadata"]
    namespace, scaled_object = metadata["namespace"], scaled_objects.of_hpa(hpa)
    scaled = objects.read(reader, SCALED_OBJECTS, namespace, scaled_object) if scaled_object else None
    return (SCALED_OBJECTS, scaled) if scaled else (HPAS, reader.get(HPAS.path(namespace, metadata["name"])))


def pin(writer: Writer, workload: Workload, hpa: Json, replicas: int) -> None:
    """Hold the workload at so many replicas. Raises LlmHpaError, with nothing changed, where that is refused."""
    resource, scaler = scaler_of(writer, hpa)
    held = Pin(resource, scaler, replicas)
    steps.run(
        [objects.OwnObject(writer, CONFIG_MAPS, _record(workload, held)), _Limits(writer, held)],
        lambda _: None,
    )


def left(reader: Reader, workload: Workload) -> Pin | None:
    """What a benchmark holds or has left held; None where it is nothing. Raises LlmHpaError where that is garbled."""
    found = objects.read(reader, CONFIG_MAPS, workload.namespace, _name(workload))
    if found is None:
        return None
    try:
        return Pin.read(found["data"][_KEY])
    except (KeyError, TypeError, ValueError) as error:
        raise LlmHpaError(
            f"read configmap {workload.namespace}/{_name(workload)}",
            "it does not say what a benchmark holds", "delete it, and see that the limits of the autoscaler are yours",
        ) from error  # fmt: skip


def release(writer: Writer, workload: Workload) -> str:
    """Give back what is held; what was given back in words, empty where nothing was held."""
    held = left(writer, workload)
    if held is None:
        return ""
    _Limits(writer, held).undo()
    writer.delete(CONFIG_MAPS, workload.namespace, _name(workload))
    low, high = _limits(held.resource, held.before)
    return f"{held.resource.full_name}/{held.before['metadata']['name']} may go from {low} to {high} again"


def recover(writer: Writer, workload: Workload, say: Say) -> None:
    """Give back what a killed benchmark holds, so that no plan is made from the limits that it set.

    Raises LlmHpaError where a benchmark still runs that holds the replicas.
    """
    if left(writer, workload) is None:
        return
    busy = remove_orphans(writer, workload, say)
    if busy:
        raise LlmHpaError(
            f"change the autoscaling of {workload.reference}", f"a benchmark holds its replicas (job/{busy})",
            f"wait for it, or remove it: kubectl -n {workload.namespace} delete job {busy}",
        )  # fmt: skip
    say(f"undone what a benchmark left: {release(writer, workload)}")


def remove_orphans(writer: Writer, workload: Workload, say: Say) -> str:
    """Remove the Jobs of benchmarks that were killed on this machine; the name of one that may run, else empty."""
    busy = ""
    for job in running(writer, workload):
        name = job["metadata"]["name"]
        if _alive((job["metadata"].get("annotations") or {}).get(CLIENT_ANNOTATION, "")):
            busy = name
        else:
            writer.delete(JOBS, workload.namespace, name)
            say(f"removed job/{name} of a benchmark that was killed")
    return busy


def running(reader: Reader, workload: Workload) -> list[Json]:
    """The benchmark Jobs of a workload that have not ended; none where they cannot be listed."""
    query = urlencode({"labelSelector": f"{MANAGED_BY}={MANAGER},{WORKLOAD_LABEL}={workload.label}"})
    try:
        jobs = reader.get(f"{JOBS.path(workload.namespace)}?{query}").get("items") or []
    except ApiError as error:
        if error.forbidden:
            return []
        raise
    return [job for job in jobs if not _ended(job)]


def _ended(job: Json) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(each["type"] in ("Complete", "Failed") and each["status"] == "True" for each in conditions)


def _alive(who: str) -> bool:
    """Whether the process may still be there; one of another machine may."""
    host, _, pid = who.rpartition("/")
    if host != socket.gethostname() or not pid.isdigit() or os.name != "posix":
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _name(workload: Workload) -> str:
    return f"{journal.name_for(workload)}-pin"


def _record(workload: Workload, held: Pin) -> Json:
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {
            "name": _name(workload),
            "namespace": workload.namespace,
            "labels": journal.labels_for(workload),
            "annotations": {VERSION_ANNOTATION: __version__},
        },
        "data": {_KEY: held.as_json()},
    }


def _limits(resource: Resource, scaler: Json) -> tuple[int, int]:
    """Lowest and highest, with the defaults of the API server and of KEDA."""
    low, high = _LIMITS[resource]
    defaults = (1, 1) if resource == HPAS else (0, 100)
    return int(scaler["spec"].get(low, defaults[0])), int(scaler["spec"].get(high, defaults[1]))


class _Limits:
    """The step that makes lowest and highest the same number."""

    def __init__(self, writer: Writer, held: Pin) -> None:
        self._writer = writer
        self._held = held
        metadata = held.before["metadata"]
        self._place = metadata["namespace"], metadata["name"]
        self._path = held.resource.path(*self._place)

    def changes(self) -> list[Change]:
        """See `Step.changes`."""
        before = objects.presentable(self._held.before)
        after = objects.presentable(self._with(self._held.before))
        return [Change(self._held.resource, *self._place, before, after)]

    def validate(self) -> None:
        """See `Step.validate`."""
        self._writer.replace(self._with(self._writer.get(self._path)), dry_run=True)

    def do(self) -> list[Change]:
        """See `Step.do`."""
        self._write(self._with)
        return self.changes()

    def undo(self) -> None:
        """See `Step.undo`: the limits as they were; where nothing else was edited, the fields' owners too."""
        live = objects.read(self._writer, self._held.resource, *self._place)
        if live is None or live["metadata"]["uid"] != self._held.before["metadata"]["uid"]:
            return
        if self._without(live)["spec"] == self._held.before["spec"]:
            objects.restore(self._writer, self._held.resource, self._held.before)
        elif _limits(self._held.resource, live) == (self._held.replicas, self._held.replicas):
            self._write(self._without)

    def _write(self, change: Callable[[Json], Json]) -> None:
        for attempt in range(_TRIES):
            try:
                self._writer.replace(change(self._writer.get(self._path)))
                return
            except ApiError as error:
                if not error.conflict or attempt == _TRIES - 1:
                    raise
                time.sleep(0.2)

    def _with(self, scaler: Json) -> Json:
        changed = copy.deepcopy(scaler)
        changed["spec"].update(dict.fromkeys(_LIMITS[self._held.resource], self._held.replicas))
        return changed

    def _without(self, scaler: Json) -> Json:
        """The autoscaler with the limits that it had."""
        changed = copy.deepcopy(scaler)
        for limit in _LIMITS[self._held.resource]:
            if limit in self._held.before["spec"]:
                changed["spec"][limit] = self._held.before["spec"][limit]
            else:
                changed["spec"].pop(limit, None)
        return changed
