"""Run another program to its end, and wait for something to become true."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster.ground.errors import GroundError


def run(
    *argv: str | Path,
    text: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run ``argv`` and return its stdout; its last words on stderr become the error."""
    command = [str(argument) for argument in argv]
    try:
        done = subprocess.run(
            command, input=text, env=env, cwd=cwd, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as problem:
        raise GroundError(f"{command[0]} is not on this machine") from problem
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        shown = " ".join(command)
        shown = shown if len(shown) < 160 else shown[:157] + "..."
        raise GroundError(f"`{shown}` failed with {done.returncode}: {' | '.join(words[-5:])}")
    return done.stdout


_given_up = threading.Event()


def give_up() -> None:
    """End every ``wait_until`` of this process: another step has failed for good."""
    _given_up.set()


def wait_until(what: str, check: Callable[[], str], timeout_s: float = 180, poll_s: float = 0.2) -> None:
    """Call ``check`` until it returns "" ; anything else is why it is not so yet."""
    deadline = time.monotonic() + timeout_s
    while reason := check():
        if time.monotonic() > deadline:
            raise GroundError(f"{what} within {timeout_s:.0f} s: {reason}")
        if _given_up.wait(poll_s):
            raise GroundError(f"{what} when another step failed: {reason}")
