"""A finding and its rule, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]
#: From worst to least.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Rule:
    """One kind of finding.

    `severity` is `error` (it cannot work), `warning` (it works badly) or `info`. `title` is a line for the docs;
    `why` and `fix` are sentences without a full stop, in which `{name}` is filled in for each finding. `lesson` is a
    paragraph for the docs: the reason with its arithmetic on an example, and the source of the fact.
    """

    code: str
    severity: Severity
    title: str
    why: str
    fix: str
    lesson: str = ""


@dataclass(frozen=True)
class Finding:
    """One finding; `about` is the object (`StatefulSet/vllm`), empty while only the engine is known."""

    code: str
    severity: Severity
    about: str
    seen: str
    why: str
    fix: str

    def __str__(self) -> str:
        about = f"{self.about}: " if self.about else ""
        return f"{about}{self.seen}; {self.why}; {self.fix} [{self.code}]"
