"""Findings about KEDA: a ScaledObject, its triggers and fallback, KEDA's way to Prometheus."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
    Rule(
        "keda-blocked", "warning", "A NetworkPolicy keeps KEDA from Prometheus",
        "where the cluster's network enforces policies KEDA gets no number, and the HPA keeps the replicas as "
        "they are",
        "{command}",
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
        "silent-zero", "warning", "A lost metric that KEDA takes for zero",
        "a broken query or scrape looks like no load, and the replicas go to the minimum",
        'set ignoreNullValues: "false" in the trigger',
        "An empty result, NaN and infinity are 0 by default: 3 replicas went to 1 under load, with `Ready=True` "
        "and no event. With `\"false\"` the replicas stay, and the ScaledObject says `TriggerError`.",
    ),
    Rule(
        "fallback-takes-away", "warning", "A fallback that takes replicas away",
        "when Prometheus fails under load, replicas above the fallback go",
        "set fallback.behavior: currentReplicasIfHigher",
        "`replicas: 6` with the default behavior: at 8 replicas a failing query means 6. currentReplicasIfHigher "
        "gives 6 from 3, and 8 from 8. While a fallback is active the ScaledObject is Ready and the HPA shows a "
        "number that nobody measured.",
    ),
    Rule(
        "fallback-never-used", "warning", "A fallback that no fault sets off",
        "an empty result counts as 0 and is no fault, so the fallback waits for ever",
        'set ignoreNullValues: "false" in the trigger',
        "A fallback starts after failures. With ignoreNullValues true, its default, a query without a result "
        "succeeds with 0, and the replicas go to the minimum instead of to the fallback.",
    ),
    Rule(
        "trigger-refused", "error", "A trigger that KEDA accepts and then cannot use",
        "KEDA makes no HPA of it (ScaledObjectCheckFailed), or the trigger never gives a number",
        "{fix}",
        "The webhook accepts a Prometheus trigger without `threshold` or with `metricType: Utilization`; the "
        "operator says only later `missing required parameter \"threshold\"`.",
    ),
    Rule(
        "slow-loop", "warning", "A loop that looks more rarely than queues build up",
        "a burst is seen only after {lag} s, before a pod even begins to start",
        "set pollingInterval to 15 or less",
        "The ways add up: scrape 15 s, polling 60 s, the HPA's sync 15 s are up to 90 s until the decision. At 5 "
        "requests per second 450 wait by then.",
    ),
)  # fmt: skip
