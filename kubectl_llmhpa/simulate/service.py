"""How fast one pod serves: the service curve, as plain numbers.

An engine works in steps. Every step gives each running request one token and takes `step + per_request * running`;
prompts are read in the same steps, `prefill` tokens a second on top. That is continuous batching with chunked prefill
(vLLM V1 `v1/core/sched/scheduler.py`, SGLang `managers/scheduler.py`) as far as latencies tell. Not in it: prefix
caching, speculative decoding, and the growth of a step with the length of what is attended to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kubectl_llmhpa.errors import LlmHpaError

#: Of the KV cache that is kept free when a request is let in (vLLM's watermark).
KEPT_FREE = 0.01


@dataclass(frozen=True)
class Service:
    """One pod. Times in seconds, the rest in requests and tokens.

    `seats` requests run at once; `step` and `per_request` are one engine step without and for each running request;
    `prefill` is tokens of prompts per second; `chunk` the most tokens of prompts in one step
    (`--max-num-batched-tokens`); `kv_tokens` what the KV cache holds; `overhead` what a request spends outside of the
    engine (HTTP, tokens to text), without keeping others waiting. `origin` says where the numbers come from, `assumed`
    that some are our default. `joining` is how many steps a request that comes while others run waits for its own: the
    rest of the one under way, half of one on average, and the next one where that is already scheduled (asynchronous
    scheduling, vLLM 0.12 and newer).
    """

    seats: int
    step: float
    per_request: float
    prefill: float
    chunk: int
    kv_tokens: int
    overhead: float
    origin: str
    assumed: bool = False
    joining: float = 1.5

    def at_speed(self, factor: float) -> Service:
        """The same pod that does everything so many times as fast."""
        return replace(
            self,
            step=self.step / factor,
            per_request=self.per_request / factor,
            prefill=self.prefill * factor,
        )

    def step_time(self, running: int) -> float:
        """Seconds of one step with so many requests running."""
        return self.step + self.per_request * running

    def prefill_time(self, tokens: int, running: int) -> float:
        """Seconds to read prompts of so many tokens while others run."""
        return self.steps_of(tokens) * self.step_time(running) + tokens / self.prefill

    def steps_of(self, tokens: int) -> int:
        """Steps that prompts of so many tokens take."""
        return -(-tokens // self.chunk)

    def holds(self, prompt: int, output: int) -> bool:
        """Whether the KV cache can hold a request to its end."""
        return prompt + output <= self.kv_tokens * (1 - KEPT_FREE)

    def alone(self, prompt: int, output: int) -> tuple[float, float]:
        """(TTFT, seconds per further token) of a request that has a pod to itself."""
        del output  # a token takes the same time however many there are
        return self.overhead + self.prefill_time(prompt, 0), self.step_time(1)


#: A mid-size model on one data-centre GPU; rounded, since it stands for nobody's pod in particular.
DEFAULT = Service(
    seats=64,
    step=0.010,
    per_request=0.00015,
    prefill=12_000.0,
    chunk=8192,
    kv_tokens=250_000,
    overhead=0.005,
    origin="a mid-size model on one data-centre GPU",
    assumed=True,
)

#: Word of the command line -> (field, unit): a duration, a rate or a count.
_WORDS = {
    "seats": ("seats", "count"),
    "step": ("step", "duration"),
    "per-request": ("per_request", "duration"),
    "prefill": ("prefill", "rate"),
    "chunk": ("chunk", "count"),
    "kv": ("kv_tokens", "count"),
    "overhead": ("overhead", "duration"),
}
_MAY_BE_ZERO = ("per_request", "overhead")


def service(settings: Mapping[str, str], *, seats: int | None = None, base: Service = DEFAULT) -> Service:
    """The default curve (or another) with the user's numbers: `{"step": "8ms", "prefill": "15000"}`.

    Raises LlmHpaError for an unknown word and for a number that no pod can have.
    """
    changed: dict[str, float | int] = {} if seats is None else {"seats": seats}
    for word, text in settings.items():
        if word not in _WORDS:
            raise LlmHpaError(
                f"--service {word}", "there is no such number", f"choose from {', '.join(_WORDS)}"
            )
        field, unit = _WORDS[word]
        value = _number(word, text, unit)
        if value < 0 or (value == 0 and field not in _MAY_BE_ZERO):
            raise LlmHpaError(f"--service {word}={text}", "it must be above 0")
        changed[field] = int(value) if unit == "count" else value
    if not changed:
        return base
    told = {field for field, _ in _WORDS.values()} - {"overhead", "chunk"} <= changed.keys()
    given = ", ".join(word for word, (field, _) in _WORDS.items() if field in changed)
    origin = "given" if told else f"{base.origin}, with {given} as given"
    made: Service = replace(base, origin=origin, assumed=base.assumed and not told, **changed)  # type: ignore[arg-type]
    return made


def _number(word: str, text: str, unit: str) -> float:
    from kubectl_llmhpa.simulate.words import seconds

    if unit == "duration":
        return seconds(f"--service {word}", text)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value < float("inf") or (unit == "count" and value != int(value)) or value < 0:
        whole = "a whole number" if unit == "count" else "tokens per second"
        raise LlmHpaError(f"--service {word}={text}", f"{text!r} is not {whole}", "for example 12000")
    return value
