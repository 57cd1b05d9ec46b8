"""NetworkPolicies between KEDA and Prometheus.

A pod that no policy selects for ingress takes everything; one that is selected takes what any of those policies
allows, and nothing else (networking.k8s.io/v1, NetworkPolicySpec). kube-prometheus' policy admits Prometheus' own
clients to port 9090 and not KEDA. Whether policies are enforced is up to the cluster's network, so this is a warning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from kubectl_llmhpa.api import NAMESPACE_NAME, Json
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.monitoring import selectors
from kubectl_llmhpa.monitoring.address import CONTAINER_PORT
from kubectl_llmhpa.monitoring.prometheus_operator import Selection

#: Labels that name a program, the first of which a rule selects by.
_NAMING = ("app.kubernetes.io/name", "app", "name")


class Caller(Protocol):
    """Who asks Prometheus: `backends.keda.Keda`."""

    @property
    def namespace(self) -> str:
        """Where its pods are."""

    @property
    def namespace_labels(self) -> Mapping[str, str]:
        """The labels of that namespace."""

    @property
    def operator_labels(self) -> Mapping[str, str]:
        """The labels of its pods, empty where they are not known."""


def blocking(policies: Sequence[Json], prometheus: Selection, keda: Caller) -> tuple[Finding, ...]:
    """`keda-blocked` when the policies of Prometheus' namespace admit others, and not KEDA's operator."""
    if not keda.operator_labels:
        return ()
    selecting = [one for one in policies if _selects(one, prometheus)]
    if not selecting or any(_admits(one, prometheus, keda) for one in selecting):
        return ()
    names = ", ".join(one["metadata"]["name"] for one in selecting)
    rule = json.dumps(_rule(keda), separators=(",", ":"))
    fix = f"kubectl -n {prometheus.namespace} patch networkpolicy {selecting[0]['metadata']['name']} --type=json -p"
    where, value = (
        ("/spec/ingress/-", rule) if selecting[0]["spec"].get("ingress") else ("/spec/ingress", f"[{rule}]")
    )
    patch = f'[{{"op":"add","path":"{where}","value":{value}}}]'
    return (
        found(
            "keda-blocked",
            f"NetworkPolicy/{names}",
            f"it admits no pod of namespace {keda.namespace} to Prometheus {prometheus.reference}",
            command=f"{fix} '{patch}'",
        ),
    )


def _selects(policy: Json, prometheus: Selection) -> bool:
    spec = policy["spec"]
    ingress = "Ingress" in (spec.get("policyTypes") or ["Ingress"])
    here = policy["metadata"]["namespace"] == prometheus.namespace
    return here and ingress and selectors.matches(spec.get("podSelector") or {}, prometheus.pod_labels)


def _admits(policy: Json, prometheus: Selection, keda: Caller) -> bool:
    return any(
        _to_port(rule.get("ports") or []) and _from(rule.get("from") or [], prometheus.namespace, keda)
        for rule in policy["spec"].get("ingress") or []
    )


def _to_port(ports: Sequence[Json]) -> bool:
    """Whether a rule is about Prometheus' port; one that is named is taken for it, since only that one is open."""
    return not ports or any(one.get("protocol", "TCP") == "TCP" and _is_ours(one) for one in ports)


def _is_ours(port: Json) -> bool:
    number = port.get("port")
    if not isinstance(number, int):
        return True
    return number <= CONTAINER_PORT <= int(port.get("endPort", number))


def _from(peers: Sequence[Json], namespace: str, keda: Caller) -> bool:
    if not peers:
        return True
    for one in peers:
        if "ipBlock" in one:
            return True  # it may hold the pods' addresses: nothing here tells
        if "namespaceSelector" in one:
            there = selectors.matches(one["namespaceSelector"], keda.namespace_labels)
        else:
            there = namespace == keda.namespace
        if there and selectors.matches(one.get("podSelector") or {}, keda.operator_labels):
            return True
    return False


def _rule(keda: Caller) -> Json:
    """The ingress rule that lets KEDA's operator ask."""
    label = next((one for one in _NAMING if one in keda.operator_labels), "")
    pods = {label: keda.operator_labels[label]} if label else dict(keda.operator_labels)
    return {
        "from": [
            {
                "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: keda.namespace}},
                "podSelector": {"matchLabels": pods},
            }
        ],
        "ports": [{"port": CONTAINER_PORT, "protocol": "TCP"}],
    }
