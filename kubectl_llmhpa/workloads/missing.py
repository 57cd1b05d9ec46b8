"""What is said of an object that is named and not there."""

from __future__ import annotations

from kubectl_llmhpa.api import NAMESPACES, Json, Reader, Resource
from kubectl_llmhpa.errors import ApiError, LlmHpaError


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
