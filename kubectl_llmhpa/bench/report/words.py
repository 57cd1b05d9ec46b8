"""How the facts of a run are said: the same words in the live view, the text, the Markdown and the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubectl_llmhpa import quantities
from kubectl_llmhpa.bench.report.model import Asked, Engine, Method, Scaler
from kubectl_llmhpa.bench.results import Result
from kubectl_llmhpa.bench.sizing.model import Slo
from kubectl_llmhpa.hpa import HpaView, MetricView

_TOOLS = {
    "builtin": "built in, one connection a request",
    "vllm": "vLLM's own generator",
    "sglang": "SGLang's own generator",
}


def engine_line(engine: Engine, model: str) -> str:
    """`vllm 0.20.2, model sql (it serves tiny), 8 seats (flag --max-num-seqs), on NVIDIA-L40S`."""
    parts = [f"{engine.name} {engine.version}" if engine.version else engine.name, f"model {model}"]
    if engine.models and model not in engine.models:
        parts[-1] += f" (it serves {', '.join(engine.models)})"
    parts.append(f"{engine.seats.value} seats ({engine.seats.evidence})" if engine.seats else "seats unknown")
    if engine.gpus:
        parts.append(f"on {', '.join(engine.gpus)}")
    return ", ".join(parts)


def nodes_line(engine: Engine, method: Method) -> str:
    """`engine on a, b; client on c`; empty where neither is known."""
    known = (("engine", engine.nodes), ("client", method.client_nodes))
    return "; ".join(f"{who} on {', '.join(nodes)}" for who, nodes in known if nodes)


def load_line(load: Asked, method: Method) -> str:
    """`27 requests in flight for 180 s (1.5 x running target 9 x 2 replicas); 256 tokens in, 128 out`."""
    shape = f"{method.input_tokens} tokens in, {method.output_tokens} out"
    if load.rate is not None:
        seconds = sum(stage[0] for stage in load.stages)
        return f"at most {load.rate:g} requests/s for {seconds:.0f} s ({load.reason}); {shape}"
    if load.num_prompts:
        return f"{load.num_prompts} requests, {load.concurrency} in flight ({load.reason}); {shape}"
    held = f"for {load.duration_seconds:.0f} s " if load.duration_seconds is not None else ""
    return f"{load.concurrency} requests in flight {held}({load.reason}); {shape}"


def client_line(result: Result) -> str:
    """`built in, one connection a request; 16 in flight on average; 12 % of a core`."""
    parts = [_TOOLS.get(result.tool, result.tool)]
    if result.mode:
        parts.append(result.mode)
    if result.concurrency:
        parts.append(f"{result.concurrency:g} in flight on average")
    if result.client_cpu_share is not None and result.done:
        parts.append(f"{result.client_cpu_share * 100:.0f} % of a core")
    return "; ".join(parts)


def requests_line(result: Result) -> str:
    """`101 sent, 100 succeeded, 1 failed (http 500: 1)`."""
    line = f"{result.sent} sent, {result.done} succeeded, {result.failures} failed"
    if result.failed:
        line += f" ({', '.join(f'{reason}: {count}' for reason, count in result.failed.items())})"
    line += f", {result.cut} cut off at the end" if result.cut else ""
    due = f"; {result.arrivals} were due, {result.late} sent late, {result.shed} not sent"
    return line + (due if result.arrivals else "")


def throughput_line(result: Result) -> str:
    """`5.50 requests/s, 704 output tokens/s`."""
    line = f"{result.request_rate:.2f} requests/s, {result.output_token_rate:.0f} output tokens/s"
    return line + ("" if result.tokens_exact else " (chunks counted: the engine tells no usage)")


def slo_line(slo: Slo) -> str:
    """`TTFT within 2 s and TPOT within 80 ms for 95 % of the requests`."""
    asked = limits(slo)
    return f"{asked} for {percent(slo.share)} of the requests" if asked else "none was given"


def limits(slo: Slo) -> str:
    """`TTFT within 2 s and TPOT within 80 ms`; empty where there is no limit."""
    named = (("TTFT", slo.ttft), ("TPOT", slo.tpot), ("latency", slo.e2e))
    return " and ".join(f"{name} within {duration(limit)}" for name, limit in named if limit is not None)


def signals(metrics: Iterable[MetricView], known: Mapping[str, str]) -> list[str]:
    """`waiting 11/5` for every metric of an HPA; `known` are the signals of its metrics by name."""
    shown = []
    for metric in metrics:
        now = "<unknown>" if metric.now is None else quantity(metric.now)
        shown.append(f"{known.get(metric.name, metric.name)} {now}/{quantity(metric.target)}")
    return shown


def replicas(view: HpaView | Scaler, ready: int | None) -> str:
    """`1 -> 3 (1 ready)`."""
    current = view.current if isinstance(view, HpaView) else view.replicas
    size = str(current) if view.desired in (0, current) else f"{current} -> {view.desired}"
    return size if ready is None or ready == current == view.desired else f"{size} ({ready} ready)"


def stamp(seconds: float) -> str:
    """`+14.2s`, `-3.0s`."""
    return f"{seconds:+.1f}s"


def duration(seconds: float) -> str:
    """`80 ms`, `2 s`, `1.25 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.3g} s"


def percent(share: float) -> str:
    """`95 %`, `99.9 %`."""
    return f"{share * 100:.4g} %"


def times(count: int) -> str:
    """`never`, `once`, `3 times`."""
    return ("never", "once")[count] if count < 2 else f"{count} times"


def number(value: float | None, digits: int = 2) -> str:
    """A figure with so many digits behind the point at most; `-` where there is none."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def quantity(value: str) -> str:
    """A quantity of an HPA for a person: `4800m` is 4.8."""
    return value if value.endswith("%") or value.startswith("<") else quantities.human(value)
