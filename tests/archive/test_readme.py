"""The lines of the README that install the plugin, run as they stand: with kubectl alone, and with pipx."""

from __future__ import annotations

import os
import re
from pathlib import Path

from release import manifest
from tests.archive import installed
from tests.archive.installed import ROOT, needs_go, said


@needs_go
def test_the_archive_is_installed_as_the_readme_says(tmp_path: Path) -> None:
    lines = re.search(r"(?ms)^```\n(scripts/build .*?)^```$", (ROOT / "README.md").read_text())
    assert lines
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    found = installed.variables(tmp_path)
    path = os.pathsep.join([str(home / ".local" / "bin"), found["PATH"]])
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    script = f"set -eu; cd {tmp_path}\n{lines[1]}kubectl __complete llm-hpa stat"
    output = said("sh", "-c", script, PATH=path, HOME=str(home), XDG_CACHE_HOME=cache)
    assert f"kubectl-llm-hpa {manifest.version()[1:]}\n" in output
    assert "status\t" in output


@needs_go
def test_pipx_installs_it_as_the_readme_says(tmp_path: Path) -> None:
    found = installed.install_by_pipx(tmp_path)
    assert "status\t" in said("kubectl", "__complete", "llm-hpa", "stat", **found)
