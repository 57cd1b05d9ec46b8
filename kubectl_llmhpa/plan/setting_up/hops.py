"""The links from the engine to the HPA, in order, each waited for with its time.

engine -> scrape object -> scrape target -> sample -> metric name -> value -> HPA.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa import hpa, quantities
from kubectl_llmhpa.api import HPAS, Json, Reader, Resource
from kubectl_llmhpa.backends import adapter_rules, external_rules, prometheus_adapter
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.plan.setting_up.scraping import Scrape
from kubectl_llmhpa.workloads import Workload, pods, ready_pods

_POLL_SECONDS = 2.0
#: How far back KEDA may look, with some air for clocks.
_WHOLE_SECONDS = 2


@dataclass(frozen=True)
class HopState:
    """What one look at a hop gave: `good`, and what was seen or what is missing."""

    good: bool
    text: str


@dataclass(frozen=True)
class Hop:
    """One link: its name, how to look at it, and what to do when it stays broken."""

    name: str
    look: Callable[[], HopState]
    remedy: str


#: Called with the hop's name, what was seen, seconds since the start of waiting, and whether it is good now.
Progress = Callable[[str, str, float, bool], None]


def wait(hop: Hop, began: float, limit: float, progress: Progress) -> HopState:
    """Look until the hop is good.

    `began` is a `time.monotonic()`, `limit` the seconds after it. Raises LlmHpaError with the hop, the last
    thing seen and the remedy when the time is over.
    """
    state = HopState(False, "not looked at")
    while True:
        try:
            state = hop.look()
        except ApiError as error:
            if not (error.unavailable or error.not_found or error.code == 500):
                raise
            state = HopState(False, str(error))
        elapsed = time.monotonic() - began
        progress(hop.name, state.text, elapsed, state.good)
        if state.good:
            return state
        if elapsed > limit:
            raise LlmHpaError(f"wait for the {hop.name}", f"after {elapsed:.0f} s: {state.text}", hop.remedy)
        time.sleep(_POLL_SECONDS)


def scrape_target(
    reader: Reader, server: prometheus.Server, workload: Workload, scrape: Scrape, *, every: bool = False
) -> Hop:
    """A pod is an up target of our scrape job; with `every` all ready ones are, since a sum lacks the others.

    For KEDA, which sums up, they have to have been so for a moment: it asks for the second that has begun
    (prometheus_scaler.go, ExecutePromQuery), and a first sample within it would be missing.
    """
    offset = f" offset {_WHOLE_SECONDS}s" if every else ""

    def look() -> HopState:
        matchers = f'job="{scrape.job}",{scrape.namespace_label}="{workload.namespace}"'
        up = _per_pod(reader, server, scrape, f"up{{{matchers}}}{offset}")
        if not up:
            return HopState(False, f"Prometheus has not loaded the {scrape.resource.kind} yet")
        found = pods(reader, workload)
        names = {pod["metadata"]["name"] for pod in found}
        good = {name for name in names if up.get(name) == 1.0}
        needed = {pod["metadata"]["name"] for pod in ready_pods(found)} if every else set()
        down = sorted(name for name in names if up.get(name) == 0.0)
        enough = bool(good) and needed <= good
        if down:
            return HopState(enough, f"{len(good)} of {len(names)} pods up, down: {', '.join(down[:3])}")
        return HopState(enough, f"{len(good)} of {len(names)} pods up")

    return Hop(
        "scrape target", look,
        f"see the targets page of {server.namespace}/{server.service} for the job {scrape.job}",
    )  # fmt: skip


def sample(reader: Reader, server: prometheus.Server, workload: Workload, scrape: Scrape, metric: str) -> Hop:
    """Prometheus has a fresh sample of the metric for at least one pod of the workload."""

    def look() -> HopState:
        selector = f'{{__name__="{metric}",{scrape.namespace_label}="{workload.namespace}"}}'
        sampled = _per_pod(reader, server, scrape, selector)
        if not sampled:
            return HopState(False, f"{metric} for no pod yet")
        names = {pod["metadata"]["name"] for pod in pods(reader, workload)}
        have = names & sampled.keys()
        return HopState(bool(have), f"{metric} for {len(have)} of {len(names)} pods")

    return Hop("sample", look, f"ask Prometheus for {metric}")


def _per_pod(reader: Reader, server: prometheus.Server, scrape: Scrape, selector: str) -> dict[str, float]:
    """Pod name to the highest fresh sample of a selector's series. Raises ApiError or LlmHpaError."""
    fresh = f"{selector} and (time() - timestamp({selector}) < {scrape.fresh:g})"
    found = prometheus.query(reader, server, f"max by ({scrape.pod_label}) ({fresh})")
    return prometheus.per_pod(found, scrape.pod_label)


