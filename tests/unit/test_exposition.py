"""The reader of metrics bodies against the reference parser: every recorded body, and lines of every shape."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from kubectl_llmhpa.engines import exposition

BODIES = sorted((Path(__file__).parents[1] / "bodies").glob("*.txt"))
Samples = list[tuple[str, tuple[tuple[str, str], ...], str]]


def reference(body: str) -> tuple[set[str], Samples] | None:
    """Families that have been declared, and the samples by name, as prometheus_client reads them."""
    try:
        families = list(text_string_to_metric_families(body))
    except (ValueError, IndexError, KeyError, AttributeError):
        return None
    samples = [
        (sample.name, tuple(sorted(sample.labels.items())), repr(float(sample.value)))
        for family in families
        for sample in family.samples
    ]
    return {family.name for family in families}, sorted(samples)


def ours(body: str) -> tuple[set[str], Samples] | None:
    try:
        found = exposition.read(body)
    except ValueError:
        return None
    samples = [
        (sample.name, tuple(sorted(sample.labels.items())), repr(float(sample.value)))
        for several in found.samples.values()
        for sample in several
    ]
    return set(found.families), sorted(samples)


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_every_recorded_body_reads_as_the_reference_reads_it(path: Path) -> None:
    body = path.read_text()
    expected, found = reference(body), ours(body)
    assert (found is None) == (expected is None)
    if expected and found:
        assert found == expected


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_without_buckets_nothing_else_is_missing(path: Path) -> None:
    try:
        whole = exposition.read(path.read_text())
    except ValueError:
        return
    less = exposition.read(path.read_text(), buckets=False)
    assert less.families >= whole.families - {name for name in whole.families if name.endswith("_bucket")}
    kept = {name: len(samples) for name, samples in whole.samples.items() if not name.endswith("_bucket")}
    assert {name: len(samples) for name, samples in less.samples.items()} == kept


NAMES = st.sampled_from(["a", "a_total", "b:c", "_x", "a_bucket", "a_count", "1a", "é", "", "a b"])
LABELS = st.sampled_from(
    [
        "", "{}", '{l="v"}', '{l="v",}', '{l="v",m=""}', '{l="v", m="w"}', '{l="a}b"}', '{l="a\\"b"}', '{l="\\n"}',
        '{l="v",l="w"}', '{__name__="z"}', '{l=v}', '{l="v"', "{l}", '{"quoted"}', '{l="v";m="w"}', '{é="v"}',
        '{l="é"}', '{l="v"m="w"}', '{,}', '{l="# TYPE"}',
    ]
)  # fmt: skip
VALUES = st.sampled_from(
    ["1", "1.5", "-1e-3", "+Inf", "-Inf", "Inf", "NaN", "+NaN", "nan", "0x1", "1_0", "", "1 1700000000",
     "1 # {t=\"x\"} 1", ".5", "5.", "1.2.3", "١", "1\t", " 1"]
)  # fmt: skip
SAMPLES = st.tuples(NAMES, LABELS, st.sampled_from([" ", "\t", "", "  "]), VALUES).map("".join)
COMMENTS = st.sampled_from(
    [
        "# TYPE a counter", " #  TYPE\ta  counter", "# TYPE a_total counter", "# TYPE a histogram", "# HELP a text",
        "# EOF", "#", "# TYPE a", "# TYPE b:c gauge", "# TYPE é gauge", "", "  ",
    ]
)  # fmt: skip


@given(st.lists(st.one_of(SAMPLES, COMMENTS), max_size=6).map("\n".join))
@example("# TYPE a counter\na_total 1\na 1")
@example("# HELP a text\na nan\nb:c 1\n# TYPE a counter")
def test_lines_of_every_shape_read_as_the_reference_reads_them(body: str) -> None:
    expected, found = reference(body), ours(body)
    assert (found is None) == (expected is None)
    if expected and found:
        assert found[1] == expected[1]
        assert found[0] | {name for name, *_ in found[1]} == expected[0] | {name for name, *_ in expected[1]}


def test_a_value_that_is_no_number_stays_one() -> None:
    (sample,) = exposition.read("x NaN\n").of("x")
    assert math.isnan(sample.value)
