"""What the families of kinds are written in: an object as read, a kind, what is scaled for it, a refusal.

A family (`families/`) declares its kinds; `resolve` climbs from an object to the topmost that is declared (or has a
scale subresource) and asks that kind what is scaled. So no family knows another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kubectl_llmhpa.api import Json, Resource
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.workloads.model import LEADER_WORKER, REPLICAS, Rival


@dataclass(frozen=True)
class Found:
    """An object of the API server, with its resource."""

    resource: Resource
    object: Json = field(repr=False)

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.object["metadata"].get("namespace", ""))

    @property
    def uid(self) -> str:
        return str(self.object["metadata"].get("uid", ""))

    @property
    def reference(self) -> str:
        """`StatefulSet/vllm`."""
        return f"{self.resource.kind}/{self.name}"

    @property
    def labels(self) -> Mapping[str, str]:
        return self.object["metadata"].get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.object["metadata"].get("annotations") or {}

    @property
    def version(self) -> str:
        """`v1alpha2`."""
        return self.resource.api_version.rpartition("/")[2]

    @property
    def typed(self) -> str:
        """`rolebasedgroups.v1alpha2.workloads.x-k8s.io/llama`: what kubectl takes for exactly this."""
        return f"{self.resource.plural}.{self.version}.{self.resource.group}/{self.name}".replace("./", "/")

    def at(self, *path: str | int, default: Any = None) -> Any:
        """The value at a path of keys and indices, `default` when there is none (or null)."""
        return at(self.object, *path, default=default)


def at(value: Any, *path: str | int, default: Any = None) -> Any:
    """The value below `value` at a path of keys and indices, `default` when there is none (or null)."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return default
    return default if value is None else value


@dataclass(frozen=True)
class Target:
    """What is scaled, and what only its family knows about it. The fields are those of `Workload`.

    `no_selector` says why its scale subresource may name no selector.
    """

    found: Found
    topology: str = REPLICAS
    role: str = ""
    pods_per_replica: int = 1
    counted_per_replica: int = 1
    rival: Rival | None = None
    notes: tuple[str, ...] = ()
    no_selector: str = ""


class Lookup(Protocol):
    """What a family may ask the API server."""

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Found | None:
        """The object, in the version that the server prefers; None when it or its kind is not there."""

    def served(self, api_version: str, kind: str) -> Resource | None:
        """The resource of a kind, in the version that the server prefers; None when it is not installed."""

    def all(self, api_version: str, kind: str, namespace: str) -> list[Found]:
        """The objects of a kind in a namespace; none when it is not installed or may not be listed."""


#: What controllers of other projects make to run their pods.
SCALED_BY_OTHERS = ("Deployment", "StatefulSet", "LeaderWorkerSet")

Trail = Sequence[Found]
Decide = Callable[[Lookup, Trail], Target]


def itself(_: Lookup, trail: Trail) -> Target:
    """The topmost object is what is scaled."""
    return Target(trail[-1])


@dataclass(frozen=True)
class Kind:
    """One kind of object: `decide` gets the trail from what was pointed at (first) up to this (last)."""

    group: str
    kind: str
    decide: Decide = itself
    #: Where an owner does not take over: a scaling adapter is owned by the group, and is what is scaled.
    climbs: bool = True


def refusal(found: Found, problem: str, remedy: str = "", detail: str = "") -> LlmHpaError:
    """An error that says why no HPA can scale `found`, and what would."""
    return LlmHpaError(attempting(found), problem, remedy, detail=detail)


def attempting(found: Found) -> str:
    """What is attempted when something is scaled, as the head of an error."""
    return f"find what scales {found.reference} in namespace {found.namespace!r}"


def owned_by(trail: Trail, rival: Rival) -> Target:
    """What is scaled below an owner that sets the replicas itself: the topmost built-in workload, with its rival.

    Raises LlmHpaError with the rival's words when the owner itself was pointed at, or made the pod directly.
    """
    below = next((one for one in reversed(trail[:-1]) if one.resource.kind in SCALED_BY_OTHERS), None)
    if below is None:
        raise refusal(trail[0], rival.problem, rival.remedy, rival.detail)
    size = int(below.at("spec", "leaderWorkerTemplate", "size", default=1))
    return Target(below, LEADER_WORKER if size > 1 else REPLICAS, pods_per_replica=size, rival=rival)


def patch(found: Found, body: str, *, kind: str = "merge") -> str:
    """The kubectl command that patches `found`."""
    return f"kubectl -n {found.namespace} patch {found.typed} --type={kind} -p '{body}'"


def enable_command(namespace: str, kind: str, name: str) -> str:
    """The command that scales one part of a group; the limits are for the reader to fill in."""
    return f"kubectl llm-hpa enable {kind.lower()}/{name} -n {namespace} --max N"


def label_of(trail: Trail, *keys: str) -> str:
    """The value of the first of the labels `keys` on any object of the trail, the lowest first."""
    return next((one.labels[key] for one in trail for key in keys if one.labels.get(key)), "")
