"""The node: kubelet and kube-proxy beside the container runtime."""

from __future__ import annotations

from typing import Final

from tests.cluster.ground import cgroups, containerd, network, processes
from tests.cluster.ground.api import Api
from tests.cluster.ground.commands import wait_until
from tests.cluster.ground.layout import (
    CLUSTER_DOMAIN,
    DNS_SERVICE_IP,
    NODE_IP,
    NODE_NAME,
    POD_SUBNET,
    Layout,
)
from tests.cluster.ground.manifest import render
from tests.cluster.ground.programs import path_of

DAEMONS: Final = (containerd.DAEMON, "kubelet", "kube-proxy")


def start(layout: Layout, api: Api) -> None:
    """Start kubelet and kube-proxy, once containerd runs, and wait for the node."""
    cgroups.create(layout)
    into_mounts = containerd.into_mounts(layout)
    processes.start(layout, "kubelet", _kubelet(layout), prefix=into_mounts)
    processes.start(layout, "kube-proxy", _kube_proxy(layout), prefix=into_mounts)
    wait_until("the node was not ready", lambda: _ready(layout, api), poll_s=0.1)


def _ready(layout: Layout, api: Api) -> str:
    dead = [name for name in DAEMONS if processes.pid_of(layout, name) is None]
    if dead:
        return f"{' and '.join(dead)} ended, see {layout.logs}"
    return api.condition(f"/api/v1/nodes/{NODE_NAME}", "Ready")


def _kubelet(layout: Layout) -> list[str]:
    # Pods that use the node's resolver find none: no packet leaves the cluster.
    resolv_conf = layout.state / "resolv.conf"
    resolv_conf.write_text("")
    config = layout.state / "kubelet.yaml"
    config.write_text(
        render(
            "kubelet.yaml",
            pki=layout.pki,
            state=layout.state,
            socket=layout.containerd_socket,
            cgroup=layout.cgroup,
            domain=CLUSTER_DOMAIN,
            dns=DNS_SERVICE_IP,
            resolv_conf=resolv_conf,
            pod_logs=layout.state / "pod-logs",
        )
    )
    return [
        str(path_of("kubelet")),
        f"--config={config}",
        f"--kubeconfig={layout.pki / 'kubelet.kubeconfig'}",
        f"--root-dir={layout.state / 'kubelet'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_IP}",
    ]


def _kube_proxy(layout: Layout) -> list[str]:
    config = layout.state / "kube-proxy.yaml"
    config.write_text(
        render(
            "kube-proxy.yaml",
            pki=layout.pki,
            node=NODE_NAME,
            pod_subnet=POD_SUBNET,
            masquerade_all=str(not network.bridged_packets_pass_iptables()).lower(),
        )
    )
    return [str(path_of("kube-proxy")), f"--config={config}"]
