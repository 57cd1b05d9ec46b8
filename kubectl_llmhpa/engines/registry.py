"""Which engine is this pod, and what does it say? All engines, and the judgement over them.

Evidence in order: the live body, then the command line, then the image. A body of no known engine is refused with
the reason; names are chosen from the body alone, never from a version.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from kubectl_llmhpa.engines import commands, exposition, lookalikes
from kubectl_llmhpa.engines.exposition import Exposition, Sample
from kubectl_llmhpa.engines.model import Engine, EngineFacts, Kind, NotAnEngine, Signal, SignalSource
from kubectl_llmhpa.engines.vllm import VLLM

ENGINES: tuple[Engine, ...] = (VLLM,)


def identify(body: str, *, command: Sequence[str] = (), image: str = "") -> EngineFacts:
    """What the pod's engine is and says.

    `body` is the text of its metrics endpoint ("" when it answered with nothing, or does not answer yet), `command`
    the container's command and args, `image` its image. Raises NotAnEngine when no engine of this version fits.
    """
    words = commands.words(command)
    expected = _by_command(" ".join(words), image)
    try:
        parsed = exposition.read(body)
    except ValueError as error:
        raise _unreadable(body, error) from error
    if found := lookalikes.by_body(parsed):
        raise NotAnEngine(f"this is {found.title}: {found.reason}", found.remedy, seen=found.title)
    for engine in ENGINES:
        if not parsed.has(engine.prefix):
            continue
        if all(parsed.of(metric) for metric in engine.live):
            return _facts(engine, parsed, words, image, f"{engine.live[0]} in its metrics")
        if expected is not None and expected[0] is engine:
            return _facts(engine, parsed, words, image, f"{expected[1]}; no series yet", armed=True)
        missing = ", ".join(metric for metric in engine.live if not parsed.of(metric))
        raise NotAnEngine(f"the metrics have {engine.prefix} families but no series of {missing}")
    if expected is not None:
        engine, evidence = expected
        hidden = next((word for name in engine.hides_metrics if (word := commands.switch(words, name))), None)
        if hidden:
            raise NotAnEngine(
                f"{engine.title} runs with {hidden}, which hides all its metrics",
                f"remove {hidden} from the command line",
                seen=engine.title,
            )
        if not parsed.families:
            return _facts(engine, parsed, words, image, f"{evidence}; no metrics yet", armed=True)
    raise _unknown(parsed, expected, " ".join(words))


def listening(command: Sequence[str], env: Mapping[str, str] | None = None) -> list[tuple[int, str]]:
    """Candidate (port, path) of the metrics, most likely first; empty when the command line rules HTTP out.

    `env` fills variables of the command line. Engines' own port variables are not read: a Service called `vllm`
    injects `VLLM_PORT=tcp://...` (vllm-project/vllm#34199).
    """
    words = commands.words(command, env)
    expected = _by_command(" ".join(words), "")
    engine = expected[0] if expected else ENGINES[0]
    if commands.switch(words, "--headless"):
        return []
    port = commands.whole(commands.flag(words, "--port"))
    if port is not None and port < 65536:
        return [(port, engine.path)]
    return [(engine.default_port, engine.path)]


def signal_of(metric: str) -> tuple[Engine, Signal] | None:
    """The engine and signal that a metric name belongs to, as the engine or an adapter (`:` as `_`) spells it."""
    for engine in ENGINES:
        for signal in engine.signals:
            for name in signal.metrics:
                if metric in (name, name.replace(":", "_")):
                    return engine, signal
    return None


def engine_of(metric: str) -> str | None:
    """The name of the engine (or the title of the look-alike) that a metric name belongs to; None for others."""
    for engine in ENGINES:
        if metric.startswith((engine.prefix, engine.prefix.replace(":", "_"))):
            row = lookalikes.by_metric(metric)
            return row.title if row else engine.name
    row = lookalikes.by_metric(metric)
    return row.title if row else None


def _by_command(line: str, image: str) -> tuple[Engine, str] | None:
    """The engine that the command line (or, when that names no program, the image) stands for, and the evidence."""
    if lookalikes.by_command(line):
        return None
    for engine in ENGINES:
        for pattern in engine.commands:
            if match := re.search(pattern, line):
                return engine, f"`{match[0].strip()}` on its command line"
    for engine in ENGINES:
        if any(re.search(pattern, image) for pattern in engine.images):
            return engine, f"image {image}"
    return None


def _facts(
    engine: Engine, body: Exposition, words: Sequence[str], image: str, evidence: str, *, armed: bool = False
) -> EngineFacts:
    dialect = "" if armed else engine.dialect_of(body)
    if armed:
        sources = {signal.name: _expected(signal, body) for signal in engine.signals}
    else:
        sources = {signal.name: source for signal in engine.signals if (source := _source(signal, body))}
    models = sorted({name for metric in engine.live for name in body.label_values(metric, "model_name")})
    version = re.search(r":v?(\d+\.\d+\.\d+(\.post\d+|rc\d+)?)\b", image)
    return EngineFacts(
        engine=engine.name,
        version=version[1] if version else None,
        dialect=dialect,
        evidence=evidence,
        models=tuple(models),
        signals=sources,
        seats=engine.seats_of(body, words),
        armed=armed,
        notes=() if armed else engine.notes_of(body, words, dialect),
    )


def _expected(signal: Signal, body: Exposition) -> SignalSource:
    """A signal before its first series: the name of a TYPE line, else the newest name."""
    typed = (name for name in signal.metrics if {name, name.removesuffix("_total")} & body.families)
    metric = next(typed, signal.metrics[0])
    return SignalSource(signal.name, signal.kind, metric, signal.metrics, signal.rank_labels, None, 0)


def _source(signal: Signal, body: Exposition) -> SignalSource | None:
    for metric in signal.metrics:
        samples = body.live(metric)
        if samples:
            value = _combined(signal, body.of(metric))
            return SignalSource(
                signal.name, signal.kind, metric, signal.metrics, signal.rank_labels, value, len(samples)
            )
    return None


def _combined(signal: Signal, samples: Sequence[Sample]) -> float | None:
    """This pod's number: the highest per rank, then the sum of ranks (counts) or the fullest rank (ratios)."""
    if signal.kind not in (Kind.COUNT, Kind.RATIO) or not samples:
        return None
    if not all(math.isfinite(sample.value) for sample in samples):
        return None
    ranks: dict[tuple[str, ...], float] = {}
    for sample in samples:
        rank = tuple(sample.labels.get(label, "") for label in signal.rank_labels)
        ranks[rank] = max(ranks.get(rank, sample.value), sample.value)
    return sum(ranks.values()) if signal.kind is Kind.COUNT else max(ranks.values())


def _unreadable(body: str, error: ValueError) -> NotAnEngine:
    start = body.lstrip()[:1]
    if start in ("{", "["):
        return NotAnEngine(
            "the answer is JSON, not a metrics text", "trtllm-serve has it at /prometheus/metrics"
        )
    if start == "<":
        return NotAnEngine("the answer is an HTML page, not a metrics text", "name the port of the engine")
    return NotAnEngine(f"the answer is no Prometheus text: {error}")


def _unknown(body: Exposition, expected: tuple[Engine, str] | None, line: str) -> NotAnEngine:
    row = lookalikes.by_command(line)
    if row is not None:
        return NotAnEngine(
            f"this is {row.title} by its command line: {row.reason}", row.remedy, seen=row.title
        )
    names = ", ".join(exposition.first_names(body))
    known = ", ".join(engine.title for engine in ENGINES)
    if expected is not None:
        engine, evidence = expected
        return NotAnEngine(
            f"{engine.title} was expected ({evidence}), but no {engine.prefix} family is among its metrics ({names})",
            f"check that this is the port of the engine and that {engine.hides_metrics[0]} is not set",
            seen=engine.title,
        )
    if not body.families:
        return NotAnEngine(
            f"the answer is empty and the command line names no engine that this version knows ({known})"
        )
    return NotAnEngine(f"the metrics ({names}, ...) are of no engine that this version knows ({known})")
