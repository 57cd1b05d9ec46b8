"""How the user wants to reach the cluster: kubectl's own flags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0, "ms": 0.001}


class Connection(NamedTuple):
    """kubectl's flags, handed to kubectl as they are.

    `flags` maps kubectl flag names (without dashes) to their values; a value of several strings
    repeats the flag, an empty string is a bare switch.
    """

    flags: Mapping[str, str | tuple[str, ...]] = {}
    namespace: str | None = None

    def arguments(self) -> list[str]:
        """The flags as an argument list for kubectl."""
        words: list[str] = []
        for name, value in self.flags.items():
            for one in (value,) if isinstance(value, str) else value:
                words.append(f"--{name}={one}" if one else f"--{name}")
        return words

    @property
    def request_timeout(self) -> float | None:
        """Seconds that one request may take; None where that is not said, or as long as it takes (`0`).

        What is no such time is for kubectl to refuse.
        """
        said = self.flags.get("request-timeout")
        parts = _DURATION.findall(said) if isinstance(said, str) else ()
        return sum(float(number) * _SECONDS[unit] for number, unit in parts) or None

    @property
    def described(self) -> str:
        """`context "x"` when one was named, else `the current context`."""
        context = self.flags.get("context")
        return f'context "{context}"' if isinstance(context, str) and context else "the current context"
