"""Hops autoscaler, arithmetic, effect and drift: what is made of the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kubectl_llmhpa import engines, explain, hpa, quantities
from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Json, moment
from kubectl_llmhpa.doctor import asks, keda, trimmed, values
from kubectl_llmhpa.doctor.facts import Facts, PodFacts, Writer
from kubectl_llmhpa.doctor.model import Verdict, broken, ok, skipped, told, unknown
from kubectl_llmhpa.doctor.seeing import Seeing
from kubectl_llmhpa.doctor.target import quota_event
from kubectl_llmhpa.engines import EngineFacts
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.hpa import HpaView, at_zero, scaled_objects
from kubectl_llmhpa.plan.looking import sanity

#: Who writes replicas for an autoscaler: the HPA controller, and KEDA between 0 and 1.
_SCALERS = ("kube-controller-manager", "keda")
#: Findings of `lint` on arithmetic that goes wrong whatever the numbers are; the rest of it is the hops' own.
_UNSOUND = (
    "sum-as-value", "latency-not-additive", "average-divided-again", "not-additive", "percent-target", "ratio-target",
)  # fmt: skip
#: A rescale to the same size so often in a row means that somebody takes it back.
_FLIPS = 3


def look_findings(found_hpa: Json | None, facts: EngineFacts | None, about: str) -> tuple[Finding, ...]:
    """What is wrong with the metrics and targets of an HPA, given the engine."""
    if found_hpa is None or facts is None:
        return ()
    return sanity.of_hpa(about, facts, hpa.view(found_hpa))


def look_arithmetic(seeing: Seeing, found_hpa: Json | None, at: str) -> Json | None:
    """What the controller reads for the HPA, for its calculation to be done again."""
    if found_hpa is None:
        return None
    seen = explain.look(seeing, found_hpa, now=moment(at)).as_json()
    seen["hpa"] = trimmed.hpa(seen["hpa"])
    seen["events"] = [trimmed.event(one) for one in seen["events"]]
    if seen["scaledObject"]:
        seen["scaledObject"] = trimmed.scaled_object(seen["scaledObject"])
    return seen


def judge_autoscaler(facts: Facts) -> Verdict:
    """Whether there is an autoscaler that can do its work, by its spec and by what its controller says."""
    about, scaler = facts.target.reference, facts.scaler
    asked = "the autoscaler's spec and conditions"
    if not scaler.seen:
        return unknown(asked, "HorizontalPodAutoscalers may not be listed")
    if scaler.hpa is None and scaler.scaled_object is None:
        command = f"kubectl llm-hpa enable {_typed(about)} -n {facts.namespace} --max N"
        return broken(
            asked, "nothing scales it", found("no-autoscaler", about, "no HPA targets it", command=command)
        )
    if (
        scaler.scaled_object is not None
        and (verdict := _by_keda(facts, asked, scaler.scaled_object)) is not None
    ):
        return verdict
    assert scaler.hpa is not None
    errors = [one for one in (*scaler.findings, *_unsound(facts)) if one.severity == "error"]
    traps = [replace(one, about=about) for one in at_zero.traps(scaler.hpa)]
    notes = (*(one for one in scaler.findings if one.severity == "warning"), *traps)
    if errors:
        return broken(asked, errors[0].seen, errors[0], *errors[1:], *notes)
    view = _view(facts, scaler.hpa)
    if not view.conditions:
        return unknown(asked, "the controller has not looked at it yet")
    return _by_state(facts, asked, view, notes)


def _unsound(facts: Facts) -> list[Finding]:
    """What `lint` says of the form of the metrics: a sum under Value, a latency that is divided by replicas."""
    from kubectl_llmhpa.lint import metric_targets, promql_rules, registry
    from kubectl_llmhpa.lint.documents import Document

    scaled, found_hpa = facts.scaler.scaled_object, facts.scaler.hpa
    resource, live = (SCALED_OBJECTS, scaled) if scaled is not None else (HPAS, found_hpa)
    whole = {"apiVersion": resource.api_version, "kind": resource.kind, **(live or {})}
    checks = (*metric_targets.CHECKS, *promql_rules.CHECKS)
    report = registry.run([Document(facts.namespace, 0, whole, live=True)], checks=checks)
    about = facts.target.reference
    return [replace(one.finding, about=about) for one in report.found if one.finding.code in _UNSOUND]


def _by_keda(facts: Facts, asked: str, scaled: Json) -> Verdict | None:
    """What only the ScaledObject tells, None where it is in order."""
    about, state, name = facts.target.reference, scaled_objects.state(scaled), scaled["metadata"]["name"]
    if state.paused:
        fix = (
            f"kubectl -n {facts.namespace} annotate scaledobject {name} autoscaling.keda.sh/paused- "
            "autoscaling.keda.sh/paused-replicas-"
        )
        return broken(asked, state.fault, told("keda-paused", about, state.fault, fix))
    if facts.scaler.hpa is not None:
        view = _view(facts, facts.scaler.hpa)
        if view.current == 0 and (stuck := _stuck_at_zero(facts, view)) is not None:
            return broken(asked, f"hpa/{view.name}: {view.state}, {view.why}", stuck)
    if state.fault and not state.fallback and not (facts.scaler.hpa is not None and _armed(facts)):
        return broken(
            asked,
            state.fault,
            found("scaledobject-not-ready", about, state.fault, name=name, namespace=facts.namespace),
        )
    if facts.scaler.hpa is None:
        return unknown(asked, f"scaledobject/{name} has no HPA yet")
    return None


def _by_state(facts: Facts, asked: str, view: HpaView, notes: Sequence[Finding]) -> Verdict:
    about, text = facts.target.reference, f"hpa/{view.name}: {view.state}, {view.why}"
    words: dict[str, object] = {"namespace": facts.namespace, "name": view.name}
    if view.current == 0 and (stuck := _stuck_at_zero(facts, view)) is not None:
        return broken(asked, text, stuck)
    if view.state == "Disabled" and (forgotten := [one for one in notes if one.code == "forgotten-zero"]):
        return broken(asked, text, forgotten[0])
    if view.state == "Disabled":
        fix = f"kubectl -n {facts.namespace} scale {_typed(about)} --replicas=1"
        return broken(asked, text, told("stuck-at-zero", about, view.why, fix))
    if view.state == "Degraded":
        return broken(asked, text, found("one-metric-invalid", about, view.why, **words))
    if view.state.startswith("Broken") and view.state != "Broken: effect":  # that is the next hop but one
        if any(one.reason == "AmbiguousSelector" and one.status == "False" for one in view.conditions):
            return broken(asked, text, told("two-scalers", about, view.why))
        if facts.pods and not any(one.ready for one in facts.pods):
            return unknown(asked, text)
        if _armed(facts):
            return ok(
                asked, f"hpa/{view.name} has no number before the first request (armed)", *notes, armed=True
            )
        if view.state == "Broken: metrics API" and not asks.of(facts.scaler.hpa):
            return broken(asked, text, found("no-metrics-api", about, view.why, what="metrics-server"))
        return broken(asked, text, found("hpa-cannot-compute", about, view.why, **words))
    if view.state == "Armed":
        return ok(asked, text, *notes, armed=True)
    return ok(asked, text, *notes)


def _armed(facts: Facts) -> bool:
    """Whether the engine has not exposed its series yet, and the numbers are missing for nothing else."""
    return facts.engine is not None and facts.engine.armed and values.judge(facts).armed


def _stuck_at_zero(facts: Facts, view: HpaView) -> Finding | None:
    """At 0 replicas: nothing but the engine's own metrics to bring it back, or only policies in percent."""
    about = facts.target.reference
    limited = any(one.reason == "ScaleUpLimit" and one.status == "True" for one in view.conditions)
    if limited:
        name = f"hpa/{view.name}" if facts.scaler.scaled_object is None else "the ScaledObject"
        up = ((facts.scaler.hpa or {}).get("spec", {}).get("behavior") or {}).get("scaleUp") or {}
        seen = f"at 0 replicas, and {at_zero.no_way_up(up) or view.why}"
        return told("stuck-at-zero", about, seen, f"add a policy of type Pods to behavior.scaleUp of {name}")
    names = [one.name for one in asks.of(facts.scaler.hpa)]
    if facts.scaler.scaled_object is not None:
        triggers = facts.scaler.scaled_object["spec"].get("triggers") or []
        only = bool(keda.metrics_of(facts.scaler.scaled_object)) and all(
            one.get("type") == "prometheus" for one in triggers
        )
        names = list(keda.metrics_of(facts.scaler.scaled_object)) if only else []
    if names and all(_of_pods(one) for one in names):
        seen = f"at 0 replicas, and {', '.join(dict.fromkeys(names))} exists only while a pod runs"
        fix = f"kubectl -n {facts.namespace} scale {_typed(about)} --replicas=1"
        if view.min < 1:
            fix += "  # and keep one replica, by a minimum of 1"
        return told("nobody-counts-at-zero", about, seen, fix)
    return None


