"""The bounds of a wait hold: an HPA is played through time, and `explain` sees only what an API shows of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.explain import Facts, Scale, replay
from kubectl_llmhpa.hpa import Condition, arithmetic
from kubectl_llmhpa.hpa.arithmetic import Memory, Outcome
from kubectl_llmhpa.hpa.arithmetic import reading as readings
from tests.unit.explain_facts import external, in_series, running
from tests.unit.hpa_objects import average, hpa

PERIOD = 15
ZERO = datetime(2026, 11, 24, tzinfo=timezone.utc)


def moment(second: float) -> str:
    return (ZERO + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Stage:
    """An HPA on one External total, its controller, and what an API shows of both."""

    obj: Json
    replicas: int
    memory: Memory = field(default_factory=Memory)
    events: list[Json] = field(default_factory=list)

    def sync(self, total: int, now: int) -> Outcome:
        """One sync, written down as the controller would."""
        spec = readings.spec(self.obj)
        outcome = self.ask(total, now)
        status = self.obj["status"]
        status |= {"currentReplicas": self.replicas, "desiredReplicas": outcome.replicas}
        told = {one.type: vars_of(one) for one in arithmetic.conditions(spec, outcome)}
        status["conditions"] = list(({one["type"]: one for one in status["conditions"]} | told).values())
        if outcome.rescaled:
            status["lastScaleTime"] = moment(now)
            self.events += [
                {
                    "reason": one.reason, "message": one.message, "lastTimestamp": moment(now),
                    "involvedObject": {"kind": "HorizontalPodAutoscaler", "name": "vllm", "namespace": "llm"},
                }
                for one in arithmetic.events(outcome)
            ]  # fmt: skip
        self.memory, self.replicas = outcome.memory, outcome.replicas
        return outcome

    def ask(self, total: int, now: int) -> Outcome:
        spec = readings.spec(self.obj)
        return arithmetic.sync(
            spec, self.memory, [(total * 1000,)], running(self.replicas), replicas=self.replicas, now=now
        )

    def seen(self, total: int, now: float) -> Facts:
        return Facts(
            hpa=self.obj,
            now=moment(now),
            scale=Scale(self.replicas, self.replicas, "app=vllm"),
            pods=running(self.replicas),
            answers=(in_series(total),),
            minor=37,
            events=tuple(self.events),
        )


def vars_of(condition: Condition) -> dict[str, str]:
    return {key: getattr(condition, key) for key in ("type", "status", "reason", "message")}


def rules(dice: random.Random) -> Json:
    return {
        "stabilizationWindowSeconds": dice.choice((0, 0, 30, 60, 300)),
        "policies": [
            {
                "type": dice.choice(("Pods", "Percent")),
                "value": dice.choice((1, 2, 100)),
                "periodSeconds": dice.choice((15, 60, 90)),
            }
            for _ in range(dice.choice((1, 2)))
        ],
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_controller_moves_within_the_bounds(seed: int) -> None:
    dice = random.Random(seed)
    waits = agreed = looks = 0
    for _ in range(40):
        shape = {"scaleUp": rules(dice), "scaleDown": rules(dice)}
        obj = hpa(metrics=[external("q", average("5"))], shape=shape, conditions=[], last=None)
        obj["spec"]["maxReplicas"] = 12
        stage, load = Stage(obj, dice.choice((1, 3, 6))), 10
        now = 0
        for now in range(0, PERIOD * dice.randrange(2, 60), PERIOD):
            load = dice.choice((load, load, load, dice.randrange(60), max(0, load + dice.randrange(-9, 10))))
            stage.sync(load, now)
        load = dice.choice((load, dice.randrange(60)))
        at = now + dice.randrange(1, PERIOD)
        found = replay(stage.seen(load, at))
        assert found.outcome is not None
        looks += 1
        agreed += found.outcome.replicas == stage.ask(load, now + PERIOD).replicas
        wait = next((one.wait for one in found.changes if one.kind == "wait"), None)
        moved = first_move(stage, load, now, found.outcome.replicas)
        if wait is None:
            assert moved is None or found.outcome.rescaled, (shape, stage.events)
            continue
        if found.outcome.rescaled or moved is None:
            continue
        waits += 1
        assert wait.earliest <= moved - at + 1, (shape, moved - at, wait)
        assert moved - at <= wait.latest + PERIOD, (shape, moved - at, wait)
    assert (looks, waits > 5) == (40, True)
    assert (
        agreed > 30
    )  # not all: a window may end before the next sync, and the first rescales are not told whole


def first_move(stage: Stage, load: int, now: int, replicas: int) -> int | None:
    """When the controller first comes to another number than this, the load staying as it is."""
    for later in range(now + PERIOD, now + 1200, PERIOD):
        if stage.sync(load, later).replicas != replicas:
            return later
    return None
