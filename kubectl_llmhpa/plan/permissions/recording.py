"""A reader that keeps in mind which rights its reads needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubectl_llmhpa.api import Json, Reader, Resource, WatchEvent
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.plan.permitted import Right, needed


class Recording:
    """A Reader in front of another. `used` are the rights that were needed, in order; what is open to all is none."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.used: dict[Right, None] = {}

    @property
    def namespace(self) -> str:
        """See `api.Reader.namespace`."""
        return self._reader.namespace

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        """See `api.Reader.get`."""
        self._note(path)
        return self._reader.get(path, accept=accept)

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        """See `api.Reader.get_text`."""
        self._note(path)
        return self._reader.get_text(path, timeout=timeout)

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """See `api.Reader.get_many`."""
        for path in paths:
            self._note(path)
        return self._reader.get_many(paths)

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        """See `api.Reader.may`: every user may ask."""
        return self._reader.may(verb, group, resource, subresource, namespace, name)

    def account_may(self, account: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        """See `api.Reader.account_may`."""
        self.note(Right("create", "authorization.k8s.io", "localsubjectaccessreviews", "", namespace))
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
        for verb in ("list", "watch"):
            self.note(Right(verb, resource.group, resource.plural, "", namespace))
        return self._reader.watch(
            resource, namespace, field_selector=field_selector, label_selector=label_selector, timeout=timeout
        )

    def note(self, right: Right) -> None:
        """Keep a right in mind."""
        self.used[right] = None

    def _note(self, path: str) -> None:
        right = needed(path)
        if right is not None:
            self.note(right)
