"""What the tests of the archive share: the folder that it unpacks to, and its program."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from release import manifest
from tests.archive import installed


@dataclass(frozen=True)
class Outcome:
    """What a program said."""

    code: int
    stdout: str
    stderr: str


Run = Callable[..., Outcome]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked as `tar` does."""
    folder = tmp_path_factory.mktemp("unpacked")
    shutil.unpack_archive(installed.archive(), folder)
    return folder


@pytest.fixture(scope="session")
def run(unpacked: Path) -> Run:
    """Runs the program, or another path to it, with nothing of the tests' Python in sight."""

    def run(*arguments: str, path: Path | None = None, stdin: str = "", **variables: str) -> Outcome:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        done = subprocess.run(
            [path or unpacked / manifest.PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**environment, **variables},
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
