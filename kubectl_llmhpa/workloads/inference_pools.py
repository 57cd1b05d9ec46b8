"""InferencePools of the Gateway API inference extension: the pods behind one endpoint picker.

Types: `api/v1/inferencepool_types.go` (v1.0 on: `selector.matchLabels`, `endpointPickerRef`) and
`apix/v1alpha2/inferencepool_types.go` (`selector` is the map itself, `extensionRef`). A pool selects pods of its own
namespace only, and its picker is there too: the reference to it has no namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubectl_llmhpa.api import Json, Resource

KINDS = (
    Resource("inference.networking.k8s.io/v1", "inferencepools", "InferencePool"),
    Resource("inference.networking.x-k8s.io/v1alpha2", "inferencepools", "InferencePool"),
)


@dataclass(frozen=True)
class InferencePool:
    """`selector` are the labels that its pods have, `picker` is the name of its picker's Service."""

    name: str
    picker: str
    selector: Mapping[str, str]

    def selects(self, pod: Json) -> bool:
        """Whether a pod of its namespace belongs to it."""
        return bool(self.selector) and self.selector.items() <= (pod["metadata"].get("labels") or {}).items()


def read(found: Iterable[Json]) -> list[InferencePool]:
    """Pools by their names; one that is served by both groups is one."""
    pools: dict[str, InferencePool] = {}
    for one in found:
        spec = one.get("spec") or {}
        selector = spec.get("selector") or {}
        labels = selector["matchLabels"] or {} if "matchLabels" in selector else selector
        picker = (spec.get("endpointPickerRef") or spec.get("extensionRef") or {}).get("name") or ""
        pools.setdefault(one["metadata"]["name"], InferencePool(one["metadata"]["name"], str(picker), labels))
    return [pools[name] for name in sorted(pools)]
