"""What a run measured, in one form, whichever generator measured it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubectl_llmhpa.api import Json

LATENCIES = ("ttft", "tpot", "itl", "e2e")
_FIGURES = ("mean", "p50", "p95", "p99")


@dataclass(frozen=True)
class Result:
    """Counts, rates per second, latencies in ms (`ttft`, `tpot`, `itl`, `e2e` to mean, p50, p95, p99; None: unknown).

    `failed` is by reason; `examples` has the engine's own words for some of them. `concurrency` is what was in
    flight on average. `client_limited`: the client, not the engine, set the pace. `tail` are the generator's last
    lines, kept where it left no result.
    """

    tool: str
    ended: str
    sent: int
    done: int
    cut: int
    failed: Mapping[str, int]
    duration_s: float
    request_rate: float
    output_token_rate: float
    input_tokens: int
    output_tokens: int
    latencies: Mapping[str, Mapping[str, float | None]]
    examples: Mapping[str, str] = field(default_factory=dict)
    tokens_exact: bool = True
    concurrency: float | None = None
    client_cpu_share: float | None = None
    client_limited: bool = False
    mode: str = ""
    tail: str = ""

    @property
    def failures(self) -> int:
        return sum(self.failed.values())

    @property
    def invalid(self) -> str:
        """Why the figures must not be used; empty when they may be."""
        if self.done == 0:
            return "no request succeeded"
        if self.failures > 0.05 * (self.done + self.failures):
            share = 100 * self.failures / (self.done + self.failures)
            return f"{share:.0f} % of the requests failed"
        if self.client_limited:
            return "the client was the limit, not the engine"
        return ""


def of_builtin(facts: Json) -> Result:
    """From the summary line of `pod.client`."""
    client = facts.get("client") or {}
    return Result(
        tool="builtin",
        ended=str(facts.get("ended", "")),
        sent=int(facts.get("sent", 0)),
        done=int(facts.get("done", 0)),
        cut=int(facts.get("cut", 0)),
        failed=dict(facts.get("failed") or {}),
        examples=dict(facts.get("examples") or {}),
        duration_s=float(facts.get("duration_s", 0)),
        request_rate=float(facts.get("request_rate", 0)),
        output_token_rate=float(facts.get("output_token_rate", 0)),
        input_tokens=int(facts.get("input_tokens", 0)),
        output_tokens=int(facts.get("output_tokens", 0)),
        tokens_exact=bool(facts.get("tokens_exact", True)),
        concurrency=facts.get("concurrency"),
        client_cpu_share=client.get("cpu_share"),
        client_limited=bool(client.get("limited")),
        mode=str(facts.get("mode", "")),
        latencies={name: _figures(facts.get(f"{name}_ms") or {}) for name in LATENCIES},
    )


def of_vllm(facts: Json, num_prompts: int) -> Result:
    """From the summary line of `pod.vllm_serve`: the generator's result file, old or new.

    Before v0.13 it has no `failed`: what was asked and not completed has failed. Latencies of a run without any
    success are zeros there; they are None here.
    """
    found: Json = facts.get("result") or {}
    done = int(found.get("completed") or 0)
    asked = int(found.get("num_prompts") or num_prompts)
    failed = int(found["failed"]) if found.get("failed") is not None else asked - done
    interrupted = facts.get("ended") == "signal"
    reason = "not completed (vLLM's generator gives no reasons)"
    latencies: dict[str, Mapping[str, float | None]] = {}
    for name in LATENCIES:
        theirs = "e2el" if name == "e2e" else name
        values = {"mean": found.get(f"mean_{theirs}_ms"), "p50": found.get(f"median_{theirs}_ms")}
        values |= {figure: found.get(f"{figure}_{theirs}_ms") for figure in ("p95", "p99")}
        latencies[name] = _figures(values if done else {})
    rate = float(found.get("request_throughput") or 0)
    e2e = latencies["e2e"]["mean"]
    return Result(
        tool="vllm",
        ended=str(facts.get("ended", "")),
        sent=asked if found else int(facts.get("done", 0)),
        done=done,
        cut=0,
        failed={reason: failed} if failed and found and not interrupted else {},
        duration_s=float(found.get("duration") or 0),
        request_rate=rate,
        output_token_rate=float(found.get("output_throughput") or 0),
        input_tokens=int(found.get("total_input_tokens") or 0),
        output_tokens=int(found.get("total_output_tokens") or 0),
        latencies=latencies,
        # Little's law; the generator's own max_concurrent_requests counts by whole seconds and overshoots.
        concurrency=round(rate * e2e / 1000, 2) if e2e else None,
        mode=str(facts.get("generator", "")),
        tail=str(facts.get("tail", "")) if not found or not done else "",
    )


def _figures(values: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: None if values.get(name) is None else round(float(values[name]), 2) for name in _FIGURES}
