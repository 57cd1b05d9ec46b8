"""Findings of `lint` about PodMonitors and ServiceMonitors beside the workloads that they scrape."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
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
