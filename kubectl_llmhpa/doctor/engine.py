"""Hop engine: what a ready pod's metrics page says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from kubectl_llmhpa import workloads
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.doctor import asks
from kubectl_llmhpa.doctor.facts import EngineSeen, Facts, PodFacts, SignalFacts
from kubectl_llmhpa.doctor.model import Verdict, broken, ok, unknown
from kubectl_llmhpa.doctor.seeing import Seeing, problem
from kubectl_llmhpa.engines import SignalSource, exposition
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.plan.looking import sanity
from kubectl_llmhpa.plan.looking.elsewhere import Elsewhere
from kubectl_llmhpa.plan.looking.sight import EngineSight, Looker

#: Container states that do not pass by themselves.
_STUCK = (
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "CreateContainerConfigError",
    "InvalidImageName",
)


def look(
    seeing: Seeing, pods: Sequence[Json], hint: str = ""
) -> tuple[EngineSeen | None, EngineSight | None]:
    """What the oldest ready pod is; None where no pod is ready. `hint` is the user's `vllm@0.20`."""
    ready = workloads.ready_pods(pods)
    if not ready:
        return None, None
    seen = Looker(seeing, hint=hint, elsewhere=Elsewhere(seeing)).look(ready[0])
    name, sight = str(ready[0]["metadata"]["name"]), seen.sight
    unread = problem(seen.unread) if seen.unread is not None else None
    if sight is None:
        refusal = seen.refusal
        return EngineSeen(
            name, "", findings=seen.findings, asked=seen.asked, unread=unread,
            refusal=refusal.problem if refusal else "", remedy=refusal.remedy if refusal else "",
            instead=refusal.seen if refusal else "",
        ), None  # fmt: skip
    facts = sight.facts
    findings = (*seen.findings, *sanity.of_facts("", facts))
    return EngineSeen(
        name, facts.engine, facts.version or "", facts.source.value, facts.evidence, facts.live, facts.armed,
        sight.port, sight.path, sight.scheme, sight.port_name,
        tuple(_signal(one) for one in facts.signals.values()), findings, seen.asked, unread,
        families=_families(sight.body),
    ), sight  # fmt: skip


def _signal(one: SignalSource) -> SignalFacts:
    value = None if one.value is None else f"{one.value:g}"
    return SignalFacts(
        one.signal, one.kind.value, one.metric, one.api_name, one.spec.metrics, value, one.series
    )


def _families(body: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(exposition.read(body, buckets=False).families)) if body else ()
    except ValueError:
        return ()


def judge(facts: Facts) -> Verdict:
    """Whether a ready pod exposes an engine's metrics, and those that the autoscaler asks for."""
    about, engine, pods = facts.target.reference, facts.engine, facts.pods
    asked = "the metrics page of a ready pod"
    if pods is None:
        return unknown(asked, "its pods may not be listed")
    if not pods:
        return ok(asked, "0 replicas: no pod to ask", armed=True)
    if engine is None:
        return _none_ready(facts, pods, asked)
    asked = f"pod {engine.pod}, port {engine.port}{engine.path}" if engine.port else f"pod {engine.pod}"
    worst = next((one for one in engine.findings if one.severity == "error"), None)
    notes = tuple(one for one in engine.findings if one.severity == "warning")
    if not asks.of_pods(facts) and (worst is not None or not engine.engine):
        seen = worst.seen if worst is not None else "; ".join(engine.asked) or engine.refusal
        return unknown(asked, f"{seen}; the autoscaler asks for no metric of an engine")
    if worst is not None:
        return broken(asked, "; ".join(engine.asked) or worst.seen, _about(worst, about), *notes)
    if engine.unread is not None and not (engine.unread.forbidden or engine.engine):
        seen = "; ".join(engine.asked) or engine.unread.text
        return broken(asked, seen, found("no-metrics-page", about, seen, port=engine.port or "its port"))
    if not engine.engine:
        seen = "; ".join(engine.asked) or engine.refusal or "nothing speaks for an engine"
        if engine.unread is not None and engine.unread.forbidden:
            return unknown(asked, f"may not be read ({engine.unread.text})")
        if _foreign_metrics(facts):
            return unknown(asked, f"{seen}; the autoscaler asks for no metric of an engine")
        if engine.instead:
            return broken(asked, seen, found("no-engine", about, seen, what=engine.instead))
        return broken(asked, seen, found("no-metrics-page", about, seen, port=engine.port or "its port"))
    text = f"{engine.engine} {engine.version}".strip()
    if engine.armed:
        return ok(asked, f"{text}, armed: no series before its first request", *notes, armed=True)
    if not engine.live:
        return unknown(asked, f"{text}, by its {engine.source} only")
    if broken_number := _not_a_number(engine, facts.samples.metrics):
        seen = f"{broken_number.metric} is NaN or infinite in pod {engine.pod}"
        finding = found("not-a-number", about, seen)
        if _left_out(facts, engine.pod, broken_number.names):
            why = "the adapter leaves it out, so the pod counts as one without a sample"
            finding = replace(finding, why=why, fix=f"see: kubectl -n {facts.namespace} logs {engine.pod}")
        return broken(asked, seen, finding)
    values = ", ".join(f"{one.signal} {one.value}" for one in engine.signals if one.value is not None)
    return ok(asked, f"{text}: {values or 'no value yet'}", *notes)


def _not_a_number(engine: EngineSeen, used: Sequence[str]) -> SignalFacts | None:
    """A count or ratio that is used, and whose series is there and has no number."""
    return next(
        (
            one
            for one in engine.signals
            if one.series and one.value is None and one.kind in ("count", "ratio") and one.metric in used
        ),
        None,
    )


def _left_out(facts: Facts, pod: str, names: Sequence[str]) -> bool:
    """Whether the metrics API answers for other pods and not for this one: its query is guarded."""
    return any(
        one.items and one.type == asks.PODS and pod not in dict(one.items)
        for one in facts.values
        if set(asks.spellings(one.metric)) & set(names)
    )


def _foreign_metrics(facts: Facts) -> bool:
    """Whether the autoscaler scales by metrics that no engine has."""
    names = [one.name for one in asks.of(facts.scaler.hpa)]
    return bool(names) and not asks.by_keda(facts) and all(asks.spellings(one) == (one,) for one in names)


def _none_ready(facts: Facts, pods: Sequence[PodFacts], asked: str) -> Verdict:
    about = facts.target.reference
    stuck = next((one for one in pods if one.waiting in _STUCK), None)
    if stuck is not None:
        seen = f"no pod is ready; {stuck.name}: {stuck.waiting}"
        return broken(asked, seen, found("pods-fail", about, seen, namespace=facts.namespace, pod=stuck.name))
    pending = next((one for one in pods if one.unschedulable), None)
    if pending is not None:
        seen = f"no pod is ready; {pending.name}: {pending.unschedulable}"
        return broken(asked, seen, found("pods-unschedulable", about, seen, wanted=facts.target.replicas))
    note = found("pods-starting", about, f"none of its {len(pods)} pods is ready")
    return unknown(asked, f"no pod of {len(pods)} is ready yet", note)


def _about(one: Finding, about: str) -> Finding:
    return Finding(one.code, one.severity, one.about or about, one.seen, one.why, one.fix)


def finite(text: str) -> bool:
    """Whether the text of a value is a number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
