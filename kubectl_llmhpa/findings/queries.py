"""Findings about PromQL: the queries of KEDA's triggers and of prometheus-adapter's rules."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
    Rule(
        "query-unreadable", "error", "A query that Prometheus cannot read",
        "Prometheus answers every request for it with an error{effect}",
        "mend it; `promtool promql format QUERY` says where it is wrong",
        "KEDA gets an error on every request, and the HPA keeps the replicas as they are. In a rule of "
        "prometheus-adapter it is worse: at the next restart one `seriesQuery` that Prometheus refuses empties the "
        "whole list, so the HPAs of everybody lose their metrics, while the pod is Ready and the APIService Available.",
    ),
    Rule(
        "query-many-elements", "error", "A trigger whose query gives an element for each series",
        "KEDA refuses a result of more than one element, so from the second pod (or data-parallel rank) on the HPA "
        "is frozen",
        "{fix}",
        "`vllm:num_requests_waiting` has one series per pod and rank. With one pod it works. With two, KEDA says "
        "`returned multiple elements`, `Ready` turns to False, and no replica is added or removed, or the fallback "
        "takes over. Sum it: `sum(vllm:num_requests_waiting{namespace=\"NS\"})`.",
    ),
    Rule(
        "query-label-not-set", "error", "A query selects by a label that the engine does not set",
        "the result is empty, which KEDA takes for 0 unless ignoreNullValues is \"false\": it never scales out, "
        "and says nothing",
        "use {better}",
        "vLLM labels its series `model_name` (and `engine`), not `model`. So "
        "`vllm:num_requests_waiting{model=\"llama\"}` selects nothing: with KEDA's defaults that is the value 0, the "
        "ScaledObject is Ready, and a workload of three replicas goes down to one under full load. Nothing is found "
        "where a scrape object among the manifests adds the label.",
    ),
    Rule(
        "metric-misspelt", "error", "A query or an HPA asks for a name that no engine exposes",
        "there is never a number for it",
        "write {better}",
        "vLLM and SGLang write a colon (`vllm:num_requests_waiting`), TGI and TensorRT-LLM an underscore "
        "(`tgi_queue_size`). The colon is valid in PromQL, in prometheus-adapter and in an HPA, and need not be "
        "replaced. Some published recipes use names that no engine has ever had.",
    ),
    Rule(
        "average-divided-again", "error", "A mean over pods under AverageValue",
        "the HPA divides by the replicas once more, so it asks for too few",
        "{fix}",
        "AverageValue means replicas = ceil(query / target). Three pods with 8 running requests each and a target of 4 "
        "need 6 replicas: sum = 24, 24 / 4 = 6. The mean is 8, 8 / 4 = 2, so the HPA removes a pod at twice the wanted "
        "load.",
    ),
    Rule(
        "not-additive", "error", "A ratio, a maximum or a percentile under AverageValue",
        "it does not grow with the replicas, so dividing it by the target gives no number of pods",
        "{fix}",
        "AverageValue means replicas = ceil(query / target). A saturation of 0.9 with target 0.7 asks for "
        "ceil(0.9 / 0.7) = 2 replicas, however many there are: at three it removes one under overload. Make a sum of "
        "it: the sum of the pods' KV cache use, 3 x 0.9 = 2.7, asks for ceil(2.7 / 0.7) = 4.",
    ),
    Rule(
        "latency-not-additive", "error", "A latency under AverageValue",
        "seconds do not add up over pods, so dividing them by the target gives no number of pods",
        "scale by waiting or running requests, and keep the latency as a guard of type Value (KEDA: metricType)",
        "With a target of 5 s a p95 of 9 s asks for ceil(9 / 5) = 2 replicas, whether there are two or twenty: six "
        "pods at 9 s go down to two. Under Value the same query asks for 6 x 9 / 5 = 11.",
    ),
    Rule(
        "sum-as-value", "error", "A sum or a count under Value",
        "Value multiplies the pods that are ready, so a load that stays asks for more with every new pod",
        "use type AverageValue (KEDA: metricType), with the target for one pod",
        "Value means replicas = ceil(ready pods x query / target). 12 waiting requests and a target of 5: two pods ask "
        "for 5, five pods for 12, twelve for 29, in three syncs, though nobody sent another request. AverageValue asks "
        "for 3 and stays. A keep-alive (`count` of something that sees traffic, target 1) never lets the replicas go "
        "down, and doubles them at a count of two.",
    ),
    Rule(
        "zero-hides-loss", "warning", "A constant takes the place of a missing result",
        "a lost scrape or a renamed metric looks like {value} requests, and the HPA scales in under load",
        "leave `or vector({value})` out and set ignoreNullValues: \"false\"; the HPA then keeps the replicas",
        "Engines show 0 for an idle queue, so an empty result means that nobody was counted, not that nobody waits. "
        "`or vector(0)` makes the two the same. For a latency over a quiet minute 0 is right, as long as the buckets "
        "are there: `... >= 0 or on () (sum(rate(x_bucket[1m])) == 0)`.",
    ),
    Rule(
        "query-nan", "warning", "A query that is not a number while there is no traffic",
        "{what}; KEDA and prometheus-adapter make 0 of NaN (KEDA with ignoreNullValues \"false\": an error)",
        "drop it in the query: `(...) >= 0` around a quantile, `> 0` behind a divisor",
        "0 / 0 and a quantile of no observations are NaN, which is an element: `or vector(0)` does not replace it, "
        "`>= 0` drops it. prometheus-adapter serves NaN as 0 and an infinity as -9223372036854775808m, and either "
        "makes the HPA scale in.",
    ),
    Rule(
        "router-counts-twice", "warning", "A query also counts what a router re-exports under the engine's name",
        "{router} of this run exposes {metric} too, so each request counts twice",
        "select the engines: model_name, pod or job",
        "The router of vLLM's production-stack exposes `vllm:num_requests_running` with a label `server`, for the same "
        "requests that the engines count. 10 running requests are 20 in the sum, and the HPA asks for twice the pods. "
        "The router's series have no `model_name`, so that any matcher on it leaves them out.",
    ),
    Rule(
        "rate-window-short", "warning", "The window of a rate is shorter than two scrapes",
        "a rate needs two samples, and is empty whenever the window holds one",
        "make it at least {wanted}, better four scrapes",
        "With a scrape every 30 s a window of `[30s]` holds one sample most of the time: no rate, no element. The "
        "interval is taken from the scrape objects among the manifests, else 15 s.",
    ),
    Rule(
        "query-of-everybody", "warning", "A query without a namespace or a model",
        "it also counts every other workload in the cluster that runs this engine",
        "select by namespace and pod or model, such as {better}",
        "Two teams run vLLM in one cluster. `sum(vllm:num_requests_waiting)` is the queue of both, so each team's HPA "
        "scales with the other's load.",
    ),
    Rule(
        "ratios-summed", "warning", "A rule adds up ratios of one pod",
        "with more than one series per pod the sum passes 1",
        "take max by (<<.GroupBy>>) for a ratio",
        "A vLLM with two data-parallel ranks has two series of `vllm:kv_cache_usage_perc` per pod. At 0.5 each the sum "
        "is 1.0, a full pod by a target of 0.8, and the mean over pods is no use of the cache at all.",
    ),
)  # fmt: skip
