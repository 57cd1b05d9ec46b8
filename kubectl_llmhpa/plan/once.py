"""A reader that asks for nothing twice, for the length of one look at the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubectl_llmhpa.api import Json, Reader, Resource, WatchEvent
from kubectl_llmhpa.errors import ApiError


class Once:
    """Implements `api.Reader`. What changes meanwhile is seen as it was first; failures are remembered too."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._answers: dict[tuple[str, ...], Json | ApiError] = {}
        self._texts: dict[str, str] = {}
        self._allowed: dict[tuple[str, ...], bool] = {}

    @property
    def namespace(self) -> str:
        """See `api.Reader.namespace`."""
        return self._reader.namespace

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        """See `api.Reader.get`."""
        key = (path, accept)
        if key not in self._answers:
            try:
                self._answers[key] = self._reader.get(path, accept=accept)
            except ApiError as error:
                self._answers[key] = error
        return _said(self._answers[key])

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        """See `api.Reader.get_text`."""
        if path not in self._texts:
            self._texts[path] = self._reader.get_text(path, timeout=timeout)
        return self._texts[path]

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """See `api.Reader.get_many`."""
        keys = {path: (path, "application/json") for path in paths}
        missing = [path for path, key in keys.items() if key not in self._answers]
        if missing:
            answers = self._reader.get_many(missing)
            self._answers |= {keys[path]: answer for path, answer in zip(missing, answers, strict=True)}
        return [self._answers[keys[path]] for path in paths]

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        """See `api.Reader.may`."""
        asked = (verb, group, resource, subresource, namespace, name)
        if asked not in self._allowed:
            self._allowed[asked] = self._reader.may(*asked)
        return self._allowed[asked]

    def account_may(self, account: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        """See `api.Reader.account_may`."""
        asked = (account, verb, group, resource, namespace)
        if asked not in self._allowed:
            self._allowed[asked] = self._reader.account_may(*asked)
        return self._allowed[asked]

    def watch(
        self,
        resource: Resource,
        namespace: str,
        *,
        field_selector: str = "",
        label_selector: str = "",
        timeout: float | None = None,
    ) -> Iterator[WatchEvent]:
        """See `api.Reader.watch`; nothing of it is remembered."""
        return self._reader.watch(
            resource, namespace, field_selector=field_selector, label_selector=label_selector, timeout=timeout
        )


def _said(answer: Json | ApiError) -> Json:
    if isinstance(answer, ApiError):
        raise answer
    return answer
