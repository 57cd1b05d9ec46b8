"""Start the cluster's daemons, find them again, and end exactly those.

Each daemon carries ``GROUND_DAEMON=<cluster>/<daemon>`` in its environment,
and what it starts (container shims) inherits that.  The kernel keeps the
environment a process was started with, so a recycled pid is never taken for
ours, and nothing is lost when the tool itself is killed before it could
write a pid down.  The pid files tell a daemon from what it has started.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import Layout

MARK: Final = "GROUND_DAEMON"
PROC: Final = Path("/proc")


def start(layout: Layout, daemon: str, argv: Sequence[str | Path], prefix: Sequence[str] = ()) -> int:
    """Start ``daemon`` in a session of its own and return its pid.

    ``prefix`` is a command that replaces itself by ``argv`` (unshare, nsenter).
    """
    layout.logs.mkdir(parents=True, exist_ok=True)
    layout.pids.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        MARK: f"{layout.name}/{daemon}",
    }
    with (layout.logs / f"{daemon}.log").open("ab") as log:
        process = subprocess.Popen(
            [*prefix, *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    (layout.pids / daemon).write_text(f"{process.pid}\n")
    # Popen would warn when it is collected while the daemon runs on, as it should.
    process.returncode = 0
    return process.pid


def pid_of(layout: Layout, daemon: str) -> int | None:
    """Return the pid of a running daemon of this cluster."""
    try:
        pid = int((layout.pids / daemon).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if _mark(pid) == f"{layout.name}/{daemon}" and not _is_zombie(pid) else None


def command_line(pid: int) -> list[str]:
    """Return the arguments of a process, empty when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def uptime_s(pid: int) -> float:
    """Return for how many seconds a process has run."""
    ticks = float((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19])
    started = ticks / os.sysconf("SC_CLK_TCK")
    return float((PROC / "uptime").read_text().split()[0]) - started


def marked(layout: Layout) -> list[int]:
    """Return every process that this cluster's daemons are or have started."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and _mark(int(entry.name)).startswith(f"{layout.name}/"):
            found.append(int(entry.name))
    return found


def end(layout: Layout, daemon: str) -> None:
    """End one daemon and wait until it is gone; what it started lives on."""
    if (pid := pid_of(layout, daemon)) is not None:
        kill([pid], still_ours=lambda found: _mark(found) == f"{layout.name}/{daemon}")


def end_all(layout: Layout) -> None:
    """End every process of the cluster outside its pods."""
    while pids := [pid for pid in marked(layout) if not _is_zombie(pid)]:
        kill(pids, still_ours=lambda found: _mark(found).startswith(f"{layout.name}/"))


def kill(pids: Iterable[int], still_ours: Callable[[int], bool], timeout_s: float = 20) -> None:
    """Kill ``pids`` and wait for their end.

    The handle is taken first and ``still_ours(pid)`` asked second, so that a
    pid which changed hands in between is left alone.
    """
    handles = []
    try:
        for pid in pids:
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            handles.append(handle)
            if still_ours(pid):
                try:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            else:
                os.close(handles.pop())
        _wait(handles, timeout_s)
    finally:
        for handle in handles:
            os.close(handle)


def _wait(handles: Iterable[int], timeout_s: float) -> None:
    """Wait until every process behind ``handles`` has ended."""
    waiting = set(handles)
    deadline = time.monotonic() + timeout_s
    poller = select.poll()
    for handle in waiting:
        poller.register(handle, select.POLLIN)
    while waiting:
        left_ms = int((deadline - time.monotonic()) * 1000)
        if left_ms <= 0:
            raise GroundError(f"{len(waiting)} processes of the cluster did not end when killed")
        for handle, _ in poller.poll(left_ms):
            poller.unregister(handle)
            waiting.discard(handle)


def _mark(pid: int) -> str:
    """Return the mark in a process's environment, "" where there is none."""
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return ""
    wanted = f"{MARK}=".encode()
    for entry in environment.split(b"\0"):
        if entry.startswith(wanted):
            return entry[len(wanted) :].decode(errors="replace")
    return ""


def _is_zombie(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
