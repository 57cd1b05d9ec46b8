"""etcd, the API server, the controller manager and the scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.cluster.ground import pki, processes
from tests.cluster.ground.api import Api
from tests.cluster.ground.commands import wait_until
from tests.cluster.ground.layout import (
    API_PORT,
    NODE_IP,
    POD_SUBNET,
    SERVICE_SUBNET,
    Layout,
)
from tests.cluster.ground.programs import path_of
from tests.cluster.ground.record import Options

DAEMONS: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
_ETCD_URL: Final = "http://127.0.0.1:2379"


def start(layout: Layout, options: Options) -> Api:
    """Start everything and return once the API server serves and the controllers work."""
    processes.start(layout, "etcd", _etcd(layout))
    processes.start(layout, "kube-apiserver", _apiserver(layout))
    api = Api(layout)
    wait_until("the API server was not ready", lambda: _ready(layout, api), poll_s=0.1)
    processes.start(layout, "kube-controller-manager", _controller_manager(layout, options))
    processes.start(layout, "kube-scheduler", _scheduler(layout))
    # No pod can be made before its service account, and the controllers make that.
    wait_until(
        "the controller manager made no service account",
        lambda: api.answers("/api/v1/namespaces/default/serviceaccounts/default"),
        poll_s=0.1,
    )
    return api


def restart_controller_manager(layout: Layout, options: Options) -> bool:
    """Give the controller manager new options, if they are new; tell whether they were."""
    wanted = [str(argument) for argument in _controller_manager(layout, options)]
    pid = processes.pid_of(layout, "kube-controller-manager")
    if pid is not None and processes.command_line(pid) == wanted:
        return False
    processes.end(layout, "kube-controller-manager")
    processes.start(layout, "kube-controller-manager", wanted)
    return True


def _ready(layout: Layout, api: Api) -> str:
    """Return "" once the API server is ready; it ends by itself when etcd or a flag is bad."""
    if reason := api.answers("/readyz"):
        dead = [name for name in DAEMONS[:2] if processes.pid_of(layout, name) is None]
        return f"{' and '.join(dead)} ended, see {layout.logs}" if dead else reason
    return ""


def _etcd(layout: Layout) -> Sequence[str | Path]:
    return (
        path_of("etcd"),
        f"--data-dir={layout.state / 'etcd'}",
        f"--listen-client-urls={_ETCD_URL}",
        f"--advertise-client-urls={_ETCD_URL}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        # The data lives no longer than the cluster.
        "--unsafe-no-fsync",
    )


def _apiserver(layout: Layout) -> Sequence[str | Path]:
    keys = layout.pki
    return (
        path_of("kube-apiserver"),
        f"--etcd-servers={_ETCD_URL}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={NODE_IP}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={SERVICE_SUBNET}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--tls-cert-file={keys / 'apiserver.crt'}",
        f"--tls-private-key-file={keys / 'apiserver.key'}",
        f"--client-ca-file={keys / 'ca.crt'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={keys / 'service-account.key'}",
        f"--service-account-signing-key-file={keys / 'service-account.key'}",
        f"--kubelet-client-certificate={keys / 'kubelet-client.crt'}",
        f"--kubelet-client-key={keys / 'kubelet-client.key'}",
        f"--kubelet-certificate-authority={keys / 'ca.crt'}",
        # Otherwise logs and exec ask DNS for the node's name.
        "--kubelet-preferred-address-types=InternalIP",
        # Aggregated APIs are reached at their pods; the certificates below let them trust us.
        "--enable-aggregator-routing=true",
        f"--requestheader-client-ca-file={keys / 'front-proxy-ca.crt'}",
        f"--requestheader-allowed-names={pki.FRONT_PROXY_NAME}",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={keys / 'front-proxy.crt'}",
        f"--proxy-client-key-file={keys / 'front-proxy.key'}",
    )


def _controller_manager(layout: Layout, options: Options) -> Sequence[str | Path]:
    keys = layout.pki
    return (
        path_of("kube-controller-manager"),
        f"--kubeconfig={keys / 'controller-manager.kubeconfig'}",
        f"--authentication-kubeconfig={keys / 'controller-manager.kubeconfig'}",
        f"--authorization-kubeconfig={keys / 'controller-manager.kubeconfig'}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={keys / 'service-account.key'}",
        f"--root-ca-file={keys / 'ca.crt'}",
        f"--cluster-signing-cert-file={keys / 'ca.crt'}",
        f"--cluster-signing-key-file={keys / 'ca.key'}",
        f"--cluster-cidr={POD_SUBNET}",
        f"--flex-volume-plugin-dir={layout.state / 'volume-plugins'}",
        f"--horizontal-pod-autoscaler-sync-period={options.hpa_sync}",
        f"--horizontal-pod-autoscaler-downscale-stabilization={options.hpa_downscale}",
    )


def _scheduler(layout: Layout) -> Sequence[str | Path]:
    kubeconfig = layout.pki / "scheduler.kubeconfig"
    return (
        path_of("kube-scheduler"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
    )
