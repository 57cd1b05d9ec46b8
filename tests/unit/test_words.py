"""One word for one thing in all commands, and a use for every finding in the registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubectl_llmhpa.api import DEPLOYMENTS, HPAS, SCALED_OBJECTS, STATEFUL_SETS, Json, Resource, scaler_named
from kubectl_llmhpa.doctor.walk import HOPS
from kubectl_llmhpa.findings import RULES
from kubectl_llmhpa.hpa import failures
from kubectl_llmhpa.workloads import words_of
from kubectl_llmhpa.workloads.discovery import BUILTIN, choose
from tests.unit.doctor_cases import CASES

ROOT = Path(__file__).resolve().parents[2]
SOURCE = {
    path: path.read_text()
    for path in (ROOT / "kubectl_llmhpa").rglob("*.py")
    if path.parent.name != "findings"
}
TESTS = [
    path.read_text()
    for folder in ("unit", "cluster", "lint", "facts")
    for path in (ROOT / "tests" / folder).rglob("*")
    if path.suffix in (".py", ".yaml", ".json") and path.name != Path(__file__).name
]
#: Codes of `doctor` that are no cause of their own.
_NOTES = {"pods-starting", "at-maximum"}


def test_a_broken_hop_has_the_same_name_everywhere() -> None:
    said = {hop for text in SOURCE.values() for hop in re.findall(r'"Broken: ([\w ]+)"', text)}
    said |= {hop for _, hop, _, _ in failures._ROWS}
    assert said
    assert said - {one.name for one in HOPS} == set()


def test_every_finding_of_doctor_alone_is_a_case() -> None:
    by: dict[str, set[str]] = {code: set() for code in RULES}
    for path, text in SOURCE.items():
        for code in by.keys() & set(re.findall(r'"([\w-]+)"', text)):
            by[code].add(path.parent.name)
    codes = {code for code, folders in by.items() if folders == {"doctor"}}
    assert len(codes) > 50
    assert codes - {case.code for case in CASES} - _NOTES == set()


@pytest.mark.parametrize("code", RULES)
def test_every_finding_can_be_found_and_is_tested(code: str) -> None:
    named = re.compile(rf"(?<![\w-]){re.escape(code)}(?![\w-])")
    assert [path for path, text in SOURCE.items() if re.search(rf"[\"']{re.escape(code)}[\"']", text)]
    assert [text for text in TESTS if named.search(text)]


@pytest.mark.parametrize(
    ("word", "resource"),
    [
        ("hpa", HPAS), ("HPA", HPAS), ("horizontalpodautoscalers.autoscaling", HPAS), ("horizontalpodautoscaler", HPAS),
        ("so", SCALED_OBJECTS), ("scaledobject", SCALED_OBJECTS), ("scaledobjects.keda.sh", SCALED_OBJECTS),
        ("sts", None), ("httpscaledobject", None), ("", None),
    ],
)  # fmt: skip
def test_words_for_an_autoscaler(word: str, resource: Resource | None) -> None:
    assert scaler_named(word) == resource


@pytest.mark.parametrize(
    ("reference", "words", "resource"),
    [
        ({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "x"}, ("statefulset.v1.apps", "x"), STATEFUL_SETS),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}, ("deployment.v1.apps", "x"), DEPLOYMENTS),
        ({"kind": "Deployment", "name": "x"}, ("deployment", "x"), DEPLOYMENTS),
        ({"apiVersion": "a.b/v2", "kind": "Thing", "name": "x"}, ("thing.v2.a.b", "x"), None),
    ],
)  # fmt: skip
def test_words_for_what_an_autoscaler_scales(
    reference: Json, words: tuple[str, str], resource: Resource | None
) -> None:
    assert words_of(reference) == words
    found = choose(BUILTIN, words[0])
    assert (found.resource if found else None) == resource
