"""Findings: what a user should know before or after a change. One registry of every code there is.

A finding says what was seen on which object, why it matters, and the exact fix. `docs/findings.md` is made from
`RULES`; lint rules and doctor hops are rows of the same table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One kind of finding.

    `severity` is `error` (it cannot work), `warning` (it works badly) or `info`. `title` is a line for the docs;
    `why` and `fix` are sentences without a full stop, in which `{name}` is filled in for each finding.
    """

    code: str
    severity: str
    title: str
    why: str
    fix: str


@dataclass(frozen=True)
class Finding:
    """One finding; `about` is the object (`StatefulSet/vllm`), empty while only the engine is known."""

    code: str
    severity: str
    about: str
    seen: str
    why: str
    fix: str

    def __str__(self) -> str:
        about = f"{self.about}: " if self.about else ""
        return f"{about}{self.seen}; {self.why}; {self.fix} [{self.code}]"


def found(code: str, about: str, seen: str, **values: object) -> Finding:
    """A finding of the rule `code`; `values` fill its sentences. Raises KeyError for a code that is not in RULES."""
    rule = RULES[code]
    return Finding(code, rule.severity, about, seen, rule.why.format_map(values), rule.fix.format_map(values))


_ROWS = (
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
        "enable-refused", "info", "Something else scales the workload, or keeps an HPA from doing so",
        "enable makes no HPA for it as it is",
        "{remedy}",
    ),
    Rule(
        "ratio-target", "error", "A target of 1 or more for a ratio",
        "the metric lies between 0 and 1, so it never asks for more replicas",
        "use a target such as 0.8 (800m)",
    ),
    Rule(
        "target-above-seats", "error", "A target for running requests that one pod cannot exceed",
        "a full pod stays within the tolerance of the target, so it never asks for more replicas",
        "use {better}",
    ),
    Rule(
        "renamed-metric", "error", "An HPA asks for a name that this version of the engine no longer exposes",
        "the metric is unknown to the HPA, which then does not act on it",
        "use {now}, or run enable again",
    ),
    Rule(
        "stale-gauge", "warning", "Requests run or wait while no counter moves",
        "a gauge that was not reset keeps the replicas up",
        "restart that pod; newer versions of the engine mend this",
    ),
    Rule(
        "prometheus-may-not-list-pods", "error", "Prometheus has no right to find the pods",
        "{prometheus} selects the scrape object and then has no target, without an error",
        "{role} && {binding}",
    ),
    Rule(
        "two-targets", "warning", "Prometheus scrapes one pod twice",
        "sums over series count it twice, and samples are paid twice",
        "keep one of the scrape objects",
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
    Rule(
        "slow-start", "warning", "Pods take long to become ready",
        "a replica asked for during a burst serves only after that",
        "keep a warm replica above the base load: --min 2 or more",
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
    ),
    Rule(
        "grace-period", "warning", "A generation may outlast the grace period of its pod",
        "a generation that is not done when its pod is scaled in is cut off",
        "set terminationGracePeriodSeconds above the longest generation, or use --scale-down disabled",
    ),
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
        "where the cluster's network enforces policies KEDA gets no number, and the HPA keeps the replicas as they are",
        "{command}",
    ),
    Rule(
        "not-checked", "info", "Something could not be read with these permissions",
        "{what} was not checked",
        "ask for the right to read it, or check by hand",
    ),
)  # fmt: skip

#: Every code and its rule.
RULES = {rule.code: rule for rule in _ROWS}
