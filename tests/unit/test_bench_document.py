"""docs/bench.schema.json against real documents: they fit, they fill it, and what does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kubectl_llmhpa.bench import report
from tests.unit.bench_outcomes import hostile, little, plain, profiled, proved, swept

ROOT = Path(__file__).resolve().parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "bench.schema.json").read_text())
OUTCOMES = {
    "plain": plain,
    "sweep": swept,
    "profile": profiled,
    "prove": proved,
    "little": little,
    "hostile": hostile,
}


def written(name: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(report.document(report.of_outcome(OUTCOMES[name]()))))
    return made


def problems(document: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", OUTCOMES)
def test_what_is_written_fits(name: str) -> None:
    assert problems(written(name)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"unknown": 1}, "Additional properties are not allowed"),
        ({"kind": "Status"}, "'Bench' was expected"),
        ({"run": None}, "None is not of type 'string'"),
        ({"timeline": [{"seconds": "1", "kind": "load", "text": ""}]}, "'1' is not of type 'number', 'null'"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], problem: str) -> None:
    assert [found for found in problems({**written("plain"), **change}) if problem in found]


def test_a_key_that_is_missing_is_refused() -> None:
    document = written("plain")
    del document["verdict"]
    assert problems(document) == ["'verdict' is a required property"]


def filled(schema: dict[str, Any], value: Any) -> set[str]:
    """The kinds of objects (`$defs`) that are somewhere in a value."""
    found: set[str] = set()
    for choice in schema.get("anyOf", []):
        found |= filled(choice, value)
    reference = schema.get("$ref", "").rpartition("/")[2]
    if reference and value is not None:
        found |= {reference} | filled(SCHEMA["$defs"][reference], value)
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            found |= filled(part, value[key])
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for each in value:
            found |= filled(schema["items"], each)
    return found


def test_the_documents_here_have_every_kind_of_object_in_them() -> None:
    found: set[str] = set().union(*(filled(SCHEMA, written(name)) for name in OUTCOMES))
    assert found == set(SCHEMA["$defs"])
