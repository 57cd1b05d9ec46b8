"""Hops access and target: what is scaled, its pods, and whether one autoscaler alone sets its replicas."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kubectl_llmhpa import workloads
from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Json, events_path, scaler_named, type_and_name
from kubectl_llmhpa.doctor import trimmed
from kubectl_llmhpa.doctor.facts import Facts, PodFacts, Problem, ScalerFacts, TargetFacts
from kubectl_llmhpa.doctor.model import Verdict, broken, ok, told, unknown
from kubectl_llmhpa.doctor.seeing import Seeing, problem
from kubectl_llmhpa.errors import ApiError, ExitCode, LlmHpaError
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.hpa import is_ours, scaled_objects
from kubectl_llmhpa.workloads import Workload, missing

#: What `workloads.resolve` says of a workload that no HPA can scale.
_FAULTS = (
    ("there is none of that name", "absent"),
    ("the namespace does not exist", "absent"),
    ("no readable scale subresource", "no-scale"),
    ("one pod on every node", "no-scale"),
    ("names no selector", "no-selector"),
)
#: What no name of an object has; a scaleTargetRef may.
_NO_NAME = re.compile(r"[^\w.:-]")
_REPLICA_SET = re.compile(r"ReplicaSet/(.+)-[0-9a-z]+")


def look(
    seeing: Seeing, words: tuple[str, ...], namespace: str
) -> tuple[TargetFacts, Workload | None, ScalerFacts]:
    """The target and its autoscaler; `words` are `TYPE/NAME` of either.

    Raises LlmHpaError (exit code COULD_NOT_LOOK) where what was named is not there or may not be read.
    """
    word, name = type_and_name(words)
    seeing.get_many([HPAS.path(namespace), SCALED_OBJECTS.path(namespace)])
    hpa, scaled = _named(seeing, word, namespace, name)
    reference = scaled_objects.scale_target(scaled) if scaled is not None else None
    reference = reference or ((hpa or {}).get("spec") or {}).get("scaleTargetRef")
    target, workload = _target(seeing, (word, name), namespace, reference)
    return target, workload, _scaler(seeing, namespace, workload, hpa, scaled)


def _named(seeing: Seeing, word: str, namespace: str, name: str) -> tuple[Json | None, Json | None]:
    """The HPA and the ScaledObject that were named, None for those that were not."""
    scaler = scaler_named(word)
    if scaler is None:
        return None, None
    try:
        found = _one(seeing, scaler.path(namespace), name) or missing.read(seeing, scaler, namespace, name)
    except LlmHpaError as error:
        raise _could_not(error.attempted, error, seeing) from error
    return (found, None) if scaler is HPAS else (None, found)


def _one(seeing: Seeing, path: str, name: str) -> Json | None:
    return next((one for one in seeing.items(path) or [] if one["metadata"]["name"] == name), None)


def _target(
    seeing: Seeing, words: tuple[str, str], namespace: str, reference: Json | None
) -> tuple[TargetFacts, Workload | None]:
    word, name = words
    if reference is not None:
        word, name = workloads.words_of(reference)
    shown = f"{reference['kind']}/{name}" if reference else f"{word}/{name}"
    if reference and _NO_NAME.search(name):
        return TargetFacts(
            shown, namespace, fault="absent", problem=Problem(f"no object can have the name {name!r}")
        ), None
    try:
        workload = workloads.resolve(seeing, (word, name), namespace)
    except LlmHpaError as error:
        fault = next((one for text, one in _FAULTS if text in error.problem), "refused")
        if isinstance(error, ApiError):
            if error.unavailable or reference is None:
                raise _could_not(f"look at {shown} in namespace {namespace!r}", error, seeing) from error
            fault = "absent" if error.not_found else "unseen"
        elif reference is None and fault == "absent":
            raise _could_not(f"look at {shown} in namespace {namespace!r}", error) from error
        return TargetFacts(shown, namespace, fault=fault, problem=problem(error)), None
    rival = workload.rival
    return TargetFacts(
        workload.reference, namespace, workload.replicas, workload.selector,
        rival=Problem(rival.problem, rival.remedy) if rival else None,
        asked=shown if reference is not None and not workload.is_target_of(reference) else "",
        topology=workload.topology, counted_per_replica=workload.counted_per_replica, notes=workload.notes,
        writers=trimmed.writers(workload.object),
    ), workload  # fmt: skip


def _could_not(attempted: str, error: LlmHpaError, seeing: Seeing | None = None) -> LlmHpaError:
    problem, remedy = error.problem, error.remedy
    if seeing is not None and seeing.unseen and isinstance(error, ApiError) and error.forbidden:
        problem = f"you may not {seeing.unseen[-1]}"
        remedy = f"an administrator grants it by: kubectl llm-hpa rbac --for doctor -n {seeing.namespace}"
    return LlmHpaError(attempted, problem, remedy, exit_code=ExitCode.COULD_NOT_LOOK)


def _scaler(
    seeing: Seeing, namespace: str, workload: Workload | None, hpa: Json | None, scaled: Json | None
) -> ScalerFacts:
    """The autoscaler that was named, or the one that targets the workload, and what else does."""
    hpas, objects = seeing.items(HPAS.path(namespace)), seeing.items(SCALED_OBJECTS.path(namespace))
    if workload is not None:
        targeting = [one for one in hpas or [] if workload.is_target_of(one["spec"]["scaleTargetRef"])]
        targeting.sort(key=lambda one: (not is_ours(one), str(one["metadata"].get("creationTimestamp"))))
        by_keda = [one for one in objects or [] if workload.is_target_of(scaled_objects.scale_target(one))]
    else:
        targeting, by_keda = [one for one in (hpa,) if one], [one for one in (scaled,) if one]
    if scaled is None and hpa is not None and (name := scaled_objects.of_hpa(hpa)):
        scaled = next((one for one in objects or [] if one["metadata"]["name"] == name), None)
    if scaled is None and hpa is None:
        scaled = by_keda[0] if by_keda else None
    if hpa is None and scaled is not None:
        own = (scaled_objects.state(scaled).hpa, scaled_objects.hpa_name(scaled))
        hpa = next((one for one in hpas or [] if one["metadata"]["name"] in own), None)
    if hpa is None and scaled is None:
        hpa = targeting[0] if targeting else None
    if scaled is not None:
        seeing.know(SCALED_OBJECTS.path(namespace, scaled["metadata"]["name"]), scaled)
    made = {one["metadata"]["name"] for one in by_keda}  # what KEDA makes of those is no other autoscaler
    plain = [one for one in targeting if not _is(one, hpa) and scaled_objects.of_hpa(one) not in made]
    rivals = [f"hpa/{one['metadata']['name']}" for one in plain]
    rivals += [f"scaledobject/{one['metadata']['name']}" for one in by_keda if not _is(one, scaled)]
    return ScalerFacts(
        hpas is not None or hpa is not None,
        trimmed.hpa(hpa) if hpa else None,
        trimmed.scaled_object(scaled) if scaled else None,
        tuple(rivals),
        tuple(_events(seeing, namespace, hpa, scaled)),
        ours=is_ours(scaled or hpa or {}),
    )


def _is(one: Json, other: Json | None) -> bool:
    return other is not None and one["metadata"]["name"] == other["metadata"]["name"]


def _events(seeing: Seeing, namespace: str, hpa: Json | None, scaled: Json | None) -> list[Json]:
    """The events of the autoscaler, and those about pods that could not be made."""
    about = [
        events_path(namespace, kind, name=one["metadata"]["name"])
        for kind, one in ((HPAS.kind, hpa), (SCALED_OBJECTS.kind, scaled))
        if one is not None
    ]
    answers = seeing.get_many([*about, events_path(namespace, reason="FailedCreate")])
    return [
        trimmed.event(event)
        for answer in answers
        if not isinstance(answer, ApiError)
        for event in (answer.get("items") or [])[-50:]
    ]


def look_pods(seeing: Seeing, workload: Workload | None) -> tuple[tuple[PodFacts, ...] | None, list[Json]]:
    """The pods that the selector matches: as facts, and as they are. None where they may not be listed."""
    if workload is None:
        return None, []
    try:
        live = workloads.pods(seeing, workload)
    except ApiError as error:
        if error.unavailable:
            raise
        return None, []
    return tuple(trimmed.pod(one) for one in live), live


def judge_access(facts: Facts) -> Verdict:
    """What the caller may not see."""
    asked = "the rights that each question needs"
    if not facts.unseen:
        return ok(asked, "everything that was asked may be read")
    return unknown(asked, f"could not see: {'; '.join(facts.unseen)}")


def judge(facts: Facts) -> Verdict:
    """Whether there is something to scale, and one autoscaler alone sets its replicas."""
    target, about = facts.target, facts.target.reference
    asked = f"the scale subresource of {about}, its pods, and what else sets its replicas"
    if target.fault == "unseen":
        return unknown(asked, f"{about} may not be read")
    if target.problem is not None:
        return broken(asked, target.problem.text, _unscalable(facts, target.problem))
    if facts.scaler.rivals:
        others = " and ".join((_own(facts), *facts.scaler.rivals))
        fix = f"kubectl -n {facts.namespace} delete {' '.join(facts.scaler.rivals)}  # or the other: keep one of them"
        return broken(asked, others, told("two-scalers", about, f"{others} scale it", fix))
    if target.asked:
        seen = f"{_own(facts)} scales {target.asked}, which belongs to {about}"
        return broken(asked, seen, found("scales-a-part", about, seen, whole=about))
    if target.rival is not None:
        remedy = target.rival.remedy or "leave its replicas as they are"
        return broken(
            asked, target.rival.text, found("operator-owns-replicas", about, target.rival.text, remedy=remedy)
        )
    if facts.pods is None:
        return unknown(asked, f"{target.replicas} replicas; its pods may not be listed")
    if foreign := strangers(facts.pods, about):
        names = ", ".join(sorted({one.controller or f"Pod/{one.name}" for one in foreign}))
        seen = f"the selector {target.selector} also matches {len(foreign)} pods of {names}"
        return broken(asked, seen, found("foreign-pods", about, seen, selector=target.selector))
    if target.replicas and not facts.pods:
        seen = (
            f"its scale selector {target.selector} matches no pod, and {target.replicas} replicas are wanted"
        )
        if quota := quota_event(facts):
            return broken(asked, seen, found("quota-exceeded", about, quota, namespace=facts.namespace))
        return broken(asked, seen, found("no-pods", about, seen, namespace=facts.namespace))
    ready = sum(one.ready for one in facts.pods)
    size = "1 replica" if target.replicas == 1 else f"{target.replicas} replicas"
    return ok(asked, f"{size}, {ready} of {len(facts.pods)} pods ready")


def quota_event(facts: Facts) -> str:
    """The last event about pods of the target that a quota or a policy refused, empty when there is none."""
    name = facts.target.reference.partition("/")[2]
    said = [
        one
        for one in facts.scaler.events
        if one["reason"] == "FailedCreate" and one["involvedObject"]["name"].startswith(name)
    ]
    return max(said, key=lambda one: str(one["lastTimestamp"]))["message"] if said else ""


def strangers(pods: Sequence[PodFacts], reference: str) -> list[PodFacts]:
    """Pods that something else made, as far as the names of their controllers tell: Deployments and StatefulSets."""
    kind, _, name = reference.partition("/")
    if kind == "Deployment":
        return [
            one
            for one in pods
            if (match := _REPLICA_SET.fullmatch(one.controller)) is None or match[1] != name
        ]
    if kind in ("StatefulSet", "ReplicaSet"):
        return [one for one in pods if one.controller != reference]
    return []


def _own(facts: Facts) -> str:
    scaled, hpa = facts.scaler.scaled_object, facts.scaler.hpa
    if scaled is not None:
        return f"scaledobject/{scaled['metadata']['name']}"
    return f"hpa/{hpa['metadata']['name']}" if hpa else "nothing"


def _unscalable(facts: Facts, why: Problem) -> Finding:
    about = facts.target.reference
    if facts.target.fault == "absent":
        return found("target-absent", about, why.text, namespace=facts.namespace)
    if facts.target.fault == "no-selector":
        return found("no-scale-selector", about, why.text)
    if facts.target.fault == "no-scale":
        return found(
            "no-scale-subresource", about, why.text, remedy=why.remedy or "scale an object that has one"
        )
    return found("operator-owns-replicas", about, why.text, remedy=why.remedy or "see what it says")
