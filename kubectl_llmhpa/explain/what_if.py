"""`--what-if`: facts with some of them changed, so that the same replay answers.

What a number means: of a count or a rate the total of the workload, spread evenly over the pods that have a sample; of
a ratio or a latency the value of every pod; of a metric with a Value target the value itself.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.explain.facts import Answer, Facts, Scale
from kubectl_llmhpa.explain.inputs import CALCULATED
from kubectl_llmhpa.explain.words import Named, named
from kubectl_llmhpa.hpa.arithmetic import Pod
from kubectl_llmhpa.hpa.arithmetic import reading as readings
from kubectl_llmhpa.hpa.go import MAX_INT32, milli

_NUMBERS = ("replicas", "pods-ready", "min", "max")
_TARGET = "target."


@dataclass(frozen=True)
class Wish:
    """One `name=value`."""

    name: str
    value: str

    def whole(self) -> int:
        """The value as a number of replicas or pods. Raises LlmHpaError."""
        if not self.value.isascii() or not self.value.isdigit() or int(self.value) > MAX_INT32:
            raise _wrong(f"{self.name}={self.value}", f"{self.name} is a whole number from 0 on")
        return int(self.value)

    def milli(self) -> int:
        """The value as a quantity in milli-units. Raises LlmHpaError."""
        try:
            found = quantities.parse(self.value)
        except ValueError:
            found = Decimal(-1)
        if found < 0:
            example = "a quantity from 0 on, such as 40, 0.8 or 800m"
            raise _wrong(f"{self.name}={self.value}", f"{self.name} is {example}")
        if found > quantities.MOST:
            raise _wrong(f"{self.name}={self.value}", "that is more than an HPA can calculate with")
        return milli(self.value)


def parse(text: str) -> tuple[Wish, ...]:
    """`waiting=40,max=10` as wishes. Raises LlmHpaError for anything else."""
    found = []
    for part in text.split(","):
        name, equals, value = part.strip().rpartition("=")
        if not (equals and name.strip() and value.strip()):
            raise _wrong(text, f"{part!r} is not NAME=VALUE")
        wish = Wish(name.strip(), value.strip())
        wish.whole() if wish.name in _NUMBERS else wish.milli()
        found.append(wish)
    return tuple(found)


def apply(facts: Facts, text: str) -> Facts:
    """The facts as the text wants them. Raises LlmHpaError for a name that there is not, with those that there are."""
    wishes = parse(text)
    names = named(facts.hpa, facts.scaled_object)
    entries: Sequence[Json] = (facts.hpa.get("spec") or {}).get("metrics") or ()
    calculated = [place for place, one in enumerate(entries) if one.get("type") in CALCULATED]
    changed = replace(facts, hpa=copy.deepcopy(facts.hpa))
    for wish in sorted(
        wishes, key=lambda one: one.name != "replicas"
    ):  # pods-ready and values are about those pods
        if wish.name == "replicas":
            changed = _replicas(changed, names, wish.whole())
        elif wish.name == "pods-ready":
            changed = _ready(changed, names, wish.whole())
        elif wish.name in ("min", "max"):
            changed.hpa["spec"][f"{wish.name}Replicas"] = wish.whole()
    for wish in wishes:
        if wish.name in _NUMBERS:
            continue
        about = wish.name.removeprefix(_TARGET)
        places = [place for place in calculated if about in (names[place].name, names[place].word)]
        if not places:
            raise _unknown(wish.name, [names[place] for place in calculated])
        for place in places:
            if wish.name == about:
                changed = _value(changed, place, names[place], wish.milli())
            else:
                _target(changed.hpa["spec"]["metrics"][place], wish)
    spec = changed.hpa["spec"]
    if int(spec.get("minReplicas", 1)) > int(spec["maxReplicas"]):
        raise _wrong(text, f"min {spec.get('minReplicas', 1)} is above max {spec['maxReplicas']}")
    return changed


def _replicas(facts: Facts, names: Sequence[Named], count: int) -> Facts:
    """So many replicas, all of their pods serving: as many pods each as now."""
    before = facts.scale or Scale(0, 0, "")
    live = _live(facts)
    each = max(1, round(len(live) / before.replicas)) if before.replicas else 1
    size = count * each
    if size > 100_000:
        raise _wrong(f"replicas={count}", "that is more pods than a cluster has")
    kept = live[:size]
    added = [Pod(f"what-if-{number}") for number in range(1, size - len(kept) + 1)]
    scale = replace(before, replicas=count, status_replicas=count)
    changed = replace(facts, scale=scale, pods=(*kept, *added))
    silent = {pod.name for pod in live if _is_silent(facts, pod)}
    serving = [pod.name for pod in changed.pods if pod.phase == "Running" and pod.name not in silent]
    if each > 1:  # of several pods a replica only some may serve
        serving = serving[: count * max(1, round((len(live) - len(silent)) / before.replicas))]
    changed = _respread(changed, names, serving)
    answers = list(changed.answers)
    for place, (one, entry) in enumerate(zip(names, facts.hpa["spec"].get("metrics") or (), strict=True)):
        if (
            one.per_pod
            and before.status_replicas
            and _form(entry) == "AverageValue"
            and answers[place].values
        ):
            total = sum(map(milli, answers[place].values)) * count // before.status_replicas
            answers[place] = Answer("values", values=(_text(total),))
    return replace(changed, answers=tuple(answers))


def _ready(facts: Facts, names: Sequence[Named], count: int) -> Facts:
    """So many pods that are ready and have a sample; the others run, without either."""
    live = _live(facts)
    if count > len(live):
        raise _wrong(f"pods-ready={count}", f"there are {len(live)} pods; say replicas={count} too")
    pods = tuple(Pod(pod.name, "Running", place < count) for place, pod in enumerate(live))
    return _respread(replace(facts, pods=pods), names, [pod.name for pod in live[:count]])


def _respread(facts: Facts, names: Sequence[Named], serving: Sequence[str]) -> Facts:
    """The same load on other pods: totals stay, and so do the values of every pod that totals say nothing of."""
    answers = []
    for one, answer in zip(names, facts.answers, strict=True):
        if answer.kind != "pods" or not answer.pods:
            answers.append(answer)
            continue
        total = sum(map(milli, answer.pods.values()))
        if one.per_pod:
            each = total // len(answer.pods)
            answers.append(Answer("pods", pods=dict.fromkeys(serving, _text(each))))
        else:
            answers.append(_spread(total, serving))
    return replace(facts, answers=tuple(answers))


def _value(facts: Facts, place: int, one: Named, value: int) -> Facts:
    entry, answer = facts.hpa["spec"]["metrics"][place], facts.answers[place]
    status = facts.scale.status_replicas if facts.scale else 0
    if entry["type"] == "Pods":
        live = {pod.name for pod in _live(facts) if pod.phase == "Running"}
        serving = [name for name in answer.pods if name in live] or sorted(live)
        changed = (
            Answer("pods", pods=dict.fromkeys(serving, _text(value)))
            if one.per_pod
            else _spread(value, serving)
        )
    elif one.per_pod and _form(entry) == "AverageValue":
        changed = Answer("values", values=(_text(value * status),))
    else:
        changed = Answer("values", values=(_text(value),))
    return replace(facts, answers=(*facts.answers[:place], changed, *facts.answers[place + 1 :]))


def _target(entry: Json, wish: Wish) -> None:
    if wish.milli() == 0:
        raise _wrong(f"{wish.name}={wish.value}", "a target must be above 0")
    target = entry[entry["type"].lower()]["target"]
    field = "averageValue" if _form(entry) == "AverageValue" else "value"
    target[field] = wish.value


def _form(entry: Json) -> str:
    """The branch that the controller takes for a metric; empty for CPU and memory."""
    return readings.metric(entry).form if entry.get("type") in CALCULATED else ""


def _spread(total: int, pods: Sequence[str]) -> Answer:
    """A total evenly over pods, in milli-units, what is left over on the first of them."""
    if not pods:
        return Answer("pods")
    share, rest = divmod(total, len(pods))
    return Answer("pods", pods={name: _text(share + (place < rest)) for place, name in enumerate(pods)})


def _live(facts: Facts) -> list[Pod]:
    return [pod for pod in facts.pods if not pod.deleting and pod.phase not in ("Failed", "Succeeded")]


def _is_silent(facts: Facts, pod: Pod) -> bool:
    """Whether metrics of pods have samples, but not of this one."""
    samples = [answer.pods for answer in facts.answers if answer.kind == "pods" and answer.pods]
    return bool(samples) and all(pod.name not in one for one in samples)


def _text(value: int) -> str:
    return quantities.show(quantities.parse(f"{value}m"))


def _unknown(name: str, there_are: Sequence[Named]) -> LlmHpaError:
    words = dict.fromkeys(one.word for one in there_are)
    known = ", ".join([*words, *_NUMBERS, *(f"{_TARGET}{word}" for word in words)])
    return _wrong(name, "there is no such number here", f"there are {known}")


def _wrong(what: str, problem: str, remedy: str = "") -> LlmHpaError:
    return LlmHpaError(f"--what-if {what}", problem, remedy)
