"""A Prometheus beside the cluster's own: another namespace, other selectors, other rights, a Service of its own."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tests.cluster.conftest import Json, Kubectl

FIRST = ("kube-prometheus-stack-prometheus", "monitoring")
NAME = "second"
#: What the PodMonitors that it selects carry, unless it is told otherwise.
LABELS = {"prometheus": NAME}
_RBAC = "rbac.authorization.k8s.io"
_READS = {
    "apiGroups": [""], "resources": ["services", "endpoints", "pods"], "verbs": ["get", "list", "watch"],
}  # fmt: skip
_SELECTORS = ("podMonitor", "serviceMonitor", "probe", "rule", "scrapeConfig")


@dataclass(frozen=True)
class Second:
    """It runs. `reference` is what `--prometheus` takes, `url` where pods reach it."""

    kubectl: Kubectl
    namespace: str

    @property
    def reference(self) -> str:
        return f"{self.namespace}/{NAME}"

    @property
    def url(self) -> str:
        return f"http://{NAME}.{self.namespace}.svc:9090"

    def query(self, expression: str) -> list[Json]:
        """The elements of an instant vector."""
        path = f"/api/v1/namespaces/{self.namespace}/services/{NAME}:9090/proxy/api/v1/query"
        answer = json.loads(self.kubectl.run("get", "--raw", f"{path}?query={quote(expression)}").stdout)
        found: list[Json] = answer["data"]["result"]
        return found


@contextlib.contextmanager
def second_prometheus(
    kubectl: Kubectl,
    namespace: str,
    *,
    monitors: Json | None = None,
    namespaces: Json | None = None,
    may_list: Sequence[str] | None = (),
) -> Iterator[Second]:
    """A Prometheus in `namespace` until the end of the block, ready when it answers.

    It selects PodMonitors and ServiceMonitors by `monitors` (a label selector; None: LABELS) in `namespaces` (a label
    selector of namespaces; None: in its own). It may list the pods of its own namespace and of those in `may_list`;
    None: of all, as kube-prometheus-stack's, where kube-prometheus' own is given namespaces one by one.
    """
    objects = [*_rights(namespace, may_list), *_server(kubectl, namespace, monitors, namespaces)]
    try:
        kubectl.apply(*objects)
        kubectl.run(
            "wait", f"prometheus/{NAME}", "-n", namespace, "--for=condition=Available", "--timeout=120s", timeout=150
        )  # fmt: skip
        _wait_reloaded(kubectl, namespace)
        yield Second(kubectl, namespace)
    finally:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects[::-1]})
        kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=listed)


def _wait_reloaded(kubectl: Kubectl, namespace: str) -> None:
    """Wait for the first reload: before that the reloader may miss a change, and looks again after 3 minutes only."""
    path = f"/api/v1/namespaces/{namespace}/pods/prometheus-{NAME}-0:8080/proxy/metrics"
    limit = time.monotonic() + 120
    while "\nreloader_last_reload_successful 1" not in kubectl.run("get", "--raw", path, check=False).stdout:
        assert time.monotonic() < limit, "the second Prometheus did not load its configuration"
        time.sleep(1)


def _rights(namespace: str, may_list: Sequence[str] | None) -> list[Json]:
    """A ServiceAccount, and its right to find targets."""
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    everywhere = f"{NAME}-{namespace}"
    result: list[Json] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": namespace}},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": everywhere},
            "rules": [_READS],
        },
    ]
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": everywhere}
    if may_list is None:
        return [*result, {
            "apiVersion": f"{_RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": everywhere},
            "roleRef": role, "subjects": [account],
        }]  # fmt: skip
    return result + [
        {
            "apiVersion": f"{_RBAC}/v1", "kind": "RoleBinding",
            "metadata": {"name": everywhere, "namespace": one}, "roleRef": role, "subjects": [account],
        }
        for one in dict.fromkeys((namespace, *may_list))
    ]  # fmt: skip


def _server(kubectl: Kubectl, namespace: str, monitors: Json | None, namespaces: Json | None) -> list[Json]:
    """The Service and the Prometheus: the cluster's own with other selectors."""
    name, home = FIRST
    spec: Json = copy.deepcopy(kubectl.get("prometheus", name, "-n", home)["spec"])
    for kind in _SELECTORS:
        spec[f"{kind}Selector"] = {"matchLabels": LABELS} if monitors is None else monitors
        spec.pop(f"{kind}NamespaceSelector", None)
        if namespaces is not None:
            spec[f"{kind}NamespaceSelector"] = namespaces
    spec |= {"serviceAccountName": NAME, "externalUrl": f"http://{NAME}.{namespace}:9090"}
    service = {
        "selector": {"app.kubernetes.io/name": "prometheus", "operator.prometheus.io/name": NAME},
        "ports": [{"name": "http-web", "port": 9090, "targetPort": "http-web"}],
    }
    meta = {"name": NAME, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
        {"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": meta, "spec": spec},
    ]
