"""What the pages tell people to type is understood by the program, and what needs no cluster is run.

A block marked `sh` is run here, in a copy of the files that it reads. Every other line that begins with the program is
given to the real parser, so that a flag that went away is not left behind in a page.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from kubectl_llmhpa.cli.main import cli, unfolded
from tests.unit.test_docs_links import PAGES, ROOT

BLOCK = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")
PROGRAM = "kubectl llm-hpa "
#: Where a command line ends for the program: a pipe, another stream, the next command.
ENDS = {"|", ">", "&&", ";"}


def blocks() -> list[tuple[Path, str, str]]:
    """The page, the mark and the text of every fenced block."""
    return [(page, mark, text) for page in PAGES for mark, text in BLOCK.findall(page.read_text())]


def lines() -> list[tuple[str, str]]:
    """The page and the arguments of each line that calls the program."""
    found = []
    for page, _, text in blocks():
        for line in text.replace("\\\n", " ").splitlines():
            command = line.strip().removeprefix("$ ")
            if command.startswith("kubectl ") or f"| {PROGRAM}" in command:
                _, program, arguments = command.partition(PROGRAM)
                if program and "[OPTIONS]" not in arguments:
                    found.append((str(page.relative_to(ROOT)), arguments))
    return list(dict.fromkeys(found))


def words(arguments: str) -> list[str]:
    """The arguments as a shell splits them, up to a pipe or the like, without remarks."""
    taken: list[str] = []
    for word in shlex.split(arguments, comments=True):
        if word in ENDS:
            break
        taken.append(word)
    return unfolded(taken)


def test_there_are_some() -> None:
    assert len(lines()) > 50
    assert any(mark == "sh" for _, mark, _ in blocks())


@pytest.mark.parametrize(("page", "arguments"), lines(), ids=lambda value: value)
def test_a_line_is_understood(
    page: str, arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *rest = words(arguments)
    if name.startswith("-"):
        assert name in ("--help", "--version")
        return
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, f"{page}: there is no command {name}"
    if "--help" not in rest:
        command.make_context(name, rest)


@pytest.mark.parametrize(
    ("page", "script"),
    [(page, text) for page, mark, text in blocks() if mark == "sh"],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_a_block_marked_sh_runs(page: Path, script: str, tmp_path: Path) -> None:
    for path in sorted({*re.findall(r"tests/[\w./-]+", script)}):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    plugin = 'kubectl() { shift; kubectl-llm_hpa "$@"; }\n'  # so that no kubectl is needed
    done = subprocess.run(
        ["bash", "-euc", plugin + script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
