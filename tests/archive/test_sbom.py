"""The bill of materials names what the wheel brings with it, at the versions of the lock, with their licences."""

from __future__ import annotations

import json
import re

from tests.archive.installed import ROOT, said

#: In its metadata; the text is in its wheel.
SAYS_NO_LICENCE = {"promql-parser"}


def test_it_names_what_is_installed() -> None:
    bill = json.loads(said(str(ROOT / "release" / "sbom")))
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "kubectl-llm-hpa")
    locked = dict(
        re.findall(r"(?m)^([\w.-]+)==([\w.]+)", (ROOT / "requirements" / "dev.txt").read_text().lower())
    )
    named = {each["name"].lower().replace("_", "-"): each for each in bill["components"]}
    assert {"click", "kubernetes", "pyyaml", "rich", "promql-parser", "jinja2"} <= named.keys()
    assert {name: each["version"] for name, each in named.items()} == {name: locked[name] for name in named}
    assert {name for name, each in named.items() if not each.get("licenses")} <= SAYS_NO_LICENCE
    assert {"pytest", "pyinstaller", "cyclonedx-bom"} & named.keys() == set()
