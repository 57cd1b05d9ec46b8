"""Which key of which ConfigMap a file in a container is, by the container's mounts.

Source: kubernetes API reference, Volume (configMap, projected) and VolumeMount (subPath).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubectl_llmhpa.api import CONFIG_MAPS, Json, Reader
from kubectl_llmhpa.errors import ApiError


@dataclass(frozen=True)
class Source:
    """A key of a ConfigMap; `certain` when an item names it, else it is there only if the ConfigMap has it."""

    config_map: str
    key: str
    certain: bool = False


def sources(pod_spec: Json, container: Json, path: str) -> list[Source]:
    """Where a file may come from, the likeliest first; empty when it is in no mounted ConfigMap.

    The deepest mount above the path counts. Of a projected volume any of its ConfigMaps may have the key, and a later
    one hides an earlier one (kubelet pkg/volume/projected).
    """
    above = [one for one in container.get("volumeMounts") or [] if _below(one["mountPath"], path) is not None]
    if not above or not path:
        return []
    mount = max(above, key=lambda one: len(one["mountPath"].rstrip("/")))
    below = _below(mount["mountPath"], path)
    inside = "/".join(part for part in (str(mount.get("subPath", "")).strip("/"), below) if part)
    volume: Json = next(
        (one for one in pod_spec.get("volumes") or [] if one["name"] == mount["name"]), {"name": ""}
    )
    if "configMap" in volume:
        return list(_in(volume["configMap"], inside))
    projected = (volume.get("projected") or {}).get("sources") or []
    maps = [one["configMap"] for one in projected if "configMap" in one]
    found = [source for one in reversed(maps) for source in _in(one, inside)]
    return sorted(found, key=lambda one: not one.certain)


def existing(reader: Reader, namespace: str, candidates: Iterable[Source]) -> Source | None:
    """The first candidate whose ConfigMap has the key; a single one is taken unread. Raises ApiError."""
    found = list(candidates)
    if len(found) == 1 or (found and found[0].certain):
        return found[0]
    for one in found:
        try:
            data = reader.get(CONFIG_MAPS.path(namespace, one.config_map)).get("data") or {}
        except ApiError as error:
            if not error.not_found:
                raise
            continue
        if one.key in data:
            return one
    return None


def _below(mount: str, path: str) -> str | None:
    """The part of a path below a mount (empty: the mounted file itself), None when it is elsewhere."""
    root = mount.rstrip("/")
    if path == root:
        return ""
    return path[len(root) + 1 :] if path.startswith(f"{root}/") else None


def _in(config_map: Json, inside: str) -> Iterator[Source]:
    items = config_map.get("items") or []
    for item in items:
        if item["path"] == inside:
            yield Source(config_map["name"], item["key"], certain=True)
    if not items and inside and "/" not in inside:
        yield Source(config_map["name"], inside)
