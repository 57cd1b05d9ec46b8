"""Whether KEDA's External metrics reach the HPA, from the objects of an installation."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends.keda import Keda, judge
from kubectl_llmhpa.backends.providers import of_group

NAMESPACE = {"app.kubernetes.io/name": "keda"}
SERVICE: Json = {"spec": {"selector": {"app": "keda-operator-metrics-apiserver"}}}
STACKDRIVER = "gcr.io/gke-release/custom-metrics-stackdriver-adapter:v0.16.9"


def deployment(
    name: str, image: str, *, ready: int = 1, command: str = "/keda", labels: Json | None = None
) -> Json:
    return {
        "metadata": {"name": name, "namespace": "keda", "labels": labels or {}},
        "spec": {"template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": image, "command": [command]}]},
        }},
        "status": {"readyReplicas": ready} if ready else {},
    }  # fmt: skip


def installed(**changed: Any) -> list[Json]:
    """As the Helm chart names them."""
    parts: dict[str, Json] = {
        "operator": deployment("keda-operator", "ghcr.io/kedacore/keda:2.21.0"),
        "metrics": deployment(
            "keda-operator-metrics-apiserver", "ghcr.io/kedacore/keda-metrics-apiserver:2.21.0"
        ),
        "webhook": deployment("keda-admission-webhooks", "ghcr.io/kedacore/keda-admission-webhooks:2.21.0"),
        **changed,
    }
    return [one for one in parts.values() if one]


def api_service(version: str = "v1beta1", *, available: bool = True, **service: str) -> Json:
    return {
        "metadata": {"name": f"{version}.external.metrics.k8s.io"},
        "spec": {
            "group": "external.metrics.k8s.io", "version": version,
            "service": {"namespace": "keda", "name": "keda-operator-metrics-apiserver", **service},
        },
        "status": {"conditions": [
            {"type": "Available", "status": "True" if available else "False", "message": "no endpoints"}
        ]},
    }  # fmt: skip


def look(deployments: list[Json] | None, service: Json | None = SERVICE, **api: Any) -> Keda:
    (provider,) = of_group([api_service(**api)], "external.metrics.k8s.io")
    return judge(provider, service, deployments, NAMESPACE)


def test_a_whole_installation_works() -> None:
    found = look(installed())
    assert (found.namespace, found.version, found.problem, found.webhook) == ("keda", "2.21.0", "", True)
    assert found.operator_labels == {"app": "keda-operator"}
    assert found.namespace_labels == {"kubernetes.io/metadata.name": "keda", **NAMESPACE}


@pytest.mark.parametrize(
    ("image", "labels", "version"),
    [
        (
            "ghcr.io/kedacore/keda-metrics-apiserver@sha256:1",
            {"app.kubernetes.io/version": "2.20.1"},
            "2.20.1",
        ),
        ("mcr.microsoft.com/oss/kedacore/keda-metrics-apiserver:v2.17.2@sha256:1", {}, "2.17.2"),
        ("registry:5000/keda-metrics-apiserver", {"app.kubernetes.io/version": "latest"}, ""),
    ],
)
def test_its_version_is_that_of_a_label_or_a_tag(image: str, labels: Json, version: str) -> None:
    metrics = deployment("keda-operator-metrics-apiserver", image, labels=labels)
    assert look(installed(metrics=metrics)).version == version


def test_a_vendors_build_is_told_by_its_deployment() -> None:
    image = "registry.redhat.io/custom-metrics-autoscaler/custom-metrics-autoscaler-adapter-rhel9@sha256:1"
    metrics = deployment("keda-operator-metrics-apiserver", image, command="/usr/bin/adapter")
    assert look(installed(metrics=metrics)).problem == ""


@pytest.mark.parametrize(
    ("deployments", "api", "said"),
    [
        (installed(operator=deployment("keda-operator", "ghcr.io/kedacore/keda:2.21.0", ready=0)), {},
         "its operator (deployment keda/keda-operator) has no ready pod"),
        (installed(), {"available": False},
         "APIService v1beta1.external.metrics.k8s.io is not available (no endpoints)"),
        (None, {"available": False}, "APIService v1beta1.external.metrics.k8s.io is not available (no endpoints)"),
        (installed(metrics=deployment("keda-operator-metrics-apiserver", STACKDRIVER, command="/adapter") | {
            "metadata": {"name": "stackdriver"}}), {"namespace": "gmp", "name": "adapter"},
         "leads to gmp/adapter (custom-metrics-stackdriver-adapter), which is not KEDA"),
        ([], {"namespace": "gmp", "name": "adapter"}, "leads to gmp/adapter, which is not KEDA"),
        (None, {"namespace": "gmp", "name": "adapter"}, "leads to gmp/adapter, which is not KEDA"),
    ],
)  # fmt: skip
def test_what_keeps_its_metrics_from_the_hpa(deployments: list[Json] | None, api: Json, said: str) -> None:
    assert look(deployments, **api).problem.endswith(said)


def test_without_the_right_to_look_a_service_of_its_name_is_taken_for_it() -> None:
    assert look(None).problem == ""


def test_its_webhook_is_told() -> None:
    assert not look(installed(webhook=None)).webhook
    down = deployment("keda-admission", "x/keda-admission-webhooks:1", ready=0)
    assert not look(installed(webhook=down)).webhook
