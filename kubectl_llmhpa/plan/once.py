"""A reader that asks for nothing twice, for the length of one look at the cluster."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.plan.forwarding import Forwarding


class Once(Forwarding):
    """What changes meanwhile is seen as it was first; failures are remembered too. Watches are not."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self._answers: dict[tuple[str, ...], Json | ApiError] = {}
        self._texts: dict[str, str] = {}
        self._allowed: dict[tuple[str, ...], bool] = {}

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        """See `api.Reader.get`."""
        key = (path, accept)
        if key not in self._answers:
            try:
                self._answers[key] = super().get(path, accept=accept)
            except ApiError as error:
                self._answers[key] = error
        return _said(self._answers[key])

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        """See `api.Reader.get_text`."""
        if path not in self._texts:
            self._texts[path] = super().get_text(path, timeout=timeout)
        return self._texts[path]

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """See `api.Reader.get_many`."""
        keys = {path: (path, "application/json") for path in paths}
        missing = [path for path, key in keys.items() if key not in self._answers]
        if missing:
            answers = super().get_many(missing)
            self._answers |= {keys[path]: answer for path, answer in zip(missing, answers, strict=True)}
        return [self._answers[keys[path]] for path in paths]

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        """See `api.Reader.may`."""
        asked = (verb, group, resource, subresource, namespace, name)
        if asked not in self._allowed:
            self._allowed[asked] = super().may(*asked)
        return self._allowed[asked]

    def account_may(self, account: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        """See `api.Reader.account_may`."""
        asked = (account, verb, group, resource, namespace)
        if asked not in self._allowed:
            self._allowed[asked] = super().account_may(*asked)
        return self._allowed[asked]


def _said(answer: Json | ApiError) -> Json:
    if isinstance(answer, ApiError):
        raise answer
    return answer
