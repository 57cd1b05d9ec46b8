"""The pages of `--html` as a person sees them: on a phone and on a desk, in the dark, on paper, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_llmhpa.bench import report
from kubectl_llmhpa.cli.main import main
from tests.browser.chromium import Browser, program
from tests.unit.bench_outcomes import hostile, plain, profiled, proved, swept

pytestmark = pytest.mark.skipif(
    program() is None, reason="no Chromium here (Debian: apt-get install chromium)"
)

OUTCOMES = {"plain": plain, "sweep": swept, "profile": profiled, "prove": proved, "hostile": hostile}
SIMULATION = "simulation"
WIDTHS = (420, 1280)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module", params=[*OUTCOMES, SIMULATION])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    if request.param == SIMULATION:
        with pytest.raises(SystemExit):
            main(["simulate", "--load=step:low=1,high=10,at=2m,for=4m,duration=10m", "--html", str(file)])
    else:
        file.write_text(report.page(report.of_outcome(OUTCOMES[request.param]())))
    return file


#: What is wider than the window without being in something that scrolls.
OVERFLOWING = """
[...document.querySelectorAll("main *")]
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll"))
  .map(one => one.tagName + " " + one.textContent.slice(0, 40))
"""
#: Labels in the charts that are shown and lie over each other.
OVERLAPPING = """
[...document.querySelectorAll("svg.chart")].filter(svg => svg.getBoundingClientRect().width).flatMap(svg => {
  const boxes = [...svg.querySelectorAll("text")].map(one => [one.textContent, one.getBoundingClientRect()]);
  return boxes.flatMap(([name, a], place) => boxes.slice(place + 1)
    .filter(([_, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
    .map(([other, _]) => svg.getAttribute("aria-label") + ": " + name + " over " + other));
})
"""
#: The contrast of each text with the page behind it, least first (WCAG 2: relative luminance).
CONTRAST = """
(() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number)
      .map(one => one / 255).map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.querySelectorAll("h1, h2, h3, p, th, td, li, small, strong, b, text")]
    .map(one => getComputedStyle(one)).map(style => light(style.fill !== "rgb(0, 0, 0)" ? style.fill : style.color))
    .map(ink => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)));
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_readable_and_asks_for_nothing(
    browser: Browser, page: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    browser.open(page, width, scheme)
    shot = tmp_path / f"{page.stem}-{width}-{scheme}.png"
    browser.screenshot(shot)
    assert browser.asked == [page.as_uri()]
    assert browser.said == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OVERFLOWING) == []
    assert browser.evaluate(OVERLAPPING) == []
    assert browser.evaluate(CONTRAST) >= 4.5
    assert shot.stat().st_size > 10_000


def test_the_dark_page_is_dark_and_the_printed_one_bright(browser: Browser, page: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    browser.open(page, 1280, "dark")
    assert browser.evaluate(paper) == "rgb(18, 22, 28)"
    browser.open(page, 1280, "dark", "print")
    assert browser.evaluate(paper) == "rgb(255, 255, 255)"
    assert browser.pdf().startswith(b"%PDF-")


def test_no_script_is_needed_and_nothing_of_the_cluster_becomes_markup(browser: Browser, page: Path) -> None:
    browser.open(page, 1280)
    assert browser.evaluate("document.scripts.length") == 0
    assert browser.evaluate("[...document.querySelectorAll('img, iframe, link, object')].length") == 0
    assert browser.evaluate("document.title").startswith(("Benchmark of ", "Simulation: "))
