"""What a simulation takes from a cluster: the autoscaler, seats, measured start-up times and GPUs of a workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, STATEFUL_SETS, Json, Reader, scaler_named, type_and_name
from kubectl_llmhpa.engines import EngineFacts
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.plan.looking import sight
from kubectl_llmhpa.simulate import history, scalers
from kubectl_llmhpa.simulate.files import in_order
from kubectl_llmhpa.simulate.scalers import Candidate
from kubectl_llmhpa.workloads import Workload, missing, pods, resolve, words_of
from kubectl_llmhpa.workloads.pods import engine_container, gpu_requests, start_times


@dataclass(frozen=True)
class Live:
    """What a cluster says of a workload.

    `workload` is what a command names it by. `engine` is None, and `start_up` (seconds) empty, where it does not tell.
    `gpus` are those of one replica, `ordered` says whether its pods start one after the other, `notes` are sentences.
    `past` is the load that it had, where that was asked for.
    """

    candidates: tuple[Candidate, ...]
    engine: EngineFacts | None
    start_up: tuple[float, ...]
    gpus: int
    ordered: bool
    notes: tuple[str, ...]
    past: history.Past | None = None
    workload: str = ""


def look(reader: Reader, words: tuple[str, ...], namespace: str, *, seconds: float = 0.0) -> Live:
    """A workload's autoscalers and pods, or one autoscaler (`hpa/NAME`, `scaledobject/NAME`) and the pods it scales.

    With `seconds` the load of that time too, and the seats that were seen in it. Raises LlmHpaError when there is no
    such object, or no history.
    """
    word, name = type_and_name(words)
    if scaler := scaler_named(word):
        found = missing.read(reader, scaler, namespace, name)
        workload = resolve(reader, words_of(scaled_objects.scale_target(found)), namespace)
        candidates: tuple[Candidate, ...] = (
            _of_hpa(found, _scaled_objects(reader, namespace))
            if scaler is HPAS
            else scalers.of_scaled_object(found, f"scaledobject/{name}"),
        )
    else:
        workload = resolve(reader, words, namespace)
        candidates = _candidates(reader, workload)
    own = pods(reader, workload)
    notes = (
        []
        if candidates
        else [f"no HPA or ScaledObject scales {workload.reference}: policies are compared only"]
    )
    engine = None
    try:
        engine = sight.engine_of(reader, workload).facts
    except LlmHpaError as error:
        if seconds:
            raise
        notes.append(f"seats are not read from a pod: {error.problem}")
    past = None
    if seconds and engine is not None:
        past = history.read(reader, workload, own, engine, seconds)
        notes += history.notes(past)
        engine = replace(engine, seats=past.seats or engine.seats)
    asked = [sum(gpu_requests(engine_container(pod)).values()) for pod in own]
    gpus = int(max(asked, default=0)) * workload.pods_per_replica
    ordered = workload.resource.kind == STATEFUL_SETS.kind and in_order(workload.object)
    return Live(
        candidates, engine, start_times(own), max(1, gpus), ordered, tuple(notes), past,
        f"{workload.reference} -n {workload.namespace}",
    )  # fmt: skip


def _candidates(reader: Reader, workload: Workload) -> tuple[Candidate, ...]:
    """Its HPAs, those of KEDA with their queries, and ScaledObjects whose HPA is not there."""
    scaled = _scaled_objects(reader, workload.namespace)
    found, taken = [], set()
    for hpa in reader.get(HPAS.path(workload.namespace)).get("items") or []:
        if not workload.is_target_of((hpa.get("spec") or {}).get("scaleTargetRef") or {}):
            continue
        taken.add(scaled_objects.of_hpa(hpa))
        found.append(_of_hpa(hpa, scaled))
    for name, one in scaled.items():
        if name not in taken and workload.is_target_of(scaled_objects.scale_target(one)):
            found.append(scalers.of_scaled_object(one, f"scaledobject/{name}"))
    return tuple(found)


def _of_hpa(hpa: Json, scaled: Mapping[str, Json]) -> Candidate:
    owner = scaled.get(scaled_objects.of_hpa(hpa))
    return scalers.of_hpa(hpa, f"hpa/{hpa['metadata']['name']}", scaled_object=owner)


def _scaled_objects(reader: Reader, namespace: str) -> dict[str, Json]:
    """Those of a namespace by name; none where they may not be listed, or KEDA is not there."""
    try:
        found = reader.get(SCALED_OBJECTS.path(namespace)).get("items") or []
    except ApiError as error:
        if error.not_found or error.forbidden:
            return {}
        raise
    return {str(one["metadata"]["name"]): one for one in found}
