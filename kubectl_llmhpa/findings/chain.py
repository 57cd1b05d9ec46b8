"""Findings about the chain between an engine and its HPA, as far as the samples; `serving` has the rest of it."""

from __future__ import annotations

from kubectl_llmhpa.findings import serving
from kubectl_llmhpa.findings.model import Rule

ROWS = (
    Rule(
        "prometheus-may-not-list-pods", "error", "Prometheus has no right to find the pods",
        "{prometheus} selects the scrape object and then has no target, without an error",
        "{role} && {binding}",
    ),
    Rule(
        "two-targets", "warning", "Prometheus scrapes one pod twice",
        "sums over series count it twice, and samples are paid twice",
        "keep one of the scrape objects",
    ),
    Rule(
        "not-checked", "info", "Something could not be read with these permissions",
        "{what} was not checked",
        "ask for the right to read it, or check by hand",
    ),
    Rule(
        "target-absent", "error", "An autoscaler points at an object that is not there",
        "the controller cannot read its scale, so it does nothing",
        "correct spec.scaleTargetRef, see: kubectl -n {namespace} get deploy,sts",
        "The HPA says `AbleToScale=False FailedGetScale: ... not found`. KEDA accepts such a ScaledObject too, "
        "and says `doesn't have correct scaleTargetRef specification` afterwards.",
    ),
    Rule(
        "no-scale-selector", "error", "A scale subresource without a selector",
        "the controller cannot find the pods to count",
        "scale the Deployment or StatefulSet below it, unless its operator takes the replicas back",
        "The CRD's `scale` lacks `labelSelectorPath`. The HPA says `InvalidSelector: the HPA target's scale is "
        "missing a selector`, and its events `selector is required`.",
    ),
    Rule(
        "operator-owns-replicas", "error", "An operator sets the replicas of the target itself",
        "it takes back what an HPA writes",
        "{remedy}",
        "Its reconcile loop writes its own number: one field report counts 41 changes to and fro in 14 minutes. "
        "Scale the object that the operator reads its number from, or switch its own scaling off.",
    ),
    Rule(
        "scales-a-part", "error", "An autoscaler points at a part of something that is scaled as a whole",
        "the owner of the part sets its replicas",
        "point spec.scaleTargetRef at {whole}",
        "A StatefulSet of a LeaderWorkerSet group, or a Deployment below an operator's object, gets its replicas "
        "from above. Only the topmost object with a scale subresource keeps what an HPA writes.",
    ),
    Rule(
        "foreign-pods", "error", "The scale selector matches pods of something else",
        "the controller averages over those pods too, and takes them for replicas",
        "give the pods of the workload a label of their own, and select by it (now: {selector})",
        "The controller lists pods by the selector, whoever made them. A canary or a router with the same `app` "
        "label counts: one foreign pod at 20 scaled an idle workload with target 5 from 1 to 4, without an error.",
    ),
    Rule(
        "no-pods", "error", "Replicas are wanted and there is no pod",
        "there is nothing to measure, and the HPA keeps the replicas as they are",
        "see: kubectl -n {namespace} get events --field-selector reason=FailedCreate",
        "The controller of the workload could not make pods: a quota, an admission webhook, a missing "
        "ServiceAccount. The HPA says `no pods returned by selector`.",
    ),
    Rule(
        "quota-exceeded", "error", "A quota or an admission check refuses new pods",
        "the replicas stay below what the HPA asks for",
        "raise it (kubectl -n {namespace} describe quota), or lower the HPA's maximum to what fits",
        "The HPA has done its part: `SuccessfulRescale`. The pods are refused afterwards, and only an event "
        "`FailedCreate` of the ReplicaSet or StatefulSet says so.",
    ),
    Rule(
        "pods-fail", "error", "Pods do not start",
        "a pod that never runs has no metric, and counts as 0 on the way up",
        "see: kubectl -n {namespace} describe pod {pod}",
        "`CrashLoopBackOff` and `ImagePullBackOff` do not pass by themselves. An HPA cannot help: it adds pods "
        "that fail as well.",
    ),
    Rule(
        "pods-unschedulable", "error", "Pods find no node",
        "the HPA has asked for replicas that nothing can run ({wanted} now)",
        "add nodes or GPUs, or lower the HPA's maximum to what fits",
        "Pending pods count as 0 on the way up, so they cause no cascade: 2 pods at 20 with target 5 ask for 8 "
        "and stay at 8. They serve nothing either.",
    ),
    Rule(
        "pods-starting", "info", "Pods are not ready yet",
        "they have no sample so far, and an HPA on pods waits for them",
        "wait; enable --scale-down-window and a warm replica bridge slow starts",
        "While no pod has a sample the controller says `no metrics returned` and keeps the replicas; it never "
        "goes to the minimum for that.",
    ),
    Rule(
        "no-metrics-page", "error", "A ready pod shows no metrics of an engine",
        "nothing can be scraped, so an HPA has no number",
        "switch the engine's metrics on, or declare the port that serves them ({port} was asked)",
        "Usual causes: the metrics flag is off, the port is another one, TLS is on, PROMETHEUS_MULTIPROC_DIR "
        "points at an empty folder, or the pod is a router in front of the engines. Ask it by hand: kubectl get "
        "--raw /api/v1/namespaces/NS/pods/POD:PORT/proxy/metrics.",
    ),
    Rule(
        "no-engine", "error", "The pods are no engine",
        "they expose {what}, which has no queue of its own",
        "scale the engines behind it",
        "A router, a gateway or an exporter often re-exports its engines' names. Its numbers are those of other "
        "pods.",
    ),
    Rule(
        "not-a-number", "error", "A metric is NaN or infinite",
        "the HPA takes that for 0 and votes for the minimum",
        "guard the query so that it gives nothing instead (`... >= 0`), or scale by a gauge",
        "prometheus-adapter turns NaN into 0 (custom) or -9223372036854775808m (external), +Inf into the latter, "
        "and KEDA both into 0: 2 replicas go to 1 under load. A quotient without traffic and a quantile of an "
        "empty histogram are NaN.",
    ),
    Rule(
        "metric-not-exposed", "error", "An HPA asks for a metric that the live engine does not expose",
        "there will never be a sample of it",
        "ask for {near}",
        "Names change with versions: vLLM's `gpu_cache_usage_perc` became `kv_cache_usage_perc`. The live page "
        "decides.",
    ),
    Rule(
        "no-scrape-object", "error", "Nothing tells a Prometheus to scrape the pods",
        "there is no sample, and the HPA has no number",
        "kubectl llm-hpa -n {namespace} enable {reference} --max N writes one",
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
    *serving.ROWS,
)  # fmt: skip
