"""Did every replica get its share? From the engines' own counters of finished requests, read per pod."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PodShare:
    """Requests that one pod finished during the run; `share` is 0..1 of all of them."""

    pod: str
    requests: int
    share: float


@dataclass
class Shares:
    """Counts by pod, from the first to the last look; `unread` says why a pod could not be counted."""

    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def take(self, pod: str, finished: float | None, *, start: bool = False) -> None:
        """Note a pod's counter (None: it has none). One that comes after the start began at 0."""
        if finished is None:
            self.unread[pod] = "its metrics count no finished requests"
            return
        self.unread.pop(pod, None)
        if start:
            self.first[pod] = finished
        # A restarted engine counts from 0 again: what it had before is lost, what it has now is its own.
        if finished < self.last.get(pod, self.first.get(pod, 0.0)):
            self.first[pod] = 0.0
        self.last[pod] = finished

    def shares(self) -> list[PodShare]:
        """Every pod that was ever counted, by name."""
        counts = {name: max(0.0, last - self.first.get(name, 0.0)) for name, last in self.last.items()}
        total = sum(counts.values())
        return [
            PodShare(name, int(count), round(count / total, 4) if total else 0.0)
            for name, count in sorted(counts.items())
        ]
