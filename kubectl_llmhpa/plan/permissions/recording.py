"""A reader that keeps in mind which rights its reads needed."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.plan.forwarding import Forwarding
from kubectl_llmhpa.plan.permitted import Right, needed


class Recording(Forwarding):
    """`used` are the rights that reads of a path needed, in order; what is open to all needs none."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.used: dict[Right, None] = {}

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        """See `api.Reader.get`."""
        self._note(path)
        return super().get(path, accept=accept)

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        """See `api.Reader.get_text`."""
        self._note(path)
        return super().get_text(path, timeout=timeout)

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """See `api.Reader.get_many`."""
        for path in paths:
            self._note(path)
        return super().get_many(paths)

    def _note(self, path: str) -> None:
        right = needed(path)
        if right is not None:
            self.used[right] = None
