"""The API server as the layers below `cli` and `plan` see it: plain dicts in, plain dicts out.

`kube.Cluster` is the one implementation; it is handed in. Everything here is data and protocols, so
that a layer can be read (and fed with recorded facts) without a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Protocol

from kubectl_llmhpa.errors import ApiError, LlmHpaError

Json = dict[str, Any]

#: The field manager of every write, and the value of `app.kubernetes.io/managed-by`.
MANAGER = "kubectl-llm-hpa"
MANAGED_BY = "app.kubernetes.io/managed-by"
#: `Kind.name` of the workload that an object of ours serves.
WORKLOAD_LABEL = "kubectl-llm-hpa/workload"
VERSION_ANNOTATION = "kubectl-llm-hpa/version"
PLAN_HASH_ANNOTATION = "kubectl-llm-hpa/plan-hash"
#: The API server puts its name on every namespace under it; nobody can give a namespace another one.
NAMESPACE_NAME = "kubernetes.io/metadata.name"
#: What `kubectl apply` keeps of an object, in full.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
#: The controller acts only on a ratio beyond 1 +- 0.1 (`--horizontal-pod-autoscaler-tolerance` of the controller
#: manager; an HPA's own is in its spec from 1.35 on).
TOLERANCE = "0.1"
#: The longest stabilization window that autoscaling/v2 takes, in seconds.
LONGEST_WINDOW = 3600


class Resource(NamedTuple):
    """One REST resource: group and version, plural, kind."""

    api_version: str
    plural: str
    kind: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of an object's subresource."""
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        where = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        which = f"/{name}" if name else ""
        below = f"/{subresource}" if subresource else ""
        return f"{root}{where}/{self.plural}{which}{below}"

    @property
    def group(self) -> str:
        return self.api_version.partition("/")[0] if "/" in self.api_version else ""

    @property
    def full_name(self) -> str:
        """`horizontalpodautoscaler.autoscaling`, as kubectl prints a kind in success lines."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()


CONFIG_MAPS = Resource("v1", "configmaps", "ConfigMap")
PODS = Resource("v1", "pods", "Pod")
SERVICES = Resource("v1", "services", "Service")
EVENTS = Resource("v1", "events", "Event")
NAMESPACES = Resource("v1", "namespaces", "Namespace", namespaced=False)
NODES = Resource("v1", "nodes", "Node", namespaced=False)
RESOURCE_QUOTAS = Resource("v1", "resourcequotas", "ResourceQuota")
DEPLOYMENTS = Resource("apps/v1", "deployments", "Deployment")
STATEFUL_SETS = Resource("apps/v1", "statefulsets", "StatefulSet")
REPLICA_SETS = Resource("apps/v1", "replicasets", "ReplicaSet")
JOBS = Resource("batch/v1", "jobs", "Job")
HPAS = Resource("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
POD_MONITORS = Resource("monitoring.coreos.com/v1", "podmonitors", "PodMonitor")
PROMETHEUSES = Resource("monitoring.coreos.com/v1", "prometheuses", "Prometheus")
PROMETHEUS_AGENTS = Resource("monitoring.coreos.com/v1alpha1", "prometheusagents", "PrometheusAgent")
GOOGLE_POD_MONITORINGS = Resource("monitoring.googleapis.com/v1", "podmonitorings", "PodMonitoring")
VM_POD_SCRAPES = Resource("operator.victoriametrics.com/v1beta1", "vmpodscrapes", "VMPodScrape")
VM_AGENTS = Resource("operator.victoriametrics.com/v1beta1", "vmagents", "VMAgent")
VM_SINGLES = Resource("operator.victoriametrics.com/v1beta1", "vmsingles", "VMSingle")
AZURE_POD_MONITORS = Resource("azmonitoring.coreos.com/v1", "podmonitors", "PodMonitor")
SCALED_OBJECTS = Resource("keda.sh/v1alpha1", "scaledobjects", "ScaledObject")
HTTP_SCALED_OBJECTS = Resource("http.keda.sh/v1alpha1", "httpscaledobjects", "HTTPScaledObject")
TRIGGER_AUTHENTICATIONS = Resource("keda.sh/v1alpha1", "triggerauthentications", "TriggerAuthentication")
NETWORK_POLICIES = Resource("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy")
API_SERVICES = Resource("apiregistration.k8s.io/v1", "apiservices", "APIService", namespaced=False)


#: `("sts/x",)`, `("sts", "x")` or `"sts/x"`: an object as it is named on a command line.
Words = tuple[str, ...] | str


def type_and_name(words: Words) -> tuple[str, str]:
    """The type and the name that the words stand for. Raises LlmHpaError for anything but TYPE/NAME or TYPE NAME."""
    given = (words,) if isinstance(words, str) else words
    parts = tuple(given[0].split("/")) if len(given) == 1 else given
    problem = ""
    if len(parts) != 2 or not all(parts) or any("/" in part for part in parts):
        problem = "it is not TYPE/NAME"
    elif not may_be_name(parts[1]):
        problem = f"no object can have the name {parts[1]!r}"
    if problem:
        raise LlmHpaError(f"read the workload {' '.join(given)!r}", problem, "write for example sts/vllm")
    return parts[0], parts[1]


def may_be_name(text: str) -> bool:
    """Whether an object may be called so, as far as its letters tell: none that means something else in a path."""
    return (
        text.isascii() and text not in (".", "..") and all(char.isalnum() or char in "-._:" for char in text)
    )


def scaler_named(word: str) -> Resource | None:
    """HPAs or ScaledObjects, where kubectl takes the word for them (`hpa`, `scaledobjects.keda.sh`); else None."""
    name, _, _ = word.lower().partition(".")
    if name in ("hpa", "hpas", "horizontalpodautoscaler", HPAS.plural):
        return HPAS
    return SCALED_OBJECTS if name in ("so", "scaledobject", SCALED_OBJECTS.plural) else None


def place(obj: Mapping[str, Any]) -> tuple[str, str]:
    """Namespace and name of an object, empty where it has none."""
    metadata = obj.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def events_path(namespace: str | None, kind: str = "", *, name: str = "", reason: str = "") -> str:
    """The URL path of core/v1 events: those about objects of a kind, or one of them, and those of one reason."""
    asked = {"involvedObject.kind": kind, "involvedObject.name": name, "reason": reason}
    selector = "%2C".join(f"{field}%3D{value}" for field, value in asked.items() if value)
    return f"{EVENTS.path(namespace)}?fieldSelector={selector}"


def moment(text: object) -> datetime | None:
    """An RFC 3339 time of the API, with its time zone; None for anything else."""
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


class WatchEvent(NamedTuple):
    """One change: `type` is ADDED, MODIFIED or DELETED, `object` the whole object after it."""

    type: str
    object: Json


class Reader(Protocol):
    """Reads. Paths are API paths; `Resource.path` builds them; queries are appended by the caller.

    Every method raises `ApiError` (never a bare socket or HTTP exception).
    """

    @property
    def namespace(self) -> str:
        """The namespace of the command: `-n`, else the context's, else `default`."""

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        """The JSON body at `path`."""

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        """The body at `path` as text (pod logs, an engine's metrics through the pod proxy).

        `timeout` in seconds, for what may never answer; None: as long as any other read.
        """

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        """Whether the caller has this right (a SelfSubjectAccessReview).

        An empty `namespace` means all of them, an empty `name` objects of any name.
        """

    def account_may(self, account: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        """Whether a ServiceAccount (`namespace/name`) has this right in a namespace (a LocalSubjectAccessReview)."""

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """Several reads at once, in order; a failed one is its error, not an exception."""

    def watch(
        self,
        resource: Resource,
        namespace: str,
        *,
        field_selector: str = "",
        label_selector: str = "",
        timeout: float | None = None,
    ) -> Iterator[WatchEvent]:
        """The objects there are, then every change, until `timeout` seconds are over (None: for ever).

        A broken connection and an expired resource version are resumed without losing an event.
        """


class Writer(Reader, Protocol):
    """Writes, all under the field manager `MANAGER`. `dry_run` asks the server without storing."""

    def create(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        """POST; `ApiError.conflict` when it exists already."""

    def apply(self, obj: Mapping[str, Any], *, force: bool = False, dry_run: bool = False) -> Json:
        """Server-side apply; `ApiError.conflict` names fields of other managers unless `force`."""

    def replace(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        """PUT with the object's own resourceVersion as optimistic lock; `ApiError.conflict` when stale."""

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        version: str = "",
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """DELETE, with `uid` and resourceVersion `version` as preconditions when given.

        False when there was nothing to delete; `ApiError.conflict` when a precondition does not hold.
        """

    def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """POST JSON to a path that stores nothing (a completion through the pod proxy)."""
