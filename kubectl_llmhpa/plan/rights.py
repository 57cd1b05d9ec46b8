"""Which rights each command needs, in one table: the roles that `rbac` prints and what is asked before the first write.

Every row says where (`WORKLOAD`: the workload's namespace, `ADAPTER`, `PROMETHEUS`, `KEDA`: theirs, `CLUSTER`: all of
them), what, for which commands, parts and backends, and whether the command needs it or only sees more with it. What
the API server asks for which request: apply is `patch`, and `create` where there is no such object yet
(k8s.io/apiserver pkg/endpoints/handlers/patch.go); `replace` is `update`.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from kubectl_llmhpa.api import DEPLOYMENTS, POD_MONITORS, STATEFUL_SETS, Json, Resource, Writer
from kubectl_llmhpa.backends.model import ACK, BACKENDS, KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring.scene import ARMS_NAMESPACE
from kubectl_llmhpa.plan import custom_metrics_api
from kubectl_llmhpa.plan.permitted import Right
from kubectl_llmhpa.plan.rule_record import RECORD
from kubectl_llmhpa.plan.wishes import PARTS, RULES, SCALER, SCRAPE

WORKLOAD, ADAPTER, PROMETHEUS, KEDAS, CLUSTER = "workload", "adapter", "prometheus", "keda", "cluster"
PLACES = (WORKLOAD, ADAPTER, PROMETHEUS, KEDAS, CLUSTER)

DETECT, ENABLE, STATUS, BENCH, MIGRATE, DISABLE = "detect", "enable", "status", "bench", "migrate", "disable"
EXPLAIN = "explain"
SIMULATE, LINT = "simulate", "lint"
COMMANDS = (DETECT, ENABLE, STATUS, EXPLAIN, LINT, BENCH, SIMULATE, MIGRATE, DISABLE)
_WRITE = (ENABLE, MIGRATE)
_UNDO = (ENABLE, MIGRATE, DISABLE)
_ADAPTERS = (PROMETHEUS_ADAPTER, ACK)

#: A row that no command needs, but some see more with; every other word in its place is the flag that needs the row.
OPTIONAL = "optional"

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
_AT_ONCE = 8


@dataclass(frozen=True)
class Row:
    """One kind of object in one place, with the verbs that some commands need on it."""

    place: str
    what: str
    """`pods/proxy`, `deployments.apps`; a word in capitals stands for something of the `Scene`."""
    verbs: str
    commands: tuple[str, ...]
    why: str
    parts: tuple[str, ...] = PARTS
    backends: tuple[str, ...] = BACKENDS
    need: str = ""
    """Empty: needed. OPTIONAL, or the flag that needs it."""
    named: str = ""
    """The one object that it is about, by its word in the `Scene`; empty: objects of any name."""
    served: bool = False
    """Only where its API group is served."""


_MONITOR = "SCRAPE"
_TYPE = "TYPE"
_METRICS = "METRICS"
_EVIDENCE = "better evidence than command lines: the engine's own page"
_FINDING = "whether Prometheus has samples"

ROWS = (
    Row(WORKLOAD, _TYPE, "get", (DETECT, ENABLE, BENCH, SIMULATE, MIGRATE), "the workload and what owns it"),
    Row(WORKLOAD, f"{_TYPE}/scale", "get", (DETECT, ENABLE, BENCH, SIMULATE, MIGRATE),
        "its replicas and its pods' selector"),
    Row(WORKLOAD, _TYPE, "get", (STATUS, EXPLAIN, LINT, DISABLE), "a workload named by its group", need=OPTIONAL),
    Row(WORKLOAD, "replicasets.apps", "get", (DETECT,), "from a pod to its Deployment"),
    Row(WORKLOAD, "replicasets.apps", "get", (ENABLE, DISABLE), "from a pod to its Deployment", need="--selector"),
    Row(WORKLOAD, "pods", "list", (DETECT, ENABLE, BENCH, SIMULATE, MIGRATE), "the engine's pods"),
    Row(WORKLOAD, "pods", "list", (DISABLE,), "workloads by their pods", need="--selector"),
    Row(WORKLOAD, "pods/proxy", "get", (DETECT, ENABLE, BENCH, SIMULATE, MIGRATE), _EVIDENCE, need=OPTIONAL),
    Row(WORKLOAD, "pods/proxy", "create", (ENABLE,), "one token's worth of work", need="--warm"),
    Row(WORKLOAD, "namespaces", "get", _WRITE, "labels by which a Prometheus selects namespaces", need=OPTIONAL),
    Row(WORKLOAD, "resourcequotas", "list", _WRITE, "whether --max fits", need=OPTIONAL),
    Row(WORKLOAD, f"{_TYPE}/scale", "get", (EXPLAIN,), "its replicas and its pods' selector"),
    Row(WORKLOAD, "pods", "list", (EXPLAIN,), "the pods that count"),
    Row(WORKLOAD, "events", "list", (EXPLAIN,), "past rescales, which policies count", need=OPTIONAL),
    Row(WORKLOAD, "scaledobjects.keda.sh", "get", (EXPLAIN,), "what KEDA measures", need=OPTIONAL),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "get list", (EXPLAIN,), "the HPA"),
    Row(WORKLOAD, _METRICS, "get", (EXPLAIN,), "the values that the HPA reads", backends=_ADAPTERS),
    Row(WORKLOAD, "*.external.metrics.k8s.io", "get", (EXPLAIN,), "the values that the HPA reads", backends=(KEDA,)),
    *(
        Row(WORKLOAD, what, "list", (LINT,), "what is judged with the autoscalers", need=OPTIONAL)
        for what in ("deployments.apps", "statefulsets.apps", "resourcequotas", "podmonitors.monitoring.coreos.com",
                     "servicemonitors.monitoring.coreos.com")
    ),
    # what scales
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "list", (*_WRITE, STATUS, LINT, BENCH, SIMULATE),
        "what scales it"),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "list", (DETECT,), "what scales it", need=OPTIONAL),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "watch", (STATUS,), "every change", need="--watch"),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "watch", (BENCH,), "every change", need=OPTIONAL),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "get update", _UNDO, "the HPA, and giving one back",
        (SCALER,)),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "create patch delete", (ENABLE,), "the HPA", (SCALER,),
        _ADAPTERS),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "create patch", (MIGRATE,), "the HPA", (SCALER,)),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "delete", (DISABLE,), "the HPA", (SCALER,), _ADAPTERS),
    Row(WORKLOAD, "scaledobjects.keda.sh", "list", _WRITE, "what scales it"),
    Row(WORKLOAD, "scaledobjects.keda.sh", "list", (STATUS, LINT, SIMULATE), "what KEDA scales", need=OPTIONAL),
    Row(WORKLOAD, "scaledobjects.keda.sh", "get create patch update delete", _WRITE, "the ScaledObject", (SCALER,),
        (KEDA,)),
    Row(WORKLOAD, "scaledobjects.keda.sh", "get delete", (DISABLE,), "the ScaledObject", (SCALER,), (KEDA,)),
    Row(WORKLOAD, "triggerauthentications.keda.sh", "get create patch update delete", _WRITE, "KEDA's login",
        (SCALER,), (KEDA,), "--prometheus-token-secret"),
    Row(WORKLOAD, "triggerauthentications.keda.sh", "get delete", (DISABLE,), "KEDA's login", (SCALER,), (KEDA,),
        "--prometheus-token-secret"),
    *(
        Row(WORKLOAD, what, "list", (ENABLE,), "what holds requests at --min 0", (SCALER,), (KEDA,), OPTIONAL,
            served=True)
        for what in ("inferencepools.inference.networking.k8s.io", "inferencepools.inference.networking.x-k8s.io",
                     "httpscaledobjects.http.keda.sh")
    ),
    # who scrapes
    Row(WORKLOAD, "podmonitors.monitoring.coreos.com", "list", _WRITE, "what scrapes it"),
    Row(WORKLOAD, _MONITOR, "get create patch update delete", _WRITE, "the scrape object", (SCRAPE,)),
    Row(WORKLOAD, _MONITOR, "get delete", (DISABLE,), "the scrape object", (SCRAPE,)),
    Row(CLUSTER, "prometheuses.monitoring.coreos.com", "list", _WRITE, "which Prometheus selects it"),
    Row(CLUSTER, "prometheuses.monitoring.coreos.com", "list", (DETECT, STATUS, LINT), "whom to ask", need=OPTIONAL),
    *(
        Row(CLUSTER, what, "list", _WRITE, "who else scrapes", need=OPTIONAL, served=True)
        for what in ("prometheusagents.monitoring.coreos.com", "vmagents.operator.victoriametrics.com",
                     "vmsingles.operator.victoriametrics.com")
    ),
    *(
        Row(WORKLOAD, what, "list", _WRITE, "what else scrapes it", need=OPTIONAL, served=True)
        for what in ("podmonitorings.monitoring.googleapis.com", "vmpodscrapes.operator.victoriametrics.com",
                     "podmonitors.azmonitoring.coreos.com")
    ),
    Row(WORKLOAD, "vmpodscrapes.operator.victoriametrics.com", "get delete", (DISABLE,),
        "the copy that VictoriaMetrics' operator made", (SCRAPE,), need=OPTIONAL, served=True),
    Row(CLUSTER, "namespaces", "get", _WRITE, "whether ARMS scrapes", need=OPTIONAL, named="arms"),
    Row(CLUSTER, "deployments.apps", "list", _WRITE, "which namespaces Prometheus' operator looks after",
        need=OPTIONAL),
    Row(PROMETHEUS, "services/proxy", "get", (DETECT, *_UNDO), _FINDING, need=OPTIONAL, named="server"),
    Row(PROMETHEUS, "services", "list", _WRITE, "the address that KEDA asks", backends=(KEDA,)),
    Row(PROMETHEUS, "networkpolicies.networking.k8s.io", "list", _WRITE, "what keeps KEDA out",
        backends=(KEDA,), need=OPTIONAL),
    Row(KEDAS, "services", "get", _WRITE, "KEDA behind its APIService", backends=(KEDA,)),
    Row(KEDAS, "deployments.apps", "list", _WRITE, "KEDA behind its Service", backends=(KEDA,)),
    Row(KEDAS, "namespaces", "get", _WRITE, "what keeps KEDA out", backends=(KEDA,), need=OPTIONAL),
    Row(KEDAS, "services", "get", (STATUS,), "whether KEDA runs", backends=(KEDA,), need=OPTIONAL),
    Row(KEDAS, "deployments.apps", "list", (STATUS,), "whether KEDA runs", backends=(KEDA,), need=OPTIONAL),
    Row(KEDAS, "namespaces", "get", (STATUS,), "whether KEDA runs", backends=(KEDA,), need=OPTIONAL),
    Row(WORKLOAD, "localsubjectaccessreviews.authorization.k8s.io", "create", _WRITE,
        "whether Prometheus may see the pods", (SCRAPE,), need=OPTIONAL),
    # the journal
    Row(WORKLOAD, "configmaps", "get create patch delete", (ENABLE,), "the journal: what may have been made"),
    Row(WORKLOAD, "configmaps", "get patch", (MIGRATE,), "the journal: what may have been made"),
    Row(WORKLOAD, "configmaps", "get delete", (DISABLE,), "the journal: what may have been made"),
    Row(WORKLOAD, "configmaps", "patch", (DISABLE,), "the journal: it is on its way out", (RULES,), _ADAPTERS),
    # who serves the number
    Row(CLUSTER, "apiservices.apiregistration.k8s.io", "list", _UNDO, "who serves custom metrics"),
    Row(CLUSTER, "apiservices.apiregistration.k8s.io", "list", (DETECT, STATUS), "whom to ask besides", need=OPTIONAL),
    Row(ADAPTER, "services", "get", _WRITE, "the adapter behind its APIService", backends=_ADAPTERS),
    Row(ADAPTER, "deployments.apps", "list", _WRITE, "the adapter behind its Service", backends=_ADAPTERS),
    # whatever serves the workload now, an earlier backend may have left something: disable looks
    Row(ADAPTER, "services", "get", (DISABLE,), "the adapter behind its APIService"),
    Row(ADAPTER, "deployments.apps", "list", (DISABLE,), "the adapter behind its Service"),
    Row(ADAPTER, "configmaps", "get", (DISABLE,), "whether rules of ours are left"),
    Row(CLUSTER, "horizontalpodautoscalers.autoscaling", "list", (DISABLE,), "who else uses rules of ours"),
    Row(CLUSTER, "apiservices.apiregistration.k8s.io", "get", (DISABLE,), "whether an APIService of ours is left",
        backends=_ADAPTERS, named="api"),
    Row(ADAPTER, "services", "get", (DETECT, STATUS), "whom to ask besides", need=OPTIONAL),
    Row(ADAPTER, "deployments.apps", "list", (DETECT, STATUS), "whom to ask besides", need=OPTIONAL),
    Row(ADAPTER, "configmaps", "get", (STATUS,), "rules that its file has lost", need=OPTIONAL),
    Row(ADAPTER, "configmaps", "get", _WRITE, "rules that are there", (SCRAPE, SCALER), _ADAPTERS, OPTIONAL),
    Row(ADAPTER, "configmaps", "get", _WRITE, "the adapter's file, and our record of it", (RULES,), _ADAPTERS),
    Row(ADAPTER, "configmaps", "update", _UNDO, "the adapter's file", (RULES,), _ADAPTERS, named="file"),
    Row(ADAPTER, "configmaps", "create", _WRITE, "our record of the adapter's file", (RULES,), _ADAPTERS),
    Row(ADAPTER, "configmaps", "update delete", _UNDO, "our record of the adapter's file", (RULES,), _ADAPTERS,
        named="record"),
    Row(ADAPTER, "deployments.apps", "get patch", _UNDO, "the adapter's restart", (RULES,), _ADAPTERS,
        named="deployment"),
    Row(ADAPTER, "pods", "list", _UNDO, "whether it has read its file anew", (RULES,), _ADAPTERS, "--helm"),
    Row(WORKLOAD, _METRICS, "get", _WRITE, "the values that the HPA reads", (SCALER,), _ADAPTERS),
    Row(WORKLOAD, _METRICS, "get", (DETECT,), "values, where the engine cannot be asked", need=OPTIONAL),
    Row(CLUSTER, "apiservices.apiregistration.k8s.io", "get create patch delete", _UNDO,
        "the custom metrics API of an adapter without one", (RULES,), _ADAPTERS, "--install-custom-metrics-api"),
    Row(CLUSTER, "horizontalpodautoscalers.autoscaling", "list", (MIGRATE,), "who else uses the rules",
        (RULES,), _ADAPTERS),
    Row(CLUSTER, "configmaps", "list", (MIGRATE, DISABLE), "whose journal names rules of ours (without it they stay)",
        (RULES,), _ADAPTERS, OPTIONAL),
    # what else is looked at
    Row(CLUSTER, "nodes", "list", _WRITE, "whether the accelerators for --max are there", need=OPTIONAL),
    Row(CLUSTER, "pods", "list", _WRITE, "whether the accelerators for --max are free", need=OPTIONAL),
    Row(WORKLOAD, "deployments.apps", "list", (STATUS,), "ready replicas", need=OPTIONAL),
    Row(WORKLOAD, "statefulsets.apps", "list", (STATUS,), "ready replicas", need=OPTIONAL),
    Row(WORKLOAD, _TYPE, "list", (STATUS,), "ready replicas", need=OPTIONAL),
    Row(WORKLOAD, "events", "list", (STATUS, BENCH), "past rescales, and why", need=OPTIONAL),
    Row(WORKLOAD, "events", "watch", (BENCH,), "rescales as they happen", need=OPTIONAL),
    Row(WORKLOAD, _TYPE, "list watch", (BENCH,), "ready replicas as they come", need=OPTIONAL),
    # the benchmark's Job
    Row(WORKLOAD, "services", "list", (BENCH,), "where the load goes"),
    Row(WORKLOAD, "jobs.batch", "get list create delete", (BENCH,), "the benchmark"),
    Row(WORKLOAD, "configmaps", "create delete", (BENCH,), "the benchmark's program"),
    Row(WORKLOAD, "pods/log", "get", (BENCH,), "the benchmark's figures"),
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What the words of the table stand for."""

    namespaces: Mapping[str, str]
    """By place; a place that is missing is left out, an empty one is every namespace."""
    types: tuple[Resource, ...] = (DEPLOYMENTS, STATEFUL_SETS)
    """What is scaled."""
    owners: tuple[Resource, ...] = ()
    """What else is read on the way there."""
    scrape: Resource = POD_MONITORS
    metric: str = "*"
    """The name of one metric, or all of them; empty: none is read."""
    groups: frozenset[str] | None = None
    """The API groups that are served; None: not known, so any may be."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`file`, `deployment` (of the adapter), `server` (Prometheus' Service as `NAME:PORT`)."""


