"""Findings about an engine: what it exposes, and what its numbers mean."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS = (
    Rule(
        "last-rank-only", "warning", "A data-parallel vLLM 0.8.5 to 0.9.2 exposes its last rank only",
        "the load is under-reported and no query can repair it",
        "use vLLM 0.10 or newer, which exposes all ranks",
    ),
    Rule(
        "ranks-overwritten", "warning", "Data-parallel ranks of SGLang before 0.4.10 overwrite one another",
        "the load of one rank only is reported and no query can repair it",
        "use SGLang 0.4.10 or newer, which labels its ranks",
    ),
    Rule(
        "ranks-elsewhere", "warning", "Data-parallel ranks report on other pods or ports",
        "the numbers of this pod leave their load out",
        "scale by the sum over all pods of the group (an External metric), and scrape {where}",
    ),
    Rule(
        "series-per-process", "info", "One gauge has a series per API server process (label pid)",
        "a plain sum counts the same load several times",
        "nothing to do: the highest series counts in the rules written here",
    ),
    Rule(
        "series-per-pod", "info", "One pod has several series of a signal",
        "a plain sum or a lookup of one series is wrong for this pod",
        "nothing to do: the rules written here combine them by {ranks}",
    ),
    Rule(
        "no-counts", "warning", "This version, or configuration, of the engine counts no requests",
        "an HPA cannot see a queue there, and a latency is only a guard",
        "use {what}",
    ),
    Rule(
        "queued-until-done", "info", "A Dynamo frontend of 1.4 counts streamed requests as queued until they end",
        "its queue says how many requests are in flight, and its latencies leave those requests out",
        "scale by in-flight, or use Dynamo 1.6 or newer",
    ),
    Rule(
        "no-engine-series", "info", "A Dynamo worker passes no series of its engine through",
        "only the requests in flight are known, not how many of them wait",
        "add {flag} to its command line (this restarts the pods), or scale by in-flight",
    ),
    Rule(
        "metrics-off", "error", "The engine runs without its metrics endpoint",
        "nothing can be scraped, so an HPA has no number",
        "{switch_on} (this restarts the pods)",
    ),
    Rule(
        "metrics-hidden", "error", "A flag hides all of the engine's metrics",
        "nothing can be scraped, so an HPA has no number",
        "remove {flag} from its command line (this restarts the pods)",
    ),
    Rule(
        "armed", "info", "The engine has not exposed its series yet",
        "they appear with the first request, and the HPA starts then",
        "nothing to do, or send one request (enable --warm)",
    ),
    Rule(
        "json-metrics", "error", "/metrics of trtllm-serve is JSON",
        "every read takes the statistics out of its queue, so a scraper there loses them",
        "scrape /prometheus/metrics and let nothing poll /metrics",
    ),
    Rule(
        "stale-gauge", "warning", "Requests run or wait while no counter moves",
        "a gauge that was not reset keeps the replicas up",
        "restart that pod; newer versions of the engine mend this",
    ),
    Rule(
        "router-in-match", "error", "The selector matches a router beside the engines",
        "its numbers are those of other pods and are counted twice",
        "select the engine pods only",
    ),
    Rule(
        "two-versions", "info", "Pods of two templates run side by side",
        "they may expose different names and seats",
        "nothing to do while a rollout is under way: rules accept every name",
    ),
    Rule(
        "multi-node-workers", "warning", "The scale selector matches pods without metrics",
        "a Pods metric counts them as missing, which damps every move",
        "scale by an object whose selector matches the leaders only",
    ),
    Rule(
        "bounded-queue", "warning", "The engine refuses requests beyond a length of its queue",
        "waiting never exceeds that bound, however many are turned away",
        "keep the waiting target below it, and watch rejections",
    ),
    Rule(
        "queue-upstream", "warning", "A router holds the queue in front of the engines",
        "the engine's own queue stays short, so waiting does not show the load",
        "scale by running or kv-cache, or by the router's queue",
    ),
    Rule(
        "deferred-waiting", "info", "Waiting includes requests whose KV cache is still being fetched",
        "more replicas do not make those faster",
        "use vLLM 0.20 or newer, where only the capacity reason counts",
    ),
)  # fmt: skip