def metric_names(reader: Reader, adapter: Adapter, metrics: Sequence[str]) -> Hop:
    """The adapter lists every metric (`pods/NAME`, `external/NAME`)."""

    def look() -> HopState:
        names = prometheus_adapter.listed(reader, adapter)
        missing = [metric.partition("/")[2] for metric in metrics if metric not in names]
        if missing:
            if lost := _without_rule(reader, adapter, missing):
                gone = f"configmap {adapter.config_map} has no rule for {', '.join(lost)} any more: run enable again"
                return HopState(False, f"{adapter.name} cannot list them all, since {gone}")
            due = f" (it looks again every {adapter.relist:.0f} s)"
            return HopState(False, f"{adapter.name} does not list {', '.join(missing)} yet{due}")
        return HopState(True, f"{len(metrics)} of {len(metrics)} listed by {adapter.name}")

    return Hop("metric name", look, f"see: kubectl -n {adapter.namespace} logs deploy/{adapter.name}")


def _without_rule(reader: Reader, adapter: Adapter, metrics: Sequence[str]) -> list[str]:
    """The metrics that no rule of the adapter's file serves; none where it cannot be read."""
    try:
        data = reader.get(adapter.config_path).get("data") or {}
        lists = adapter_rules.lists(adapter_rules.parse(str(data.get(adapter.key, ""))))
    except LlmHpaError:
        return []
    rules = [rule for each in lists.values() for rule in each]
    return [one for one in metrics if not any(adapter_rules.serves(rule, one) for rule in rules)]


def value(reader: Reader, adapter: Adapter, workload: Workload, metric: str) -> Hop:
    """The request that the HPA controller makes is answered with a number per pod."""

    def look() -> HopState:
        values = prometheus_adapter.pod_values(reader, adapter, workload.namespace, metric, workload.selector)
        if not values:
            return HopState(False, f"{metric} is served, with no value for any pod of {workload.reference}")
        shown = ", ".join(f"{name}={number}" for name, number in sorted(values.items())[:3])
        return HopState(True, f"{metric} {shown}")

    return Hop("value", look, f"see: kubectl get --raw {adapter.root}")


def number(reader: Reader, workload: Workload, metric: str, labels: Mapping[str, str]) -> Hop:
    """The request that the HPA controller makes for an External metric is answered with a number."""

    def look() -> HopState:
        try:
            values = external_rules.values(reader, workload.namespace, metric, labels)
        except ApiError as error:
            if not error.forbidden:
                raise
            return HopState(True, f"{metric} may not be read by you; whether the HPA gets it is seen there")
        shown = ",".join(f"{key}={value}" for key, value in labels.items())
        if not values:
            return HopState(False, f"{metric} is served, with no value for {shown}")
        return HopState(True, f"{metric} {', '.join(values)} for {shown}")

    return Hop("value", look, f"see: kubectl get --raw {prometheus_adapter.EXTERNAL_ROOT}")


def written(reader: Reader, resource: Resource, namespace: str, name: str) -> Json:
    """What was written a moment ago and is waited for. Raises LlmHpaError where somebody has deleted it meanwhile."""
    try:
        return reader.get(resource.path(namespace, name))
    except ApiError as error:
        if not error.not_found:
            raise
        raise LlmHpaError(
            f"wait for {resource.kind} {name} in namespace {namespace!r}", "somebody deleted it meanwhile",
            "run the same command again",
        ) from error  # fmt: skip


def scaling_active(reader: Reader, workload: Workload, name: str) -> Hop:
    """The HPA computes replicas from the metric."""

    def look() -> HopState:
        found = hpa.view(written(reader, HPAS, workload.namespace, name))
        active = next((one for one in found.conditions if one.type == "ScalingActive"), None)
        if active is None:
            return HopState(False, "the controller has not looked at it yet")
        if active.status != "True":
            return HopState(False, active.message)
        shown = ", ".join(
            f"{one.name} {quantities.human(one.now)}/{quantities.human(one.target)}" for one in found.metrics
        )
        return HopState(all(one.now is not None for one in found.metrics), f"ScalingActive: {shown}")

    return Hop("HPA", look, f"see: kubectl -n {workload.namespace} describe hpa {name}")
