"""Every scraper there is, and which one a cluster has."""

from __future__ import annotations

import re
import urllib.parse

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring import arms, azure, google, prometheus_operator, victoriametrics
from kubectl_llmhpa.monitoring.model import Scraper
from kubectl_llmhpa.monitoring.scene import Scene

#: In the order in which `auto` takes one where several are here.
SCRAPERS = (
    prometheus_operator.SCRAPER,
    arms.SCRAPER,
    google.SCRAPER,
    victoriametrics.SCRAPER,
    azure.SCRAPER,
)
AUTO, NONE = "auto", "none"
#: The words of `--scrape`.
WORDS = (AUTO, *(one.name for one in SCRAPERS), NONE)


def named(word: str) -> Scraper:
    """The scraper of a word of `--scrape` that is not `auto` or `none`. Raises KeyError for another word."""
    return {one.name: one for one in SCRAPERS}[word]


def choose(scene: Scene, asked: str = "") -> tuple[Scraper, str]:
    """The scraper that is here, and why it was taken, in one clause.

    `asked` is the URL of the Prometheus API that the metric adapter asks: its samples alone reach the HPA, so it
    decides where it tells. Raises LlmHpaError when none is here.
    """
    host = urllib.parse.urlsplit(asked).hostname or ""
    for one in SCRAPERS:
        if one.host and re.fullmatch(one.host, host) and _served(one, scene):
            return one, f"the metric adapter asks {host}"
    seen = [(one, why) for one in SCRAPERS if (why := one.seen(scene))]
    if not seen:
        raise LlmHpaError(
            "find out who scrapes", "there is no Prometheus object, and none of the managed services either",
            f"name it with --scrape ({', '.join(WORDS[1:])}); none: the pods are scraped without our help",
        )  # fmt: skip
    (first, why), *others = seen
    also = (
        f", before {' and '.join(one.name for one, _ in others)}, which --scrape would take" if others else ""
    )
    return first, f"{why}{also}"


def _served(scraper: Scraper, scene: Scene) -> bool:
    """Whether its objects can be written; true where the groups are not known."""
    return not scene.groups or scraper.resource.group in scene.groups
