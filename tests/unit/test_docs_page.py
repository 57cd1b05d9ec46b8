"""Pages of docs/ that are generated, and that what is written by hand beside them is true to the code."""

from __future__ import annotations

import re
from types import ModuleType

import click
import pytest

from kubectl_llmhpa.cli.group import COMMANDS
from kubectl_llmhpa.engines import ENGINES
from kubectl_llmhpa.findings import RULES
from tests import loading

ROOT = loading.ROOT
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    return loading.script("docs")


@click.group(help="Root help.\n\n\b\nExamples:\n  # one\n  kubectl llm-hpa scale x")
def root() -> None:
    pass


@root.command(help="Scale one.")
@click.argument("target")
@click.option("--context", help="Where")
@click.option("--max", "most", type=int, default=3, show_default=True, help="Most replicas | ever")
@click.option("--secret-switch", is_flag=True, hidden=True)
def scale(target: str, context: str, most: int, secret_switch: bool) -> None:
    pass


@root.command(help="Tell.")
@click.option("--context", help="Where")
@click.option("--quiet", is_flag=True, help="Say less")
def tell(context: str, quiet: bool) -> None:
    pass


@root.command(help="Spell.")
def spell() -> None:
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


def test_what_most_commands_have_comes_once(docs: ModuleType) -> None:
    sections = dict(part.split("\n", 1) for part in docs.render(root).split("### ")[1:])
    scale, tell, spell = (sections[f"kubectl llm-hpa {name}"] for name in ("scale", "tell", "spell"))
    common = sections["Common options"]
    assert ["--context" in text for text in (scale, tell, common)] == [False, False, True]
    assert ["--help" in text for text in (scale, tell, common)] == [False, False, True]
    assert ["--quiet" in text for text in (scale, tell, common)] == [False, True, False]
    assert ["(#common-options)" in text for text in (scale, tell, spell)] == [True, True, False]
    assert "--help" in spell, "it has not all of the common ones"


def test_what_is_hidden_stays_hidden(docs: ModuleType) -> None:
    page = docs.render(root)
    assert "internal" not in page
    assert "secret-switch" not in page


def test_examples_stay_as_they_were_written(docs: ModuleType) -> None:
    assert "```\nExamples:\n  # one\n  kubectl llm-hpa scale x\n```" in docs.render(root)


def test_every_engine_signal_and_name_is_on_its_page(docs: ModuleType) -> None:
    for engine in ENGINES:
        section = docs.engine_page(engine)
        assert f"(engines/{engine.name}.md)" in docs.engines_page()
        for dialect in engine.dialects:
            assert f"| {dialect.name} |" in section
        for signal in engine.signals:
            assert f"| {signal.name} | {signal.kind.value} |" in section
            assert all(f"`{name}`" in section for name in signal.names)
            assert f"\n{signal.name}: {docs.query(signal)}\n" in section


def test_every_rule_is_on_its_page(docs: ModuleType) -> None:
    page = docs.findings_page()
    assert all(f"| [`{code}`](#{code}) | {rule.severity} |" in page for code, rule in RULES.items())
    assert all(f"\n## {code}\n" in page for code in RULES)


def test_the_walk_through_an_engine_shows_its_real_code() -> None:
    guide = (ROOT / "docs" / "adding-an-engine.md").read_text()
    source = (ROOT / "kubectl_llmhpa" / "engines" / "llamacpp.py").read_text()
    shown = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert len(shown) == 4
    assert [block for block in shown if block not in source] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_path_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    paths = {path for path in re.findall(r"`((?:[\w.-]+/)+[\w.-]+)`", text) if not re.search(r"NAME", path)}
    assert {path for path in paths if path.startswith(("tests/", "docs/", "scripts/", "kubectl_llmhpa/"))
            and not (ROOT / path).exists()} == set()  # fmt: skip


def test_the_front_page_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    assert COMMANDS.keys() - set(re.findall(r"(?m)^\| `(\w+)` \|", text)) == set()
