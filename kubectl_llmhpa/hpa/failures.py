"""The controller's error messages, each with the hop it means and a plain sentence.

Texts as the controller and the adapters write them (horizontal.go, metrics clients of Kubernetes 1.27 to 1.37;
prometheus-adapter 0.12, KEDA 2.21), seen on a real cluster. First match wins.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: How a sentence ends whose cause only an event of the ScaledObject knows.
EVENT_TELLS = "; the KEDAScalerFailed event of its ScaledObject tells why"


_BRACES = r"&LabelSelector\{(?:[^{}]|\{[^{}]*\})*\}"
#: `(&LabelSelector{...})` behind the name of a Pods metric, `/&LabelSelector{...}` behind that of an External one.
_SELECTOR = re.compile(rf"\({_BRACES}\)|/{_BRACES}|\(nil\)")


class Failure(NamedTuple):
    """`hop` is the broken link of the chain, `why` a sentence, `waits`: normal while no pod is ready."""

    hop: str
    why: str
    waits: bool = False


_ROWS: tuple[tuple[str, str, str, bool], ...] = (
    (
        r"no (?P<api>custom|external) metrics API \(\S+\) registered",
        "metrics API",
        "nothing serves {api} metrics: no adapter is installed for {api}.metrics.k8s.io",
        False,
    ),
    (
        r"unable to fetch metrics from (?P<api>custom|external) metrics API: no known available metric versions found",
        "metrics API",
        "the adapter behind {api}.metrics.k8s.io does not answer (its APIService is not Available)",
        False,
    ),
    (
        r"(?P<api>custom|external) metrics API: the server is currently unable to handle the request",
        "metrics API",
        "the adapter behind {api}.metrics.k8s.io does not answer (its APIService is not Available)",
        False,
    ),
    (
        r"unable to fetch metrics from resource metrics API: the server (could not find|is currently unable)",
        "metrics API",
        "nothing answers for CPU and memory: metrics-server, behind metrics.k8s.io, is not installed or not Available",
        False,
    ),
    (
        r"missing request for (?P<metric>\S+) in container (?P<container>\S+)",
        "target",
        "container {container} requests no {metric}, so there is nothing to take a percentage of",
        False,
    ),
    (
        r"metrics for resource (?P<metric>\S+): no metrics returned from resource metrics API",
        "sample",
        "metrics-server has no {metric} of any pod of the workload yet",
        True,
    ),
    (
        r"could not find the metric (?P<metric>\S+) for",
        "name",
        "the metrics API does not know {metric}: the adapter has no rule for it, Prometheus has no sample of it, or "
        "the selector matches no pod",
        True,
    ),
    (
        r"no metrics returned from (?P<api>custom|external) metrics API",
        "sample",
        "no pod of the workload has a sample of {metric}: it is not scraped, or the engine does not expose it "
        "yet, or as NaN or infinity",
        True,
    ),
    (
        r"did not receive metrics for (targeted|any ready) pods",
        "sample",
        "no pod of the workload has a sample of {metric}: it is not scraped, or the engine does not expose it "
        "yet, or as NaN or infinity",
        True,
    ),
    (
        r"no pods returned by selector while calculating replica count",
        "selection",
        "the workload's selector matches no pod",
        True,
    ),
    (
        r"ScaledObject\.keda\.sh \"(?P<metric>[^\"]+)\" not found",
        "metrics API",
        "the metric's selector names ScaledObject {metric}, which does not exist",
        False,
    ),
    (
        r"rpc error: .*error when getting metric values? metric:(?P<metric>\S+)",
        "value",
        f"KEDA cannot compute {{metric}}{EVENT_TELLS}",
        False,
    ),
    (
        r"(?P<api>custom|external) metrics API: Internal error occurred: unable to fetch metrics",
        "value",
        "the adapter's query fails in Prometheus, or Prometheus does not answer; the adapter's log tells which",
        False,
    ),
    (r"\bforbidden\b", "metrics API", "the HPA controller may not read the metric: {message}", False),
    (
        r"invalid object metric source: neither a value target nor an average value target was set",
        "autoscaler",
        "`type` and the field that is set do not fit for an Object metric",
        False,
    ),
)


def explain(message: str) -> Failure:
    """The hop and the sentence for the message of a `ScalingActive=False` condition or a Warning event."""
    for pattern, hop, sentence, waits in _ROWS:
        if match := re.search(pattern, message, re.DOTALL):
            groups = match.groupdict()
            metric = groups.get("metric") or _metric(message) or "the metric"
            words = {"api": "", "container": "", **groups, "metric": metric, "message": message}
            return Failure(hop, sentence.format(**words), waits)
    return Failure("value", message or "the metric cannot be computed")


def without_selectors(message: str) -> str:
    """A message without the selectors that the controller prints in its own programming language."""
    return _SELECTOR.sub("", message)


def _metric(message: str) -> str:
    """M of `unable to get metric M: ...` or of `unable to get external metric NS/M/SELECTOR: ...`."""
    if match := re.search(r"unable to get external metric [^/\s]+/(\S+?)/", message):
        return match[1]
    match = re.search(r"unable to get metric (\S+?)(?: on .*?)?: ", message)
    return match[1] if match else ""
