"""Does the workload serve somebody? What its engines run, queue and finish while nobody of ours asks for anything."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kubectl_llmhpa.api import Reader
from kubectl_llmhpa.bench.sampling import Look, Sampler, gauge, growth
from kubectl_llmhpa.bench.share import Shares
from kubectl_llmhpa.plan.looking.sight import EngineSight
from kubectl_llmhpa.workloads import Workload

_LOOKS = 3
_PAUSE_S = 1.0


@dataclass(frozen=True)
class Traffic:
    """What `pods` pods served over `seconds`: requests running and waiting at most, and finished per second.

    None is what they do not tell.
    """

    pods: int
    seconds: float
    running: float | None
    waiting: float | None
    finished: float | None

    @property
    def idle(self) -> bool:
        """Whether nothing was seen; where nothing can be read, nothing is known, and that is no idleness."""
        known = [value for value in (self.running, self.waiting, self.finished) if value is not None]
        return bool(known) and not any(known)

    @property
    def text(self) -> str:
        """`3 pods run 4 requests, 0 wait, 1.3 are finished a second`."""
        if self.running is None and self.waiting is None and self.finished is None:
            return "what it serves now cannot be read from its engines"
        words = ["1 pod runs" if self.pods == 1 else f"{self.pods} pods run"]
        words.append(f"{_number(self.running)} requests, {_number(self.waiting)} wait")
        return f"{' '.join(words)}, {_number(self.finished)} are finished a second"


def look(reader: Reader, workload: Workload, sight: EngineSight) -> Traffic:
    """Reads the engines for about two seconds."""
    sampler = Sampler(reader, workload, sight, Shares())
    for number in range(_LOOKS):
        if number:
            time.sleep(_PAUSE_S)
        sampler.look()
    return judge(sampler.looks)


def judge(looks: list[Look]) -> Traffic:
    """See `look`; pure."""
    running, waiting = gauge(looks, "running"), gauge(looks, "waiting")
    done, seconds = growth(looks, "finished"), looks[-1].at - looks[0].at
    return Traffic(
        pods=len(looks[-1].pods),
        seconds=seconds,
        running=None if running is None else running.max,
        waiting=None if waiting is None else waiting.max,
        finished=None if done is None or seconds <= 0 else round(done / seconds, 2),
    )


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"
