"""The report of a run: a verdict, a text for a person, a document for a program."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from kubectl_llmhpa import engines, quantities
from kubectl_llmhpa.bench.outcome import Outcome
from kubectl_llmhpa.bench.preparing import Plan
from kubectl_llmhpa.bench.results import LATENCIES, Result
from kubectl_llmhpa.errors import ExitCode
from kubectl_llmhpa.hpa import HpaView
from kubectl_llmhpa.output import documents
from kubectl_llmhpa.output.tables import fields, table
from kubectl_llmhpa.output.terminal import escape

_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "e2e": "latency"}
#: A ready pod with less than this share of an even split has been left out by the load balancing.
_LEFT_OUT = 0.02


def verdict(outcome: Outcome) -> tuple[ExitCode, str]:
    """The exit code and one sentence."""
    result = outcome.result
    if result.invalid:
        return ExitCode.MEASUREMENT_INVALID, f"measurement invalid: {result.invalid}{_words(result)}"
    load = outcome.plan.load
    if outcome.plan.hpa is not None and load.must_rescale and outcome.first_rescale_s is None:
        state = "" if outcome.hpa is None else f"; HPA is {outcome.hpa.state}: {outcome.hpa.why}"
        return ExitCode.NO_RESCALE, f"no rescale within {result.duration_s:.0f} s of load{state}"
    if outcome.first_rescale_s is not None:
        seconds = f"{outcome.first_rescale_s:.1f} s"
        return ExitCode.OK, f"first rescale {seconds} after the load began{_reason(outcome)}"
    return ExitCode.OK, "measured"


def _reason(outcome: Outcome) -> str:
    """The first rescale's reason, from the event that came with it."""
    for entry in outcome.entries:
        _, found, reason = entry.text.partition("; reason: ")
        if entry.kind == "rescale" and found and entry.at >= outcome.started:
            return f" ({reason})"
    return ""


def text(outcome: Outcome) -> str:
    """The whole report, for stdout, without a final newline."""
    plan, result = outcome.plan, outcome.result
    code, sentence = verdict(outcome)
    failed = ", ".join(f"{reason}: {count}" for reason, count in result.failed.items())
    pairs = [
        ("Workload", f"{plan.workload.reference} in namespace {plan.workload.namespace}"),
        ("Engine", engine_line(plan)),
        ("Through", f"{plan.endpoint.url} ({plan.endpoint.what})"),
        ("Load", load_line(plan)),
        ("Client", _client(result)),
        ("Requests", f"{result.sent} sent, {result.done} succeeded, {result.failures} failed"
         + (f" ({failed})" if failed else "") + (f", {result.cut} cut off at the end" if result.cut else "")),
        ("Throughput", f"{result.request_rate:.2f} requests/s, {result.output_token_rate:.0f} output tokens/s"
         + ("" if result.tokens_exact else " (chunks counted: the engine tells no usage)")),
    ]  # fmt: skip
    parts = [fields(pairs)]
    parts += [f"  {escape(reason)}: {escape(example)}" for reason, example in result.examples.items()]
    if not outcome.started:  # nothing was loaded, so nothing was moved
        return "\n".join(
            [*parts, *_generator(result), f"\nResult: {escape(sentence)} (exit code {int(code)})"]
        )
    if result.done:
        parts.append("\nLatency (ms):\n" + _latencies(result))
    if plan.hpa is not None:
        parts.append("\nAutoscaler:\n" + _autoscaler(outcome))
    elif outcome.entries:
        parts.append("\nTimeline:\n" + timeline(outcome))
    if outcome.shares:
        parts.append("\nRequests per pod:\n" + _shares(outcome))
    notes = [*plan.load.notes, *outcome.notes]
    if result.tool == "vllm" and plan.hpa is not None:
        notes.append("vLLM's generator keeps its connections: replicas that came later may have got nothing")
    parts += [f"note: {escape(note)}" for note in notes]
    parts += _generator(result)
    mark = "" if code is ExitCode.OK else f" (exit code {int(code)})"
    parts.append(f"\nResult: {escape(sentence)}{mark}")
    return "\n".join(parts)


def document(outcome: Outcome) -> dict[str, Any]:
    """The report as a document of kind `Bench`. Latencies are ms, times are seconds from the start of the load."""
    plan, result, view = outcome.plan, outcome.result, outcome.hpa
    code, sentence = verdict(outcome)
    content = {
        "run": plan.run.run,
        "startedAt": _rfc3339(outcome.started) if outcome.started else None,
        "namespace": plan.workload.namespace,
        "workload": plan.workload.reference,
        "engine": {
            "name": plan.sight.facts.engine,
            "version": plan.sight.facts.version,
            "image": plan.sight.container.get("image"),
            "seats": plan.sight.facts.seats,
        },
        "url": plan.endpoint.url,
        "model": plan.model.name,
        "load": {
            "concurrency": plan.load.concurrency,
            "reason": plan.load.reason,
            "mustRescale": plan.load.must_rescale,
            "inputTokens": plan.options.input_tokens,
            "outputTokens": plan.options.output_tokens,
            "durationSeconds": None if plan.options.num_prompts else plan.options.duration_s,
            "numPrompts": plan.options.num_prompts,
            "seed": plan.run.settings["seed"],
        },
        "result": result,
        "hpa": None
        if view is None
        else {
            "name": view.name,
            "min": view.min,
            "max": view.max,
            "replicasBefore": plan.workload.replicas,
            "replicas": view.current,
            "desired": view.desired,
            "ready": outcome.ready,
            "state": view.state,
            "why": view.why,
            "metrics": view.metrics,
        },
        "firstRescaleSeconds": outcome.first_rescale_s and round(outcome.first_rescale_s, 2),
        "timeline": [
            {"seconds": round(entry.at - outcome.started, 1) if outcome.started else None, "kind": entry.kind,
             "text": entry.text}
            for entry in outcome.entries
        ],
        "requestsPerPod": outcome.shares,
        "notes": [*plan.load.notes, *outcome.notes],
        "verdict": {"exitCode": int(code), "text": sentence},
    }  # fmt: skip
    return documents.document("Bench", content)


