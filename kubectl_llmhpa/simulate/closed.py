"""One pod under a closed loop: so many clients, each of which asks again when it has its answer.

That is how engines are benchmarked, so it is what a service curve is held against.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_llmhpa.simulate.pod import Pod
from kubectl_llmhpa.simulate.requests import Requests, Served
from kubectl_llmhpa.simulate.results import quantile
from kubectl_llmhpa.simulate.service import Service


@dataclass(frozen=True)
class Point:
    """Requests per second, and TTFT and time per further token in seconds, with so many clients."""

    clients: int
    throughput: float
    ttft_mean: float
    ttft_p50: float
    ttft_p95: float
    tpot_p95: float
    latency_mean: float


def point(service: Service, clients: int, prompt: int, output: int, *, count: int) -> Point:
    """`count` requests of one length by so many clients that all begin at once."""
    requests, served = Requests(), Served.of(0)
    pod = Pod(0, service, requests, served, 0.0)
    begun: list[float] = []

    def ask(now: float) -> None:
        # A client's own share of the latency lies before the engine's.
        requests.at.append(now)
        requests.prompt.append(prompt)
        requests.output.append(output)
        served.first.append(float("nan"))
        served.last.append(float("nan"))
        begun.append(now)
        pod.offer(len(begun) - 1, now)

    upcoming = [0.0] * min(clients, count)
    while upcoming or pod.load:
        if upcoming and upcoming[0] <= pod.next:
            ask(upcoming.pop(0))
            continue
        now = pod.next
        for _ in pod.step(now):
            if len(begun) + len(upcoming) < count:
                upcoming.append(now + service.overhead)
    ttft = [first - at + service.overhead for first, at in zip(served.first, requests.at, strict=True)]
    tpot = [(b - a) / max(1, output - 1) for a, b in zip(served.first, served.last, strict=True)]
    latency = [last - at + service.overhead for last, at in zip(served.last, requests.at, strict=True)]
    return Point(
        clients,
        count / (max(served.last) + service.overhead),
        sum(ttft) / count,
        quantile(sorted(ttft), 0.5),
        quantile(sorted(ttft), 0.95),
        quantile(sorted(tpot), 0.95),
        sum(latency) / count,
    )
