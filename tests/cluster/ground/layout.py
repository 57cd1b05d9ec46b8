"""Where a cluster keeps its files, and the addresses that it uses.

All clusters use the same addresses: each one has its own network namespace.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground.errors import GroundError

DEFAULT_NAME: Final = "llm-hpa"
NAME_VARIABLE: Final = "LLM_HPA_CLUSTER"
"""Names the cluster in the environment of everything that runs inside it."""
NODE_NAME: Final = "ground"
NODE_IP: Final = "10.88.0.1"
NODE_SUBNET: Final = "10.88.0.1/24"
POD_SUBNET: Final = "10.244.0.0/16"
SERVICE_SUBNET: Final = "10.96.0.0/16"
API_SERVICE_IP: Final = "10.96.0.1"
DNS_SERVICE_IP: Final = "10.96.0.10"
API_PORT: Final = 6443
CLUSTER_DOMAIN: Final = "cluster.local"

GROUND: Final = Path(__file__).resolve().parent
MODULES: Final = GROUND.parent / "modules"
CHARTS: Final = GROUND.parent / "charts"
MANIFESTS: Final = GROUND / "manifests"

STATE_ROOT: Final = Path("/run/kubectl-llm-hpa")
NETNS_ROOT: Final = Path("/run/netns")

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?")


def cache_root() -> Path:
    """Return the folder for everything that outlives a cluster."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "kubectl-llm-hpa"


@dataclass(frozen=True)
class Layout:
    """The files of the cluster called ``name``.

    ``state`` is short on purpose: a path of a unix socket has 108 bytes.
    """

    name: str = DEFAULT_NAME

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise GroundError(
                f"{self.name!r} is no cluster name: use at most 30 lower-case letters, digits and dashes"
            )

    @property
    def state(self) -> Path:
        return STATE_ROOT / self.name

    @property
    def netns(self) -> Path:
        return NETNS_ROOT / self.name

    @property
    def cgroup(self) -> str:
        """The cgroup, below the root of each hierarchy, that holds every pod."""
        return f"kubectl-llm-hpa-{self.name}"

    @property
    def lock(self) -> Path:
        return cache_root() / "locks" / f"cluster-{self.name}"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def pids(self) -> Path:
        return self.state / "pid"

    @property
    def bin(self) -> Path:
        """Links to the client programs that ``exec`` puts first on PATH."""
        return self.state / "bin"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def client_environment(self) -> dict[str, str]:
        """What kubectl and the tool itself need in their environment to reach this cluster."""
        path = f"{self.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": path,
            NAME_VARIABLE: self.name,
            # kubectl's cache goes by the address, which is the same for all clusters; a user's aliases stay at home.
            "KUBECACHEDIR": str(self.state / "kubectl-cache"),
            "KUBERC": "off",
        }

    @property
    def containerd_socket(self) -> Path:
        return self.state / "containerd.sock"

    @property
    def containerd_state(self) -> Path:
        return self.state / "containerd"

    @property
    def record(self) -> Path:
        """What was asked for and which parts are up (see ``record``)."""
        return self.state / "cluster.json"
