"""The table of rights: what each command asks of the API server, and where.

Every row says where (`WORKLOAD`: the workload's namespace, `ADAPTER`, `PROMETHEUS`, `KEDA`: theirs, `CLUSTER`: all of
them), what, for which commands, parts and backends, and whether the command needs it or only sees more with it. What
the API server asks for which request: apply is `patch`, and `create` where there is no such object yet
(k8s.io/apiserver pkg/endpoints/handlers/patch.go); `replace` is `update`.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_llmhpa.backends.model import ACK, BACKENDS, KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.plan.wishes import PARTS, RULES, SCALER, SCRAPE

WORKLOAD, ADAPTER, PROMETHEUS, KEDAS, CLUSTER = "workload", "adapter", "prometheus", "keda", "cluster"
PLACES = (WORKLOAD, ADAPTER, PROMETHEUS, KEDAS, CLUSTER)

DETECT, ENABLE, STATUS, BENCH, MIGRATE, DISABLE = "detect", "enable", "status", "bench", "migrate", "disable"
EXPLAIN, DOCTOR, LINT, SIMULATE = "explain", "doctor", "lint", "simulate"
COMMANDS = (DETECT, ENABLE, STATUS, EXPLAIN, DOCTOR, LINT, BENCH, SIMULATE, MIGRATE, DISABLE)
_WRITE = (ENABLE, MIGRATE)
_UNDO = (ENABLE, MIGRATE, DISABLE)
_ADAPTERS = (PROMETHEUS_ADAPTER, ACK)

#: A row that no command needs, but some see more with; every other word in its place is the flag that needs the row.
OPTIONAL = "optional"


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


#: Words of the `Scene` in a row.
MONITOR = "SCRAPE"
TYPE = "TYPE"
METRICS = "METRICS"
_EVIDENCE = "better evidence than command lines: the engine's own page"
_FINDING = "whether Prometheus has samples"

ROWS = (
    Row(WORKLOAD, TYPE, "get", (DETECT, ENABLE, DOCTOR, BENCH, SIMULATE, MIGRATE), "the workload and what owns it"),
    Row(WORKLOAD, f"{TYPE}/scale", "get", (DETECT, ENABLE, EXPLAIN, DOCTOR, BENCH, SIMULATE, MIGRATE),
        "its replicas and its pods' selector"),
    Row(WORKLOAD, TYPE, "get", (STATUS, EXPLAIN, LINT, DISABLE), "a workload named by its group", need=OPTIONAL),
    Row(WORKLOAD, "replicasets.apps", "get", (DETECT,), "from a pod to its Deployment"),
    Row(WORKLOAD, "replicasets.apps", "get", (ENABLE, DISABLE), "from a pod to its Deployment", need="--selector"),
    Row(WORKLOAD, "pods", "list", (DETECT, ENABLE, DOCTOR, BENCH, SIMULATE, MIGRATE), "the engine's pods"),
    Row(WORKLOAD, "pods", "list", (DISABLE,), "workloads by their pods", need="--selector"),
    Row(WORKLOAD, "pods/proxy", "get", (DETECT, ENABLE, DOCTOR, BENCH, SIMULATE, MIGRATE), _EVIDENCE, need=OPTIONAL),
    Row(WORKLOAD, "pods/proxy", "create", (ENABLE,), "one token's worth of work", need="--warm"),
    Row(WORKLOAD, "namespaces", "get", (*_WRITE, DOCTOR), "labels by which a Prometheus selects namespaces",
        need=OPTIONAL),
    Row(WORKLOAD, "resourcequotas", "list", _WRITE, "whether --max fits", need=OPTIONAL),
    Row(WORKLOAD, "pods", "list", (EXPLAIN,), "the pods that count"),
    Row(WORKLOAD, "events", "list", (EXPLAIN, DOCTOR), "past rescales, which policies count", need=OPTIONAL),
    Row(WORKLOAD, "scaledobjects.keda.sh", "get", (EXPLAIN, DOCTOR, BENCH), "what KEDA measures", need=OPTIONAL),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "get list", (EXPLAIN, DOCTOR), "the HPA"),
    Row(WORKLOAD, METRICS, "get", (EXPLAIN, DOCTOR), "the values that the HPA reads", backends=_ADAPTERS),
    Row(WORKLOAD, "*.external.metrics.k8s.io", "list", (EXPLAIN, DOCTOR), "the values that the HPA reads",
        backends=(KEDA,)),
    Row(WORKLOAD, "*.external.metrics.k8s.io", "list", (ENABLE, EXPLAIN, DOCTOR), "the peak that the HPA reads",
        backends=(PROMETHEUS_ADAPTER,), need=OPTIONAL),
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
    Row(WORKLOAD, "scaledobjects.keda.sh", "list", (STATUS, DOCTOR, LINT, SIMULATE), "what KEDA scales", need=OPTIONAL),
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
    Row(WORKLOAD, "podmonitors.monitoring.coreos.com", "list", (DOCTOR,), "what scrapes it", need=OPTIONAL),
    Row(WORKLOAD, MONITOR, "get create patch update delete", _WRITE, "the scrape object", (SCRAPE,)),
    Row(WORKLOAD, MONITOR, "get delete", (DISABLE,), "the scrape object", (SCRAPE,)),
    Row(CLUSTER, "prometheuses.monitoring.coreos.com", "list", _WRITE, "which Prometheus selects it"),
    Row(CLUSTER, "prometheuses.monitoring.coreos.com", "list", (DETECT, STATUS, DOCTOR, LINT), "whom to ask",
        need=OPTIONAL),
    Row(CLUSTER, "prometheuses.monitoring.coreos.com", "list", (SIMULATE,), "whom to ask", need="--history"),
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
    Row(CLUSTER, "deployments.apps", "list", (*_WRITE, DOCTOR), "which namespaces Prometheus' operator looks after",
        need=OPTIONAL),
    Row(PROMETHEUS, "services/proxy", "get", (DETECT, DOCTOR, *_UNDO), _FINDING, need=OPTIONAL, named="server"),
    Row(PROMETHEUS, "services/proxy", "get", (SIMULATE,), "the load that it had", need="--history", named="server"),
    Row(PROMETHEUS, "services", "list", _WRITE, "the address that KEDA asks", backends=(KEDA,)),
    Row(PROMETHEUS, "services", "get list", (DOCTOR,), "the address to ask for samples", need=OPTIONAL),
    Row(PROMETHEUS, "networkpolicies.networking.k8s.io", "list", (*_WRITE, DOCTOR), "what keeps KEDA out",
        backends=(KEDA,), need=OPTIONAL),
    Row(KEDAS, "services", "get", _WRITE, "KEDA behind its APIService", backends=(KEDA,)),
    Row(KEDAS, "deployments.apps", "list", _WRITE, "KEDA behind its Service", backends=(KEDA,)),
    Row(KEDAS, "namespaces", "get", _WRITE, "what keeps KEDA out", backends=(KEDA,), need=OPTIONAL),
    Row(KEDAS, "services", "get", (STATUS, DOCTOR), "whether KEDA runs", backends=(KEDA,), need=OPTIONAL),
    Row(KEDAS, "deployments.apps", "list", (STATUS, DOCTOR), "whether KEDA runs", backends=(KEDA,), need=OPTIONAL),
    Row(KEDAS, "namespaces", "get", (STATUS, DOCTOR), "whether KEDA runs", backends=(KEDA,), need=OPTIONAL),
    Row(WORKLOAD, "localsubjectaccessreviews.authorization.k8s.io", "create", (*_WRITE, DOCTOR),
        "whether Prometheus may see the pods", (SCRAPE,), need=OPTIONAL),
    # the journal
    Row(WORKLOAD, "configmaps", "get create patch delete", (ENABLE,), "the journal: what may have been made"),
    Row(WORKLOAD, "configmaps", "get patch", (MIGRATE,), "the journal: what may have been made"),
    Row(WORKLOAD, "configmaps", "get delete", (DISABLE,), "the journal: what may have been made"),
    Row(WORKLOAD, "configmaps", "patch", (DISABLE,), "the journal: it is on its way out", (RULES,), _ADAPTERS),
    # who serves the number
    Row(CLUSTER, "apiservices.apiregistration.k8s.io", "list", _UNDO, "who serves custom metrics"),
    Row(CLUSTER, "apiservices.apiregistration.k8s.io", "list", (DETECT, STATUS), "whom to ask besides", need=OPTIONAL),
    Row(CLUSTER, "apiservices.apiregistration.k8s.io", "list", (DOCTOR, LINT), "who serves metrics", need=OPTIONAL),
    Row(ADAPTER, "services", "get", _WRITE, "the adapter behind its APIService", backends=_ADAPTERS),
    Row(ADAPTER, "deployments.apps", "list", _WRITE, "the adapter behind its Service", backends=_ADAPTERS),
    # whatever serves the workload now, an earlier backend may have left something: disable looks
    Row(ADAPTER, "services", "get", (DISABLE,), "the adapter behind its APIService"),
    Row(ADAPTER, "deployments.apps", "list", (DISABLE,), "the adapter behind its Service"),
    Row(ADAPTER, "configmaps", "get", (DISABLE,), "whether rules of ours are left"),
    Row(CLUSTER, "horizontalpodautoscalers.autoscaling", "list", (DISABLE,), "who else uses rules of ours"),
    Row(CLUSTER, "apiservices.apiregistration.k8s.io", "get", (DISABLE,), "whether an APIService of ours is left",
        backends=_ADAPTERS, named="api"),
    Row(ADAPTER, "services", "get", (DETECT, STATUS, DOCTOR), "whom to ask besides", need=OPTIONAL),
    Row(ADAPTER, "deployments.apps", "list", (DETECT, STATUS, DOCTOR), "whom to ask besides", need=OPTIONAL),
    Row(ADAPTER, "services", "get", (LINT,), "the adapter behind its APIService", need=OPTIONAL),
    Row(ADAPTER, "deployments.apps", "list", (LINT,), "the adapter behind its Service", need=OPTIONAL),
    Row(ADAPTER, "configmaps", "get", (LINT,), "the rules in its file", need=OPTIONAL),
    Row(ADAPTER, "configmaps", "get", (STATUS, DOCTOR), "rules that its file has lost", need=OPTIONAL),
    Row(ADAPTER, "configmaps", "get", _WRITE, "rules that are there", (SCRAPE, SCALER), _ADAPTERS, OPTIONAL),
    Row(ADAPTER, "configmaps", "get", _WRITE, "the adapter's file, and our record of it", (RULES,), _ADAPTERS),
    Row(ADAPTER, "configmaps", "update", _UNDO, "the adapter's file", (RULES,), _ADAPTERS, named="file"),
    Row(ADAPTER, "configmaps", "create", _WRITE, "our record of the adapter's file", (RULES,), _ADAPTERS),
    Row(ADAPTER, "configmaps", "update delete", _UNDO, "our record of the adapter's file", (RULES,), _ADAPTERS,
        named="record"),
    Row(ADAPTER, "deployments.apps", "get patch", _UNDO, "the adapter's restart", (RULES,), _ADAPTERS,
        named="deployment"),
    Row(ADAPTER, "pods", "list", (DOCTOR,), "whether it has read its file anew", need=OPTIONAL),
    Row(ADAPTER, "pods", "list", _UNDO, "whether it has read its file anew", (RULES,), _ADAPTERS, "--helm"),
    Row(WORKLOAD, METRICS, "get", _WRITE, "the values that the HPA reads", (SCALER,), _ADAPTERS),
    Row(WORKLOAD, METRICS, "get", (DETECT,), "values, where the engine cannot be asked", need=OPTIONAL),
    Row(CLUSTER, "apiservices.apiregistration.k8s.io", "get create patch delete", _UNDO,
        "the metrics APIs that an adapter lacks", (RULES,), _ADAPTERS, "--install-custom-metrics-api"),
    Row(CLUSTER, "horizontalpodautoscalers.autoscaling", "list", (MIGRATE,), "who else uses the rules",
        (RULES,), _ADAPTERS),
    Row(CLUSTER, "configmaps", "list", (MIGRATE, DISABLE), "whose journal names rules of ours (without it they stay)",
        (RULES,), _ADAPTERS, OPTIONAL),
    # what else is looked at
    Row(CLUSTER, "nodes", "list", _WRITE, "whether the accelerators for --max are there", need=OPTIONAL),
    Row(CLUSTER, "pods", "list", _WRITE, "whether the accelerators for --max are free", need=OPTIONAL),
    Row(WORKLOAD, "deployments.apps", "list", (STATUS,), "ready replicas", need=OPTIONAL),
    Row(WORKLOAD, "statefulsets.apps", "list", (STATUS,), "ready replicas", need=OPTIONAL),
    Row(WORKLOAD, TYPE, "list", (STATUS,), "ready replicas", need=OPTIONAL),
    Row(WORKLOAD, "events", "list", (STATUS, BENCH), "past rescales, and why", need=OPTIONAL),
    Row(WORKLOAD, "events", "watch", (BENCH,), "rescales as they happen", need=OPTIONAL),
    Row(WORKLOAD, TYPE, "list watch", (BENCH,), "ready replicas as they come", need=OPTIONAL),
    Row(WORKLOAD, "pods", "watch", (BENCH,), "how long a new pod takes to start", need=OPTIONAL),
    # the benchmark's Job
    Row(WORKLOAD, "services", "list", (BENCH,), "where the load goes"),
    Row(WORKLOAD, "gateways.gateway.networking.k8s.io", "get", (BENCH,), "where the load goes", need="--url"),
    Row(WORKLOAD, "httproutes.gateway.networking.k8s.io", "list", (BENCH,), "where it goes on", need="--url"),
    Row(WORKLOAD, "jobs.batch", "get list create delete", (BENCH,), "the benchmark"),
    Row(WORKLOAD, "configmaps", "create delete", (BENCH,), "the benchmark's program"),
    Row(WORKLOAD, "configmaps", "get", (BENCH,), "replicas that a killed benchmark still holds"),
    Row(WORKLOAD, "configmaps", "patch", (BENCH,), "what was held, to give it back", need="--replicas"),
    Row(WORKLOAD, "horizontalpodautoscalers.autoscaling", "get update", (BENCH,), "held at so many replicas",
        need="--replicas"),
    Row(WORKLOAD, "scaledobjects.keda.sh", "get update", (BENCH,), "held at so many replicas", backends=(KEDA,),
        need="--replicas"),
    Row(WORKLOAD, "podmonitors.monitoring.coreos.com", "list", (BENCH,), "how often the engine is scraped",
        need="--prove", served=True),
    Row(PROMETHEUS, "services/proxy", "get", (BENCH,), "what a full pod ran, as KEDA's queries know it",
        backends=(KEDA,), need=OPTIONAL, named="server"),
    Row(CLUSTER, "nodes", "get", (BENCH,), "the GPUs that were measured", need=OPTIONAL),
    Row(WORKLOAD, "pods/log", "get", (BENCH,), "the benchmark's figures"),
)  # fmt: skip
