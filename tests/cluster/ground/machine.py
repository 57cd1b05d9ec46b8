"""What the cluster needs from the machine: root, an architecture, Debian packages."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import cache_root
from tests.cluster.ground.locks import held
from tests.cluster.ground.progress import step

ARCHITECTURES: Final = ("x86_64", "aarch64")
STATE_SPACE_GB: Final = 0.5
INOTIFY: Final = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_INSTANCES: Final = 1024
"""What all processes of root may hold: a cluster's take about 25, and Linux gives 128."""
POLICY: Final = Path("/usr/sbin/policy-rc.d")
CNI_PLUGINS: Final = Path("/usr/lib/cni")

CONTROL_PLANE_FILES: Final = {
    "ip": "iproute2",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}
NODE_FILES: Final = {
    "containerd": "containerd",
    "ctr": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "runc": "runc",
    str(CNI_PLUGINS / "bridge"): "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "socat": "socat",
}
"""Files that have to be there, by program name or path, and the package of each."""


def check_root() -> None:
    """Refuse to go on without root."""
    if os.geteuid() != 0:
        raise GroundError("the test cluster needs root, for namespaces, mounts and cgroups: run it with sudo")


def check(with_node: bool) -> None:
    """Refuse a machine on which the cluster cannot run; install what only lacks a package."""
    check_root()
    if platform.system() != "Linux" or platform.machine() not in ARCHITECTURES:
        raise GroundError(
            f"the test cluster runs on Linux on amd64 or arm64, not on {platform.system()} {platform.machine()}"
        )
    free_gb = shutil.disk_usage("/run").free / 1e9
    if with_node and free_gb < STATE_SPACE_GB:
        raise GroundError(f"/run has {free_gb:.1f} GB free and a node wants {STATE_SPACE_GB} GB")
    _install({**CONTROL_PLANE_FILES, **(NODE_FILES if with_node else {})})
    _allow_watches()


def _allow_watches() -> None:
    """Raise the limit at which kubelet of one cluster too many ends at its start, where that is permitted."""
    with suppress(OSError, ValueError):
        if int(INOTIFY.read_text()) < INOTIFY_INSTANCES:
            INOTIFY.write_text(f"{INOTIFY_INSTANCES}\n")


def _install(wanted: dict[str, str]) -> None:
    """Install the packages of those files that are not there."""
    if not _missing(wanted):
        return
    if shutil.which("apt-get") is None:
        files = ", ".join(sorted(file for file in wanted if not _there(file)))
        raise GroundError(f"this machine lacks {files} and has no apt-get to install them with")
    with held(cache_root() / "locks" / "apt", "installing packages"):
        packages = _missing(wanted)
        if not packages:
            return
        with step(f"installed {len(packages)} packages"), _no_services():
            if _apt("install", "--no-install-recommends", *packages):
                _apt("update")
                if problem := _apt("install", "--no-install-recommends", *packages):
                    raise GroundError(f"apt-get cannot install {', '.join(packages)}: {problem}")


def _apt(*arguments: str) -> str:
    """Run apt-get without a question and return what is wrong, "" when nothing is."""
    done = subprocess.run(
        ["apt-get", "-y", "-q", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else " ".join((done.stderr or done.stdout).strip().splitlines()[-3:])


@contextmanager
def _no_services() -> Iterator[None]:
    """Keep packages from starting a service: the cluster runs its own containerd."""
    try:
        with POLICY.open("x") as policy:
            policy.write("#!/bin/sh\nexit 101\n")
    except FileExistsError:
        yield  # the machine has a policy of its own
        return
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _missing(wanted: dict[str, str]) -> list[str]:
    return sorted({package for file, package in wanted.items() if not _there(file)})


def _there(file: str) -> bool:
    return Path(file).exists() if file.startswith("/") else shutil.which(file) is not None
