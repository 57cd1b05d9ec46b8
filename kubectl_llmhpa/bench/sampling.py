"""What the engines themselves say while the load lasts: the metrics page of every pod, read every two seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.bench.observed import Sample
from kubectl_llmhpa.bench.share import Shares
from kubectl_llmhpa.bench.sizing.model import Gauge
from kubectl_llmhpa.engines import Endpoint, exposition, promql
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.plan.looking import places
from kubectl_llmhpa.plan.looking.sight import EngineSight
from kubectl_llmhpa.workloads import Workload, pods, ready_pods

EVERY_S = 2.0
_PATIENCE_S = 5.0
#: Of more pods, only the first are read: one look must not take longer than the time between two.
MOST_PODS = 32

#: A pod's name, and whether it has generated tokens.
Seen = Callable[[str, bool], None]


@dataclass(frozen=True)
class Reading:
    """One pod's page. Counters are since the engine's start; None for what it does not tell."""

    running: float | None
    waiting: float | None
    kv_cache: float | None
    finished: float | None
    output_tokens: float | None
    preemptions: float | None


@dataclass(frozen=True)
class Look:
    """The pages of all pods at one moment (`at`: the wall clock)."""

    at: float
    pods: Mapping[str, Reading]


@dataclass
class Sampler:
    """Reads in the background from `start` to `stop`. `only` is the one pod that is read; empty: all ready ones."""

    reader: Reader
    workload: Workload
    sight: EngineSight
    shares: Shares
    only: str = ""
    seen: Seen = lambda _pod, _busy: None
    clock: Callable[[], float] = time.time
    looks: list[Look] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """The first look is taken before this returns."""
        self.look(first=True)
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def look(self, *, first: bool = False) -> Look:
        """Reads every pod once; what fails is left out, and its reason kept with the shares."""
        found: dict[str, Reading] = {}
        try:
            ready = ready_pods(pods(self.reader, self.workload))
        except ApiError:
            ready = []
        for pod in [one for one in ready if self.only in ("", one["metadata"]["name"])][:MOST_PODS]:
            name = pod["metadata"]["name"]
            try:
                body = page(self.reader, pod, self.sight)
                parsed = exposition.read(body, buckets=False)
            except (ApiError, ValueError) as error:
                self.shares.unread[name] = error.message if isinstance(error, ApiError) else str(error)
                continue
            found[name] = reading(parsed, self.sight)
            self.shares.take(name, found[name].finished, start=first)
            self.seen(name, bool(found[name].output_tokens or found[name].finished))
        self.looks.append(Look(self.clock(), found))
        return self.looks[-1]

    def _run(self) -> None:
        while not self._stopped.wait(EVERY_S):
            self.look()


def page(reader: Reader, pod: Json, sight: EngineSight) -> str:
    """The metrics page of one pod, through the API server's pod proxy. Raises ApiError."""
    endpoint = Endpoint(sight.port, sight.path, sight.scheme)
    metadata = pod["metadata"]
    path = places.proxied(metadata["namespace"], metadata["name"], endpoint)
    return reader.get_text(path, timeout=_PATIENCE_S)


def reading(body: Exposition, sight: EngineSight) -> Reading:
    """The figures in a page, by the names that this engine's signals have."""

    def value(signal: str) -> float | None:
        source = sight.facts.signals.get(signal)
        return None if source is None else promql.value(source.spec, body)

    engine = next(one for one in engines.ENGINES if one.name == sight.facts.engine)
    tokens = sight.facts.signals.get("generation-tokens")
    return Reading(
        running=value("running"),
        waiting=value("waiting"),
        kv_cache=value("kv-cache"),
        finished=finished(body),
        output_tokens=None if tokens is None else _first(body, tokens.spec.metrics),
        preemptions=_first(body, engine.preempted),
    )


def finished(body: Exposition) -> float | None:
    """The number of requests that an engine finished; 0 where its series do not exist before the first one."""
    for engine in engines.ENGINES:
        total = _first(body, engine.finished)
        if total is not None:
            return total
    return 0.0 if engines.speaks(body) else None


def gauge(looks: Sequence[Look], name: str) -> Gauge | None:
    """Mean and largest of a gauge, summed over the pods of each look (`kv_cache`: their mean)."""
    values = [value for look in looks if (value := _over(look, name)) is not None]
    return Gauge(sum(values) / len(values), max(values), len(values)) if values else None


def growth(looks: Sequence[Look], name: str) -> int | None:
    """By how much a counter grew from the first look to the last, over the pods that are in both.

    None where it was not told, or an engine began to count anew.
    """
    if len(looks) < 2:
        return None
    total, known = 0.0, False
    for pod, last in looks[-1].pods.items():
        first = looks[0].pods.get(pod)
        before, after = (None if first is None else getattr(first, name)), getattr(last, name)
        if before is None or after is None:
            continue
        if after < before:
            return None
        total, known = total + after - before, True
    return int(total) if known else None


def samples(looks: Iterable[Look], started: float) -> tuple[Sample, ...]:
    """The looks as the report shows them."""
    return tuple(
        Sample(
            round(look.at - started, 1), len(look.pods), _over(look, "running"), _over(look, "waiting"),
            _over(look, "kv_cache"),
        )
        for look in looks
    )  # fmt: skip


def _over(look: Look, name: str) -> float | None:
    values: list[float] = [value for one in look.pods.values() if (value := getattr(one, name)) is not None]
    if not values:
        return None
    return sum(values) / len(values) if name == "kv_cache" else sum(values)


def _first(body: Exposition, names: Sequence[str]) -> float | None:
    """The total of the first name that has series."""
    return next((total for name in names if (total := body.total(name)) is not None), None)
