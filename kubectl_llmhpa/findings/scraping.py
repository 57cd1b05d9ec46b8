"""Findings about who scrapes: the scrape object, its selection, the scrape target, the samples."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
    Rule(
        "prometheus-may-not-list-pods", "error", "Prometheus has no right to find the pods",
        "{prometheus} selects the scrape object and then has no target, without an error",
        "{role} && {binding}",
    ),
    Rule(
        "two-targets", "warning", "Prometheus scrapes one pod twice",
        "sums over series count it twice, and samples are paid twice",
        "keep one of the scrape objects",
        "Two PodMonitors, or a PodMonitor and a ServiceMonitor, that select the same pods make two targets of each, "
        "with two values of `job`. With 6 requests waiting `sum(vllm:num_requests_waiting)` is 12, and twice the "
        "replicas come.",
    ),
    Rule(
        "no-scrape-object", "error", "Nothing tells a Prometheus to scrape the pods",
        "there is no sample, and the HPA has no number",
        "kubectl llm-hpa enable {reference} -n {namespace} --max N writes one",
        "A PodMonitor (or what another scraper reads) has to select the pods by their labels, in their namespace.",
    ),
    Rule(
        "scrape-object-rejected", "error", "The operator skips a scrape object",
        "{why}, so none of it becomes a scrape",
        "correct {name}",
        "prometheus-operator checks each object and leaves out what is not valid, with a line in its log and an "
        "event.",
    ),
    Rule(
        "no-prometheus-object", "error", "PodMonitors are there, and no Prometheus that reads them",
        "no one scrapes the pods",
        "make a Prometheus object, or name the scraper that is here: enable --scrape",
        "The kinds may be installed without an operator's Prometheus, for another scraper that converts them.",
    ),
    Rule(
        "namespace-not-selected", "error", "No Prometheus looks for PodMonitors in this namespace",
        "the PodMonitor is there and nobody reads it",
        "set its podMonitorNamespaceSelector ({{}} is every namespace)",
        "A selector that is not set means the Prometheus' own namespace; the operator's `--namespaces` limits it "
        "further.",
    ),
    Rule(
        "no-target", "error", "A selected scrape object without a target",
        "Prometheus finds no pod for it",
        "look at the dropped targets of its page /targets; the operator may need a minute to load a new object",
        "Between the object and the target stand its relabelings, the right of Prometheus to list pods, and the "
        "operator's reload.",
    ),
    Rule(
        "target-down", "error", "Prometheus cannot read the metrics of a pod",
        "there is no fresh sample of it",
        "make port {port} answer to Prometheus ({server})",
        "`lastError` of the targets API says what came back. 404: another path. Connection refused: another port, "
        "or the engine listens on localhost.",
    ),
    Rule(
        "target-scheme", "error", "Prometheus asks with another scheme than the engine speaks",
        "every scrape fails, so there is no sample",
        "set scheme: {scheme} in the endpoint of the scrape object (with tlsConfig for the engine's certificate)",
        "An engine with --ssl-certfile answers HTTPS only, also on its metrics port. A self-made certificate "
        "needs `tlsConfig.insecureSkipVerify`, or its authority.",
    ),
    Rule(
        "target-mesh", "error", "Something in front of the pod refuses Prometheus",
        "every scrape fails, so there is no sample",
        "let port {port} of these pods take plain requests (Istio: PeerAuthentication portLevelMtls PERMISSIVE)",
        "A sidecar with strict mTLS ends plain connections: `connection reset by peer`, EOF, 403 or 503. The "
        "engine itself is well.",
    ),
    Rule(
        "target-blocked", "error", "Prometheus gets no answer from a pod",
        "every scrape runs into its time limit",
        "admit Prometheus to port {port} in the NetworkPolicies of namespace {namespace}",
        "`context deadline exceeded` and `no route to host` are what a NetworkPolicy looks like from outside. The "
        "pod proxy of the API server may work all the same.",
    ),
    Rule(
        "no-sample", "error", "A metric has no sample for any pod",
        "the HPA says `no metrics returned` and keeps the replicas as they are",
        "see whether the engine exposes it now, and which labels its series have",
        "Pods are scraped, and the metric is not among what they give, or a metricRelabeling drops it. An idle "
        "engine that has not exposed it yet is called armed, and is no fault.",
    ),
    Rule(
        "stale-sample", "error", "The newest sample is old",
        "the HPA acts on the past, and then on nothing",
        "see the targets page of Prometheus for these pods",
        "Prometheus answers with samples of up to five minutes ago.",
    ),
    Rule(
        "pod-label", "error", "Series that do not name their pod in the label pod",
        "the adapter ties series to pods by that label, and finds none",
        "set honorLabels or a relabeling so that pod names the pod, or a rule whose overrides take {label}",
        "A scrape without honorLabels moves an exporter's own `pod` to `exported_pod`; hand-written jobs use "
        "`pod_name` or `kubernetes_pod_name`, or no label at all.",
    ),
    Rule(
        "monitor-port", "error", "A scrape object names a port that its pods do not declare",
        "the scrape has no target, and nothing says so",
        "{fix}",
        "`port` is the name of a port, `portNumber` its number. `port: \"8000\"` looks for a port that is called "
        "\"8000\". A PodMonitor makes targets only of ports that the pod declares under `ports`.",
    ),
    Rule(
        "monitor-matches-nothing", "warning", "A scrape object matches no pods, and an engine beside it is not scraped",
        "its selector asks for {unmet}, so nothing of {workload} is scraped",
        "use labels of the pod template: {better}",
        "A PodMonitor matches the labels of pods (the template's, not those of the Deployment); a ServiceMonitor those "
        "of a Service. Silenced best where the workload is in another file: give lint both.",
    ),
    Rule(
        "monitor-namespace", "error", "A scrape object looks into another namespace than its pods are in",
        "without namespaceSelector it looks only into its own namespace, {own}",
        "add namespaceSelector: {{matchNames: [{wanted}]}}, or move it there",
        "An absent or empty `namespaceSelector` means the namespace of the object itself.",
    ),
    Rule(
        "monitor-not-selected", "error", "No Prometheus of the run selects a scrape object",
        "{prometheus} asks for {unmet}, so it takes no notice of the object",
        "add the labels: {better}",
        "kube-prometheus-stack selects by `release: NAME` unless told otherwise. An object without the label is not an "
        "error anywhere: there is no target, and the operator says nothing.",
    ),
    Rule(
        "monitor-interval", "warning", "An engine is scraped less often than every 30 s",
        "the HPA acts on numbers that are up to {interval} old, every 15 s",
        "set interval: 15s",
        "The HPA syncs every 15 s, and a scale-up by a burst is asked for at the first sync after the first scrape "
        "that sees it: with 60 s a burst is on average 30 s older for nothing.",
    ),
    Rule(
        "monitor-path", "error", "A scrape object asks for a path that the engine does not have",
        "{engine} has no metrics there",
        "set path: {better}",
        "Most engines have /metrics. What a path answers is that of the engine named on the pod template's command "
        "line.",
    ),
)  # fmt: skip