@dataclass(frozen=True)
class Granted:
    """Rights that go together: one row as it is in a scene."""

    row: Row
    rights: tuple[Right, ...]


def select(
    scene: Scene,
    commands: Collection[str],
    parts: Collection[str] = PARTS,
    backends: Collection[str] = BACKENDS,
    flags: Collection[str] = (),
) -> Iterator[Granted]:
    """The rows that count, with their rights. `flags` are those that were given (`--warm`); optional rows come too."""
    assert {row.need for row in ROWS}.issuperset(flags), "a flag that no row knows would be left unasked"
    for row in ROWS:
        there = row.place == CLUSTER or row.place in scene.namespaces
        there = there and (
            not row.served or scene.groups is None or row.what.partition(".")[2] in scene.groups
        )
        concerns = set(row.commands) & set(commands) and set(row.parts) & set(parts)
        if there and concerns and set(row.backends) & set(backends) and row.need in ("", OPTIONAL, *flags):
            yield Granted(row, tuple(_rights(row, scene)))


def for_enable(
    namespace: str,
    *,
    parts: Collection[str],
    backend: str,
    adapter: Adapter | None = None,
    scrape: Resource = POD_MONITORS,
    metric: str = "",
    flags: Collection[str] = (),
) -> tuple[Right, ...]:
    """What `enable` needs for its writes, to take them back, and to read what it waits for.

    `parts` are those that are to be written, `scrape` the kind of the scrape object, `metric` the one whose value is
    waited for (empty: none). What was read before anything is planned is not asked for again.
    """
    scene = _around(namespace, adapter, scrape, metric)
    found = select(replace(scene, types=()), (ENABLE,), parts, (backend,), flags)
    return _needed(one for one in found if one.row.place != CLUSTER or one.row.need)


