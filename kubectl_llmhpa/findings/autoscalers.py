"""Findings about an autoscaler: its metrics and targets, limits, behaviour, and what becomes of its decision."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
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
    Rule(
        "enable-refused", "info", "Something else scales the workload, or keeps an HPA from doing so",
        "enable makes no HPA for it as it is",
        "{remedy}",
    ),
    Rule(
        "ratio-target", "error", "A target of 1 or more for a ratio",
        "the metric lies between 0 and 1, so it never asks for more replicas",
        "use a target such as 0.8 (800m)",
        "The controller asks for `replicas x value / target`. KV-cache use is at most 1, so against a target of 50 "
        "it asks for `ceil(3 x 1 / 50) = 1` replica of 3, full or not. Some dashboards show per cent; the engines' "
        "own gauges are 0 to 1. A query that multiplies by 100 is not meant.",
    ),
    Rule(
        "target-above-seats", "error", "A target for running requests that one pod cannot exceed",
        "a full pod stays within the tolerance of the target, so it never asks for more replicas",
        "use {better}",
        "With `--max-num-seqs 16` a full pod runs 16. Against a target of 16 the ratio is 1.0, within the tolerance "
        "of 0.1, so `16/16` stays as it is however long the queue is; against 32 it is 0.5, a vote to go down. A "
        "target of 10 gives 1.6 for a full pod.",
    ),
    Rule(
        "renamed-metric", "error", "An HPA asks for a name that this version of the engine no longer exposes",
        "the metric is unknown to the HPA, which then does not act on it",
        "use {now}, or run enable again",
        "vLLM called its KV-cache use `vllm:gpu_cache_usage_perc` up to 0.11 and `vllm:kv_cache_usage_perc` from "
        "0.9.2 on. Over the wrong name the HPA says `<unknown>` (`FailedGetPodsMetric`), a KEDA query is empty. The "
        "version is that of the image's tag. Silence it where a rule of your adapter serves the name from both.",
    ),
    Rule(
        "latency-of-pods", "warning", "A latency as a metric of pods",
        "a latency does not fall in proportion to replicas, and an idle pod has none",
        "scale by waiting or running requests, and keep the latency as an External guard of type Value",
        "While the pods that queue stay slow the ratio stays above 1, whatever new pods do: 3 become 4, 6, and the "
        "maximum. A pod without requests has NaN, which an adapter turns into 0.",
    ),
    Rule(
        "namespace-metric", "warning", "A metric of the whole namespace",
        "it counts the requests of every workload in the namespace, of all models",
        "use a Pods metric, which is asked for the pods of this workload only",
        "Two models in one namespace: 20 wait for the one, none for the other. Both autoscalers see 20 and both "
        "grow. Silence it where the namespace will ever hold one engine only.",
    ),
    Rule(
        "percent-target", "error", "A target of at most 1 for a metric between 0 and 100",
        "it is above the target as soon as there is any load, so it asks for the maximum",
        "use a target such as 80",
        "DCGM's utilisation is 0 to 100. At 35 per cent against 0.8 the ratio is 43: 2 replicas become the maximum.",
    ),
    Rule(
        "no-engine-signal", "warning", "An engine that is scaled by processor, memory or GPU use only",
        "those do not follow the requests of an engine",
        "scale by waiting or running requests: kubectl llm-hpa enable {workload}",
        "An engine takes its GPU memory at start and never gives it back, keeps a core busy while it "
        "generates, and shows 100 per cent GPU use for one request as for sixty. At 80 per cent CPU nothing says "
        "whether 0 or 500 requests wait. Silence it for a workload that is bound by preprocessing.",
    ),
    Rule(
        "retired-metric", "warning", "A metric name that newer versions of the engine do not have",
        "the next upgrade of the engine takes the metric away, and the HPA with it",
        "use {now} (the old one is {since}), or a rule that serves both names",
        "The version of the engine is not known here (no Deployment beside it, or an image without a version). From "
        "vLLM 0.12 on `vllm:gpu_cache_usage_perc` is not there, so this HPA says `<unknown>`.",
    ),
    Rule(
        "target-refused", "error", "A target that the API server or the controller refuses",
        "the object is not accepted, or its metric never gives a number",
        "{fix}",
        "A target must be a positive quantity: 0, negative numbers and NaN are refused (`must be positive`). A "
        "Pods metric must have `averageValue`; an Object metric must have the field that its `type` names, or the "
        "controller says `neither a value target nor an average value target was set`; an External one has one of "
        "both. A fraction that a controller cuts to an integer becomes 0, too.",
    ),
    Rule(
        "target-type-mismatch", "warning", "A target type that is not what the controller does",
        "the controller goes by the field that is set, not by type",
        "write type: {form}",
        "External with `type: Value` and `averageValue: 5` works as an average: 20 in all are 4 replicas. With "
        "`type: AverageValue` and `value: 5` it multiplies: 2 replicas become 8, then the maximum.",
    ),
    Rule(
        "two-scalers", "error", "Two autoscalers of one workload",
        "the controller stops both (AmbiguousSelector), or they undo each other's work",
        "keep one of them, with the metrics of both",
        "Two HPAs whose targets have the same pods: `pods by selector app=vllm are controlled by more than one "
        "HPA`, and neither scales. KEDA makes an HPA of each ScaledObject, so one beside an HPA counts as two. One "
        "HPA takes the largest of several metrics.",
    ),
    Rule(
        "replicas-in-manifest", "warning", "A replica count in the manifest of a workload that an autoscaler scales",
        "each apply of the manifest sets the replicas back, in the middle of the load",
        "remove spec.replicas from the manifest",
        "`replicas: 1` under GitOps: at 8 replicas a sync deletes 7 pods, and every one takes minutes to come "
        "back. Remove the field with care where kubectl apply owns it: dropping it once resets it to 1 (`kubectl "
        "apply edit-last-applied` first).",
    ),
    Rule(
        "limits", "error", "Limits that contradict each other",
        "the object is refused",
        "set the highest number of replicas above the lowest",
        "A maximum below the minimum, or none at all, is refused by the API server and by KEDA's webhook.",
    ),
    Rule(
        "pinned", "info", "Limits that are equal",
        "every vote ends at that number",
        "set the highest number of replicas above the lowest, unless it is held on purpose",
        "With 3 and 3 the HPA computes and changes nothing. Good for an incident, and easily forgotten after it.",
    ),
    Rule(
        "scale-up-window", "warning", "A window of scale-up that bursts do not outlast",
        "the lowest vote of the window counts, so a shorter burst is never answered",
        "set scaleUp.stabilizationWindowSeconds to 0",
        "A window of 60 s under a load of 42 s never scaled on a real controller: some vote within the last 60 s was "
        "always the low one. Engines take minutes to start, so every second before the decision is lost.",
    ),
    Rule(
        "scale-down-window", "warning", "A window of scale-down that is shorter than a start",
        "replicas go in a pause and are missed until new ones have started",
        "set scaleDown.stabilizationWindowSeconds to {better}",
        "With 0 s a gap of one scrape between two bursts deletes pods that take minutes to start again. 300 s, the "
        "default, bridges it; a start of 10 minutes asks for 600.",
    ),
    Rule(
        "stuck-policy", "error", "Policies that allow no replica more",
        "the autoscaler wants more replicas and its own policy forbids it",
        "{fix}",
        "A percentage of 0 replicas is 0: with a minimum of 0 and only a Percent policy it never leaves zero (seen "
        "for 5 syncs, until the policy was changed). A value near 2147483647 overflows the controller's 32-bit "
        "sum: 1 + 2147483647 is negative, so no replica is ever added.",
    ),
    Rule(
        "nobody-counts-at-zero", "error", "Zero replicas by a metric that only running pods have",
        "at zero no pod counts requests, so it never starts again",
        "keep one replica, or add a trigger on a queue in front of the pods",
        "At 0 pods `vllm:num_requests_waiting` has no series. KEDA takes that for 0 and stays at zero; a plain HPA "
        "has no metric at all. Requests fail meanwhile, since nothing holds them. The queue of a gateway or of an "
        "endpoint picker with flow control counts at zero. KEDA's minReplicaCount is 0 where it is left out.",
    ),
    Rule(
        "forgotten-zero", "error", "A plain HPA that does not wake its workload from zero",
        "it leaves zero only where it went there itself, and does not know that it did",
        "scale the workload to 1, and let KEDA take it to zero and back (enable --min 0 --backend keda)",
        "The controller remembers in the condition `ScaledToZero` that it took a workload to zero. An HPA that was "
        "made anew meanwhile, a workload that was set to 0 by hand or created with 0, and a controller without the "
        "gate HPAScaleToZero (on from 1.37) say `ScalingDisabled` for ever, at four times the target too.",
    ),
)  # fmt: skip
