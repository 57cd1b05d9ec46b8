"""Which objects are ours."""

from __future__ import annotations

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, Json


def is_ours(obj: Json) -> bool:
    """Whether we made the object: our label, our field manager, and no controller above it.

    The label alone proves nothing: KEDA and converters copy labels onto objects of their own.
    """
    metadata = obj.get("metadata") or {}
    if (metadata.get("labels") or {}).get(MANAGED_BY) != MANAGER:
        return False
    if any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()):
        return False
    return any(entry.get("manager") == MANAGER for entry in metadata.get("managedFields") or ())
