"""KEDA: whether it is here, and whether its External metrics reach the HPA.

The HPA controller asks for External metrics in the version v1beta1 whatever else is registered
(k8s.io/metrics/pkg/client/external_metrics/client.go), so the one APIService of that version decides; a provider of
another version changes nothing. KEDA's metrics server has no number of its own: it asks the operator for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kubectl_llmhpa.api import DEPLOYMENTS, NAMESPACE_NAME, NAMESPACES, SCALED_OBJECTS, SERVICES, Json, Reader
from kubectl_llmhpa.backends import providers
from kubectl_llmhpa.backends.model import KEDA
from kubectl_llmhpa.backends.providers import Provider
from kubectl_llmhpa.errors import ApiError

EXTERNAL_GROUP = "external.metrics.k8s.io"
EXTERNAL_VERSION = "v1beta1"
_API_SERVICE = f"{EXTERNAL_VERSION}.{EXTERNAL_GROUP}"
#: Words in the name, image or command line of a Deployment that tell its part.
_OPERATOR = "keda-operator"
_WEBHOOK = "keda-admission"
_VERSION_LABEL = "app.kubernetes.io/version"
_VERSION = re.compile(r"v?([0-9]+\.[0-9][\w.+-]*)")


@dataclass(frozen=True)
class Keda:
    """A KEDA that is installed.

    `problem` says why its metrics do not reach the HPA, in one clause; empty: they do, as far as may be looked.
    `namespace` and `version` are empty where they are not known. `webhook`: its admission webhook is up, which refuses
    a ScaledObject beside an HPA of the same workload. `operator_labels` are those of the operator's pods, which are
    the ones that ask Prometheus, and `namespace_labels` those of their namespace.
    """

    namespace: str
    version: str
    problem: str
    webhook: bool
    operator_labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)


def find(reader: Reader, api_services: Sequence[Json]) -> Keda | None:
    """KEDA, None where its kinds are not served. `api_services` are all of them, none where they may not be read.

    Raises ApiError when the API server does not answer.
    """
    if not api_services:
        return _unseen(reader)
    if not any(one["spec"].get("group") == SCALED_OBJECTS.group for one in api_services):
        return None
    found = [
        one for one in providers.of_group(api_services, EXTERNAL_GROUP) if one.version == EXTERNAL_VERSION
    ]
    if not found:
        return Keda("", "", f"there is no APIService {_API_SERVICE}, which its metrics server needs", False)
    provider = found[0]
    answers = reader.get_many(
        [
            SERVICES.path(provider.namespace, provider.service),
            DEPLOYMENTS.path(provider.namespace),
            NAMESPACES.path(name=provider.namespace),
        ]
    )
    for answer in answers:
        if isinstance(answer, ApiError) and not (answer.forbidden or answer.not_found):
            raise answer
    service, deployments, namespace = (None if isinstance(one, ApiError) else one for one in answers)
    labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    return judge(provider, service, None if deployments is None else deployments.get("items") or [], labels)


def judge(
    provider: Provider,
    service: Json | None,
    deployments: Sequence[Json] | None,
    namespace_labels: Mapping[str, str],
) -> Keda:
    """What the provider of External metrics, its Service and the Deployments beside it say; None: may not be read."""
    place = f"{provider.namespace}/{provider.service}"
    if deployments is None or service is None:
        problem = "" if "keda" in provider.service else f"{_API_SERVICE} leads to {place}, which is not KEDA"
        return Keda(provider.namespace, "", problem or _unavailable(provider), False)
    selector = service["spec"].get("selector") or {}
    behind = next(
        (one for one in deployments if selector and selector.items() <= _pod_labels(one).items()), None
    )
    if behind is None or not _is_keda(behind):
        program = providers.program(behind)[0] if behind else ""
        who = f"{place} ({program})" if program else place
        return Keda("", "", f"{_API_SERVICE} leads to {who}, which is not KEDA", False)
    operator = next((one for one in deployments if _is(one, _OPERATOR) and one is not behind), None)
    webhook = next((one for one in deployments if _is(one, _WEBHOOK)), None)
    problem = _unavailable(provider)
    if not problem and operator is not None and not _ready(operator):
        problem = (
            f"its operator (deployment {provider.namespace}/{operator['metadata']['name']}) has no ready pod"
        )
    return Keda(
        provider.namespace,
        _version(behind),
        problem,
        webhook is not None and _ready(webhook),
        _pod_labels(operator) if operator else {},
        {NAMESPACE_NAME: provider.namespace, **namespace_labels},
    )


def _unseen(reader: Reader) -> Keda | None:
    """Without the right to read APIServices: whether anything answers for External metrics, which everybody may ask."""
    try:
        reader.get(f"/apis/{SCALED_OBJECTS.api_version}")
    except ApiError as error:
        if error.not_found or error.forbidden:
            return None
        raise
    try:
        reader.get(f"/apis/{EXTERNAL_GROUP}/{EXTERNAL_VERSION}")
    except ApiError as error:
        if error.not_found or error.unavailable:
            return Keda("", "", f"nothing answers for {EXTERNAL_GROUP} ({error.message})", False)
        raise
    return Keda("", "", "", False)


def _unavailable(provider: Provider) -> str:
    return "" if provider.available else f"APIService {provider.name} is not available ({provider.message})"


def _is_keda(deployment: Json) -> bool:
    return providers.program(deployment)[0] == KEDA or _is(deployment, "keda")


def _is(deployment: Json, sign: str) -> bool:
    """By its name, or by what a container of it runs: installers of vendors rename one or the other."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    said = [str(one.get("image", "")) for one in containers]
    said += [word for one in containers for word in providers.words(one)]
    return any(sign in word for word in (deployment["metadata"]["name"], *said))


def _pod_labels(deployment: Json) -> dict[str, str]:
    return dict(deployment["spec"]["template"]["metadata"].get("labels") or {})


def _ready(deployment: Json) -> bool:
    return bool((deployment.get("status") or {}).get("readyReplicas"))


def _version(deployment: Json) -> str:
    """`2.21.0`, from its label or its image's tag; empty where neither is a version."""
    labels = deployment["metadata"].get("labels") or {}
    image = str(deployment["spec"]["template"]["spec"]["containers"][0].get("image", ""))
    for text in (str(labels.get(_VERSION_LABEL, "")), image.partition("@")[0].rpartition(":")[2]):
        if found := _VERSION.fullmatch(text):
            return found[1]
    return ""
