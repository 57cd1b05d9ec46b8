"""Findings about the metrics APIs: which program serves them, and whether it knows a metric."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
    Rule(
        "two-metric-providers", "warning", "Two programs serve custom metrics",
        "an HPA asks only {asked}, so what the other one serves is unknown to it",
        "delete APIService {other}, or keep one of the programs",
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
        "metric-unknown", "error", "The metrics API does not know a metric",
        "the HPA says `the server could not find the metric` and keeps the replicas as they are",
        "correct the name, or add a rule for it (kubectl llm-hpa enable writes them){near}",
        "The name in the API is that of the rule (`name.as`), not always that of the series: vllm:x or vllm_x. A "
        "404 also comes when the selector matches no pod.",
    ),
    Rule(
        "cloud-metric-unknown", "error", "Cloud Monitoring does not have the metric yet",
        "Google's adapter serves only what has a metric descriptor",
        "wait up to 15 minutes after the first sample, and see that a PodMonitoring scrapes the pods",
        "custom-metrics-stackdriver-adapter calls it prometheus.googleapis.com|NAME|gauge, not by the engine's name.",
    ),
)  # fmt: skip
