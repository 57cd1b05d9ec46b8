"""How the user wants to reach the cluster: kubectl's own flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


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
    def described(self) -> str:
        """`context "x"` when one was named, else `the current context`."""
        context = self.flags.get("context")
        return f'context "{context}"' if isinstance(context, str) and context else "the current context"