def _of_pods(metric: str) -> bool:
    """Whether a metric is one of an engine's own, which no pod exposes at zero replicas."""
    return engines.signal_of(metric) is not None


def _view(facts: Facts, found_hpa: Json) -> HpaView:
    ready = None if facts.pods is None else sum(one.ready for one in facts.pods)
    return hpa.view(found_hpa, ready=ready, now=moment(facts.at))


def judge_arithmetic(facts: Facts) -> Verdict:
    """What the controller's calculation gives on the numbers of now."""
    asked = "the controller's calculation, done again on the numbers of now"
    if facts.arithmetic is None:
        return skipped(asked, "there is no HPA")
    try:
        result = explain.replay(explain.Facts.from_json(facts.arithmetic))
    except LlmHpaError as error:
        return unknown(asked, str(error))
    if result.outcome is None:
        return unknown(asked, result.stops or "there is nothing to calculate with")
    text = f"{result.outcome.before} -> {result.outcome.replicas}, the status says {result.said.desired}"
    winner = next((one for one in result.metrics if one.wins), None)
    if winner is not None and winner.view.now is not None:
        numbers = "/".join(map(quantities.human, (winner.view.now, winner.view.target)))
        text += f" ({winner.named.word} {numbers} decides)"
    if result.said.agrees is False:
        return unknown(asked, f"{text}: {result.said.why[0]}" if result.said.why else text)
    view = _view(facts, facts.arithmetic["hpa"])
    notes = []
    if view.state == "AtMax":
        notes.append(found("at-maximum", facts.target.reference, view.why, max=view.max))
    return ok(asked, text, *notes)


