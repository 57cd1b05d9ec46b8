"""What is measured: latencies in mergeable histograms, counts, tokens, the client's own share of a core."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

GROWTH = 1.02  # a bucket of a Histogram is 2 % wide: percentiles are within 1 %
CPU_LIMIT = 0.9  # of one core: above it the client, not the engine, sets the pace
LAG_LIMIT_MS = 100.0  # half the time late by more: it waits for a core
LATE_LIMIT = 0.05  # of the arrivals of an open loop: above it the load was not the one that was asked for


class Histogram:
    """Milliseconds in buckets that grow by 2 %: small, mergeable, percentiles within 1 %."""

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.low = math.inf
        self.high = 0.0

    def add(self, ms: float) -> None:
        bucket = math.floor(math.log(max(ms, 0.001)) / math.log(GROWTH))
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.total += ms
        self.low = min(self.low, ms)
        self.high = max(self.high, ms)

    def merge(self, other: dict[str, Any]) -> None:
        """Adds another histogram in the form that `to_json` gives."""
        for bucket, count in other["buckets"].items():
            self.buckets[int(bucket)] = self.buckets.get(int(bucket), 0) + count
        self.count += other["count"]
        self.total += other["total"]
        if other["count"]:
            self.low = min(self.low, other["low"])
            self.high = max(self.high, other["high"])

    def percentile(self, share: float) -> float | None:
        """The value that `share` (0..1) of the samples do not exceed; None without samples."""
        if not self.count:
            return None
        rank, seen = math.ceil(share * self.count), 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= rank:
                middle: float = GROWTH ** (bucket + 0.5)
                return min(max(middle, self.low), self.high)
        return self.high

    def summary(self) -> dict[str, float | None]:
        values = {"mean": self.total / self.count if self.count else None}
        values.update({f"p{share}": self.percentile(share / 100) for share in (50, 90, 95, 99)})
        values["max"] = self.high if self.count else None
        return {name: None if v is None else round(v, 2) for name, v in values.items()}

    def to_json(self) -> dict[str, Any]:
        return {
            "buckets": self.buckets,
            "count": self.count,
            "total": round(self.total, 2),
            "low": round(self.low, 3) if self.count else 0.0,
            "high": round(self.high, 3),
        }


class Sample:
    """One finished request: seconds and tokens."""

    def __init__(
        self, ttft: float | None, gaps: list[float], e2e: float, tokens: int, exact: bool, asked: int
    ) -> None:
        self.ttft, self.gaps, self.e2e = ttft, gaps, e2e
        self.tokens, self.exact, self.asked = tokens, exact, asked

    @property
    def tpot(self) -> float | None:
        """Seconds a token after the first; None where there is no second one or no time of the first."""
        return (
            (self.e2e - self.ttft) / (self.tokens - 1) if self.ttft is not None and self.tokens > 1 else None
        )

    def keeps(self, slo: dict[str, float | None]) -> bool:
        """Whether it is within every limit of `slo` (seconds: ttft_s, tpot_s, e2e_s; None or absent: no limit).

        Without a time to the first token a limit on it is not kept; a single token has no TPOT to be too long.
        """
        ttft, tpot, e2e = slo.get("ttft_s"), slo.get("tpot_s"), slo.get("e2e_s")
        if ttft is not None and (self.ttft is None or self.ttft > ttft):
            return False
        if tpot is not None and self.tpot is not None and self.tpot > tpot:
            return False
        return e2e is None or self.e2e <= e2e


class Tally:
    """Everything counted between its making and `close`. Times are time.monotonic() seconds.

    `in_flight` requests were under way when it began: they count as sent, and as done if they end before `close`.
    """

    def __init__(self, now: float, slo: dict[str, float | None] | None = None, in_flight: int = 0) -> None:
        self.started = self.changed = self.succeeded = now
        self.closed: float | None = None
        self.slo = slo or {}
        self.cpu = time.process_time()
        self.cpu_used = 0.0
        self.sent = self.in_flight = in_flight
        self.done = self.done_in_time = self.good = self.good_in_time = self.cut = 0
        self.arrivals = self.late = self.shed = 0  # of an open loop
        self.unanswered = 0  # failures since the last success
        self.failed: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        self.input_tokens = self.output_tokens = self.tokens_in_time = 0
        self.exact = True
        self.area = 0.0  # request-seconds in flight
        self.ttft, self.tpot, self.itl, self.e2e, self.lag = (Histogram() for _ in range(5))
        self.recent: deque[tuple[float, float]] = deque(maxlen=2000)

    def change(self, now: float, by: int) -> None:
        """`by` more requests are in flight from now on."""
        if self.closed is None:
            self.area += self.in_flight * (now - self.changed)
            self.changed = now
        self.in_flight += by

    def close(self, now: float) -> None:
        """Ends the measured time; answers that come later count in the latencies, not in the rates."""
        if self.closed is None:
            self.change(now, 0)
            self.closed = now
            self.cpu_used = time.process_time() - self.cpu

    def fail(self, reason: str, message: str) -> None:
        self.unanswered += 1
        self.failed[reason] = self.failed.get(reason, 0) + 1
        if reason not in self.examples and len(self.examples) < 5:
            self.examples[reason] = message[:200]

    def succeed(self, sample: Sample, now: float) -> None:
        self.done += 1
        self.succeeded, self.unanswered = now, 0
        good = sample.keeps(self.slo)
        self.good += good
        self.input_tokens += sample.asked
        self.output_tokens += sample.tokens
        self.exact = self.exact and sample.exact
        if self.closed is None:
            self.done_in_time += 1
            self.good_in_time += good
            self.tokens_in_time += sample.tokens
        self.e2e.add(sample.e2e * 1000)
        if sample.ttft is not None:
            self.ttft.add(sample.ttft * 1000)
            self.recent.append((now, sample.ttft * 1000))
        if sample.tpot is not None:
            self.tpot.add(sample.tpot * 1000)
        for gap in sample.gaps:
            self.itl.add(gap * 1000)

    def recent_ttft(self, now: float, span: float = 10.0) -> float | None:
        """The median time to first token, in ms, of the answers of the last `span` seconds."""
        values = sorted(ttft for at, ttft in self.recent if now - at <= span)
        return round(values[len(values) // 2], 1) if values else None

    def summary(self, now: float) -> dict[str, Any]:
        """The result. Rates are per second of the measured time; latencies are ms."""
        self.close(now)
        assert self.closed is not None
        seconds = max(self.closed - self.started, 1e-9)
        share = self.cpu_used / seconds
        lag = self.lag.percentile(0.5) or 0.0
        rate = self.done_in_time / seconds
        latency = {"ttft": self.ttft, "tpot": self.tpot, "itl": self.itl, "e2e": self.e2e}
        e2e = self.e2e.total / self.e2e.count / 1000 if self.e2e.count else 0.0
        result: dict[str, Any] = {
            "duration_s": round(seconds, 3),
            "sent": self.sent,
            "done": self.done,
            "good": self.good,
            "open": self.in_flight,
            "cut": self.cut,
            "failed": self.failed,
            "examples": self.examples,
            "request_rate": round(rate, 4),
            "goodput": round(self.good_in_time / seconds, 4),
            "output_token_rate": round(self.tokens_in_time / seconds, 2),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "tokens_exact": self.exact,
            "concurrency": round(self.area / seconds, 2),
            "rate_times_latency": round(rate * e2e, 2),
            "client": {
                "cpu_share": round(share, 3),
                "lag_p50_ms": round(lag, 1),
                "limited": share > CPU_LIMIT or lag > LAG_LIMIT_MS or self.late > LATE_LIMIT * self.arrivals,
            },
            "arrivals": self.arrivals,
            "late": self.late,
            "shed": self.shed,
            "histograms": {name: histogram.to_json() for name, histogram in latency.items()},
        }
        result.update({name + "_ms": histogram.summary() for name, histogram in latency.items()})
        return result
