"""Certificates, keys and kubeconfigs of one cluster, made with the openssl program.

Elliptic-curve keys: a whole cluster's worth takes a fraction of a second.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground.commands import run
from tests.cluster.ground.layout import (
    API_PORT,
    API_SERVICE_IP,
    CLUSTER_DOMAIN,
    NODE_IP,
    NODE_NAME,
    Layout,
)

DAYS: Final = "3650"


@dataclass(frozen=True)
class Certificate:
    """What a certificate says: ``subject`` as openssl writes it, ``names`` for servers."""

    name: str
    subject: str
    authority: str = "ca"
    names: str = ""


FRONT_PROXY_NAME: Final = "front-proxy-client"
CERTIFICATES: Final = (
    Certificate(
        "apiserver",
        "/CN=kube-apiserver",
        names=(
            "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
            f"DNS:kubernetes.default.svc.{CLUSTER_DOMAIN},DNS:localhost,"
            f"IP:{API_SERVICE_IP},IP:{NODE_IP},IP:127.0.0.1"
        ),
    ),
    Certificate("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
    Certificate("front-proxy", f"/CN={FRONT_PROXY_NAME}", authority="front-proxy-ca"),
    Certificate("admin", "/O=system:masters/CN=kubernetes-admin"),
    Certificate("controller-manager", "/CN=system:kube-controller-manager"),
    Certificate("scheduler", "/CN=system:kube-scheduler"),
    Certificate("proxy", "/CN=system:kube-proxy"),
    Certificate(
        "kubelet",
        f"/O=system:nodes/CN=system:node:{NODE_NAME}",
        names=f"DNS:{NODE_NAME},IP:{NODE_IP}",
    ),
)
AUTHORITIES: Final = ("ca", "front-proxy-ca")
CLIENTS: Final = ("controller-manager", "scheduler", "proxy", "kubelet")


def make(layout: Layout) -> None:
    """Make every key and certificate, and a kubeconfig for each client."""
    layout.pki.mkdir(parents=True, mode=0o700)
    with ThreadPoolExecutor() as pool:
        service_accounts = pool.submit(_make_key, layout.pki, "service-account")
        for authority in [pool.submit(_make_authority, layout.pki, name) for name in AUTHORITIES]:
            authority.result()
        for issued in [pool.submit(_issue, layout.pki, certificate) for certificate in CERTIFICATES]:
            issued.result()
        service_accounts.result()
    for client in CLIENTS:
        _write_kubeconfig(layout, client, layout.pki / f"{client}.kubeconfig")
    _write_kubeconfig(layout, "admin", layout.kubeconfig)


def _make_key(folder: Path, name: str) -> Path:
    key = folder / f"{name}.key"
    run("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key)
    return key


def _make_authority(folder: Path, name: str) -> None:
    key = _make_key(folder, name)
    run(
        *("openssl", "req", "-x509", "-new", "-key", key, "-out", folder / f"{name}.crt"),
        *("-days", DAYS, "-subj", f"/CN={name}"),
        *("-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
    )


def _issue(folder: Path, certificate: Certificate) -> None:
    """Make a key and have it signed, for use as a client and, with names, as a server."""
    key = _make_key(folder, certificate.name)
    request = folder / f"{certificate.name}.csr"
    extensions = folder / f"{certificate.name}.ext"
    run("openssl", "req", "-new", "-key", key, "-out", request, "-subj", certificate.subject)
    usage = "clientAuth,serverAuth" if certificate.names else "clientAuth"
    names = f"subjectAltName={certificate.names}\n" if certificate.names else ""
    extensions.write_text(f"keyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n{names}")
    authority = folder / certificate.authority
    run(
        *("openssl", "x509", "-req", "-in", request, "-out", folder / f"{certificate.name}.crt"),
        *("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-CAserial", folder / f"{key.stem}.srl"),
        *("-CAcreateserial", "-days", DAYS, "-extfile", extensions),
    )


def _write_kubeconfig(layout: Layout, client: str, path: Path) -> None:
    """Write a kubeconfig that names the client's files; JSON is YAML too."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": layout.name,
        "contexts": [{"name": layout.name, "context": {"cluster": layout.name, "user": client}}],
        "clusters": [
            {
                "name": layout.name,
                "cluster": {
                    "server": f"https://{NODE_IP}:{API_PORT}",
                    "certificate-authority": str(layout.pki / "ca.crt"),
                },
            }
        ],
        "users": [
            {
                "name": client,
                "user": {
                    "client-certificate": str(layout.pki / f"{client}.crt"),
                    "client-key": str(layout.pki / f"{client}.key"),
                },
            }
        ],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=2) + "\n")