def judge_effect(facts: Facts) -> Verdict:
    """Whether what the HPA wrote stays, and becomes pods that run."""
    about, found_hpa, pods = facts.target.reference, facts.scaler.hpa, facts.pods
    asked = "what became of the last rescale"
    if found_hpa is None:
        return skipped(asked, "there is no HPA")
    view = _view(facts, found_hpa)
    failed = next(
        (one for one in view.conditions if one.type == "AbleToScale" and one.reason == "FailedUpdateScale"),
        None,
    )
    if failed is not None and failed.status == "False":
        return broken(asked, failed.message, found("scale-not-written", about, failed.message))
    if fought := _fought(facts, view):
        return broken(asked, fought.seen, fought)
    if pods is None:
        return unknown(asked, f"{view.current} replicas, {view.desired} wanted; its pods may not be listed")
    wanted = facts.target.replicas or 0
    if len(pods) < wanted * facts.target.counted_per_replica and (quota := quota_event(facts)):
        return broken(asked, quota, found("quota-exceeded", about, quota, namespace=facts.namespace))
    pending = [one for one in pods if one.unschedulable]
    if pending and len(pods) - len(pending) < wanted * facts.target.counted_per_replica:
        seen = f"{len(pending)} of {len(pods)} pods are Pending: {pending[0].unschedulable}"
        return broken(asked, seen, found("pods-unschedulable", about, seen, wanted=wanted))
    if stuck := [
        one for one in pods if one.waiting in ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull")
    ]:
        seen = f"{len(stuck)} of {len(pods)} pods do not start: {stuck[0].waiting}"
        return broken(
            asked, seen, found("pods-fail", about, seen, namespace=facts.namespace, pod=stuck[0].name)
        )
    ready = sum(one.ready for one in pods)
    text = f"{ready} of {len(pods)} pods ready, {wanted} wanted"
    if view.last_scale:
        text += f", last rescale at {view.last_scale}"
    if pending:
        text += f"; {len(pending)} Pending beyond those, of a rollout"
    notes = (
        [found("pods-starting", about, f"{len(pods) - ready} of {len(pods)} pods are not ready yet")]
        if ready < len(pods)
        else []
    )
    return ok(asked, text, *notes)


