"""Did every replica get its share? From the engines' own counters of finished requests, read per pod."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import PODS, Json, Reader
from kubectl_llmhpa.engines import exposition
from kubectl_llmhpa.errors import ApiError


@dataclass(frozen=True)
class PodShare:
    """Requests that one pod finished during the run; `share` is 0..1 of all of them."""

    pod: str
    requests: int
    share: float


@dataclass
class Shares:
    """Counts by pod, from the first to the last look."""

    reader: Reader
    namespace: str
    port: int
    path: str = "/metrics"
    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def look(self, pods: Iterable[Json], *, start: bool = False) -> None:
        """Read every pod's counter. A pod that came after the start began at 0."""
        for pod in pods:
            name = pod["metadata"]["name"]
            try:
                body = self.reader.get_text(
                    PODS.path(self.namespace, f"{name}:{self.port}", f"proxy{self.path}")
                )
            except ApiError as error:
                self.unread[name] = error.message
                continue
            value = finished(body)
            if value is None:
                self.unread[name] = "its metrics count no finished requests"
                continue
            self.unread.pop(name, None)
            if start:
                self.first[name] = value
            # A restarted engine counts from 0 again: what it had before is lost, what it has now is its own.
            if value < self.last.get(name, self.first.get(name, 0.0)):
                self.first[name] = 0.0
            self.last[name] = value

    def shares(self) -> list[PodShare]:
        """Every pod that was ever read, by name."""
        counts = {name: max(0.0, last - self.first.get(name, 0.0)) for name, last in self.last.items()}
        total = sum(counts.values())
        return [
            PodShare(name, int(count), round(count / total, 4) if total else 0.0)
            for name, count in sorted(counts.items())
        ]


def finished(body: str) -> float | None:
    """The number of requests that an engine finished; 0 where its series do not exist before the first one."""
    try:
        parsed = exposition.read(body)
    except ValueError:
        return None
    for name in (name for engine in engines.ENGINES for name in engine.finished):
        total = parsed.total(name)
        if total is not None:
            return total
    return 0.0 if engines.speaks(parsed) else None
