"""From an HPA or a ScaledObject, live or of a file, and from policies, to what is simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Json
from kubectl_llmhpa.engines import EngineFacts, Seats, Source, assume, clues
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.hpa import arithmetic, scaled_objects
from kubectl_llmhpa.hpa.arithmetic import reading as readings
from kubectl_llmhpa.names import engine_of, peak_minutes
from kubectl_llmhpa.policy import PEAK, PRESETS, Peak, Policy, Target, decide
from kubectl_llmhpa.simulate import queries
from kubectl_llmhpa.simulate.control import Scaling
from kubectl_llmhpa.simulate.measures import Measure

#: The triggers that the model follows, and what KEDA does without `ignoreNullValues: "false"`.
_PROMETHEUS = "prometheus"
_USUAL_ENGINE = "vllm"


@dataclass(frozen=True)
class Candidate:
    """One autoscaler to simulate: how it is called, what it asks for in words, and what was assumed about it.

    `polling` is how old a number KEDA may hand out, in seconds; `engine` whose metrics it asks for, "" for none known;
    `options` what `enable` writes it with, "" for what others wrote.
    """

    name: str
    scaling: Scaling
    asks: str
    assumed: tuple[str, ...] = ()
    polling: float = 0.0
    engine: str = ""
    options: str = ""

    @property
    def external(self) -> bool:
        """Whether its numbers are sums over all pods, as KEDA hands them out."""
        return any(metric.source == "External" for metric in self.scaling.spec.metrics)

    def with_at_least(self, replicas: int) -> Candidate:
        """The same with so many replicas kept at least."""
        spec = replace(
            self.scaling.spec,
            min_replicas=replicas,
            max_replicas=max(replicas, self.scaling.spec.max_replicas),
        )
        return replace(self, scaling=replace(self.scaling, spec=spec))


def of_object(found: Json, name: str) -> Candidate:
    """An autoscaling/v2 HPA or a ScaledObject. Raises LlmHpaError with the metric that the model cannot know."""
    if found.get("kind") == SCALED_OBJECTS.kind:
        return of_scaled_object(found, name)
    return of_hpa(found, name)


def of_hpa(hpa: Json, name: str, *, scaled_object: Json | None = None) -> Candidate:
    """An HPA; with the ScaledObject where it is KEDA's, whose queries say what is measured."""
    attempted = f"simulate {HPAS.kind} {(hpa.get('metadata') or {}).get('name') or name}"
    triggers = scaled_objects.triggers(scaled_object) if scaled_object else {}
    found, assumed = [], []
    for entry in (hpa.get("spec") or {}).get("metrics") or ():
        kind = str(entry.get("type") or "")
        metric = str(((entry.get(kind.lower()) or {}).get("metric") or {}).get("name") or kind)
        try:
            if metric in triggers:
                found.append(_of_trigger(triggers[metric]))
            elif kind == "Pods":
                found.append(Measure(queries.signal(metric)))
            elif kind == "External" and (minutes := peak_minutes(metric)):
                peak = replace(PEAK, window=60 * minutes)
                found.append(_at_peak(Measure(queries.signal(metric), "sum"), peak))
                assumed.append(f"{metric} is taken for the peak that the policy anticipate counts")
            elif kind == "External":
                found.append(Measure(queries.signal(metric), "sum"))
                assumed.append(f"{metric} is taken for the sum over pods")
            else:
                raise queries.Unknown(
                    f"the model knows only what engines say, and no {kind or 'nameless'} metrics"
                )
        except queries.Unknown as error:
            raise LlmHpaError(
                attempted,
                f"metric {metric!r} cannot be simulated: {error}",
                "leave the metric out of a copy and give that with -f",
            ) from error
    if not found:
        raise LlmHpaError(attempted, "it has no metrics")
    spec, more = _spec(hpa, attempted)
    engines = (engine_of(metric.name) for metric in spec.metrics)
    engine = scaled_objects.engine(scaled_object) if scaled_object else next(filter(None, engines), None)
    scaling = Scaling(spec, tuple(found))
    return Candidate(name, scaling, _asks(spec, found), (*assumed, *more), engine=engine or "")


def of_scaled_object(found: Json, name: str) -> Candidate:
    """A ScaledObject, as the HPA that KEDA makes of it."""
    title = (found.get("metadata") or {}).get("name") or name
    spec = found.get("spec")
    if not isinstance(spec, dict):
        raise LlmHpaError(f"simulate ScaledObject {title}", "it has no spec")
    others = [one.get("type") for one in spec.get("triggers") or () if one.get("type") != _PROMETHEUS]
    if others:
        raise LlmHpaError(
            f"simulate ScaledObject {title}",
            f"a trigger of type {others[0]} cannot be simulated: the model knows only what engines say",
            "leave the trigger out of a copy and give that with -f",
        )
    hpa = scaled_objects.as_hpa({"metadata": {"name": title}, **found}, None)
    config = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
    # KEDA always writes a behavior, and the API server completes it.
    hpa["spec"]["behavior"] = config.get("behavior") or {}
    candidate = of_hpa(hpa, name, scaled_object=found)
    cached = any(one.get("useCachedMetrics") for one in spec.get("triggers") or ())
    return replace(candidate, polling=float(spec.get("pollingInterval") or 30) if cached else 0.0)


