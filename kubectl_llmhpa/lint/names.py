"""What is known of a metric by its name: whose signal it is, whether an engine ever had it, and until which version."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from kubectl_llmhpa import engines
from kubectl_llmhpa.engines import Engine, Kind, Signal
from kubectl_llmhpa.engines.evidence import version_key
from kubectl_llmhpa.lint.families import FAMILIES

#: Suffixes that Prometheus' client libraries give the series of one family.
_SUFFIX = re.compile(r"_(total|bucket|sum|count|created)$")
#: Names of published recipes that no engine has, and what was meant.
_MISTAKEN = {"inference_requests_concurrency": "the engine's own running requests, vllm:num_requests_running"}
#: So alike a name has to be to one of the signals to be taken for a slip of it (difflib's ratio).
_ALIKE = 0.85
_LATENCY = re.compile(
    r"(^|[_:])(p\d{2,3}|quantile|percentile|latency|ttft|itl|tpot|e2e|time_to_first_token|inter_token|"
    r"time_per_output_token)([_:]|$)"
)
#: A count or a sum of such a thing is none: `..._latency_seconds_count`.
_NOT_LATENCY = re.compile(r"_(count|sum|bucket|total)$")
_MEAN = re.compile(r"(^|[_:])(avg|average|mean|max|maximum|highest|fullest)([_:]|$)")
#: Metrics of NVIDIA's exporter between 0 and 100, and of AMD's and Kubernetes-side exporters that say so.
_PERCENT = re.compile(
    r"^(DCGM_FI_DEV_(GPU|MEM_COPY|ENC|DEC)_UTIL|gpu_utilization|gpu_gfx_activity)(_\w+)?$", re.IGNORECASE
)


@dataclass(frozen=True)
class Renamed:
    """A name that one range of versions does not have: `now` is the one it has, `since` or `until` bounds the range."""

    now: str
    since: str = ""
    until: str = ""

    def __str__(self) -> str:
        return f"gone since {self.since}" if self.since else f"there from {self.until} on"


def plain(name: str) -> str:
    """The name as an adapter spells it: a colon has no place in many of them."""
    return name.replace(":", "_")


def signal_of(name: str) -> tuple[Engine, Signal] | None:
    """The engine and signal of a metric, under any spelling that an adapter may give it."""
    return engines.signal_of(name) or engines.signal_of(_SUFFIX.sub("", name))


def kind_of(name: str) -> Kind | None:
    """The kind of a metric: of the signal that it is, else a latency where its words say so; None when nothing does."""
    known = signal_of(name)
    if known is not None:
        return known[1].kind
    return Kind.LATENCY if _LATENCY.search(name) and not _NOT_LATENCY.search(name) else None


def is_mean(name: str) -> bool:
    """Whether the name says that it is one number over pods which does not grow with them (average, maximum)."""
    return _MEAN.search(name) is not None


def is_percent(name: str) -> bool:
    """Whether it lies between 0 and 100."""
    return _PERCENT.match(name) is not None


def is_gpu_use(name: str) -> bool:
    """Whether it is how busy or how full a GPU is, which says nothing about requests."""
    return is_percent(name) or name.upper().startswith("DCGM_FI_")


def mistake(name: str, *, exact: bool = False) -> str:
    """The name that was meant, where no engine ever had this one; empty where an engine has it, or nothing is near.

    `exact`: it stands in a query, where `_` for `:` is another metric; an adapter may have renamed one for an HPA.
    """
    if name in _MISTAKEN:
        return _MISTAKEN[name]
    base = _SUFFIX.sub("", name)
    if {name, base} & _EVERY:
        return ""
    own = _own_spelling(base) or _own_spelling(name)
    if own:
        colon_added = ":" in name and ":" not in own
        return own if exact or colon_added else ""
    prefix = next((one for one in _PREFIXES if name.startswith((one, plain(one)))), "")
    if not prefix or (not exact and ":" not in name):
        return ""
    alike = difflib.get_close_matches(plain(name), _SIGNALS, 1, _ALIKE)
    return _SIGNALS[alike[0]] if alike else ""


def renamed(name: str, version: str) -> Renamed | None:
    """How a signal's name fails in a version of its engine (`0.11.2`); None when it does not, or nothing is known."""
    known = engines.signal_of(name)
    if known is None or not version:
        return None
    engine, signal = known
    own = next((one for one in signal.metrics if plain(one) == plain(name)), "")
    others = [one for one in signal.metrics if plain(one) != plain(name)]
    if not own or not others:
        return None
    gone = retired(name)
    if gone is not None and gone.since and version_key(version) >= version_key(gone.since):
        return gone
    having = [one for one in engine.dialects if own in one.present and one.since]
    first = min((one.since for one in having), key=version_key, default="")
    older = [
        one for one in engine.dialects if one.since and first and version_key(one.since) < version_key(first)
    ]
    before = next((each for one in older for each in others if each in one.present), "")
    if first and before and version_key(version) < version_key(first):
        return Renamed(before, until=first)
    return None


def retired(name: str) -> Renamed | None:
    """Since when newer versions no longer have a signal's name, and the one they have; None for names that stay."""
    known = engines.signal_of(name)
    if known is None:
        return None
    engine, signal = known
    without = [
        one for one in engine.dialects if one.since and any(plain(each) == plain(name) for each in one.absent)
    ]
    newer = next((one for one in signal.metrics if plain(one) != plain(name)), "")
    if not without or not newer:
        return None
    return Renamed(newer, since=min((one.since for one in without), key=version_key))


def _own_spelling(name: str) -> str:
    """The family that a name is, as its engine spells it; empty for none."""
    return _BY_PLAIN.get(plain(name), "")


_PREFIXES = tuple(dict.fromkeys(prefix for engine in engines.ENGINES for prefix in engine.prefixes))
_METRICS = tuple(
    dict.fromkeys(
        metric
        for engine in engines.ENGINES
        for signal in engine.signals
        for metric in (*signal.names, signal.api_name)
    )
)
_EVERY = {*FAMILIES, *_METRICS}
_BY_PLAIN = {plain(_SUFFIX.sub("", one)): _SUFFIX.sub("", one) for one in FAMILIES}
_BY_PLAIN |= {plain(one): one for one in (*FAMILIES, *_METRICS)}
_SIGNALS = {plain(one): one for one in _METRICS}
