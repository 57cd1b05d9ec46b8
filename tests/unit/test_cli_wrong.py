"""Wrong invocations: one or two helpful lines on stderr, exit code 1, nothing on stdout, and no cluster is asked."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
import yaml

from kubectl_llmhpa.cli import group
from kubectl_llmhpa.errors import ExitCode
from tests.unit.command_line import ended

SECTIONS: dict[str, dict[str, str]] = yaml.safe_load(
    Path(__file__).with_name("wrong_invocations.yaml").read_text()
)
WRONG = [
    pytest.param(
        line, says, ExitCode.COULD_NOT_LOOK if section == "could not look" else ExitCode.ERROR, id=line
    )
    for section, lines in SECTIONS.items()
    for line, says in lines.items()
]
FILES = {
    "empty.txt": b"",
    "binary.bin": b"\x00\xff\xfe\x80abc\n",
    "bad.yaml": b"kind: HorizontalPodAutoscaler\n  metadata: [\n",
    "bad.json": b"{",
    "facts-of-others.json": b'{"kind": "Pod"}',
    "page.txt": b"# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 0\n",
    "good.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are named, and a kubectl that writes down that it was asked."""
    place = tmp_path_factory.mktemp("wrong")
    (place / "folder").mkdir()
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    kubectl = place / "kubectl"
    kubectl.write_text('#!/bin/sh\ntouch "$0.asked"\nexit 1\n')
    kubectl.chmod(0o755)
    return place


@pytest.fixture(autouse=True)
def no_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KUBECTL_PATH", str(folder / "kubectl"))
    monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    """The exit code and the lines on stderr; nothing may be on stdout."""
    code, out, err = ended(capsys, *words)
    assert out == ""
    return code, err.splitlines()


def asked(folder: Path) -> bool:
    """Whether kubectl was started since the last call."""
    mark = folder / "kubectl.asked"
    found = mark.exists()
    mark.unlink(missing_ok=True)
    return found


def test_there_are_enough() -> None:
    assert len(WRONG) >= 200


@pytest.mark.parametrize(("line", "says", "code"), WRONG)
def test_wrong(capsys: pytest.CaptureFixture[str], folder: Path, line: str, says: str, code: int) -> None:
    ended, lines = said(capsys, *shlex.split(line))
    assert ended == code
    assert 1 <= len(lines) <= 2
    assert lines[0].startswith("error: ")
    assert says in lines[0]
    assert "failed in a way it should not" not in lines[0]
    assert not asked(folder)


@pytest.mark.parametrize("name", group.COMMANDS)
def test_every_option_says_when_its_value_is_wrong(
    capsys: pytest.CaptureFixture[str], folder: Path, name: str
) -> None:
    command = group.cli.get_command(click.Context(group.cli), name)
    assert command is not None
    for option in command.params:
        if isinstance(option, click.Option):
            flag = max(option.opts, key=len)
            words = [f"{flag}=x"] if option.is_flag else [flag]
            problem = "does not take a value" if option.is_flag else "requires an argument"
            code, lines = said(capsys, name, *words)
            assert code == ExitCode.ERROR
            assert lines == [
                f"error: option '{flag}' {problem}", f"See 'kubectl llm-hpa {name} --help' for usage."
            ]  # fmt: skip
    assert not asked(folder)


def test_no_words_are_a_question_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys)
    assert (code, err) == (ExitCode.OK, "")
    assert out.startswith("Usage: kubectl llm-hpa ")


@pytest.mark.parametrize("words", ["doctor sts/x", "lint sts/x"])
def test_a_cluster_that_is_not_reached_is_no_finding(
    capsys: pytest.CaptureFixture[str], folder: Path, words: str
) -> None:
    code, lines = said(capsys, *words.split(), "--context", "gone")
    assert code == ExitCode.COULD_NOT_LOOK
    assert lines[0].startswith("error: connect to the cluster: ")
    assert asked(folder)
