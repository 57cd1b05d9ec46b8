"""What comes out of a diagnosis: a verdict for each hop, and the first that is broken."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace

from kubectl_llmhpa.doctor.facts import Facts
from kubectl_llmhpa.findings import Finding, found


class Mark(enum.Enum):
    """How a hop is.

    UNKNOWN: it could not be seen, or lies behind a broken one. SKIPPED: this chain has no such hop.
    """

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Verdict:
    """One hop: what was asked, what came back, and why it is broken (`finding`, only where it is).

    `notes` are findings that do not break the hop. `armed`: it waits for the engine's first request.
    """

    mark: Mark
    asked: str
    answer: str
    finding: Finding | None = None
    notes: tuple[Finding, ...] = ()
    armed: bool = False


@dataclass(frozen=True)
class Hop:
    """One link of the chain: its name, and its judgement, which is a pure function of what was seen.

    `of_pods`: an autoscaler that does not use samples of the pods has no such link.
    """

    name: str
    judge: Callable[[Facts], Verdict]
    of_pods: bool = False


@dataclass(frozen=True)
class Judged:
    """A hop with its verdict."""

    hop: str
    verdict: Verdict


@dataclass(frozen=True)
class Diagnosis:
    """Every hop in order. `confirms` is what the autoscaler itself says, empty where it says nothing."""

    reference: str
    namespace: str
    hops: tuple[Judged, ...]
    confirms: str
    unseen: tuple[str, ...]

    @property
    def broken(self) -> Judged | None:
        """The first broken hop."""
        return next((one for one in self.hops if one.verdict.mark is Mark.BROKEN), None)

    @property
    def armed(self) -> bool:
        """Whether a hop waits for the engine's first request, which is no fault."""
        return any(one.verdict.armed for one in self.hops)


def ok(asked: str, answer: str, *notes: Finding, armed: bool = False) -> Verdict:
    """A hop that does its work."""
    return Verdict(Mark.OK, asked, answer, None, notes, armed)


def broken(asked: str, answer: str, finding: Finding, *notes: Finding) -> Verdict:
    """A hop that does not, and why."""
    return Verdict(Mark.BROKEN, asked, answer, finding, notes)


def unknown(asked: str, answer: str, *notes: Finding) -> Verdict:
    """A hop that could not be seen."""
    return Verdict(Mark.UNKNOWN, asked, answer, None, notes)


def skipped(asked: str, answer: str) -> Verdict:
    """A hop that this chain does not have."""
    return Verdict(Mark.SKIPPED, asked, answer)


def told(code: str, about: str, seen: str, fix: str = "", **values: object) -> Finding:
    """A finding of the registry, with a fix that is exact for this cluster where there is one."""
    made = found(code, about, seen, fix=fix, **values)
    return replace(made, fix=fix) if fix else made
