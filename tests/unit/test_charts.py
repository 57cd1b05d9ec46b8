"""Charts: whatever the data, all that is drawn lies on the paper, and text of others stays text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa.output import pages
from kubectl_llmhpa.output.charts import Chart, Line, Rule, nice_steps, svg

VALUES = st.none() | st.floats(0, 1e7)
POINTS = st.dictionaries(st.floats(0, 1e5), VALUES, max_size=12).map(
    lambda found: tuple(sorted(found.items()))
)
LINES = st.lists(
    st.builds(Line, st.text(max_size=8), POINTS, st.integers(1, 6), st.booleans(), st.booleans(), st.booleans(),
              st.booleans()), min_size=1, max_size=3,
)  # fmt: skip
RULES = st.lists(
    st.builds(Rule, st.floats(0, 1e5), st.text(max_size=8), st.just("limit"), st.booleans()), max_size=3
)


@given(LINES, RULES)
def test_all_of_it_lies_on_the_paper(lines: list[Line], rules: list[Rule]) -> None:
    drawn = ElementTree.fromstring(svg(Chart("t", "x", "y", lines, rules), 540, 280))
    for element in drawn.iter():
        for name, most in (("x1", 540), ("x2", 540), ("cx", 540), ("y1", 280), ("y2", 280), ("cy", 280)):
            assert -0.1 <= float(element.get(name, "0")) <= most + 0.1
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", element.get("d", ""))]
        assert all(-0.1 <= x <= 540.1 for x in numbers[0::2])
        assert all(-0.1 <= y <= 280.1 for y in numbers[1::2])


@given(st.floats(1e-6, 1e9), st.integers(1, 8))
def test_steps_are_few_round_and_reach_the_top(top: float, most: int) -> None:
    steps = nice_steps(top, most)
    assert steps[0] == 0
    assert steps[-1] >= top * 0.999
    assert 2 <= len(steps) <= most + 2
    assert re.fullmatch(r"[125]\.0+e[+-]\d+", f"{steps[1]:.6e}")


def test_a_step_holds_until_the_next_value_and_a_gap_is_not_bridged() -> None:
    line = Line("l", ((0, 0.0), (10, 10.0), (20, None), (30, 0.0), (40, 10.0)), step=True)
    drawn = svg(Chart("t", "x", "y", (line,), x_range=(0, 40), top=10), 96, 94)  # 40 wide, 28 high
    paths = re.findall(r' d="([^"]+)"', drawn)
    assert paths == ["M44.0 56.0L54.0 56.0L54.0 28.0", "M74.0 56.0L84.0 56.0L84.0 28.0"]


def test_ticks_have_numbers_where_there_is_room() -> None:
    line = Line("l", ((0, 1.0), (100, 1.0)))
    drawn = svg(
        Chart("t", "x", "y", (line,), ticks=((10, "a"), (10.5, "b"), (60, "c"), (500, "out"))), 540, 280
    )
    assert re.findall(r'class="count"[^>]*>(\d+)<', drawn) == ["1", "3"]
    assert re.findall(r"<title>(\w+)</title>", drawn) == ["a", "b", "c"]


@pytest.mark.parametrize("evil", ['"><script>', "</svg>", "&amp;", "\x1b[31m", "\u202eabc"])
def test_text_of_others_stays_text(evil: str) -> None:
    line = Line(evil, ((0, 1.0), (1, 2.0)), marks=True)
    chart = Chart(
        evil, evil, evil, (line, line), (Rule(1, evil), Rule(1, evil, vertical=True)), ((0.5, evil),)
    )
    figure = pages.figure(chart, evil, pages.HALF)
    assert "<script" not in figure
    assert {char for char in figure if not char.isprintable()} == {"\n"}
    assert len(ElementTree.fromstring(figure).findall(".//svg")) == 2
