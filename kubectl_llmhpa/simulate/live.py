"""What a simulation takes from a cluster: the autoscaler, seats, measured start-up times and GPUs of a workload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, STATEFUL_SETS, Json, Reader, Resource
from kubectl_llmhpa.engines import EngineFacts
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.plan import sight
from kubectl_llmhpa.simulate import scalers
from kubectl_llmhpa.simulate.files import in_order
from kubectl_llmhpa.simulate.scalers import Candidate
from kubectl_llmhpa.workloads import identify, pods
from kubectl_llmhpa.workloads.pods import engine_container, gpu_requests

#: A pod that took longer has been unready for another reason than its start.
LONGEST_START_S = 3600.0


@dataclass(frozen=True)
class Live:
    """`engine` is None, and `start_up` empty, where the cluster does not tell; `notes` are sentences.

    `ordered`: its pods start one after the other.
    """

    candidates: tuple[Candidate, ...]
    engine: EngineFacts | None
    start_up: tuple[float, ...]
    gpus: int
    ordered: bool
    notes: tuple[str, ...]


def look(reader: Reader, words: tuple[str, ...], namespace: str) -> Live:
    """A workload's autoscalers and pods. Raises LlmHpaError when there is no such workload or it has no autoscaler."""
    workload = identify(reader, words, namespace)
    candidates = _candidates(reader, workload.resource, workload.name, namespace)
    if not candidates:
        raise LlmHpaError(
            f"simulate {workload.reference} in namespace {namespace!r}",
            "no HPA or ScaledObject scales it",
            "leave it out to compare policies only, or give a file with -f",
        )
    own = pods(reader, workload)
    notes = []
    engine = None
    try:
        engine = sight.engine_of(reader, workload).facts
    except LlmHpaError as error:
        notes.append(f"seats are not read from a pod: {error.problem}")
    asked = [gpu_requests(engine_container(pod)) for pod in own]
    gpus = max((int(sum(one.values())) for one in asked), default=0)
    ordered = workload.resource.kind == STATEFUL_SETS.kind and in_order(
        reader.get(workload.resource.path(namespace, workload.name))
    )
    return Live(candidates, engine, start_times(own), max(1, gpus), ordered, tuple(notes))


def start_times(found: Sequence[Json]) -> tuple[float, ...]:
    """Seconds from creation to ready of pods that became ready once and never restarted, in order."""
    times = []
    for pod in found:
        status = pod.get("status") or {}
        if any(one.get("restartCount") for one in status.get("containerStatuses") or ()):
            continue
        ready: Json = next((one for one in status.get("conditions") or () if one.get("type") == "Ready"), {})
        begun, done = _time(pod["metadata"].get("creationTimestamp")), _time(ready.get("lastTransitionTime"))
        if ready.get("status") != "True" or begun is None or done is None:
            continue
        if 0 < (took := (done - begun).total_seconds()) <= LONGEST_START_S:
            times.append(took)
    return tuple(sorted(times))


def _candidates(reader: Reader, resource: Resource, name: str, namespace: str) -> tuple[Candidate, ...]:
    scaled = {str(one["metadata"]["name"]): one for one in _scaled_objects(reader, namespace)}
    found, taken = [], set()
    for hpa in reader.get(HPAS.path(namespace)).get("items") or []:
        if not _scales((hpa.get("spec") or {}).get("scaleTargetRef") or {}, resource, name):
            continue
        owner = scaled_objects.of_hpa(hpa)
        taken.add(owner)
        title = f"hpa/{hpa['metadata']['name']}"
        found.append(scalers.of_hpa(hpa, title, scaled_object=scaled.get(owner)))
    for title, one in scaled.items():
        if title not in taken and _scales(scaled_objects.scale_target(one), resource, name):
            found.append(scalers.of_scaled_object(one, f"scaledobject/{title}"))
    return tuple(found)


def _scaled_objects(reader: Reader, namespace: str) -> list[Json]:
    try:
        return reader.get(SCALED_OBJECTS.path(namespace)).get("items") or []
    except ApiError as error:
        if error.not_found or error.forbidden:
            return []
        raise


def _scales(reference: Json, resource: Resource, name: str) -> bool:
    group = Resource(str(reference.get("apiVersion") or ""), "", "").group
    return (group, reference.get("kind"), reference.get("name")) == (resource.group, resource.kind, name)


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
