"""The cluster's network namespace: a loopback, one bridge for the node, and no way out."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.cluster.ground.commands import run
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import NODE_IP, NODE_SUBNET, SERVICE_SUBNET, Layout

BRIDGE: Final = "node0"
_CLONE_NEWNET: Final = 0x40000000
_UMOUNT_DETACH: Final = 2


def create(layout: Layout) -> None:
    """Make the namespace and give it a name under /run/netns, as ``ip netns`` does."""
    layout.netns.parent.mkdir(parents=True, exist_ok=True)
    layout.netns.touch(mode=0o444)
    run("unshare", f"--net={layout.netns}", "true")


def enter(layout: Layout) -> None:
    """Move the calling thread, and all that it starts from now on, into the namespace.

    Only the network changes.  ``ip netns exec`` would also mount a fresh /sys,
    and that hides the cgroup mounts from the container runtime.
    """
    try:
        handle = os.open(layout.netns, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as problem:
        raise GroundError(
            f"cluster {layout.name} is not up: start it with `scripts/cluster up --name {layout.name}`"
        ) from problem
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, _CLONE_NEWNET) != 0:
            raise GroundError(f"cannot enter {layout.netns}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(handle)


def configure() -> None:
    """Bring up the interfaces, from inside the namespace."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", NODE_SUBNET, "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    # Without it a call from the node to a Service ends in "network unreachable".
    run("ip", "route", "add", SERVICE_SUBNET, "dev", BRIDGE, "src", NODE_IP)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


def bridged_packets_pass_iptables() -> bool:
    """Tell whether a Service's answer between two pods of one node is translated back."""
    try:
        return Path("/proc/sys/net/bridge/bridge-nf-call-iptables").read_text().strip() == "1"
    except OSError:
        return False


def remove(layout: Layout) -> None:
    """Take the name away; the namespace ends with its last process."""
    libc = ctypes.CDLL(None, use_errno=True)
    while libc.umount2(str(layout.netns).encode(), _UMOUNT_DETACH) == 0:
        pass
    layout.netns.unlink(missing_ok=True)
    with suppress(OSError):  # others have namespaces too
        layout.netns.parent.rmdir()
