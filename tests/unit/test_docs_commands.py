"""What the pages tell people to type is understood by the program, and what needs no cluster is run.

A block marked `sh` is run here, in a copy of the files that it reads, and so is every `lint -f`, on files as the page
tells of them. Every other line that begins with the program is given to the real parser, so that a flag that went away
is not left behind in a page.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from kubectl_llmhpa.cli.group import COMMANDS, cli
from kubectl_llmhpa.cli.main import unfolded
from tests.unit.test_docs_links import PAGES, ROOT

FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]+")
#: Flags that pages name of other programs: engines, their benchmarks, operators, kubectl, Krew, pip, our scripts.
OF_OTHERS = {
    "--api-key", "--archive", "--controller-id", "--deny-namespaces", "--find-links", "--fix", "--full",
    "--json", "--manifest", "--max-concurrency", "--max-num-seqs", "--namespaces", "--no-index", "--output-file",
    "--parallel", "--prometheus-instance-namespaces", "--prometheus-instance-selector", "--raw", "--request-rate",
    "--save-result", "--svg", "--unix-socket",
}  # fmt: skip
#: Pages that are written from the code, and the one about what scripts measured.
APART = {
    ROOT / "docs" / "findings.md",
    ROOT / "docs" / "measurements.md",
    *(ROOT / "docs" / "engines").iterdir(),
}
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


def test_flags_in_the_text_are_there() -> None:
    context = click.Context(cli)
    commands = [command for name in COMMANDS if (command := cli.get_command(context, name))]
    ours = {
        flag
        for one in commands
        for parameter in one.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    named = {
        flag: page.name for page in PAGES if page not in APART for flag in FLAG.findall(page.read_text())
    }
    known = ours | OF_OTHERS | {"--help", "--version"}
    assert {flag: page for flag, page in named.items() if flag not in known} == {}
    assert named.keys() - ours >= OF_OTHERS, "named no more"


@pytest.mark.parametrize(
    ("page", "script"),
    [(page, text) for page, mark, text in blocks() if mark == "sh"],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_a_block_marked_sh_runs(page: Path, script: str, tmp_path: Path) -> None:
    for path in sorted({*re.findall(r"tests/[\w./-]+", script)}):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    done = shell(script, tmp_path)
    assert done.returncode == 0, done.stderr


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it with a `kubectl` that knows the plugin alone, so that none is needed."""
    plugin = 'kubectl() { shift; kubectl-llm_hpa "$@"; }\n'
    return subprocess.run(
        ["bash", "-euc", plugin + script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_lint_says_of_files_what_its_page_shows(tmp_path: Path) -> None:
    """Also of what a template program hands over: a stand-in for helm prints the file."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "tests/lint/broken/slots.yaml", tmp_path / "deploy" / "phi.yaml")
    page = (ROOT / "docs" / "lint.md").read_text()
    of_files, of_chart = re.findall(r"(?m)^.*llm-hpa lint -f [^\n]*$", page)
    (shown,) = (text for _, text in BLOCK.findall(page) if text.startswith("deploy/phi.yaml:"))
    done = shell(of_files, tmp_path)
    assert (done.returncode, done.stdout) == (1, shown), done.stderr
    piped = shell(f"helm() {{ cat deploy/phi.yaml; }}\n{of_chart}", tmp_path)
    assert (piped.returncode, piped.stdout.partition(":")[2]) == (1, shown.partition(":")[2]), piped.stderr


def test_lint_says_of_the_vendors_files_what_their_page_tells(tmp_path: Path) -> None:
    recipe = (ROOT / "tests/cluster/vendor_recipe.yaml").read_text().replace("${namespace}", "llm")
    for name, text in zip(("podmonitor", "hpa"), recipe.split("---\n"), strict=True):
        (tmp_path / f"{name}.yaml").write_text(text)
    shutil.copy(ROOT / "tests/lint/broken/adapter-ack-default.yaml", tmp_path / "values.yaml")
    (line,) = (line for page, line in lines() if page == "docs/vendor-recipe.md" and line.startswith("lint"))
    done = shell(PROGRAM + line, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "target-type-mismatch" in done.stdout
