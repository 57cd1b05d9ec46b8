"""KEDA: whether it is here, and whether its External metrics reach the HPA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import SCALED_OBJECTS, Json, Reader
from kubectl_llmhpa.backends import providers
from kubectl_llmhpa.errors import ApiError, LlmHpaError

EXTERNAL_GROUP = "external.metrics.k8s.io"


@dataclass(frozen=True)
class Keda:
    """A KEDA that is installed. `problem` says why its metrics do not reach the HPA, empty when they do."""

    namespace: str
    version: str
    problem: str
    webhook: bool


def find(reader: Reader, api_services: Sequence[Json]) -> Keda | None:
    """KEDA, None where its kinds are not served."""
    try:
        reader.get(f"/apis/{SCALED_OBJECTS.api_version}")
    except ApiError as error:
        if error.not_found or error.forbidden:
            return None
        raise
    found = providers.of_group(api_services, EXTERNAL_GROUP)
    if not found:
        return Keda("", "", f"no APIService serves {EXTERNAL_GROUP}", False)
    provider = found[0]
    if not provider.available:
        return Keda(
            provider.namespace, "", f"APIService {provider.name} is not available: {provider.message}", False
        )
    try:
        deployment = providers.deployment_behind(reader, provider, "find KEDA")
    except LlmHpaError as error:
        return Keda(provider.namespace, "", str(error), False)
    del deployment
    return Keda(provider.namespace, "", "", True)
