"""What a user should know before or after a change: a code, an object, what was seen, why it matters, the fix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One finding; `severity` is `warning` or `info` (an error is raised, not found)."""

    code: str
    severity: str
    about: str
    seen: str
    why: str
    fix: str

    def __str__(self) -> str:
        return f"{self.about}: {self.seen}; {self.why}; {self.fix} [{self.code}]"
