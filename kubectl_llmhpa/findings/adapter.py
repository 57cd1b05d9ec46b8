"""Findings about prometheus-adapter: its rules, its Helm values, its intervals, what it serves by them."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
    Rule(
        "rule-will-be-lost", "warning", "The adapter serves by a rule that its configuration file no longer has",
        "its next restart loses the metric, and the HPA with it",
        "run enable again, or put the rule into {source}",
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
        "adapter-config-refused", "error", "A rule file that prometheus-adapter does not load",
        "the adapter ends at its next start: without a readiness probe every HPA that it serves loses its metrics",
        "mend it before the adapter restarts",
        "Its loader is strict: an unknown key (`descripton`), a regular expression that does not compile, a template "
        "that is not closed. A Deployment with a readiness probe (the Helm chart has one) keeps the old pod with the "
        "old rules, and the rollout never ends.",
    ),
    Rule(
        "adapter-rule-unusable", "error", "A rule that the adapter loads and cannot ask by",
        "the adapter answers every request for it with an error",
        "{fix}",
        "Templates are filled in when an HPA asks: `<<.Seris>>` is found then, as is a rule without `metricsQuery` "
        "(`empty query produced by metrics query template`) or without `resources` (`no generic resource label form "
        "specified for this metric`).",
    ),
    Rule(
        "adapter-query-unscoped", "error", "A metricsQuery without the adapter's label matchers",
        "the HPA's namespace and pods do not reach the query, so it answers for every pod in the cluster",
        "put {{<<.LabelMatchers>>}} behind every <<.Series>>",
        "The adapter fills in `namespace=\"NS\",pod=~\"a|b\"` for `<<.LabelMatchers>>`. Without it the query reads "
        "every series there is and the adapter picks by the pod label, or sums other people's queues for a "
        "namespace metric.",
    ),
    Rule(
        "adapter-no-group-by", "error", "A metricsQuery that aggregates without <<.GroupBy>>",
        "the result has no label for the pod, so the adapter answers with an empty list",
        "aggregate by (<<.GroupBy>>)",
        "`sum(<<.Series>>{<<.LabelMatchers>>})` drops every label. The adapter then finds no pod in the result: HTTP "
        "200, `\"items\":[]`, and the HPA says `no metrics returned from custom metrics API`. External rules need "
        "none: there one number is what is wanted.",
    ),
    Rule(
        "adapter-pod-label", "error", "A rule for an engine's series that does not tie them to pods",
        "{problem}, so no HPA finds the metric on pods",
        "add resources.overrides: {{{label}: {{resource: pod}}}}",
        "The adapter knows only the labels that `resources` names. Series that a scrape relabelled to `pod_name` or "
        "`kubernetes_pod_name` need an override for that label; the template `<<.Resource>>` means `pod` and "
        "`namespace`.",
    ),
    Rule(
        "adapter-rule-twice", "warning", "Two rules yield one metric name",
        "the last rule hides the other, for everybody",
        "keep one rule, with every name of the series in its seriesQuery",
        "The adapter keeps its metrics in a map by name and resource, rule by rule; the last one stays. A rule per "
        "workload therefore serves the last workload only.",
    ),
    Rule(
        "adapter-rule-per-workload", "info", "A rule for one workload",
        "each further workload needs a rule and a restart of the adapter",
        "leave {matcher} out: the HPA's own selector picks the pods",
        "The adapter fills the pods of the HPA's target into `<<.LabelMatchers>>`. One rule per metric serves thirty "
        "workloads with one restart.",
    ),
    Rule(
        "adapter-wrong-list", "error", "A rule stands in the wrong list for its HPA",
        "{problem}",
        "move it to {where}",
        "Rules of `rules` (Helm: `rules.custom`) are served by custom.metrics.k8s.io, for Pods and Object metrics; "
        "those of `externalRules` (`rules.external`) by external.metrics.k8s.io, for External metrics. The HPA hears a "
        "404 from the other one, and the chart registers the external API only when there are external rules.",
    ),
    Rule(
        "adapter-max-age", "error", "The adapter's max-age is shorter than its relist interval",
        "the adapter ends at its start: max age must not be less than relist interval",
        "set --metrics-max-age to {wanted} or more",
        "`--metrics-max-age` says how old a series may be to be listed, `--metrics-relist-interval` how often is "
        "looked. The max-age is the relist interval unless it is given.",
    ),
    Rule(
        "adapter-relist", "warning", "The adapter looks back for less time than a scrape takes",
        "a look between two scrapes finds no series, so the metric comes and goes",
        "set --metrics-max-age to two scrapes or more ({wanted})",
        "With scrapes every 5 s and a max-age of 2 s the name was listed in 14 of 38 looks. Keep scrape < relist <= "
        "max-age, and max-age at least two scrapes.",
    ),
    Rule(
        "ack-default-rules", "warning", "Alibaba's adapter with default: true",
        "a rule for every series of the cluster stands before the custom ones, and each relist reads them all",
        "set AlibabaCloudMetricsAdapter.prometheus.adapter.rules.default to false",
        "The vendor's document says to leave `rules.default` false. A catch-all serves engine metrics by a plain sum, "
        "which is wrong for ratios, and the adapter asks Prometheus for every series at each relist.",
    ),
)  # fmt: skip
