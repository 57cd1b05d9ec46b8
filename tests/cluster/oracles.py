"""What prometheus-adapter, Prometheus and the HPA controller themselves say: their own code, asked line by line.

The programs are `oracle/` in the modules that the real ones are built from, so their versions are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.cluster.ground import programs
from tests.cluster.ground.commands import run
from tests.cluster.ground.errors import GroundError

Json = dict[str, object]


@dataclass(frozen=True)
class Served:
    """What the adapter makes of one rule and one series: how it finds it, its name and resources in the API, its query.

    Name and query are empty for a series that the rule's filters leave out.
    """

    selector: str
    name: str
    resources: frozenset[str]
    query: str


@dataclass(frozen=True)
class Loaded:
    """What the adapter makes of a configuration file: its rules, or the error that keeps it from starting."""

    error: str
    rules: tuple[Served, ...]


@dataclass(frozen=True)
class Parsed:
    """What Prometheus makes of an expression (`type`: vector, scalar, ...) or of a selector and a series."""

    error: str
    type: str = ""
    selects: bool = False


@dataclass(frozen=True)
class Case:
    """A configuration file, a series as Prometheus has it, and the pods that an HPA asks for."""

    config: str
    series: str
    labels: dict[str, str]
    namespace: str
    pods: Sequence[str]


def adapter(cases: Iterable[Case]) -> list[Loaded]:
    """Ask prometheus-adapter's configuration loader and namer."""
    answers = _ask("adapter-oracle", [vars(case) for case in cases])
    return [
        Loaded(
            str(answer.get("error", "")),
            tuple(
                Served(rule["selector"], rule["name"], frozenset(rule["resources"]), rule["query"])
                for rule in answer["rules"]  # type: ignore[attr-defined]
            ),
        )
        for answer in answers
    ]


def expressions(texts: Iterable[str]) -> list[Parsed]:
    """Ask Prometheus' parser about expressions."""
    return [_parsed(one) for one in _ask("prometheus-oracle", [{"expression": text} for text in texts])]


def selectors(texts: Iterable[tuple[str, dict[str, str]]]) -> list[Parsed]:
    """Ask Prometheus about selectors, each with the labels of a series (`__name__` among them)."""
    asked: list[Json] = [{"selector": text, "labels": labels} for text, labels in texts]
    return [_parsed(one) for one in _ask("prometheus-oracle", asked)]


def controller(minor: int, questions: Iterable[Json]) -> list[Any]:
    """Ask the HPA controller of Kubernetes 1.37 or 1.34: see `modules/kubernetes/oracle` for questions and answers."""
    return _ask({37: "hpa-oracle", 34: "hpa-oracle-1.34"}[minor], list(questions))


def _parsed(answer: Json) -> Parsed:
    return Parsed(str(answer.get("error", "")), str(answer.get("type", "")), bool(answer["selects"]))


def _ask(program: str, questions: Sequence[Json]) -> list[Json]:
    programs.build([program])
    text = "".join(json.dumps(one) + "\n" for one in questions)
    answers: list[Json] = [
        json.loads(line) for line in run(programs.path_of(program), text=text).splitlines()
    ]
    if len(answers) != len(questions):
        raise GroundError(f"{program} gave {len(answers)} answers to {len(questions)} questions")
    return answers
