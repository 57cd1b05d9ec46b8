"""The connection lives exactly as long as the process that made it, also when that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.cluster.conftest import ROOT

pytestmark = pytest.mark.control_plane

PROGRAM = """
import os, signal, sys
from kubectl_llmhpa.kube import Cluster, Connection
with Cluster(Connection(), read_only=False) as cluster:
    cluster.get("/version")
    print(cluster._proxy.socket.parent, flush=True)
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("how", "code"), [("ended", 0), ("killed", -signal.SIGKILL)])
def test_nothing_of_it_stays(how: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    folder = Path(done.stdout.strip())
    assert folder.parent == Path(tempfile.gettempdir())
    until = time.monotonic() + 10
    while time.monotonic() < until and (folder.exists() or serving(folder)):
        time.sleep(0.1)
    assert not folder.exists()
    assert serving(folder) == []


def serving(folder: Path) -> list[str]:
    """The processes that still name the socket's folder."""
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return [line.decode(errors="replace") for line in lines if str(folder).encode() in line]
