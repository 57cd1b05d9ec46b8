"""Random questions about the HPA controller's arithmetic, the same for the same seed, and what ours answers.

Numbers are drawn where rules change: around the target and the tolerance, at 0, and where an int32 or int64 ends.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kubectl_llmhpa import quantities
from kubectl_llmhpa.hpa import arithmetic
from kubectl_llmhpa.hpa.arithmetic import (
    Controller,
    Failed,
    Invalid,
    Memory,
    Metric,
    Outcome,
    Pod,
    Reading,
    Spec,
    reading,
    votes,
)
from kubectl_llmhpa.hpa.arithmetic.model import Form, Source

Json = dict[str, Any]
GONE = "unable to fetch metrics from custom metrics API: the server could not find the metric m for pods"
HUGE = (2**63 - 1, -(2**63), 2**62, -(2**62), 2**53 + 1, 2**31 * 1000, 2**31, 10**15, -1, -1500)
FORMS: dict[str, tuple[Source, Form]] = {
    "pods": ("Pods", "AverageValue"),
    "object": ("Object", "Value"),
    "object-average": ("Object", "AverageValue"),
    "external": ("External", "Value"),
    "external-average": ("External", "AverageValue"),
}


@dataclass(frozen=True)
class Case:
    """One metric at one time: the question to the controller's calculator, its answer as ours has it, and the source
    and the step by which ours came to it."""

    question: Json
    answer: Json
    reached: tuple[str, str]


def cases(seed: int, count: int, controller: Controller) -> Iterator[Case]:
    dice = random.Random(seed)
    for _ in range(count):
        yield _case(dice, controller)


def quantity_texts(seed: int, count: int) -> Iterator[str]:
    """Quantities with few and many digits, at both ends of int64, with every suffix and exponent."""
    dice = random.Random(seed)
    suffixes = (
        "",
        "",
        "m",
        "n",
        "u",
        "k",
        "M",
        "G",
        "T",
        "P",
        "E",
        "Ki",
        "Mi",
        "Gi",
        "Ti",
        "Pi",
        "Ei",
        "e3",
        "E-2",
        "e12",
    )
    yield from (
        "0",
        "-0",
        "00.0",
        ".5",
        "5.",
        "-9223372036854775808m",
        "9223372036854775807m",
        "9223372036854775807",
    )
    for _ in range(count):
        whole = str(
            dice.choice(
                (0, dice.randrange(10), dice.randrange(10**6), dice.randrange(10 ** dice.randrange(1, 30)))
            )
        )
        part = dice.choice(("", "", f".{dice.randrange(10 ** dice.randrange(1, 14))}", ".000", ".5"))
        yield f"{dice.choice(('', '', '', '-', '+'))}{dice.choice(('', '', '00'))}{whole}{part}{dice.choice(suffixes)}"


def _case(dice: random.Random, controller: Controller) -> Case:
    source = dice.choice(tuple(FORMS))
    target = dice.choice(
        (1, 700, 800, 5000, 5000, 12345, 60000, dice.randrange(1, 10**6), dice.choice((0, 10**12, 2**62)))
    )
    tolerances = dice.choice(((0.1, 0.1), (0.1, 0.1), (0.2, 0.05), (0.0, 0.0), (0.05, 1.5)))
    pods = tuple(_pod(dice, index) for index in range(dice.choice((0, 1, 2, 3, 4, 5, 8, 13))))
    current = len(pods) if dice.random() < 0.6 else dice.choice((0, 1, 2, 3, 7, 20))
    status = current if dice.random() < 0.8 else dice.choice((0, 1, 2, 5, 9))
    # A value for each pod, or values of series that add up to as many times the target.
    level = dice.choice((0.0, 0.3, 0.9, 1.0, 1.0, 1.1, 1.2, 2.0, 5.0)) * target
    found: Reading
    asked: Json
    if dice.random() < 0.02:
        found, asked = Failed(GONE), {"error": GONE}
    elif source == "pods":
        silent = dice.choice((0.0, 0.0, 0.2, 0.6, 1.0))
        samples = {pod.name: _value(dice, level) for pod in pods if dice.random() >= silent}
        if dice.random() < 0.03:
            samples["elsewhere"] = _value(dice, level)
        found, asked = samples, {"pods": samples}
    else:
        series = dice.choice((0, 1, 1, 1, 2, 3)) if source.startswith("external") else 1
        shares = tuple(_value(dice, level * max(current, 1) / series) for _ in range(series))
        found, asked = shares, {"values": shares}
    kind, form = FORMS[source]
    metric = Metric(kind, "m", form, target, reading.printed({}), ("Namespace", "x"))
    spec = Spec((metric,), 1, 10, tolerances=tolerances, namespace="x", controller=controller)
    ours = votes.vote(spec, metric, found, pods, current=current, status_replicas=status)
    question = {
        "source": source,
        "current": current,
        "status": status,
        "target": target,
        "tolerances": tolerances,
        "pods": [_shown(pod) for pod in pods],
        "reading": asked,
    }
    answer: Json = (
        {"replicas": 0, "usage": 0, "error": ours.message}
        if isinstance(ours, Invalid)
        else {"replicas": ours.replicas, "usage": ours.usage}
    )
    step = "invalid" if isinstance(ours, Invalid) else ours.step
    return Case({"calculate": question}, answer, (source, step))


def _pod(dice: random.Random, index: int) -> Pod:
    phase = dice.choices(("Running", "Pending", "Failed", "Succeeded", "Unknown"), (20, 3, 1, 1, 1))[0]
    return Pod(f"p{index}", phase, dice.random() < 0.8, dice.random() < 0.07)


def _value(dice: random.Random, level: float) -> int:
    kind = dice.random()
    if kind < 0.02:
        return dice.choice(HUGE)
    if kind >= 0.5:
        level *= dice.choice((0.0, 0.5, 0.89, 0.9, 1.0, 1.1, 1.11, 1.5, dice.random() * 3))
    return min(int(level), 2**63 - 1)


def _shown(pod: Pod) -> Json:
    return {"name": pod.name, "phase": pod.phase, "ready": pod.ready, "deleting": pod.deleting}


@dataclass
class Play:
    """An HPA over time: the question to the controller, and what ours made of it, sync by sync."""

    question: Json
    outcomes: list[Json] = field(default_factory=list)


@dataclass
class _Stage:
    """The workload that the HPA of a play scales: replicas as ours sets them, pods that start slowly."""

    replicas: int
    slow: int
    silent: float
    load: int
    born: dict[int, int] = field(default_factory=dict)

    def pods(self, dice: random.Random, step: int) -> tuple[Pod, ...]:
        self.born = {index: self.born.get(index, step) for index in range(self.replicas)}
        found = [
            Pod(f"p{index}", "Pending" if step - born < self.slow else "Running", step - born > self.slow)
            for index, born in self.born.items()
        ]
        if dice.random() < 0.1:
            found.append(Pod(f"p{self.replicas}", "Running", True, True))
        if dice.random() < 0.05:
            found.append(Pod("evicted", "Failed", False))
        return tuple(found)


def plays(seed: int, count: int, controller: Controller) -> Iterator[Play]:
    dice = random.Random(seed)
    for _ in range(count):
        yield _play(dice, controller)


def _play(dice: random.Random, flags: Controller) -> Play:
    controller = Controller(flags.minor, dice.choice((0.1, 0.1, 0.2, 0.0)), dice.choice((300, 300, 60, 0)))
    period = dice.choice((15, 15, 15, 5, 30))
    wanted = _spec(dice)
    hpa = {"metadata": {"name": "x", "namespace": "x"}, "spec": wanted}
    spec = reading.spec(hpa, controller)
    slow, silent = dice.choice((0, 0, 1, 4)), dice.choice((0.0, 0.0, 0.1))
    stage = _Stage(dice.choice((1, 1, 2, 5, 12, 0)), slow, silent, dice.randrange(30000))
    memory, said = Memory(), dict[str, tuple[str, str, str]]()
    play = Play(
        {
            "hpa": hpa,
            "tolerance": controller.tolerance,
            "downscale": controller.downscale_window,
            "period": period,
            "replicas": stage.replicas,
            "steps": [],
        }
    )
    faulty, edits = dice.random() < 0.3, dice.choice((0.0, 0.01, 0.2))
    for step in range(dice.choice((20, 40, 80))):
        asked: Json = {}
        if dice.random() < 0.01:
            stage.replicas = asked["replicas"] = dice.choice((0, 1, 3, 30))
        if dice.random() < edits:
            wanted = asked["spec"] = {**wanted, **_edited(dice)}
            spec = reading.spec({**hpa, "spec": wanted}, controller)
        _move(dice, stage)
        pods = stage.pods(dice, step)
        readings = tuple(_reading(dice, metric, stage, pods, faulty) for metric in spec.metrics)
        status = stage.replicas if dice.random() < 0.9 else max(0, stage.replicas - 1)
        asked |= {
            "pods": [_shown(pod) for pod in pods],
            "readings": {
                metric.name: _asked(one) for metric, one in zip(spec.metrics, readings, strict=True)
            },
            "status": status,
        }
        play.question["steps"].append(asked)
        outcome = arithmetic.sync(
            spec, memory, readings, pods, replicas=stage.replicas, status_replicas=status, now=step * period
        )
        memory, stage.replicas = outcome.memory, outcome.replicas
        said |= {
            one.type: (one.status, one.reason, one.message) for one in arithmetic.conditions(spec, outcome)
        }
        play.outcomes.append(_told(outcome, dict(said)))
    play.question = {"play": play.question}
    return play


def _told(outcome: Outcome, conditions: dict[str, tuple[str, str, str]]) -> Json:
    return {
        "replicas": outcome.replicas,
        "conditions": conditions,
        "events": [(one.type, one.reason, one.message) for one in arithmetic.events(outcome)],
        "metrics": [
            None if isinstance(vote, Invalid) else vote.usage
            for vote in (outcome.ballot.votes if outcome.ballot else ())
        ],
    }


def heard(answer: Json) -> Json:
    """One outcome of the controller in the shape of `Play.outcomes`."""
    return {
        "replicas": answer["replicas"],
        "conditions": {
            one["type"]: (one["status"], one["reason"], one["message"]) for one in answer["conditions"]
        },
        "events": [(one["type"], one["reason"], one["message"]) for one in answer["events"]],
        "metrics": [_usage(one) for one in answer["metrics"] or ()],
    }


def _usage(status: Json) -> int | None:
    if not status["type"]:
        return None
    (text,) = status[status["type"].lower()]["current"].values()
    return int(quantities.parse(text) * 1000)


def _move(dice: random.Random, stage: _Stage) -> None:
    """The load, in thousandths: it drifts, jumps and stops."""
    kind = dice.random()
    if kind < 0.05:
        stage.load = 0
    elif kind < 0.15:
        stage.load = dice.randrange(120000)
    else:
        stage.load = max(0, stage.load + dice.randrange(-5000, 5001))


def _reading(
    dice: random.Random, metric: Metric, stage: _Stage, pods: tuple[Pod, ...], faulty: bool
) -> Reading:
    if faulty and dice.random() < 0.1:
        return Failed(GONE)
    if metric.source == "Pods":
        serving = [pod for pod in pods if pod.phase == "Running" and dice.random() >= stage.silent]
        return {pod.name: stage.load // len(serving) for pod in serving}
    if metric.source == "Object":
        return (stage.load,)
    return (stage.load // 2, stage.load - stage.load // 2)


def _asked(found: Reading) -> Json:
    if isinstance(found, Failed):
        return {"error": found.message}
    return {"pods": found} if isinstance(found, dict) else {"values": found}


def _spec(dice: random.Random) -> Json:
    least = dice.choice((0, 1, 1, 1, 2, 3))
    metrics = [_metric(dice, f"m{index}") for index in range(dice.choice((1, 1, 2, 3)))]
    if least == 0 and all(one["type"] == "Pods" for one in metrics):
        metrics.append(_metric(dice, "outside", "External"))  # as the API server demands
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
        "minReplicas": least,
        "maxReplicas": max(1, least) + dice.choice((0, 2, 5, 20, 100)),
        "metrics": metrics,
        **({"behavior": _behavior(dice)} if dice.random() < 0.75 else {}),
    }


def _edited(dice: random.Random) -> Json:
    limits = (
        {"minReplicas": 2, "maxReplicas": 9},
        {"maxReplicas": 30},
        {"minReplicas": 0},
        {"minReplicas": 3},
    )
    return {"behavior": _behavior(dice)} if dice.random() < 0.7 else dice.choice(limits)


def _metric(dice: random.Random, name: str, source: str = "") -> Json:
    source = source or dice.choice(("Pods", "Pods", "Object", "External"))
    value = dice.choice(("5", "2500m", "700m", "12", "1.5k"))
    identity: Json = {"name": name}
    if dice.random() < 0.3:
        identity["selector"] = dice.choice(
            (
                {"matchLabels": {"b": "2", "a": "1"}},
                {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v", "w"]}]},
                {},
            )
        )
    said = dice.choice(("Value", "AverageValue"))
    if source == "Pods":
        return {"type": source, "pods": {"metric": identity, "target": {"type": said, "averageValue": value}}}
    set_ = dice.choice(("value", "averageValue"))
    target = {"type": said, set_: value}
    if source == "External":
        return {"type": source, "external": {"metric": identity, "target": target}}
    if dice.random() < 0.8:  # else `type` and field may not fit, which makes the metric invalid
        target = (
            {"type": "Value", "value": value} if set_ == "value" else {"type": "AverageValue", set_: value}
        )
    described = {"kind": "Namespace", "name": "x", "apiVersion": "v1"}
    return {"type": source, "object": {"metric": identity, "describedObject": described, "target": target}}


def _behavior(dice: random.Random) -> Json:
    found = {}
    for direction in ("scaleUp", "scaleDown"):
        if dice.random() < 0.85:
            found[direction] = _rules(dice)
    return found


def _rules(dice: random.Random) -> Json:
    rules: Json = {}
    if dice.random() < 0.7:
        rules["stabilizationWindowSeconds"] = dice.choice((0, 15, 30, 40, 60, 300))
    if dice.random() < 0.6:
        rules["selectPolicy"] = dice.choice(("Max", "Max", "Min", "Disabled"))
    if dice.random() < 0.8:
        rules["policies"] = [
            {
                "type": dice.choice(("Pods", "Percent")),
                "value": dice.choice((1, 1, 2, 4, 10, 50, 100, 200, 2**31 - 1)),
                "periodSeconds": dice.choice((1, 15, 20, 30, 60, 180)),
            }
            for _ in range(dice.choice((1, 2, 3)))
        ]
    if dice.random() < 0.3:
        rules["tolerance"] = dice.choice(("50m", "200m", "0", "1500m", "70m"))
    return rules
