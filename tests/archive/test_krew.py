"""Krew's own programs take the manifest and the archive, and the real kubectl runs what was installed."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from release import manifest
from tests.archive import installed
from tests.archive.installed import program, said

pytestmark = installed.needs_go


@pytest.fixture(scope="session")
def krew(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return installed.install_by_krew(tmp_path_factory.mktemp("krew"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_validate_krew_manifest_takes_it(served: tuple[Path, str], tmp_path: Path) -> None:
    """With every platform's archive downloaded, unpacked and looked through, as the index does."""
    folder, address = served
    installed.archives_of_all_platforms(folder)
    written = tmp_path / "llm-hpa.yaml"
    written.write_text(manifest.of_archives(folder, address))
    found = installed.variables(tmp_path)
    said(program("validate-krew-manifest"), "-manifest", str(written), **found)


def test_the_bot_renders_the_manifest_of_the_release(tmp_path: Path) -> None:
    """Its template functions by their source (pkg/source/template.go): a URI, a line break, the indented sum."""
    installed.archives_of_all_platforms(tmp_path)
    wanted = yaml.safe_load(manifest.of_archives(tmp_path))
    sums = {each["uri"]: each["sha256"] for each in wanted["spec"]["platforms"]}
    text = (installed.ROOT / ".krew.yaml").read_text()

    def added(match: re.Match[str]) -> str:
        uri = match[1].replace("{{ .TagName }}", manifest.version())
        return f"uri: {uri}\n{' ' * int(match[2])}sha256: {sums[uri]}"

    text = re.sub(r'\{\{addURIAndSha "(.+?)" \.TagName \| indent (\d+)\}\}', added, text)
    assert yaml.safe_load(text.replace("{{ .TagName }}", manifest.version())) == wanted


def test_kubectl_runs_what_krew_installed(krew: dict[str, str]) -> None:
    assert said("kubectl", "llm-hpa", "--version", **krew) == f"kubectl-llm-hpa {manifest.version()[1:]}"
    assert said("kubectl", "llm-hpa", "status", "--help", **krew).startswith("Usage: kubectl llm-hpa status")


def test_kubectl_completes_after_the_link_that_the_caveats_name(krew: dict[str, str]) -> None:
    installed.link_completion(krew)
    assert "status\t" in said("kubectl", "__complete", "llm-hpa", "stat", **krew)
