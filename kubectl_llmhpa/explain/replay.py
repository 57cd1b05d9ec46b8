"""The replay: the controller's calculation on the facts, beside what the controller itself says.

One implementation calculates, `hpa.arithmetic.sync`; here its inputs are put together and its outcome is taken apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.explain import changes as counterfactuals
from kubectl_llmhpa.explain import inputs as looked
from kubectl_llmhpa.explain import memory as memories
from kubectl_llmhpa.explain.changes import Change
from kubectl_llmhpa.explain.facts import Answer, Facts
from kubectl_llmhpa.explain.inputs import MINORS, Inputs
from kubectl_llmhpa.explain.words import Named, named
from kubectl_llmhpa.hpa.arithmetic import Invalid, Metric, Outcome, Proposal
from kubectl_llmhpa.hpa.metrics import metric_views
from kubectl_llmhpa.hpa.model import Condition, MetricView

#: How the sentence begins where the controller does not calculate at all, and its reasons for that.
STOPPED = "the controller calculates nothing"
_STOPPED = ("FailedGetScale", "AmbiguousSelector", "InvalidSelector")


@dataclass(frozen=True)
class Explained:
    """One metric: its name, what was read, what the calculation made of it, and what the controller last saw.

    `metric` and `vote` are None for CPU and memory, whose calculation is not here. `level` is `Inputs.level`. `notes`
    are sentences about the numbers.
    """

    named: Named
    view: MetricView
    answer: Answer
    metric: Metric | None = None
    vote: Proposal | Invalid | None = None
    level: int | None = None
    counted: int = 0
    wins: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """What the controller says: `status`, and whether the replay agrees (None: there is nothing to compare).

    `why` are sentences about why it may not.
    """

    current: int
    desired: int
    last_scale: str | None
    conditions: tuple[Condition, ...]
    agrees: bool | None
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """One HPA explained.

    `outcome` is the next sync as the facts and the estimated memory have it, `settled` the same with every window and
    policy period over; both are None where nothing is calculated, and `stops` says why. `estimates` are sentences for
    what is not known but assumed. `changes` are what would change `settled`, and when.
    """

    facts: Facts
    metrics: tuple[Explained, ...]
    said: Said
    inputs: Inputs | None = None
    outcome: Outcome | None = None
    settled: Outcome | None = None
    estimates: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    stops: str = ""
    what_if: str = ""


def replay(facts: Facts, *, before: Facts | None = None, what_if: str = "") -> Explanation:
    """Explain an HPA.

    With `what_if` (its text) the facts are changed ones, and `before` the real ones, from which the controller's memory
    is estimated.
    """
    names = named(facts.hpa, facts.scaled_object)
    views = metric_views(facts.hpa)
    inputs = looked.of_facts(facts)
    real = inputs if before is None else looked.of_facts(before)
    if inputs is None or real is None or _refused(facts):
        metrics = tuple(map(_not_calculated, _entries(facts), names, views, facts.answers))
        return Explanation(facts, metrics, _said(facts, None), stops=_stops(facts), what_if=what_if)
    memory = memories.estimate(before or facts, real)
    outcome, stops = inputs.sync(memory.latest), _stopped(facts)
    explained = _metrics(facts, inputs, names, views, outcome)
    return Explanation(
        facts=facts,
        metrics=explained,
        said=_said(before or facts, None if what_if else outcome, explained),
        inputs=inputs,
        outcome=outcome,
        settled=inputs.settled(),
        estimates=(*memory.sentences, *_assumed(facts, inputs)),
        changes=() if stops or outcome.path != "metrics" else counterfactuals.changes(inputs, names, memory),
        stops=stops,
        what_if=what_if,
    )


def _entries(facts: Facts) -> Sequence[Json]:
    return (facts.hpa.get("spec") or {}).get("metrics") or ()


def _metrics(
    facts: Facts,
    inputs: Inputs,
    names: Sequence[Named],
    views: Sequence[MetricView],
    outcome: Outcome,
) -> tuple[Explained, ...]:
    ballot = outcome.ballot
    found = []
    for place, (name, view, answer) in enumerate(zip(names, views, facts.answers, strict=True)):
        if place not in inputs.places:
            found.append(Explained(name, view, answer, notes=(_not_here(view),)))
            continue
        index = inputs.places.index(place)
        vote = ballot.votes[index] if ballot else None
        found.append(
            Explained(
                named=name,
                view=view,
                answer=answer,
                metric=inputs.spec.metrics[index],
                vote=vote,
                level=inputs.level(index),
                counted=len(inputs.counted(index)),
                wins=ballot is not None and ballot.winner == index,
                notes=tuple(_notes(view, answer)),
            )
        )
    return tuple(found)


def _not_calculated(entry: Json, name: Named, view: MetricView, answer: Answer) -> Explained:
    if entry.get("type") not in looked.CALCULATED:
        return Explained(name, view, answer, notes=(_not_here(view),))
    return Explained(name, view, answer, notes=(_last_seen(view), *_notes(view, answer)))


def _not_here(view: MetricView) -> str:
    return f"CPU and memory are not calculated here; {_last_seen(view)}"


def _last_seen(view: MetricView) -> str:
    if view.now is None:
        return "the controller has no number of it"
    if view.now.endswith("%"):
        return f"the controller last saw {view.now}/{view.target}"
    return f"the controller last saw {quantities.human(view.now)}/{quantities.human(view.target)}"


def _notes(view: MetricView, answer: Answer) -> list[str]:
    notes = list(view.notes)
    if any(map(quantities.is_garbage, answer.texts)):
        notes.append("a value is NaN or infinite at its source, and the controller takes it for 0")
    if answer.refused:
        notes.append("that is the answer to you; the controller may read it all the same")
    return notes


def _refused(facts: Facts) -> bool:
    """Whether the caller may read no metric that the controller reads, so that no number says anything."""
    read = [one for one in facts.answers if one.kind != "none"]
    return bool(read) and all(one.refused for one in read)


def _stops(facts: Facts) -> str:
    """Why nothing can be calculated."""
    if stopped := _stopped(facts):
        return stopped
    if _refused(facts):
        return f"you may not read its metrics, as the controller does ({facts.answers[0].message})"
    if facts.scale is None:
        return f"the scale of the workload could not be read ({facts.unread.get('scale', 'no answer')})"
    if not facts.answers:
        return "the HPA has no metric"
    return "it has CPU and memory metrics only, which are not calculated here"


def _stopped(facts: Facts) -> str:
    """Why the controller does not calculate, in its own words; empty where it does."""
    for one in _conditions(facts.hpa):
        if one.status == "False" and one.reason in _STOPPED:
            return f"{STOPPED}: {one.message}"
    return ""


def _conditions(hpa: Json) -> tuple[Condition, ...]:
    return tuple(
        Condition(*(str(one.get(key) or "") for key in ("type", "status", "reason", "message")))
        for one in (hpa.get("status") or {}).get("conditions") or ()
    )


def _assumed(facts: Facts, inputs: Inputs) -> list[str]:
    """What of the controller's flags and version is not known."""
    spec, found = inputs.spec, []
    if facts.minor is None:
        found.append(f"the server's version is not known: calculated as Kubernetes 1.{MINORS[1]}")
    elif not MINORS[0] <= facts.minor <= MINORS[1]:
        as_of = spec.controller.minor
        found.append(f"Kubernetes 1.{facts.minor} is calculated as 1.{as_of}, the nearest that was tested")
    if spec.up is None or spec.down is None:
        window = spec.controller.downscale_window
        found.append(
            f"no behavior: the scale-down window is a controller flag, taken for its default of {window} s"
        )
    directions = (facts.hpa.get("spec") or {}).get("behavior") or {}
    if any((directions.get(way) or {}).get("tolerance") is None for way in ("scaleUp", "scaleDown")):
        found.append(f"tolerance: a controller flag, taken for its default of {spec.controller.tolerance:g}")
    if len(inputs.places) < len(facts.answers):
        found.append("CPU and memory are left out, so the controller may come to more than is said here")
    if "pods" in facts.unread:
        found.append(f"the pods could not be read ({facts.unread['pods']}): calculated as if there were none")
    if "events" in facts.unread:
        found.append(f"events could not be read ({facts.unread['events']}): past rescales are not known")
    return found


