"""Findings about the chain from the metrics API on: who serves the number, and what becomes of it."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS = (
    Rule(
        "two-metric-providers", "warning", "Two programs serve custom metrics",
        "an HPA asks only {asked}, so what the other one serves is unknown to it",
        "delete APIService {other}, or keep one of the programs",
    ),
    Rule(
        "rule-will-be-lost", "warning", "The adapter serves by a rule that its configuration file no longer has",
        "its next restart loses the metric, and the HPA with it",
        "run enable again, or put the rule into {source}",
    ),
    Rule(
        "keda-blocked", "warning", "A NetworkPolicy keeps KEDA from Prometheus",
        "where the cluster's network enforces policies KEDA gets no number, and the HPA keeps the replicas as "
        "they are",
        "{command}",
    ),
    Rule(
        "no-metrics-api", "error", "Nothing serves the metrics API that the HPA asks",
        "the HPA says that no such API is registered, or `no known available metric versions found`",
        "install {what}",
        "An HPA reads Pods and Object metrics from custom.metrics.k8s.io and External ones from "
        "external.metrics.k8s.io. The chart of prometheus-adapter registers the external API only with external "
        "rules.",
    ),
    Rule(
        "metrics-api-down", "error", "The program behind a metrics API does not answer",
        "every HPA that it serves is stuck",
        "see: kubectl -n {namespace} get pods,endpoints,events; kubectl -n {namespace} logs service/{service}",
        "The APIService says why: no endpoints (the pod crashes: an unknown key in its rule file ends it), a "
        "time-out (a private cluster's firewall between control plane and nodes: port 6443), a certificate.",
    ),
    Rule(
        "external-api-taken", "error", "Another program than KEDA serves external metrics",
        "KEDA's HPAs ask it for metrics that it does not know",
        "give v1beta1.external.metrics.k8s.io back to KEDA's metrics server (now {place}): helm upgrade keda",
        "One APIService serves the API for the whole cluster. The ScaledObject stays `Ready=True`; only "
        "`HPAActive=False` shows it. It recovers 14 s after it is given back.",
    ),
    Rule(
        "adapter-wrong-address", "error", "The adapter asks for a Prometheus where there is none",
        "it finds no series, so its list is empty and every HPA gets 404",
        "set --prometheus-url={url} (chart: prometheus.url, prometheus.port) of deployment {namespace}/{name}",
        "The chart's default is http://prometheus.default.svc. Its log says `unable to update list of all "
        "metrics`, while its pod is Ready and the APIService Available.",
    ),
    Rule(
        "adapter-rule-refused", "error", "One rule that Prometheus refuses empties the whole list",
        "every metric of the adapter is gone, for everybody",
        "correct that rule in configmap {config}, then: kubectl -n {namespace} rollout restart deployment/{name}",
        "prometheus-adapter 0.12 asks for the series of all rules and gives up when one answer is an error. Pod "
        "and APIService look healthy; HPAs fail within 16 s of the restart.",
    ),
    Rule(
        "adapter-lists-nothing", "error", "The adapter lists no metric at all",
        "every HPA that it serves gets 404",
        "see: kubectl -n {namespace} logs deployment/{name}",
        "It has no rules, none of them finds a series, or it cannot ask its Prometheus.",
    ),
    Rule(
        "metric-unknown", "error", "The metrics API does not know a metric",
        "the HPA says `the server could not find the metric` and keeps the replicas as they are",
        "correct the name, or add a rule for it (kubectl llm-hpa enable writes them){near}",
        "The name in the API is that of the rule (`name.as`), not always that of the series: vllm:x or vllm_x. A "
        "404 also comes when the selector matches no pod.",
    ),
    Rule(
        "metric-not-listed", "error", "A rule serves a metric, and the adapter does not list it",
        "the HPA gets 404 until it does",
        "wait for its next look; then see whether the rule's seriesQuery finds the series{near}",
        "It lists what its series queries found at its last look (--metrics-relist-interval), not what rules "
        "could serve.",
    ),
    Rule(
        "adapter-not-restarted", "error", "The adapter runs with an older file than the ConfigMap has",
        "it reads its rules once, at its start",
        "kubectl rollout restart of the adapter",
        "The file in the pod changes after a minute or so, and the running program does not look. After the "
        "restart the name is listed within 2 to 12 s.",
    ),
    Rule(
        "cloud-metric-unknown", "error", "Cloud Monitoring does not have the metric yet",
        "Google's adapter serves only what has a metric descriptor",
        "wait up to 15 minutes after the first sample, and see that a PodMonitoring scrapes the pods",
        "custom-metrics-stackdriver-adapter calls it prometheus.googleapis.com|NAME|gauge, not by the engine's name.",
    ),
    Rule(
        "rule-without-pod", "error", "The adapter answers for a metric without any pod",
        "the HPA says `no metrics returned from custom metrics API`",
        "aggregate in the rule's metricsQuery by (<<.GroupBy>>), and keep the pod label",
        "A query that drops the pod label is answered with HTTP 200 and an empty list.",
    ),
    Rule(
        "last-series-wins", "error", "A pod has several series, and the rule does not add them up",
        "the adapter serves the last in label order, so the other ranks do not count",
        "use sum by (<<.GroupBy>>) in metricsQuery for counts, max by for ratios",
        "Engine 0 at 3 and engine 1 at 17 give 17; 17 and 3 give 3; 5 and 1 give 1. It is steady, and wrong.",
    ),
    Rule(
        "adapter-query-fails", "error", "The adapter's query fails",
        "the HPA has no number, and keeps the replicas as they are",
        "see: kubectl {logs}",
        "`Internal error occurred: unable to fetch metrics`: Prometheus refuses the query or does not answer. At "
        "the next restart such a rule empties the list for everybody.",
    ),
    Rule(
        "keda-fallback", "error", "KEDA's fallback is active",
        "the number that the HPA shows was not measured",
        "mend the query that fails: see the events of the ScaledObject",
        "Everything else says that it is well: Ready, Active, HPAActive, ValidMetricFound. Only the condition "
        "Fallback and status.health tell.",
    ),
    Rule(
        "keda-empty", "error", "A trigger's query gives no element",
        "KEDA reports an error, and the HPA keeps the replicas as they are",
        "correct the labels in the query, or bring the samples back",
        "With ignoreNullValues: \"false\" an empty answer is `prometheus metrics 'prometheus' target may be lost`.",
    ),
    Rule(
        "keda-unauthorized", "error", "Prometheus does not let KEDA in",
        "KEDA gets no number",
        "give the trigger a TriggerAuthentication with a token or an authority for {address}",
        "OpenShift's thanos-querier and managed Prometheus servers want a bearer token; a certificate of the "
        "cluster's own authority needs its CA, or unsafeSsl.",
    ),
    Rule(
        "keda-unreachable", "error", "KEDA's operator does not reach Prometheus",
        "KEDA gets no number, and the HPA keeps the replicas as they are",
        "correct serverAddress ({address}), or the network between",
        "That is no empty answer, so ignoreNullValues does not make 0 of it. After the failures of "
        "failureThreshold a fallback begins.",
    ),
    Rule(
        "keda-query-fails", "error", "KEDA cannot compute a metric",
        "the HPA keeps the replicas as they are",
        "see: kubectl -n {namespace} logs deployment/keda-operator",
        "The HPA says `error when getting metric values` only; the cause is in the event KEDAScalerFailed and in "
        "the operator's log.",
    ),
    Rule(
        "scaledobject-absent", "error", "An HPA asks KEDA for a ScaledObject that is not there",
        "KEDA has no number for it",
        "delete the HPA, or make the ScaledObject again",
        "`error getting scalers ScaledObject.keda.sh \"X\" not found`: the metric's selector names the ScaledObject.",
    ),
    Rule(
        "scaledobject-not-ready", "error", "KEDA cannot work by a ScaledObject",
        "its HPA is missing, or gets no number",
        "see: kubectl -n {namespace} describe scaledobject {name}",
        "Its webhook accepts much that fails later: a trigger without threshold, threshold 0, a target that is "
        "not there.",
    ),
    Rule(
        "keda-paused", "error", "An annotation pauses KEDA",
        "there is no HPA meanwhile, and nothing scales",
        "remove the annotation",
        "The ScaledObject says `Ready=True` and `ScaledObject is paused`; HPAActive keeps its last text.",
    ),
    Rule(
        "no-autoscaler", "error", "Nothing scales the workload",
        "its replicas stay as they are, whatever the load",
        "{command}",
        "No HPA and no ScaledObject in its namespace has it as scaleTargetRef.",
    ),
    Rule(
        "stuck-at-zero", "error", "At 0 replicas, and nothing brings them back",
        "an HPA does nothing for a workload with 0 replicas that it did not scale there itself",
        "scale it to 1 by hand",
        "`ScalingDisabled`: a Deployment made with 0 replicas, or an HPA that was made again meanwhile. Where "
        "only percentages are allowed to be added, 100 % of 0 is 0.",
    ),
    Rule(
        "one-metric-invalid", "error", "One of several metrics cannot be computed",
        "the HPA scales up on the others, and never down",
        "see: kubectl -n {namespace} describe hpa {name}",
        "ScalingActive stays True when another metric asks for more; only an event and an entry without a type in "
        "status.currentMetrics betray it.",
    ),
    Rule(
        "hpa-cannot-compute", "error", "The controller says that it cannot compute",
        "the replicas stay as they are",
        "see: kubectl -n {namespace} describe hpa {name}",
        "Its words are those of its last look, up to 15 s ago; what mends itself shows True after the next.",
    ),
    Rule(
        "at-maximum", "warning", "The load asks for more than the maximum",
        "requests queue, and the HPA adds nothing",
        "raise the maximum of {max}, or see whether the target fits the unit of the metric",
        "For long, it is often a target of another unit: 5 for a ratio, 1 for a percentage, a total as AverageValue.",
    ),
    Rule(
        "scale-not-written", "error", "The controller may not or cannot write the new size",
        "the replicas stay as they are",
        "see the message: an admission webhook, a conflict, a missing right",
        "`AbleToScale=False FailedUpdateScale`, and events FailedRescale.",
    ),
    Rule(
        "replicas-fought", "error", "Somebody else writes the replicas too",
        "what the HPA writes is taken back, again and again",
        "take spec.replicas out of what {who} applies (Argo CD: ignoreDifferences), or let one of them alone scale",
        "The managed fields tell who wrote `spec.replicas` last; rescales to one and the same size in a row tell "
        "that it was taken back.",
    ),
)  # fmt: skip