def of_policy(
    preset: str,
    facts: EngineFacts,
    *,
    least: int,
    most: int,
    external: bool,
    name: str = "",
    own: Mapping[str, Decimal] | None = None,
) -> Candidate:
    """A preset for an engine with so many replicas; `own` targets stand on top of it.

    `external`: KEDA hands out the numbers, as sums over pods; it always does for a peak.
    """
    if preset not in PRESETS:
        raise LlmHpaError(
            f"--policy {preset}",
            "there is no such policy",
            f"choose from {', '.join(PRESETS)}, or give a file with an HPA or a ScaledObject",
        )
    external = external or PRESETS[preset].peak
    policy = decide(facts, preset=preset, targets=own, on_top=True, external=external)
    made = _of_targets(policy, least=least, most=most, external=external)
    left_out = tuple(one for one in policy.reasons if "left out" in one or "uncalibrated" in one)
    signals = "".join(f" --signal {signal}={value:f}" for signal, value in (own or {}).items())
    return Candidate(
        name or preset, made, _asks(made.spec, made.measures), left_out, options=f"--policy {preset}{signals}"
    )


def facts_for(candidates: Sequence[Candidate], seats: int, evidence: str) -> EngineFacts:
    """The engine of the candidates, vLLM where none says, as policies see it: with seats that are known."""
    engine = next((one.engine for one in candidates if one.engine), _USUAL_ENGINE)
    facts = assume(clues(), engine)
    return replace(facts, seats=Seats(seats, evidence, proved=True), source=Source.USER)


def told_apart(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same with a number behind a name that was there before."""
    found: list[Candidate] = []
    for one in candidates:
        names = {other.name for other in found}
        name, number = one.name, 2
        while name in names:
            name, number = f"{one.name} ({number})", number + 1
        found.append(replace(one, name=name))
    return found


def _of_targets(policy: Policy, *, least: int, most: int, external: bool) -> Scaling:
    kind, field = ("External", "external") if external else ("Pods", "pods")
    entries = [
        {
            "type": kind,
            field: {
                "metric": {"name": target.metric},
                "target": {"type": "AverageValue", "averageValue": quantities.show(target.value)},
            },
        }
        for target in policy.targets
    ]
    spec = readings.spec(
        {"spec": {"minReplicas": least, "maxReplicas": most, "metrics": entries, "behavior": policy.behavior}}
    )
    return Scaling(spec, tuple(_measured(one, external=external) for one in policy.targets))


def _measured(target: Target, *, external: bool) -> Measure:
    made = Measure(target.signal, "sum" if external else "pods", told=target.told)
    return made if target.peak is None else _at_peak(made, target.peak)


def _at_peak(made: Measure, peak: Peak) -> Measure:
    return replace(made, over="peak", window=peak.window, share=peak.share, memory=peak.memory)


def _of_trigger(trigger: Json) -> Measure:
    metadata = trigger.get("metadata") or {}
    made = queries.measure(str(metadata.get("query") or ""), name=str(trigger.get("name") or ""))
    if made.when_empty is None and str(metadata.get("ignoreNullValues", "true")).lower() != "false":
        return replace(made, when_empty=0)
    return made


def _spec(hpa: Json, attempted: str) -> tuple[arithmetic.Spec, tuple[str, ...]]:
    try:
        spec = readings.spec(hpa)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LlmHpaError(
            attempted, f"it is not as the API server takes it ({type(error).__name__}: {error})"
        ) from error
    for metric in spec.metrics:
        if not metric.form or metric.target <= 0:
            raise LlmHpaError(attempted, f"metric {metric.name!r} has no target above 0")
    if spec.max_replicas < max(1, spec.min_replicas):
        raise LlmHpaError(
            attempted, f"maxReplicas {spec.max_replicas} is below minReplicas {spec.min_replicas}"
        )
    if spec.min_replicas < 1:
        return replace(spec, min_replicas=1), ("a minimum of 0 is taken for 1: waking up is not modelled",)
    return spec, ()


def _asks(spec: arithmetic.Spec, measures: Sequence[Measure]) -> str:
    """`running 32, waiting 16, kv-cache 0.8`."""
    return ", ".join(
        f"{measure.signal} {metric.target / 1000:g}" + " (peak)" * (measure.over == "peak")
        for metric, measure in zip(spec.metrics, measures, strict=True)
    )
