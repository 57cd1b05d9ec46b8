"""One pod under a closed loop: so many clients, each of which asks again when it has its answer.

That is how engines are benchmarked, so it is what a service curve is held against.
"""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True)
class Answer:
    """One request: when it was asked and, in seconds from then, its first token, a further token and its end."""

    at: float
    ttft: float
    tpot: float
    latency: float


def point(service: Service, clients: int, prompt: int, output: int, *, count: int) -> Point:
    """`count` requests of one length by so many clients that all begin at once."""
    found = answers(service, clients, prompt, [output] * count)
    ttft = sorted(one.ttft for one in found)
    return Point(
        clients,
        count / max(one.at + one.latency for one in found),
        sum(ttft) / count,
        quantile(ttft, 0.5),
        quantile(ttft, 0.95),
        quantile(sorted(one.tpot for one in found), 0.95),
        sum(one.latency for one in found) / count,
    )


def answers(service: Service, clients: int, prompt: int, outputs: Sequence[int]) -> list[Answer]:
    """A request for each of the outputs, in the order in which they were asked."""
    count = len(outputs)
    requests, served = Requests(), Served.of(0)
    pod = Pod(0, service, requests, served, 0.0)
    begun: list[float] = []

    def ask(now: float) -> None:
        # A client's own share of the latency lies before the engine's.
        requests.at.append(now)
        requests.prompt.append(prompt)
        requests.output.append(outputs[len(begun)])
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
    spent = service.overhead
    return [
        Answer(at, first - at + spent, (last - first) / max(1, output - 1), last - at + spent)
        for at, output, first, last in zip(requests.at, outputs, served.first, served.last, strict=True)
    ]
