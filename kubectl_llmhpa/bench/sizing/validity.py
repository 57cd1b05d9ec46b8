"""May a point be used? Each rule with its reason in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from kubectl_llmhpa.bench.pod.adaptive import enough
from kubectl_llmhpa.bench.sizing.model import Point, Sweep


@dataclass(frozen=True)
class Rules:
    """The least seconds, the largest error of Little's law, the largest share of failures, and how much of a core the
    client may use."""

    seconds: float = 30.0
    little: float = 0.05
    failures: float = 0.05
    client_cpu: float = 0.9


def checked(sweep: Sweep, rules: Rules | None = None) -> Sweep:
    """The sweep with the reason in every point that must not be used."""
    rules = rules or Rules()
    points = tuple(replace(one, invalid=reason(one, sweep.slo.share, rules)) for one in sweep.points)
    return replace(sweep, points=tuple(sorted(points, key=lambda one: one.concurrency)))


def little(point: Point) -> float | None:
    """How far throughput times mean latency is from the requests in flight that were asked for, relative to them.

    Little's law says that they are equal, whatever the engine does. None where there is no latency.
    """
    if point.e2e.mean is None:
        return None
    return (point.throughput * point.e2e.mean - point.concurrency) / point.concurrency


def reason(point: Point, share: float, rules: Rules) -> str:
    """Why a point must not be used; empty when it may be."""
    if point.invalid:
        return point.invalid
    if point.done == 0:
        return "no request succeeded"
    failing = point.failures / (point.done + point.failures)
    if failing > rules.failures:
        return f"{math.floor(100 * failing)} % of the requests failed"
    if point.client_cpu is not None and point.client_cpu > rules.client_cpu:
        return f"the client was the limit: it used {100 * point.client_cpu:.0f} % of a core"
    if point.seconds < rules.seconds:
        return f"{point.seconds:.0f} s is too short: at least {rules.seconds:g} s"
    needed = enough(point.concurrency, share)
    if point.done < needed:
        return f"{point.done} requests are too few: at least {needed}"
    error = little(point)
    if error is None:
        return "no latency was measured"
    if abs(error) > rules.little:
        held = point.throughput * (point.e2e.mean or 0.0)
        return (
            f"throughput x latency is {held:.2f} and not {point.concurrency} requests in flight: the client was the "
            "limit, or the run too short"
        )
    return ""
