"""What runs in the cluster: how each part is installed and when it is really ready."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground import crds, images
from tests.cluster.ground.api import Api
from tests.cluster.ground.commands import run, wait_until
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import CHARTS, CLUSTER_DOMAIN, DNS_SERVICE_IP, Layout
from tests.cluster.ground.manifest import render
from tests.cluster.ground.programs import KEDA_VERSION, PROMETHEUS_VERSION, module_folder, path_of
from tests.cluster.ground.record import Options

MONITORING: Final = "monitoring"
ADAPTER_RELEASE: Final = "prometheus-adapter"
CUSTOM_METRICS: Final = "/apis/custom.metrics.k8s.io/v1beta1"
_DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_APISERVICES: Final = "/apis/apiregistration.k8s.io/v1/apiservices"
_PROMETHEUS: Final = f"/api/v1/namespaces/{MONITORING}/services/kube-prometheus-stack-prometheus:9090/proxy"

_SOURCES: Final = {
    "prometheus": ("prometheus-operator", "github.com/prometheus-operator/prometheus-operator"),
    "keda": ("keda", "github.com/kedacore/keda/v2"),
    "lws": ("lws", "sigs.k8s.io/lws"),
}


def sources(parts: Iterable[str]) -> dict[str, Path]:
    """Return the module folder of each part that takes manifests from one.

    Asked for before the network namespace is entered: it may have to download.
    """
    parts = list(parts)
    if "crds" in parts:
        crds.files()
    return {part: module_folder(*_SOURCES[part]) for part in parts if part in _SOURCES}


@dataclass(frozen=True)
class Addons:
    """Installs parts into one running cluster, each to be called by its name."""

    layout: Layout
    api: Api
    options: Options
    sources: dict[str, Path]

    def dns(self) -> None:
        """CoreDNS, ready when it resolves a name."""
        self.api.apply(
            render("dns.yaml", image=images.COREDNS_IMAGE, domain=CLUSTER_DOMAIN, address=DNS_SERVICE_IP)
        )
        self._wait_rolled_out("deployments", "kube-system", "coredns")
        wait_until("DNS did not resolve", lambda: _resolves(f"kubernetes.default.svc.{CLUSTER_DOMAIN}"))

    def prometheus(self) -> None:
        """The operator and one Prometheus, ready when Prometheus serves a first sample of itself."""
        source = self.sources["prometheus"] / "example"
        crds = sorted((source / "prometheus-operator-crd").glob("*.yaml"))
        self._ensure_namespace(MONITORING)
        self.api.apply("\n---\n".join(path.read_text() for path in crds))
        role = (source / "rbac/prometheus-operator/prometheus-operator-cluster-role.yaml").read_text()
        manifests = render(
            "prometheus.yaml",
            version=f"v{PROMETHEUS_VERSION}",
            image=images.PROMETHEUS_IMAGE,
            operator_image=images.OPERATOR_IMAGE,
            reloader_image=images.RELOADER_IMAGE,
        )
        self._wait_established("prometheuses.monitoring.coreos.com")
        self._wait_established("servicemonitors.monitoring.coreos.com")
        self.api.apply(f"{role}\n---\n{manifests}")
        self._wait_rolled_out("deployments", MONITORING, "kube-prometheus-stack-operator")
        self._wait_rolled_out("statefulsets", MONITORING, "prometheus-kube-prometheus-stack-prometheus")
        wait_until("Prometheus was not ready", lambda: self.api.answers(f"{_PROMETHEUS}/-/ready"))
        wait_until("Prometheus scraped nothing", self._first_sample)

    def adapter(self) -> None:
        """prometheus-adapter by helm, after Prometheus has what the rules name.

        The adapter lists series when it starts and then once a relist interval:
        started earlier it would serve an empty list for a minute.
        """
        self._install_adapter()
        self._wait_rolled_out("deployments", MONITORING, ADAPTER_RELEASE)
        self._wait_available("v1beta1.custom.metrics.k8s.io")
        wait_until("custom.metrics.k8s.io did not list the other team's metrics", self._lists_metrics)

    def relist_adapter(self) -> None:
        """Give an installed adapter the current relist interval and leave its other values alone."""
        value = f"metricsRelistInterval={self.options.adapter_relist}"
        chart = CHARTS / "prometheus-adapter"
        self._helm(
            "upgrade", ADAPTER_RELEASE, chart, "--namespace", MONITORING, "--reuse-values", "--set", value
        )
        self._wait_rolled_out("deployments", MONITORING, ADAPTER_RELEASE)

    def _install_adapter(self) -> None:
        values = self.layout.state / "adapter-values.yaml"
        values.write_text(render("adapter-values.yaml", relist=self.options.adapter_relist))
        self._ensure_namespace(MONITORING)
        where = ("--namespace", MONITORING)
        install = ("upgrade", "--install", ADAPTER_RELEASE, CHARTS / "prometheus-adapter", "--values", values)
        try:
            self._helm(*install, *where)
        except GroundError:
            # A helm that was killed leaves a release which can only be removed.
            self._helm("uninstall", ADAPTER_RELEASE, *where, "--ignore-not-found")
            self._helm(*install, *where)

    def keda(self) -> None:
        """KEDA from its own kustomization, ready when its API and its webhook answer."""
        self.api.apply(self._kustomize("keda", version=KEDA_VERSION))
        for deployment in ("keda-operator", "keda-metrics-apiserver", "keda-admission"):
            self._wait_rolled_out("deployments", "keda", deployment)
        self._wait_available("v1beta1.external.metrics.k8s.io")
        wait_until(
            "external.metrics.k8s.io did not answer",
            lambda: self.api.answers("/apis/external.metrics.k8s.io/v1beta1"),
        )
        wait_until("KEDA's webhook did not answer", self._keda_webhook)

    def lws(self) -> None:
        """LeaderWorkerSet from its own kustomization, ready when its webhook answers."""
        name, _, tag = images.LWS_IMAGE.rpartition(":")
        upstream_image = "us-central1-docker.pkg.dev/k8s-staging-images/lws/lws"
        self.api.apply(self._kustomize("lws", upstream_image=upstream_image, image=name, tag=tag))
        self._wait_rolled_out("deployments", "lws-system", "lws-controller-manager")
        wait_until("the LeaderWorkerSet webhook did not answer", self._lws_webhook)

    def crds(self) -> None:
        """The custom resource definitions of other projects, ready when they are served."""
        self.api.apply("\n---\n".join(path.read_text() for path in crds.files()))
        wait_until("custom resource definitions were not served", self._all_established)

    def _helm(self, *arguments: str | Path) -> None:
        home = self.layout.state / "helm"
        environment = {**os.environ, "HELM_CACHE_HOME": str(home), "HELM_CONFIG_HOME": str(home)}
        environment["HELM_DATA_HOME"] = str(home)
        run(path_of("helm"), f"--kubeconfig={self.layout.kubeconfig}", *arguments, env=environment)

    def _kustomize(self, part: str, **values: str) -> str:
        """Return the manifests of ``<part>-kustomization.yaml`` over the part's own folder."""
        folder = self.layout.state / "kustomize" / part
        folder.mkdir(parents=True, exist_ok=True)
        upstream = os.path.relpath(self.sources[part] / "config/default", folder)
        overlay = render(f"{part}-kustomization.yaml", upstream=upstream, **values)
        (folder / "kustomization.yaml").write_text(overlay)
        return self.api.kubectl("kustomize", folder)

    def _ensure_namespace(self, name: str) -> None:
        self.api.apply(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}")

    def _wait_rolled_out(self, kind: str, namespace: str, name: str) -> None:
        wait_until(f"{name} was not ready", lambda: self.api.rolled_out(kind, namespace, name))

    def _wait_established(self, crd: str) -> None:
        wait_until(
            f"{crd} was not served", lambda: self.api.condition(f"{_DEFINITIONS}/{crd}", "Established")
        )

    def _all_established(self) -> str:
        """Look at every definition there is; ``kubectl wait`` gives up at one that has no status yet."""
        found = self.api.get(_DEFINITIONS)
        if found is None:
            return "they cannot be listed"
        for one in found["items"]:
            conditions = (one.get("status") or {}).get("conditions") or []
            if not any((each["type"], each["status"]) == ("Established", "True") for each in conditions):
                return f"{one['metadata']['name']} is not there yet"
        return ""

    def _wait_available(self, apiservice: str) -> None:
        path = f"{_APISERVICES}/{apiservice}"
        wait_until(f"{apiservice} was not available", lambda: self.api.condition(path, "Available"))

    def _first_sample(self) -> str:
        found = self.api.get(f"{_PROMETHEUS}/api/v1/query?query=prometheus_http_requests_total")
        return "" if found and found["data"]["result"] else "no sample of its own yet"

    def _lists_metrics(self) -> str:
        found = self.api.get(CUSTOM_METRICS)
        if found is None:
            return self.api.answers(CUSTOM_METRICS) or "it changed while we looked"
        return "" if len(found["resources"]) >= 2 else f"{len(found['resources'])} metrics are listed"

    def _keda_webhook(self) -> str:
        """Send what only the webhook refuses; an unreachable one lets everything pass."""
        body = {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": "a-name-longer-than-a-label-" * 3 + "x"},
            "spec": {"scaleTargetRef": {"name": "probe"}, "triggers": [{"type": "cron", "metadata": {}}]},
        }
        path = "/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects?dryRun=All"
        status, answer = self.api.request("POST", path, body)
        return "" if b"admission webhook" in answer else f"POST {path}: {status}"

    def _lws_webhook(self) -> str:
        """Send a good object; while the webhook cannot be reached everything is refused."""
        pod = {"spec": {"containers": [{"name": "probe", "image": "probe"}]}}
        body = {
            "apiVersion": "leaderworkerset.x-k8s.io/v1",
            "kind": "LeaderWorkerSet",
            "metadata": {"name": "probe"},
            "spec": {"leaderWorkerTemplate": {"size": 2, "workerTemplate": pod}},
        }
        path = "/apis/leaderworkerset.x-k8s.io/v1/namespaces/default/leaderworkersets?dryRun=All"
        status, answer = self.api.request("POST", path, body)
        return "" if status == 201 else f"POST {path}: {status} {answer.decode(errors='replace')[:200]}"


def _resolves(name: str) -> str:
    """Ask the cluster's DNS for an address, with a plain query packet."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    identity = secrets.token_bytes(2)
    packet = identity + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question + b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        try:
            client.sendto(packet, (DNS_SERVICE_IP, 53))
            answer = client.recv(512)
        except OSError as problem:
            return f"{name}: {problem}"
    answers = int.from_bytes(answer[6:8], "big")
    return "" if answer[:2] == identity and answers else f"{name}: no address"
