"""The container runtime: its image store, its mount namespace, its start.

containerd, kubelet and kube-proxy share a mount namespace of their own.  What
they mount is never seen on the host and ends with their last process, so that
nothing has to be unmounted and no host folder lies below a folder that is
removed.  The few fixed paths below /var/lib and /var/log that they write to
are redirected into the state folder by an overlay.

The image store outlives the cluster, so that a second start imports nothing.
Stores are numbered; a cluster takes the first that no running cluster uses.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.cluster.ground import processes, record
from tests.cluster.ground.commands import run, wait_until
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.images import PAUSE_IMAGE, Archive
from tests.cluster.ground.layout import POD_SUBNET, STATE_ROOT, Layout, cache_root
from tests.cluster.ground.locks import held
from tests.cluster.ground.machine import CNI_PLUGINS
from tests.cluster.ground.manifest import render

DAEMON: Final = "containerd"
SHIM_SOCKETS: Final = Path("/run/containerd/s")
"""Where shims listen, whatever the state folder of containerd."""

REDIRECTED: Final = ("/var/lib", "/var/log")
_CRI: Final = '"io.containerd.grpc.v1.cri"'
_IMPORTED: Final = "imported.json"


def choose_store(layout: Layout, claim: Callable[[Path], None]) -> Path:
    """Return a folder for images that no other cluster uses, a warm one if possible.

    ``claim`` writes the choice into the cluster's record before anybody else may choose.
    """
    root = cache_root() / "containerd"
    root.mkdir(parents=True, exist_ok=True)
    with held(cache_root() / "locks" / "stores", "choosing an image store"):
        taken = set()
        for state in STATE_ROOT.iterdir():
            if state.name != layout.name and (other := record.load(Layout(state.name))):
                taken.add(other.image_store)
        number = next(number for number in range(1000) if str(root / str(number)) not in taken)
        store = root / str(number)
        claim(store)
        return store


def start(layout: Layout, store: Path, archives: list[Archive]) -> None:
    """Clean the store, import what it lacks, and start the runtime for kubelet."""
    store.mkdir(parents=True, exist_ok=True)
    # Once without its Kubernetes side, which would take up the last cluster's containers.
    _start(layout, store, disabled=_CRI)
    if stale := ctr(layout, "containers", "list", "--quiet").split():
        ctr(layout, "containers", "remove", *stale)
    import_archives(layout, store, archives)
    processes.end(layout, DAEMON)
    _start(layout, store, disabled="")


def import_archives(layout: Layout, store: Path, archives: list[Archive]) -> None:
    """Import those archives that the store does not hold yet."""
    note = store / _IMPORTED
    try:
        imported: dict[str, str] = json.loads(note.read_text())
    except (OSError, ValueError):
        imported = {}
    there = set(ctr(layout, "images", "list", "--quiet").split())
    for archive in archives:
        if imported.get(archive.image) != archive.key or archive.image not in there:
            ctr(layout, "images", "import", str(archive.path))
            imported[archive.image] = archive.key
            note.write_text(json.dumps(imported, indent=2) + "\n")


def ctr(layout: Layout, *arguments: str) -> str:
    """Run containerd's own client in the namespace that kubelet uses."""
    return run("ctr", "--address", layout.containerd_socket, "--namespace", "k8s.io", *arguments)


def into_mounts(layout: Layout) -> tuple[str, ...]:
    """Return the command prefix that enters the mount namespace of the runtime."""
    return ("nsenter", f"--mount=/proc/{processes.pid_of(layout, DAEMON)}/ns/mnt", "--")


def remove_shim_sockets(layout: Layout) -> None:
    """Remove the sockets of this cluster's shims, which killed shims leave behind."""
    for address in layout.containerd_state.glob("io.containerd.runtime.v2.task/*/*/address"):
        socket = Path(address.read_text().strip().removeprefix("unix://"))
        if socket.parent == SHIM_SOCKETS:
            socket.unlink(missing_ok=True)
    for folder in (SHIM_SOCKETS, SHIM_SOCKETS.parent):
        with suppress(OSError):  # not there, or others use it too
            folder.rmdir()


def _start(layout: Layout, store: Path, disabled: str) -> None:
    """Start containerd in a mount namespace of its own and wait until it answers."""
    config = layout.state / "containerd.toml"
    cni = layout.state / "cni"
    cni.mkdir(exist_ok=True)
    (cni / "10-pods.conflist").write_text(
        render(
            "pod-network.conflist",
            name=layout.name,
            pod_subnet=POD_SUBNET,
            addresses=layout.state / "pod-addresses",
        )
    )
    config.write_text(
        render(
            "containerd.toml",
            root=store,
            state=layout.containerd_state,
            socket=layout.containerd_socket,
            disabled=disabled,
            pause_image=PAUSE_IMAGE,
            cni_plugins=CNI_PLUGINS,
            cni_config=cni,
        )
    )
    command = ["containerd", "--config", str(config)]
    pid = processes.start(layout, DAEMON, command, prefix=_own_mounts(layout))

    def answers() -> str:
        if processes.pid_of(layout, DAEMON) != pid:
            return f"it ended, see {layout.logs / 'containerd.log'}"
        return _problem(layout)

    wait_until("containerd did not answer", answers, timeout_s=120, poll_s=0.1)


def _problem(layout: Layout) -> str:
    if not os.path.exists(layout.containerd_socket):
        log = layout.logs / f"{DAEMON}.log"
        words = log.read_text(errors="replace").splitlines() if log.exists() else []
        return f"it has no socket yet, and said last: {words[-1] if words else 'nothing'}"
    try:
        ctr(layout, "version")
    except GroundError as problem:
        return str(problem)
    return ""


def _own_mounts(layout: Layout) -> list[str]:
    """Return a command that makes the mount namespace and becomes the command after it."""
    script = []
    for target in REDIRECTED:
        scratch = layout.state / ("redirected" + target.replace("/", "-"))
        (scratch / "upper").mkdir(parents=True, exist_ok=True)
        (scratch / "work").mkdir(exist_ok=True)
        layers = f"lowerdir={target},upperdir={scratch}/upper,workdir={scratch}/work"
        script.append(f"mount -t overlay overlay -o {layers} {target} && ")
    return [
        *("unshare", "--mount", "--propagation", "slave", "--"),
        *("sh", "-c", "".join(script) + 'exec "$@"', "sh"),
    ]