def for_disable(
    namespace: str,
    *,
    parts: Collection[str],
    backend: str,
    adapter: Adapter | None = None,
    scrape: Resource = POD_MONITORS,
    flags: Collection[str] = (),
) -> tuple[Right, ...]:
    """What `disable` needs; `parts` are those that are there."""
    return _needed(select(_around(namespace, adapter, scrape, ""), (DISABLE,), parts, (backend,), flags))


def require(writer: Writer, needed: Iterable[Right], attempted: str, remedy: str) -> None:
    """Nothing when the caller has all the rights.

    `attempted` is the head of the sentence, `remedy` the command that prints the roles. Raises LlmHpaError which names
    what is missing.
    """
    lacking = missing(writer, needed)
    if lacking:
        raise LlmHpaError(
            attempted,
            f"you may not {' or '.join(sentence(lacking))}",
            f"an administrator grants it by: {remedy}",
        )


def missing(writer: Writer, needed: Iterable[Right]) -> tuple[Right, ...]:
    """The rights that the caller does not have.

    One SelfSubjectRulesReview for each namespace says most of it; what is not in there is asked for by itself
    (SelfSubjectAccessReview), since authorizers other than RBAC have no rules to show. Rules say nothing of the whole
    cluster, so rights on it are always asked for. Writes nothing. Raises ApiError when the server does not answer.
    """
    wanted = list(dict.fromkeys(needed))
    rules = {one: _rules(writer, one) for one in dict.fromkeys(each.namespace for each in wanted) if one}
    open_ones = [one for one in wanted if not (one.namespace and granted(rules[one.namespace], one))]
    if not open_ones:
        return ()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="rights") as pool:
        answers = pool.map(lambda one: _may(writer, one), open_ones)
        return tuple(one for one, allowed in zip(open_ones, answers, strict=True) if not allowed)


