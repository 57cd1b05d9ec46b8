"""From `sts/vllm` to the object that is scaled, with what its /scale subresource says."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_llmhpa.api import DEPLOYMENTS, NAMESPACES, REPLICA_SETS, STATEFUL_SETS, Json, Reader, Resource
from kubectl_llmhpa.errors import ApiError, LlmHpaError

_NAMES = {
    "deploy": DEPLOYMENTS, "deployment": DEPLOYMENTS, "deployments": DEPLOYMENTS,
    "sts": STATEFUL_SETS, "statefulset": STATEFUL_SETS, "statefulsets": STATEFUL_SETS,
    "rs": REPLICA_SETS, "replicaset": REPLICA_SETS, "replicasets": REPLICA_SETS,
}  # fmt: skip
KINDS = "deployment (deploy), statefulset (sts) or replicaset (rs)"


@dataclass(frozen=True)
class Workload:
    """One scalable object.

    `selector` is the label selector of its scale subresource, the one that the HPA controller uses.
    """

    resource: Resource
    namespace: str
    name: str
    object: Json
    replicas: int
    selector: str

    @property
    def reference(self) -> str:
        """`StatefulSet/vllm`."""
        return f"{self.resource.kind}/{self.name}"

    @property
    def label(self) -> str:
        """`StatefulSet.vllm`: the reference as a label value (at most 63 characters)."""
        return f"{self.resource.kind}.{self.name}"[:63].rstrip(".-")

    @property
    def scale_target(self) -> Json:
        """The `scaleTargetRef` of an HPA."""
        return {"apiVersion": self.resource.api_version, "kind": self.resource.kind, "name": self.name}

    def is_target_of(self, reference: Json) -> bool:
        """Whether a `scaleTargetRef` points here (API versions of one group are the same object)."""
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        return (
            reference.get("kind") == self.resource.kind
            and reference.get("name") == self.name
            and group in ("", self.resource.group)
        )


def parse(words: tuple[str, ...] | str) -> tuple[Resource, str]:
    """`("sts/x",)`, `("sts", "x")` or `"sts/x"` as a resource and a name.

    Raises LlmHpaError for anything else.
    """
    parts = tuple(words.split("/")) if isinstance(words, str) else words
    if len(parts) == 1:
        parts = tuple(parts[0].split("/"))
    text = "/".join(parts)
    if len(parts) != 2 or not all(parts):
        raise LlmHpaError(f"read the workload {text!r}", "it is not TYPE/NAME", "write for example sts/vllm")
    resource = _NAMES.get(parts[0].lower().partition(".")[0])
    if resource is None:
        raise LlmHpaError(
            f"read the workload {text!r}", f"type {parts[0]!r} is not known here", f"use {KINDS}"
        )
    return resource, parts[1]


def resolve(reader: Reader, words: tuple[str, ...] | str, namespace: str) -> Workload:
    """The workload and its scale subresource.

    Raises LlmHpaError when it does not exist or cannot be scaled by an HPA.
    """
    resource, name = parse(words)
    attempted = f"find {resource.kind.lower()} {name} in namespace {namespace!r}"
    found, scale = reader.get_many([resource.path(namespace, name), resource.path(namespace, name, "scale")])
    if isinstance(found, ApiError):
        if not found.not_found:
            raise found
        raise LlmHpaError(attempted, *_why_absent(reader, resource, namespace)) from found
    if isinstance(scale, ApiError) and not scale.not_found:
        raise scale
    if isinstance(scale, ApiError):
        raise LlmHpaError(
            attempted, f"it has no readable scale subresource ({scale.message})", "an HPA cannot scale it"
        )
    selector = str(scale.get("status", {}).get("selector", ""))
    if not selector:
        raise LlmHpaError(
            attempted, "its scale subresource names no selector", "an HPA cannot count its pods"
        )
    replicas = int(scale.get("spec", {}).get("replicas", 0))
    return Workload(resource, namespace, name, found, replicas, selector)


def _why_absent(reader: Reader, resource: Resource, namespace: str) -> tuple[str, str]:
    try:
        reader.get(NAMESPACES.path(name=namespace))
    except ApiError as error:
        if error.not_found:
            return "the namespace does not exist", "name another with -n"
    return "there is none of that name", f"see: kubectl get {resource.plural} -n {namespace}"
