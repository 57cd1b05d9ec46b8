"""A reader in front of another, for those that add something to reading: each overrides what it adds to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubectl_llmhpa.api import Json, Reader, Resource, WatchEvent
from kubectl_llmhpa.errors import ApiError


class Forwarding:
    """Implements `api.Reader` by asking the reader behind it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def namespace(self) -> str:
        """See `api.Reader.namespace`."""
        return self._reader.namespace

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        """See `api.Reader.get`."""
        return self._reader.get(path, accept=accept)

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        """See `api.Reader.get_text`."""
        return self._reader.get_text(path, timeout=timeout)

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """See `api.Reader.get_many`."""
        return self._reader.get_many(paths)

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        """See `api.Reader.may`."""
        return self._reader.may(verb, group, resource, subresource, namespace, name)

    def account_may(self, account: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        """See `api.Reader.account_may`."""
        return self._reader.account_may(account, verb, group, resource, namespace)

    def watch(
        self,
        resource: Resource,
        namespace: str,
        *,
        field_selector: str = "",
        label_selector: str = "",
        timeout: float | None = None,
    ) -> Iterator[WatchEvent]:
        """See `api.Reader.watch`."""
        return self._reader.watch(
            resource, namespace, field_selector=field_selector, label_selector=label_selector, timeout=timeout
        )