def granted(rules: Sequence[Json], right: Right) -> bool:
    """Whether one of the rules grants a right (k8s.io/kubernetes pkg/apis/rbac/v1/evaluation_helpers.go)."""
    resource = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
    anywhere = {"*", resource, f"*/{right.subresource}" if right.subresource else "*"}
    for rule in rules:
        names = rule.get("resourceNames") or ()
        if (
            {"*", right.verb} & set(rule.get("verbs") or ())
            and {"*", right.group} & set(rule.get("apiGroups") or ())
            and anywhere & set(rule.get("resources") or ())
            and (not names or right.name in names)
        ):
            return True
    return False


def sentence(rights: Iterable[Right]) -> list[str]:
    """Rights in words, those that differ in the verb only together: `create and patch pods in namespace "x"`."""
    verbs: dict[Right, list[str]] = {}
    for one in rights:
        verbs.setdefault(replace(one, verb=""), []).append(one.verb)
    return [" and ".join(words) + str(one) for one, words in verbs.items()]


def _around(namespace: str, adapter: Adapter | None, scrape: Resource, metric: str) -> Scene:
    if adapter is None:
        return Scene({WORKLOAD: namespace}, scrape=scrape, metric=metric)
    names = {"file": (adapter.config_map,), "deployment": (adapter.name,)}
    return Scene({WORKLOAD: namespace, ADAPTER: adapter.namespace}, scrape=scrape, metric=metric, names=names)


