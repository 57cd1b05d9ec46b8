"""The cgroup that holds every pod of a cluster, in each hierarchy of the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.cluster.ground import processes
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import Layout

ROOT: Final = Path("/sys/fs/cgroup")
_V1_CPUSET: Final = ("cpuset.cpus", "cpuset.mems")


def create(layout: Layout) -> None:
    """Make the cgroup; kubelet refuses to start below one that is not there."""
    for hierarchy in _hierarchies():
        if (hierarchy / "cgroup.controllers").exists():
            for controller in (hierarchy / "cgroup.controllers").read_text().split():
                with suppress(OSError):  # kubelet names what it lacks
                    (hierarchy / "cgroup.subtree_control").write_text(f"+{controller}\n")
        cgroup = hierarchy / layout.cgroup
        cgroup.mkdir(exist_ok=True)
        for name in _V1_CPUSET:  # version 1 gives a new cpuset nothing to run on
            if (cgroup / name).exists() and not (cgroup / name).read_text().strip():
                (cgroup / name).write_text((hierarchy / name).read_text())


def exist(layout: Layout) -> bool:
    """Tell whether any hierarchy has the cluster's cgroup."""
    return any((hierarchy / layout.cgroup).exists() for hierarchy in _hierarchies())


def kill_pods(layout: Layout) -> None:
    """Kill every process in every pod and wait for its end."""
    for _ in range(50):
        pids = {pid for cgroup in _all(layout) for pid in _members(cgroup)}
        if not pids:
            return
        processes.kill(pids, still_ours=lambda pid: f"/{layout.cgroup}/" in _path_of(pid))
    raise GroundError(f"new processes keep appearing in the cgroup {layout.cgroup}")


def remove(layout: Layout) -> None:
    """Remove the cgroup, children first; the kernel may need a moment after the last process."""
    deadline = time.monotonic() + 10
    while left := [cgroup for cgroup in _all(layout) if not _removed(cgroup)]:
        if time.monotonic() > deadline:
            raise GroundError(f"{len(left)} cgroups stay busy, the first is {left[0]}")
        time.sleep(0.05)


def _hierarchies() -> list[Path]:
    """Return the root of each hierarchy: one folder a controller, or one in all."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return sorted({path.resolve() for path in ROOT.iterdir() if path.is_dir()})


def _all(layout: Layout) -> Iterator[Path]:
    """Yield the cluster's cgroups in all hierarchies, children before their parents."""
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / layout.cgroup, topdown=False):
            yield Path(folder)


def _members(cgroup: Path) -> list[int]:
    try:
        return [int(pid) for pid in (cgroup / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def _path_of(pid: int) -> str:
    try:
        return (processes.PROC / str(pid) / "cgroup").read_text()
    except OSError:
        return ""


def _removed(cgroup: Path) -> bool:
    try:
        cgroup.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
