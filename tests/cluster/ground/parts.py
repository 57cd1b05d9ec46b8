"""The parts of a cluster, what each one needs, and what has to be built for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.cluster.ground import control_plane, node
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.images import IMAGES

CONTROL_PLANE: Final = "control-plane"
NODE: Final = "node"

NEEDS: Final = {
    CONTROL_PLANE: (),
    "crds": (CONTROL_PLANE,),
    NODE: (CONTROL_PLANE,),
    "dns": (NODE,),
    "prometheus": (NODE,),
    "adapter": ("dns", "prometheus"),
    "keda": ("dns",),
    "lws": (NODE,),
}

_DAEMONS: Final = {CONTROL_PLANE: control_plane.DAEMONS, NODE: node.DAEMONS}

_PROGRAMS: Final = {
    CONTROL_PLANE: ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
    NODE: ("kubelet", "kube-proxy"),
    "adapter": ("helm",),
}
"""Programs that run outside images."""

NAMESPACES: Final = {
    "dns": ("kube-system", "k8s-app=kube-dns"),
    "prometheus": ("monitoring", "app.kubernetes.io/name=prometheus"),
    "adapter": ("monitoring", "app.kubernetes.io/name=prometheus-adapter"),
    "keda": ("keda", ""),
    "lws": ("lws-system", ""),
}
"""Namespace and label selector of the pods of each part that runs in pods."""


def with_needs(wanted: Iterable[str]) -> list[str]:
    """Return ``wanted`` and all that they need, needs first."""
    found: list[str] = []

    def add(part: str) -> None:
        if part not in NEEDS:
            raise GroundError(f"there is no part {part!r}: choose from {', '.join(NEEDS)}")
        for need in NEEDS[part]:
            add(need)
        if part not in found:
            found.append(part)

    for part in (CONTROL_PLANE, *wanted):
        add(part)
    return sorted(found, key=list(NEEDS).index)


def daemons_of(parts: Iterable[str]) -> list[str]:
    """Return the host processes that belong to ``parts``."""
    return [daemon for part in parts for daemon in _DAEMONS.get(part, ())]


def programs_of(parts: Iterable[str]) -> list[str]:
    """Return the programs that have to be built for ``parts``."""
    found: list[str] = []
    for part in parts:
        found.extend(_PROGRAMS.get(part, ()))
        found.extend(image.program for image in IMAGES.get(part, ()))
    return list(dict.fromkeys(found))
