"""Findings about an engine: what it exposes, and what its numbers mean."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
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
        "SGLang and LMDeploy serve metrics only with `--enable-metrics`, llama.cpp only with `--metrics`. Without it "
        "the page answers with an error, the scrape target is down, and the HPA says `<unknown>`.",
    ),
    Rule(
        "metrics-hidden", "error", "A flag hides all of the engine's metrics",
        "nothing can be scraped, so an HPA has no number",
        "remove {flag} from its command line (this restarts the pods)",
        "With `--disable-log-stats` vLLM serves a metrics page without any `vllm:` series: the scrape target is up, "
        "and no query has a result.",
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
        "`/metrics` of trtllm-serve gives each iteration's statistics once, as JSON, which Prometheus cannot read: the "
        "target is down, and each scrape empties the queue for everybody else.",
    ),
    Rule(
        "stale-gauge", "warning", "Requests run or wait while no counter moves",
        "a gauge that was not reset keeps the replicas up",
        "restart that pod; newer versions of the engine mend this",
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
)  # fmt: skip