def engine_line(plan: Plan) -> str:
    """`vllm 0.20.2, model tiny, 8 seats (flag --max-num-seqs)`."""
    facts = plan.sight.facts
    name = f"{facts.engine} {facts.version}" if facts.version else facts.engine
    seats = f", {facts.seats.value} seats ({facts.seats.evidence})" if facts.seats else ", seats unknown"
    return f"{name}, model {plan.model.name}{seats}"


def load_line(plan: Plan) -> str:
    """`27 requests in flight for 180 s: 1.5 x running target 9 x 2 replicas; 256 tokens in, 128 out`."""
    options = plan.options
    shape = f"{options.input_tokens} tokens in, {options.output_tokens} out"
    if options.num_prompts:
        return (
            f"{options.num_prompts} requests, {plan.load.concurrency} in flight ({plan.load.reason}); {shape}"
        )
    return f"{plan.load.concurrency} requests in flight for {options.duration_s:.0f} s ({plan.load.reason}); {shape}"


def signals(view: HpaView) -> list[str]:
    """`waiting 11/5` for every metric of the HPA."""
    shown = []
    for metric in view.metrics:
        found = engines.signal_of(metric.name)
        now = "<unknown>" if metric.now is None else _number(metric.now)
        shown.append(f"{found[1].name if found else metric.name} {now}/{_number(metric.target)}")
    return shown


def replicas(view: HpaView, ready: int | None) -> str:
    """`1 -> 3 (1 ready)`."""
    size = str(view.current) if view.desired in (0, view.current) else f"{view.current} -> {view.desired}"
    return size if ready is None or ready == view.current == view.desired else f"{size} ({ready} ready)"


def timeline(outcome: Outcome) -> str:
    """One line per entry, with its seconds since the load began."""
    zero = outcome.started or (outcome.entries[0].at if outcome.entries else 0.0)
    return "\n".join(f"  {stamp(entry.at - zero):>7}  {escape(entry.text)}" for entry in outcome.entries)


def stamp(seconds: float) -> str:
    """`+14.2s`, `-3.0s`."""
    return f"{seconds:+.1f}s"


def _rfc3339(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, timezone.utc)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def _autoscaler(outcome: Outcome) -> str:
    view = outcome.hpa
    if view is None:
        return timeline(outcome)
    line = f"  {view.name}: {outcome.plan.replicas} ready at the start, now {replicas(view, outcome.ready)}"
    line += f", limits {view.min}..{view.max}; {', '.join(signals(view))}"
    return escape(line) + ("\n" + timeline(outcome) if outcome.entries else "")


def _latencies(result: Result) -> str:
    rows = []
    for name in LATENCIES:
        values: Mapping[str, float | None] = result.latencies.get(name) or {}
        cells = [
            "-" if values.get(figure) is None else f"{values[figure]:.1f}"
            for figure in ("mean", "p50", "p95", "p99")
        ]
        rows.append([_NAMES[name], *cells])
    return table(["", "mean", "p50", "p95", "p99"], rows, indent="  ").replace("<none>", "      ", 1)


def _shares(outcome: Outcome) -> str:
    even = 1 / len(outcome.shares)
    rows = []
    for share in outcome.shares:
        left_out = outcome.result.done > 0 and share.share < _LEFT_OUT * even
        rows.append(
            [share.pod, str(share.requests), f"{share.share * 100:.0f}%", "got nothing" if left_out else "-"]
        )
    return table(["pod", "requests", "share", "note"], rows, indent="  ")


def _generator(result: Result) -> list[str]:
    lines = "\n".join("  " + escape(line) for line in result.tail.splitlines())
    return [f"\nLast lines of the generator:\n{lines}"] if lines else []


def _client(result: Result) -> str:
    parts = [{"builtin": "built in, one connection a request", "vllm": "vLLM's own generator"}[result.tool]]
    if result.mode:
        parts.append(result.mode)
    if result.concurrency:
        parts.append(f"{result.concurrency:g} in flight on average")
    if result.client_cpu_share is not None and result.done:
        parts.append(f"{result.client_cpu_share * 100:.0f} % of a core")
    return "; ".join(parts)


def _words(result: Result) -> str:
    """The engine's own words for the most frequent failure."""
    if not result.failed:
        return f" ({result.tail.splitlines()[-1]})" if result.tail else ""
    reason = max(result.failed, key=lambda name: result.failed[name])
    example = result.examples.get(reason)
    return f" ({reason}: {example})" if example else f" ({reason})"


def _number(value: str) -> str:
    return value if value.endswith("%") or value.startswith("<") else quantities.human(value)
