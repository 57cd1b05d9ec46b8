"""What is said of an object that is named and not there, and of a workload that nothing scales."""

from __future__ import annotations

from kubectl_llmhpa.api import DEPLOYMENTS, NAMESPACES, STATEFUL_SETS, Json, Reader, Resource
from kubectl_llmhpa.errors import ApiError, LlmHpaError

_KINDS = {one.kind: one for one in (DEPLOYMENTS, STATEFUL_SETS)}
_SHORT = {"StatefulSet": "sts", "Deployment": "deploy"}


def read(reader: Reader, resource: Resource, namespace: str, name: str) -> Json:
    """One object that was named. Raises LlmHpaError when it is not there, ApiError when it cannot be read."""
    try:
        return reader.get(resource.path(namespace, name))
    except ApiError as error:
        if not error.not_found:
            raise
        raise absent(reader, resource, namespace, name) from error


def absent(reader: Reader, resource: Resource, namespace: str, name: str) -> LlmHpaError:
    """An object of that name is not there, or its namespace is not."""
    problem, remedy = "there is none of that name", f"see: kubectl get {resource.plural} -n {namespace}"
    try:
        reader.get(NAMESPACES.path(name=namespace))
    except ApiError as error:
        if error.not_found:
            problem, remedy = "the namespace does not exist", "name another with -n"
    return LlmHpaError(f"find {resource.kind.lower()} {name} in namespace {namespace!r}", problem, remedy)


def unscaled(reader: Reader, kind: str, namespace: str, name: str) -> LlmHpaError:
    """A workload has no autoscaler, with the command that makes one; or there is no such workload."""
    if resource := _KINDS.get(kind):
        try:
            reader.get(resource.path(namespace, name))
        except ApiError as error:
            if error.not_found:
                return absent(reader, resource, namespace, name)
    return LlmHpaError(
        f"{kind.lower()} {name} in namespace {namespace!r}",
        "no HPA or ScaledObject scales it",
        f"make one: kubectl llm-hpa enable {_SHORT.get(kind, kind.lower())}/{name} -n {namespace} --max N",
    )
