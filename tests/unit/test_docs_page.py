"""docs/cli.md is generated; this is about the generator."""

from __future__ import annotations

from types import ModuleType

import click
import pytest

from tests import loading


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    return loading.script("docs")


@click.group(help="Root help.\n\n\b\nExamples:\n  # one\n  kubectl llm-hpa scale x")
def root() -> None:
    pass


@root.command(help="Scale one.")
@click.argument("target")
@click.option("--max", "most", type=int, default=3, show_default=True, help="Most replicas | ever")
@click.option("--secret-switch", is_flag=True, hidden=True)
def scale(target: str, most: int, secret_switch: bool) -> None:
    pass


@root.command(help="Tell.")
@click.option("--quiet", is_flag=True, help="Say less")
def tell(quiet: bool) -> None:
    pass


@root.command(hidden=True)
def internal() -> None:
    pass


def test_every_shown_command_and_option_is_on_the_page(docs: ModuleType) -> None:
    page = docs.render(root)
    assert "## kubectl llm-hpa\n" in page
    assert "### kubectl llm-hpa scale\n" in page
    assert "kubectl llm-hpa scale [OPTIONS] TARGET" in page
    assert "| `--max INTEGER` | Most replicas \\| ever [default: 3] |" in page


def test_what_every_command_has_comes_once(docs: ModuleType) -> None:
    page = docs.render(root)
    assert page.count("| `--help` |") == 2  # the root's own, and once for all commands
    own, _, common = page.partition("### Options of every command")
    assert "--quiet" in own
    assert "--quiet" not in common


def test_what_is_hidden_stays_hidden(docs: ModuleType) -> None:
    page = docs.render(root)
    assert "internal" not in page
    assert "secret-switch" not in page


def test_examples_stay_as_they_were_written(docs: ModuleType) -> None:
    assert "```\nExamples:\n  # one\n  kubectl llm-hpa scale x\n```" in docs.render(root)