def _needed(found: Iterable[Granted]) -> tuple[Right, ...]:
    return tuple(dict.fromkeys(right for one in found if one.row.need != OPTIONAL for right in one.rights))


def _rights(row: Row, scene: Scene) -> Iterator[Right]:
    names = {
        "record": (RECORD,),
        "arms": (ARMS_NAMESPACE,),
        "api": (custom_metrics_api.NAME,),
        **scene.names,
    }.get(row.named, (row.named.upper(),))
    for verb, (group, resource, below), name in itertools.product(
        row.verbs.split(), _objects(row.what, scene), names
    ):
        # while an object is created or listed, the server does not know it by its name
        known = "" if verb in ("create", "list", "watch") else name
        yield Right(verb, group, resource, below, scene.namespaces.get(row.place, ""), known)


def _objects(what: str, scene: Scene) -> list[tuple[str, str, str]]:
    """A cell of the table as group, resource and subresource of each kind that it stands for."""
    if what == _METRICS:
        return [("custom.metrics.k8s.io", "pods", scene.metric)] if scene.metric else []
    kind, _, group = what.partition(".")
    resource, _, below = kind.partition("/")
    kinds = {_TYPE: (*scene.types, *(() if below else scene.owners)), _MONITOR: (scene.scrape,)}.get(resource)
    if kinds is None:
        return [(group, resource, below)]
    return [(one.group, one.plural, below) for one in kinds]


def _rules(writer: Writer, namespace: str) -> list[Json]:
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace},
    }  # fmt: skip
    try:
        found: list[Json] = (writer.post(_REVIEWS, review).get("status") or {}).get("resourceRules") or []
    except ApiError as error:
        if error.unavailable:
            raise
        return []
    return found


def _may(writer: Writer, right: Right) -> bool:
    return writer.may(right.verb, right.group, right.resource, right.subresource, right.namespace, right.name)