def _said(facts: Facts, outcome: Outcome | None, metrics: Sequence[Explained] = ()) -> Said:
    status = facts.hpa.get("status") or {}
    conditions = _conditions(facts.hpa)
    current, desired = int(status.get("currentReplicas") or 0), int(status.get("desiredReplicas") or 0)
    compared = outcome is not None and conditions and not memories.never_asked(status)
    agrees = outcome.replicas == desired if outcome is not None and compared else None
    why = () if outcome is None or agrees else tuple(_why(facts, outcome, metrics, conditions, desired))
    return Said(current, desired, status.get("lastScaleTime"), conditions, agrees, why)


def _why(
    facts: Facts,
    outcome: Outcome,
    metrics: Sequence[Explained],
    conditions: Sequence[Condition],
    desired: int,
) -> list[str]:
    """Why the replay may come to another number than the controller did at its last sync."""
    if not conditions:
        return ["the controller has not looked at it yet"]
    if memories.never_asked(facts.hpa.get("status") or {}):
        return ["the controller has not come to a number yet"]
    found = [_stopped(facts)] if _stopped(facts) else []
    for one in metrics:
        now = _usage(one)
        if now is not None and (
            one.view.now is None or quantities.parse(now) != quantities.parse(one.view.now)
        ):
            saw = "no number" if one.view.now is None else quantities.human(one.view.now)
            found.append(
                f"{one.named.word} is {quantities.human(now)} now, and the controller last saw {saw}"
            )
        elif isinstance(one.vote, Invalid) and one.view.now is not None:
            found.append(f"{one.named.word} could not be read here, but the controller read it")
    if outcome.before != desired:
        found.append(
            f"the workload has {outcome.before} replicas now, and the controller last asked for {desired}"
        )
    if any(one.metric is None for one in metrics):
        found.append("CPU and memory have a vote, which is not calculated here")
    if outcome.asked != outcome.replicas or outcome.replicas < desired:
        found.append("the controller remembers more of the past than its status tells")
    if not found:
        found.append("pods or numbers changed since its last sync")
    return [*found, f"it syncs every {memories.SYNC} s by default"]


def _usage(one: Explained) -> str | None:
    """What the controller would show for a metric now, as a quantity."""
    if not isinstance(one.vote, Proposal):
        return None
    return quantities.show(quantities.parse(f"{one.vote.usage}m"))
