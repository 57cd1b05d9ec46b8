"""Findings about an autoscaler and its workload: targets, limits, behaviour, room."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS = (
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
        "slow-start", "warning", "Pods take long to become ready",
        "a replica asked for during a burst serves only after that",
        "keep a warm replica above the base load: --min 2 or more",
        "A pod that takes 10 minutes to load its model serves 10 minutes after the queue began. At 5 requests per "
        "second that are 3,000 requests which the replicas before it have to take or turn away.",
    ),
    Rule(
        "gpu-capacity", "warning", "The nodes have no room for --max replicas",
        "replicas above {room} will stay Pending until nodes are added",
        "lower --max or make sure that nodes are added",
    ),
    Rule(
        "quota", "warning", "A resource quota is below what --max replicas need",
        "replicas above {room} cannot be created",
        "raise the quota or lower --max",
        "8 replicas of 2 GPUs need 16. A quota of `requests.nvidia.com/gpu: 8` creates 4; the others never come "
        "about, and the HPA goes on wanting 8.",
    ),
    Rule(
        "grace-period", "warning", "A generation may outlast the grace period of its pod",
        "a generation that is not done when its pod is scaled in is cut off",
        "set terminationGracePeriodSeconds above the longest generation, or use --scale-down disabled",
        "2,000 tokens at 25 tokens per second are 80 s. After the 30 s that Kubernetes gives a pod by default the "
        "engine is killed in the middle of the answer. `terminationGracePeriodSeconds: 300` gives the longest "
        "generation its time; a `preStop` hook that waits until nothing runs keeps it from being routed to "
        "meanwhile. Silence it for short answers.",
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
        "no-scale-subresource", "error", "A scale target without a scale subresource",
        "nothing can read or set its replicas, so no metric is ever looked at",
        "{remedy}",
        "The controller asks for `.../scale` of the target first. For a KServe InferenceService the answer is 404, "
        "the HPA says `FailedGetScale`, and metrics for CPU fail with it.",
    ),
    Rule(
        "scale-target-kind", "error", "A scale target of an API group that has no such kind",
        "the controller finds no such kind and does nothing",
        "write apiVersion: {version}",
        "`kind: Deployment` without `apiVersion: apps/v1` is looked up in the core group: `no matches for kind "
        "\"Deployment\" in group \"\"`.",
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
    Rule(
        "removed-api-version", "error", "An API version that no longer exists",
        "the API server refuses it: no matches for kind",
        "write apiVersion: autoscaling/v2",
        "autoscaling/v2beta1 went with Kubernetes 1.25, v2beta2 with 1.26; v2 is there from 1.23 on. "
        "autoscaling/v1 knows CPU only.",
    ),
)  # fmt: skip