def _fought(facts: Facts, view: HpaView) -> Finding | None:
    """Somebody else writes the replicas too: by the managed fields, and by rescales to one size again and again."""
    others = [one for one in facts.target.writers if not _is_scaler(one)]
    after = [one for one in others if view.last_scale and one.time > view.last_scale]
    flips = _flips(facts)
    taken_back = bool(after) and facts.target.replicas != view.desired
    if not (flips >= _FLIPS or (after and flips > 1) or (taken_back and flips)):
        return None
    who = ", ".join(dict.fromkeys(one.manager for one in (after or others))) or "somebody"
    seen = f"{who} sets spec.replicas too"
    if flips > 1:
        seen += f": the HPA has asked for {_last_size(facts)} {flips} times in a row"
    return found("replicas-fought", facts.target.reference, seen, who=who)


def _is_scaler(one: Writer) -> bool:
    return one.subresource == "scale" and one.manager.startswith(_SCALERS)


def _rescales(facts: Facts) -> list[hpa.Rescale]:
    return hpa.rescales(
        [one for one in facts.scaler.events if one["involvedObject"]["kind"] == "HorizontalPodAutoscaler"]
    )


def _flips(facts: Facts) -> int:
    """How often the last size was asked for without another in between, at least.

    Events of one text are merged into a count, so each rescale to another size may have been in between.
    """
    rescales = _rescales(facts)
    if not rescales:
        return 0
    size = rescales[-1].size
    return sum(one.count if one.size == size else -one.count for one in rescales)


def _last_size(facts: Facts) -> int:
    return _rescales(facts)[-1].size


def judge_drift(facts: Facts) -> Verdict:
    """What works now and will not for long."""
    asked = "the adapter's file beside what it serves, and the pod templates"
    adapter = facts.serving.adapter
    names = {one.name for one in asks.custom(facts)}
    lost = [one for one in adapter.lost if names & set(one.seen.split())] if adapter is not None else []
    if lost:
        again = f"kubectl llm-hpa enable {_typed(facts.target.reference)} -n {facts.namespace}"
        first = replace(lost[0], fix=again) if facts.scaler.ours else lost[0]
        return broken(asked, first.seen, first, *lost[1:])
    notes: list[Finding] = list(adapter.lost) if adapter is not None else []
    if len(templates := _templates(facts.pods or ())) > 1:
        seen = "; ".join(f"{name}: {count} pods" for name, count in templates.items())
        notes.append(found("two-versions", facts.target.reference, seen))
    if adapter is None and asks.custom(facts):
        return unknown(asked, "the adapter's file could not be read", *notes)
    if adapter is not None and adapter.rules is not None and asks.custom(facts):
        gone = [one.name for one in asks.custom(facts) if adapter.rules.get(one.name) is None]
        if gone:
            where = f"configmap {adapter.namespace}/{adapter.config_map}"
            seen = f"no rule of {where} serves {', '.join(gone)}, which the running adapter lists"
            return broken(
                asked, seen, found("rule-will-be-lost", facts.target.reference, seen, source="the file")
            )
    if not asks.of(facts.scaler.hpa):
        return skipped(asked, "no metric comes from a metrics API")
    return ok(asked, "nothing that works now is about to be lost", *notes)


def _templates(pods: Sequence[PodFacts]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in pods:
        counts[one.template] = counts.get(one.template, 0) + 1
    return counts


def _typed(reference: str) -> str:
    kind, _, name = reference.partition("/")
    return f"{kind.lower()}/{name}"
