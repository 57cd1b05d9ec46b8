"""Watches that lose nothing: list, watch from there, resume after a break, list again when too old."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

from kubectl_llmhpa.api import Json, Resource, WatchEvent
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.kube.transport import Transport

_SERVER_SECONDS = 300
_PAUSE_SECONDS = 1.0


def watch(
    transport: Transport,
    resource: Resource,
    namespace: str | None,
    *,
    field_selector: str = "",
    label_selector: str = "",
    timeout: float | None = None,
    closed: Callable[[], bool] = lambda: False,
) -> Iterator[WatchEvent]:
    """The objects there are (ADDED), then every change.

    After a break the watch goes on from the last resource version. After 410 Gone everything is listed
    again: what changed is MODIFIED, what vanished in between is DELETED with its last known state.
    Raises ApiError when the first list fails; later failures are tried again until `timeout`, or until the connection
    was `closed` by this process.
    """  # fmt: skip
    deadline = None if timeout is None else time.monotonic() + timeout
    selectors = {
        key: value
        for key, value in (("fieldSelector", field_selector), ("labelSelector", label_selector))
        if value
    }
    known: dict[str, Json] = {}
    version = ""
    first = True
    while not closed() and (deadline is None or time.monotonic() < deadline):
        if not version:
            try:
                listing = transport.get_json(f"{resource.path(namespace)}?{urlencode(selectors)}")
            except ApiError:
                if first:
                    raise
                time.sleep(_PAUSE_SECONDS)
                continue
            first = False
            yield from _differences(known, listing, resource)
            version = listing["metadata"]["resourceVersion"]
        left = (
            _SERVER_SECONDS if deadline is None else max(1, min(_SERVER_SECONDS, deadline - time.monotonic()))
        )
        query = {
            **selectors, "watch": "1", "resourceVersion": version,
            "allowWatchBookmarks": "true", "timeoutSeconds": str(int(left) or 1),
        }  # fmt: skip
        try:
            for line in transport.lines(f"{resource.path(namespace)}?{urlencode(query)}", left + 5):
                obj = line.get("object", {})
                if line.get("type") == "ERROR":
                    version = "" if obj.get("code") == 410 else version
                    break
                version = obj.get("metadata", {}).get("resourceVersion", version)
                if line.get("type") == "BOOKMARK":
                    continue
                key = _key(obj)
                if line["type"] == "DELETED":
                    known.pop(key, None)
                else:
                    known[key] = obj
                yield WatchEvent(line["type"], obj)
        except ApiError as error:
            version = "" if error.code == 410 else version
            time.sleep(_PAUSE_SECONDS)
        except ValueError:  # a line cut in the middle: resume from the last whole one
            continue


def _differences(known: dict[str, Json], listing: Json, resource: Resource) -> Iterator[WatchEvent]:
    """Bring `known` to the state of a list and yield what that changed."""
    now: dict[str, Json] = {}
    for item in listing.get("items") or []:
        item.setdefault("apiVersion", resource.api_version)
        item.setdefault("kind", resource.kind)
        now[_key(item)] = item
    for key, item in now.items():
        before = known.get(key)
        if before is None:
            yield WatchEvent("ADDED", item)
        elif before["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
            yield WatchEvent("MODIFIED", item)
    for key in known.keys() - now.keys():
        yield WatchEvent("DELETED", known[key])
    known.clear()
    known.update(now)


def _key(obj: Json) -> str:
    return str(obj.get("metadata", {}).get("uid", ""))
