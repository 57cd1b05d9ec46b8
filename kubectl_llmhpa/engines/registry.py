"""Which engine is this pod, and what does it say? All engines, and the judgement over them.

Evidence in order: the live body, series in Prometheus or the metrics API, the command line, labels, the image, the
user's word. A body of no known engine is refused with the reason; names are chosen from the body alone, never from a
version.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence

from kubectl_llmhpa import names as known_names
from kubectl_llmhpa.engines import evidence as clue
from kubectl_llmhpa.engines import exposition, lookalikes, promql
from kubectl_llmhpa.engines.evidence import Expected
from kubectl_llmhpa.engines.exposition import Exposition, Sample
from kubectl_llmhpa.engines.model import (
    Clues,
    Engine,
    EngineFacts,
    Form,
    NotAnEngine,
    Signal,
    SignalSource,
    Source,
)
from kubectl_llmhpa.engines.rows import ENGINES

UNLISTED = "unlisted"
_CHECK_THE_PORT = "check that this is the port of the engine"
_CHECK_THE_PLACE = "check that this is the port and the path of the engine's metrics"
#: TensorRT-LLM up to 1.2 has the label and no name for it.
_NAMELESS = {"", "undefined"}
#: What a Prometheus adds to the series of each target.
_COLLECTED_BY = ("pod", "instance")
#: How a page of statistics per iteration calls its fields (`serialize` of tensorrt_llm/executor/result.py).
_ITERATION = {"iter", "iterLatencyMS", "numActiveRequests", "inflightBatchingStats"}


def identify(
    body: str | Exposition, clues: Clues | None = None, *, hint: str = "", source: Source = Source.BODY
) -> EngineFacts:
    """What the pod's engine is and says.

    `body` is the text of its metrics endpoint ("" when it answered with nothing), or the same series from elsewhere
    (`source`). `hint` is the user's `vllm@0.20`. Raises NotAnEngine when no engine of this version fits.
    """
    clues = clues or Clues()
    expected = clue.expect(clues, hint)
    try:
        parsed = exposition.read(body, buckets=False) if isinstance(body, str) else body
    except ValueError as error:
        raise _unreadable(str(body), expected, error) from error
    if found := lookalikes.by_body(parsed):
        raise lookalikes.refusal(found, parsed)
    for engine in ENGINES:
        told = clue.settled(engine, parsed, clues)
        for form in _forms(engine, parsed, told):
            if sign := _sign(form, parsed):
                if source is Source.BODY and (pods := _pods(parsed.live(sign))):
                    raise NotAnEngine(
                        f"{sign} is there for several pods ({', '.join(pods)}), so this is a collection of metrics",
                        "name the port of one engine",
                    )
                return _facts(engine, form, parsed, told, hint, source, f"{sign} in its metrics")
    for engine in ENGINES:
        told = clue.settled(engine, parsed, clues)
        awaited = expected is not None and expected.engine is engine
        begun = [form for form in _forms(engine, parsed, told) if _has_begun(form, parsed, engine, awaited)]
        if not begun:
            continue
        form = begun[0]
        some = next((name for names in form.live for name in names if parsed.live(name)), "")
        if awaited and some and not any(map(parsed.has, form.absent)):
            return _facts(
                engine, form, parsed, told, hint, source, f"{some} in its metrics, not all of its signals"
            )
        if engine.lazy or awaited:
            evidence = (
                f"{expected.evidence}; no series yet"
                if expected is not None and awaited
                else f"{form.prefix} families in its metrics; no series yet"
            )
            return _facts(engine, form, parsed, told, hint, source, evidence, armed=True)
        missing = ", ".join(names[0] for names in form.live if not any(map(parsed.live, names)))
        raise NotAnEngine(
            f"the metrics have {form.prefix} families but no series of {missing}", _CHECK_THE_PORT
        )
    return _silent(parsed, expected, clues, hint)


def assume(clues: Clues, hint: str = "") -> EngineFacts:
    """The engine of a pod whose metrics cannot be read: from its command line, labels, image or the user's word.

    The signals are those of its newest version. Raises NotAnEngine when nothing speaks for an engine.
    """
    expected = clue.expect(clues, hint)
    if expected is None:
        raise _unknown(clue.EMPTY, None, clues)
    form = clue.likely_form(expected.engine, clues)
    return _facts(
        expected.engine,
        form,
        clue.EMPTY,
        clue.settled(expected.engine, clue.EMPTY, clues),
        hint,
        expected.source,
        expected.evidence,
    )


def speaks(body: Exposition) -> bool:
    """Whether any family of any engine is in the body."""
    return any(body.has(prefix) for engine in ENGINES for prefix in engine.prefixes)


@functools.cache
def signal_of(metric: str) -> tuple[Engine, Signal] | None:
    """The engine and signal that a metric name belongs to, as the engine or an adapter (`:` as `_`) spells it."""
    spelt = known_names.without_peak(metric).replace(":", "_")
    for engine in ENGINES:
        for signal in engine.signals:
            if any(spelt == name.replace(":", "_") for name in (signal.api_name, *signal.metrics)):
                return engine, signal
    return None


def _silent(body: Exposition, expected: Expected | None, clues: Clues, hint: str) -> EngineFacts:
    """The expected engine, armed, of a body in which none is seen. Raises NotAnEngine where that cannot be."""
    if expected is None:
        raise _unknown(body, expected, clues)
    if flag := clue.hidden_by(expected.engine, clues):
        raise NotAnEngine(
            f"{expected.engine.title} runs with {flag}, which hides all its metrics",
            f"remove {flag} from the command line",
            seen=expected.engine.title,
        )
    if body.families:
        raise _unknown(body, expected, clues)
    if not expected.engine.lazy:
        raise NotAnEngine(
            f"{expected.engine.title} was expected ({expected.evidence}), but it answered with nothing, which it never "
            "does",
            _CHECK_THE_PORT,
            seen=expected.engine.title,
        )
    form = clue.likely_form(expected.engine, clues)
    evidence = f"{expected.evidence}; no metrics yet"
    told = clue.settled(expected.engine, body, clues)
    return _facts(expected.engine, form, body, told, hint, expected.source, evidence, armed=True)


def _forms(engine: Engine, body: Exposition, clues: Clues) -> list[Form]:
    forms = engine.forms_of(body, clues) if engine.forms_of else engine.forms
    return [form for form in forms if not form.roles or clues.role in form.roles]


def _pods(samples: Sequence[Sample]) -> list[str]:
    """The pods that samples are labelled with, or the addresses; empty unless there are several."""
    for label in _COLLECTED_BY:
        found = sorted({sample.labels[label] for sample in samples if label in sample.labels})
        if len(found) > 1:
            return found
    return []


def _sign(form: Form, body: Exposition) -> str:
    """The metric that tells the form, empty when it does not fit."""
    if not body.has(form.prefix) or any(body.has(name) for name in form.absent):
        return ""
    signs = [next((name for name in names if body.live(name)), "") for names in form.live]
    if not signs or not all(signs):
        return ""
    telling = (sample for name in signs for sample in body.live(name))
    return signs[0] if all(label in sample.labels for sample in telling for label in form.labelled) else ""


def _has_begun(form: Form, body: Exposition, engine: Engine, awaited: bool) -> bool:
    """Whether families of the form are there: a prefix alone is enough only for an engine that is awaited, or has its
    series from the start; where there is no prefix, an engine that is awaited has all of them."""
    if not form.prefix:
        return awaited and all(any(name in body.families for name in names) for names in form.live)
    if awaited or not engine.lazy:
        return body.has(form.prefix)
    known = {name for signal in form.signals for name in signal.names}.union(form.signs, *form.live)
    return any(
        {name, name.removesuffix("_total"), name.removesuffix("_sum")} & body.families
        for name in known
        if name.startswith(form.prefix)
    )


def _facts(
    engine: Engine,
    form: Form,
    body: Exposition,
    clues: Clues,
    hint: str,
    source: Source,
    evidence: str,
    *,
    armed: bool = False,
) -> EngineFacts:
    """The facts; `clues` have the role in them."""
    version, version_source = clue.version_of(engine, clues, hint)
    seen = source in (Source.BODY, Source.SERIES, Source.METRICS_API)
    live = seen and not armed
    if live:
        dialect = engine.dialect_of(body, form) if engine.dialect_of else _dialect(engine, body)
        sources = {signal.name: one for signal in form.signals if (one := _live_source(signal, form, body))}
    else:
        dialect = clue.dialect_since(engine, version) if version else ""
        sources = {signal.name: _expected_source(signal, form, body) for signal in form.signals}
    return EngineFacts(
        engine=engine.name,
        version=version,
        dialect=dialect,
        source=source,
        evidence=evidence,
        models=_models(form, body) or clue.models_of(engine, clues),
        signals=sources,
        seats=engine.seats_of(body, clues),
        armed=armed,
        findings=engine.findings_of(body, clues, dialect) if live else (),
        form=form.name,
        role=clues.role or form.role,
        version_source=version_source,
    )


def _dialect(engine: Engine, body: Exposition) -> str:
    return next((dialect.name for dialect in engine.dialects if dialect.fits(body)), UNLISTED)


def _models(form: Form, body: Exposition) -> tuple[str, ...]:
    named = {model for name in form.named_by for model in body.label_values(name, form.model_label)}
    if named:
        return tuple(sorted(named - _NAMELESS))
    names = {name for signal in form.signals for name in signal.names}
    names |= {f"{name}_count" for name in names}
    models = {model for name in names for model in body.label_values(name, form.model_label)}
    if not models:
        models = {
            sample.labels[form.model_label]
            for name, samples in body.samples.items()
            if name.startswith(form.prefix)
            for sample in samples
            if form.model_label in sample.labels
        }
    return tuple(sorted(models - _NAMELESS))


def _expected_source(signal: Signal, form: Form, body: Exposition) -> SignalSource:
    """A signal before its first series: the name of a TYPE line, else the newest name."""
    typed = (name for name in signal.metrics if {name, name.removesuffix("_total")} & body.families)
    metric = next(typed, signal.metrics[0])
    return promql.source(signal, metric, None, 0, external_only=form.external_only)


def _live_source(signal: Signal, form: Form, body: Exposition) -> SignalSource | None:
    metric, samples = promql.live(signal, body)
    if not metric:
        return None
    value = promql.value(signal, body)
    return promql.source(signal, metric, value, len(samples), external_only=form.external_only)


def _unreadable(body: str, expected: Expected | None, error: ValueError) -> NotAnEngine:
    start = body.lstrip()[:1]
    if start in ("{", "["):
        if (expected and expected.engine.never_ask) or is_iterations(body):
            remedy = (
                "trtllm-serve has it at /prometheus/metrics; every read of its /metrics takes statistics away"
            )
        else:
            remedy = _CHECK_THE_PLACE
        return NotAnEngine("the answer is JSON, not a metrics text", remedy)
    if start == "<":
        return NotAnEngine("the answer is an HTML page, not a metrics text", "name the port of the engine")
    if body.startswith(("\x1f\x8b", "\x1f\ufffd")):
        return NotAnEngine("the answer is compressed (gzip), not a metrics text", "unpack it")
    if "\0" in body:
        return NotAnEngine(
            "the answer is binary or UTF-16, not a metrics text in UTF-8", "name the port of the engine"
        )
    words = "".join(letter if letter.isprintable() and letter != "\ufffd" else "?" for letter in str(error))
    shown = f"{words[:80]}{'...' if words[80:] else ''}"
    return NotAnEngine(f"the answer is no Prometheus text: {shown}", _CHECK_THE_PLACE)


def is_iterations(body: str) -> bool:
    """Whether a JSON text is the statistics of iterations that trtllm-serve hands out, each once."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, list) and any(
        isinstance(one, dict) and one.keys() & _ITERATION for one in answer
    )


def _unknown(body: Exposition, expected: Expected | None, clues: Clues) -> NotAnEngine:
    row = lookalikes.by_clues(clues)
    if row is not None:
        return NotAnEngine(
            f"this is {row.title} by its command line or image: {row.reason}", row.remedy, seen=row.title
        )
    names = ", ".join(exposition.first_names(body))
    known = ", ".join(engine.title for engine in ENGINES)
    if expected is not None:
        engine = expected.engine
        wanted = " or ".join(engine.prefixes) or engine.title
        hint = f" and that {engine.switch_off[0]} is not set" if engine.switch_off else ""
        return NotAnEngine(
            f"{engine.title} was expected ({expected.evidence}), but no {wanted} family is among its metrics "
            f"({names})",
            f"{_CHECK_THE_PORT}{hint}",
            seen=engine.title,
        )
    if not body.families:
        return NotAnEngine(
            f"the answer is empty and the command line names no engine that this version knows ({known})",
            "name the engine with --engine",
        )
    return NotAnEngine(
        f"the metrics ({names}, ...) are of no engine that this version knows ({known})", _CHECK_THE_PORT
    )
