"""Which engine is this pod, and what does it say? All engines, and the judgement over them.

Evidence in order: the live body, series in Prometheus or the metrics API, the command line, labels, the image, the
user's word. A body of no known engine is refused with the reason; names are chosen from the body alone, never from a
version.
"""

from __future__ import annotations

from kubectl_llmhpa.engines import evidence as clue
from kubectl_llmhpa.engines import exposition, lookalikes, promql
from kubectl_llmhpa.engines.evidence import Expected
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import (
    HPA_FORMS,
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

_EMPTY = Exposition(frozenset(), {})
UNLISTED = "unlisted"
#: TensorRT-LLM up to 1.2 has the label and no name for it.
_NAMELESS = {"", "undefined"}


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
        raise _unreadable(str(body), error) from error
    if found := lookalikes.by_body(parsed):
        raise lookalikes.refusal(found, parsed)
    for engine in ENGINES:
        role = clue.role_of(engine, parsed, clues)
        for form in _forms(engine, parsed, clues, role):
            if sign := _sign(form, parsed):
                return _facts(engine, form, parsed, clues, hint, source, f"{sign} in its metrics", role)
    for engine in ENGINES:
        role = clue.role_of(engine, parsed, clues)
        awaited = expected is not None and expected.engine is engine
        begun = [form for form in _forms(engine, parsed, clues, role) if _has_begun(form, parsed, awaited)]
        if not begun:
            continue
        form = begun[0]
        if engine.lazy or awaited:
            evidence = (
                f"{expected.evidence}; no series yet"
                if expected is not None and awaited
                else f"{form.prefix} families in its metrics; no series yet"
            )
            return _facts(engine, form, parsed, clues, hint, source, evidence, role, armed=True)
        missing = ", ".join(names[0] for names in form.live if not any(map(parsed.live, names)))
        raise NotAnEngine(f"the metrics have {form.prefix} families but no series of {missing}")
    if expected is None:
        raise _unknown(parsed, expected, clues)
    if flag := clue.hidden_by(expected.engine, clues):
        raise NotAnEngine(
            f"{expected.engine.title} runs with {flag}, which hides all its metrics",
            f"remove {flag} from the command line",
            seen=expected.engine.title,
        )
    if parsed.families:
        raise _unknown(parsed, expected, clues)
    form = clue.likely_form(expected.engine, clues)
    evidence = f"{expected.evidence}; no metrics yet"
    return _facts(expected.engine, form, parsed, clues, hint, source, evidence, armed=True)


def assume(clues: Clues, hint: str = "") -> EngineFacts:
    """The engine of a pod whose metrics cannot be read: from its command line, labels, image or the user's word.

    The signals are those of its newest version. Raises NotAnEngine when nothing speaks for an engine.
    """
    expected = clue.expect(clues, hint)
    if expected is None:
        raise _unknown(_EMPTY, None, clues)
    form = clue.likely_form(expected.engine, clues)
    return _facts(expected.engine, form, _EMPTY, clues, hint, expected.source, expected.evidence)


def speaks(body: Exposition) -> bool:
    """Whether any family of any engine is in the body."""
    return any(body.has(prefix) for engine in ENGINES for prefix in engine.prefixes)


def signal_of(metric: str) -> tuple[Engine, Signal] | None:
    """The engine and signal that a metric name belongs to, as the engine or an adapter (`:` as `_`) spells it."""
    spelt = metric.replace(":", "_")
    for engine in ENGINES:
        for signal in engine.signals:
            if any(spelt == name.replace(":", "_") for name in (signal.api_name, *signal.metrics)):
                return engine, signal
    return None


def engine_of(metric: str) -> str | None:
    """The name of the engine (or the title of the look-alike) that a metric name belongs to; None for others."""
    if row := lookalikes.by_metric(metric):
        return row.title
    if found := signal_of(metric):
        return found[0].name
    for engine in ENGINES:
        spellings = [spelt for prefix in engine.prefixes for spelt in (prefix, prefix.replace(":", "_"))]
        if metric.startswith(tuple(spellings)):
            return engine.name
    return None


def _forms(engine: Engine, body: Exposition, clues: Clues, role: str) -> list[Form]:
    forms = engine.forms_of(body, clues) if engine.forms_of else engine.forms
    return [form for form in forms if not form.roles or role in form.roles]


def _sign(form: Form, body: Exposition) -> str:
    """The metric that tells the form, empty when it does not fit."""
    if not body.has(form.prefix) or any(body.has(name) for name in form.absent):
        return ""
    signs = [next((name for name in names if body.live(name)), "") for names in form.live]
    if not signs or not all(signs):
        return ""
    telling = (sample for name in signs for sample in body.live(name))
    return signs[0] if all(label in sample.labels for sample in telling for label in form.labelled) else ""


def _has_begun(form: Form, body: Exposition, awaited: bool) -> bool:
    """Whether families of the form are there; where they have no prefix, an engine that is awaited has all of them."""
    if form.prefix:
        return body.has(form.prefix)
    return awaited and all(any(name in body.families for name in names) for names in form.live)


def _facts(
    engine: Engine,
    form: Form,
    body: Exposition,
    clues: Clues,
    hint: str,
    source: Source,
    evidence: str,
    role: str = "",
    *,
    armed: bool = False,
) -> EngineFacts:
    version, version_source = clue.version_of(clues, hint)
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
        role=role or clue.role_of(engine, body, clues) or form.role,
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
    return source_for(signal, form, next(typed, signal.metrics[0]), None, 0)


def _live_source(signal: Signal, form: Form, body: Exposition) -> SignalSource | None:
    metric, samples = promql.live(signal, body)
    if not metric:
        return None
    return source_for(signal, form, metric, promql.value(signal, body), len(samples))


def source_for(signal: Signal, form: Form, metric: str, value: float | None, series: int) -> SignalSource:
    """A signal of a form as a source."""
    forms = HPA_FORMS[signal.kind]
    if form.external_only:
        forms = tuple(one for one in forms if one.startswith("External"))
    return SignalSource(
        signal.name, signal.kind, metric, value, series, signal, promql.per_pod(signal), forms
    )


def _unreadable(body: str, error: ValueError) -> NotAnEngine:
    start = body.lstrip()[:1]
    if start in ("{", "["):
        return NotAnEngine(
            "the answer is JSON, not a metrics text",
            "trtllm-serve has it at /prometheus/metrics; every read of its /metrics takes statistics away",
        )
    if start == "<":
        return NotAnEngine("the answer is an HTML page, not a metrics text", "name the port of the engine")
    return NotAnEngine(f"the answer is no Prometheus text: {error}")


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
            f"check that this is the port of the engine{hint}",
            seen=engine.title,
        )
    if not body.families:
        return NotAnEngine(
            f"the answer is empty and the command line names no engine that this version knows ({known})"
        )
    return NotAnEngine(f"the metrics ({names}, ...) are of no engine that this version knows ({known})")
