"""From `sts/vllm`, or any pod or object around it, to the object that is scaled, with what its /scale subresource says.

What is pointed at may be a pod, an owner in between, or the whole group. So it is climbed along the controllers to the
topmost object that either is declared in `families/` or has a scale subresource of its own, and that one's kind says
what is scaled. An owner that is neither cannot be scaled, and may still take replicas back: that is a note.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from kubectl_llmhpa.api import PODS, Json, Reader, Words, type_and_name
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.workloads.kinds import Found, Target, at, itself, refusal
from kubectl_llmhpa.workloads.missing import absent
from kubectl_llmhpa.workloads.model import Workload
from kubectl_llmhpa.workloads.objects import Objects, controller_reference
from kubectl_llmhpa.workloads.registry import kind_of, rival_of

_SHORT = {"StatefulSet": "sts", "Deployment": "deploy"}


def words_of(reference: Json) -> tuple[str, str]:
    """A `scaleTargetRef` as `resolve` takes it: `deployment.v1.apps` and the name."""
    group, _, version = str(reference.get("apiVersion") or "").rpartition("/")
    kind = str(reference.get("kind") or "").lower()
    return ".".join((kind, version, group)) if group else kind, str(reference.get("name") or "")


def resolve(reader: Reader, words: Words, namespace: str) -> Workload:
    """The workload that is meant, and its scale subresource.

    Raises LlmHpaError when it does not exist or no HPA can scale it, with what would.
    """
    objects = Objects(reader)
    word, name = type_and_name(words)
    known = objects.types.named(word)
    path = known.resource.path(namespace, name)
    objects.read_ahead([path, *([f"{path}/scale"] if known.scalable else [])])
    try:
        found = objects.read(known.resource, namespace, name)
    except ApiError as error:
        if not error.not_found:
            raise
        raise absent(reader, known.resource, namespace, name) from error
    return _workload(objects, found, _target(objects, found))


def identify(reader: Reader, words: Words, namespace: str) -> Workload:
    """The workload that is meant, also when it is gone, may not be read, or can no longer be scaled.

    Without its scale subresource: `replicas` and `selector` are empty, and `object` may be. Raises LlmHpaError when
    the words name no type, and ApiError when the server does not answer.
    """
    objects = Objects(reader)
    word, name = type_and_name(words)
    resource = objects.types.named(word).resource
    try:
        found = objects.read(resource, namespace, name)
        chosen = _target(objects, found).found
        return Workload(
            chosen.resource, namespace, chosen.name, chosen.object, 0, "", asked=_asked(found, chosen)
        )
    except LlmHpaError as error:
        if isinstance(error, ApiError) and error.unavailable:
            raise
        return Workload(resource, namespace, name, {}, 0, "")


def unscaled(reader: Reader, kind: str, namespace: str, name: str) -> LlmHpaError:
    """A workload has no autoscaler, with the command that makes one; or why there can be none, as `resolve` says it."""
    try:
        resolve(reader, (kind.lower(), name), namespace)
    except ApiError:  # it may not be read, and has none for all that
        pass
    except LlmHpaError as error:
        return error
    return LlmHpaError(
        f"{kind.lower()} {name} in namespace {namespace!r}",
        "no HPA or ScaledObject scales it",
        f"make one: kubectl llm-hpa enable {_SHORT.get(kind, kind.lower())}/{name} -n {namespace} --max N",
    )


def owners_of(reader: Reader, pods: Sequence[Json]) -> list[Workload | LlmHpaError]:
    """What is scaled for each of many pods, in their order; where nothing can be, the error that says why.

    One read for each distinct owner and one for each scale subresource, several at once. The workloads have no
    `asked`: nobody pointed at the pods. Pods of one owner get the same object.
    """
    objects = Objects(reader)
    found = [Found(PODS, pod) for pod in pods]
    objects.read_controllers_ahead(found)
    keys = [(controller_reference(pod) or {}).get("uid") or pod.uid for pod in found]
    targets = {
        key: _target_or_error(objects, pod) for key, pod in dict(zip(keys, found, strict=True)).items()
    }
    objects.read_ahead(_scale_path(one.found) for one in targets.values() if isinstance(one, Target))
    workloads = {
        key: _workload_or_error(objects, one) if isinstance(one, Target) else one
        for key, one in targets.items()
    }
    return [workloads[key] for key in keys]


def _target_or_error(objects: Objects, found: Found) -> Target | LlmHpaError:
    try:
        return _target(objects, found)
    except LlmHpaError as error:
        return error


def _workload_or_error(objects: Objects, target: Target) -> Workload | LlmHpaError:
    try:
        return _workload(objects, target.found, target)
    except LlmHpaError as error:
        return error


def _target(objects: Objects, found: Found) -> Target:
    """What is scaled for an object. Raises LlmHpaError when nothing can be."""
    trail = [found]
    while owner := _controller(objects, trail[-1]):
        trail.append(owner)
    height = len(trail)
    while height > 1 and not (kind_of(trail[height - 1].resource) or _scales(objects, trail[height - 1])):
        height -= 1
    kind = kind_of(trail[height - 1].resource)
    target = (kind.decide if kind else itself)(objects, trail[:height])
    if height < len(trail):
        above = trail[height].reference
        note = f"{above} made {trail[height - 1].reference} and may take changes of its replicas back"
        return dataclasses.replace(target, notes=(*target.notes, note))
    return target


def _controller(objects: Objects, found: Found) -> Found | None:
    """The controller above, None where an owner does not take over or an unknown one may not be read."""
    kind = kind_of(found.resource)
    if kind is not None and not kind.climbs:
        return None
    try:
        return objects.controller(found)
    except ApiError as error:
        where = objects.controller_path(found)
        if error.forbidden and where and kind_of(where[0]) is None:
            return None
        raise


def _scale_path(found: Found) -> str:
    return found.resource.path(found.namespace, found.name, "scale")


def _scales(objects: Objects, found: Found) -> bool:
    """Whether an object of a kind that nobody declared has a scale subresource with a selector."""
    known = objects.types.of(found.resource.api_version, found.resource.kind)
    try:
        return bool(known and known.scalable and at(objects.get(_scale_path(found)), "status", "selector"))
    except ApiError:
        return False


def _workload(objects: Objects, asked: Found, target: Target) -> Workload:
    """The workload of a target, with its scale subresource. Raises LlmHpaError when that is of no use to an HPA."""
    found = target.found
    if found.at("metadata", "deletionTimestamp"):
        raise refusal(found, "it is being deleted", "wait until it is gone or made anew")
    try:
        scale = objects.get(_scale_path(found))
    except ApiError as error:
        if not error.not_found:
            raise
        raise refusal(
            found, f"it has no readable scale subresource ({error.message})", "an HPA cannot scale it"
        ) from error
    selector = str(at(scale, "status", "selector", default=""))
    if not selector:
        why = f" ({target.no_selector})" if target.no_selector else ""
        raise refusal(found, f"its scale subresource names no selector{why}", "an HPA cannot count its pods")
    replicas = int(at(scale, "spec", "replicas", default=0))
    notes = list(target.notes)
    above = _asked(asked, found)
    if above:
        notes.insert(0, f"{above} belongs to {found.reference}, which is what is scaled")
    if target.counted_per_replica > 1:
        notes.append(
            f"the scale selector of {found.reference} matches {target.counted_per_replica} pods a replica, and an HPA "
            "asks for as many replicas as it counts pods"
        )
    if replicas == 0:
        notes.append(f"{found.reference} has 0 replicas, and an HPA does nothing until somebody scales it up")
    return Workload(
        found.resource, found.namespace, found.name, found.object, replicas, selector, above, target.topology,
        target.role, target.pods_per_replica, target.counted_per_replica, target.rival or rival_of(objects, found),
        tuple(notes),
    )  # fmt: skip


def _asked(asked: Found, scaled: Found) -> str:
    """The reference of what was pointed at, empty when that is what is scaled."""
    same = (asked.resource.group, asked.resource.kind, asked.name) == (
        scaled.resource.group,
        scaled.resource.kind,
        scaled.name,
    )
    return "" if same else asked.reference
