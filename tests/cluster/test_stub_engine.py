"""The stub engine's own tests, in its own language."""

from __future__ import annotations

import subprocess

import pytest

from tests.cluster.ground.engine_images import STUB

pytestmark = pytest.mark.ground


@pytest.mark.parametrize("command", [("vet", "./..."), ("test", "./...")], ids=["vet", "test"])
def test_go(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["go", *command], cwd=STUB, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
