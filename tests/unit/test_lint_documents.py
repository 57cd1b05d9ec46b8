"""Reading manifests: every object with its line, and what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubectl_llmhpa.lint import documents
from kubectl_llmhpa.lint.documents import Manifests

HPA = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: x\nspec:\n  maxReplicas: 3\n"


def parse(text: str) -> Manifests:
    return documents.parse(text, "a.yaml")


def test_documents_of_a_stream_know_their_lines() -> None:
    found = parse(f"# head\n{HPA}---\n# none\n---\n{HPA}").documents
    assert [(one.kind, one.line) for one in found] == [(found[0].kind, 2), (found[0].kind, 11)]
    assert [one.line_of(("spec", "maxReplicas")) for one in found] == [7, 16]
    assert found[0].line_of(("spec", "absent", 3)) == 6


def test_items_of_a_list_are_objects_of_their_own() -> None:
    items = "\n".join("  " + line for line in HPA.splitlines()).replace("  apiVersion", "- apiVersion", 1)
    found = parse(f"apiVersion: v1\nkind: List\nitems:\n{items}\n").documents
    assert [(one.reference, one.line) for one in found] == [("HorizontalPodAutoscaler/x", 4)]
    assert found[0].line_of(("spec", "maxReplicas")) == 9
    typed = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscalerList",
        "items": [{"metadata": {"name": "y"}}],
    }
    assert parse(json.dumps(typed)).documents[0].reference == "HorizontalPodAutoscaler/y"


def test_json_is_read_with_its_lines() -> None:
    text = '{\n\t"apiVersion": "v1",\n\t"kind": "Pod",\n\t"metadata": {"name": "p"}\n}'
    (found,) = parse(text).documents
    assert (found.reference, found.line_of(("metadata", "name"))) == ("Pod/p", 4)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a: [1, 2\nb: 3\n", 2, id="unclosed"),
        pytest.param("a: 1\nb: *none\n", 2, id="unknown alias"),
        pytest.param("[" * 5000, 1, id="too deep"),
        pytest.param("a: 1\nb: \x00\n", 2, id="a character that YAML has not"),
        pytest.param("? [a]\n: 1\n", 1, id="a key that is a list"),
        pytest.param("a: !!int x\n", 1, id="no number"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line_and_keeps_nothing_else(text: str, line: int) -> None:
    found = parse(text)
    assert found.documents == ()
    assert len(found.unreadable) == 1
    assert found.unreadable[0].problem
    assert found.unreadable[0].line == line
    beside = parse(f"{HPA}---\n{text}\n---\n{HPA}")
    assert [one.line for one in beside.documents] == [1, text.count("\n") + 10]
    assert [one.line for one in beside.unreadable] == [found.unreadable[0].line + 7]


TEN_MB = 10_000_000
_PAIR = f"{HPA}# {'x' * 400}\n---\nbroken: *nowhere\n---\n"
PAIRS = TEN_MB // len(_PAIR)


@pytest.mark.parametrize(
    ("text", "read", "unread"),
    [
        pytest.param(f"{HPA}---\nkind: x\napiVersion: v1\ndata: {'x' * TEN_MB}\n", 2, 0, id="one value"),
        pytest.param(f"{HPA}---\n{'a: [' * (TEN_MB // 4)}\n", 1, 1, id="brackets"),
        pytest.param(_PAIR * PAIRS, PAIRS, PAIRS, id="every second document broken"),
    ],
)
def test_files_of_ten_megabytes_are_judged(text: str, read: int, unread: int) -> None:
    found = parse(text)
    assert (len(found.documents), len(found.unreadable)) == (read, unread)


def test_aliases_that_fill_the_memory_are_refused() -> None:
    lists = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lists += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "aliases" in parse("\n".join(lists)).unreadable[0].problem
    merges = ["m0: &m0 {k: v}"]
    merges += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    assert "aliases" in parse("\n".join(merges)).unreadable[0].problem
    assert "aliases" in parse("a: &a [*a]").unreadable[0].problem
    assert parse("a: &a {b: 1}\nc: *a\n").documents[0].at("c", "b") == 1


@pytest.mark.parametrize(
    "text",
    [
        "{{- if .Values.on }}\na: 1\n{{- end }}\n",
        "a: {{ .Values.a }}\n",
        'a: "{{ .Values.a }}"\n',
        "a:\n  {{- toYaml .Values.b | nindent 2 }}\n",
        "name: {{ name }}\n",
    ],
)
def test_templates_are_skipped_with_a_note(text: str) -> None:
    found = parse(text)
    assert (found.documents, found.unreadable) == ((), ())
    assert "a.yaml" in found.notes[0]


def test_texts_of_alerts_are_no_template() -> None:
    assert parse('a: "{{ $labels.pod }} is slow"\n').documents[0].at("a") == "{{ $labels.pod }} is slow"


def test_values_of_other_programs_are_read_as_they_stand() -> None:
    (found,) = parse("a: !Ref x\nb: 2026-01-02\nc: .nan\nd: =\ne: !!python/name:os.system\n").documents
    assert (found.at("a"), found.at("b"), found.at("d"), found.kind) == ("x", "2026-01-02", "=", "")


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        (f"# llm-hpa:ignore some-code, other\n{HPA}", True),
        (HPA.replace("maxReplicas: 3", "maxReplicas: 3  # llm-hpa:ignore some-code"), True),
        (HPA.replace("spec:", "spec:\n  # llm-hpa:ignore some-code"), True),
        (HPA.replace("name: x", "name: x  # llm-hpa:ignore some-code"), False),
        (HPA.replace("name: x", "annotations:\n    kubectl-llm-hpa/lint-ignore: other,some-code"), True),
        (HPA.replace("name: x", "annotations:\n    kubectl-llm-hpa/lint-ignore: all"), True),
        (f"---\n{HPA}---\n# llm-hpa:ignore some-code\n{HPA}", False),
    ],
)
def test_a_comment_silences_its_line_the_next_one_or_the_object_below(text: str, silent: bool) -> None:
    found = parse(text).documents[0]
    assert found.ignores("some-code", ("spec", "maxReplicas")) is silent
    assert found.ignores("some", ("spec", "maxReplicas")) is ("ignore: all" in text)


def test_folders_are_read_with_all_below_and_files_that_are_absent_are_named(tmp_path: Path) -> None:
    (tmp_path / "b" / ".git").mkdir(parents=True)
    for name in ("z.yml", "b/a.yaml", "b/.git/c.yaml", "notes.txt", "b/d.json"):
        (tmp_path / name).write_text(HPA if name != "b/d.json" else '{"apiVersion": "v1", "kind": "Pod"}')
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xff\n")
    found = documents.read([str(tmp_path), str(tmp_path / "z.yml"), str(tmp_path / "none.yaml")])
    assert [Path(one.path).name for one in found.documents] == ["z.yml", "a.yaml", "d.json"]
    assert [(Path(one.path).name, one.line) for one in found.unreadable] == [
        ("latin.yaml", 2),
        ("none.yaml", 0),
    ]
