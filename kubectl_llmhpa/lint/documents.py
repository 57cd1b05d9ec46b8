"""Manifests as they stand in files: every object with its file and line, and what could not be read.

Objects come out one by one: documents of a stream, items of a List. Lines are looked up only where something is found,
from the YAML nodes of the file, which are made then (they take ten times the room of the objects).
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.workloads.kinds import at

#: Keys and indices from an object down to one of its fields.
FieldPath: TypeAlias = tuple[str | int, ...]

STDIN = "-"
SUFFIXES = (".yaml", ".yml", ".json")
#: More values than this after its aliases are followed, and a document is taken for an attempt to fill the memory.
MOST_VALUES = 1_000_000
_COMMENT = re.compile(r"#\s*llm-hpa:ignore\s+([\w,\- \t]+)")
_ANNOTATION = "kubectl-llm-hpa/lint-ignore"
#: What only a chart's own file has; a PrometheusRule has `{{ $labels.x }}` in its texts and is read as it is.
_TEMPLATE = re.compile(
    r"\{\{-?\s*(include|toYaml|define|template|block|(if|with|range)\b.*\.(Values|Release)|"
    r"\$?\.(Values|Release|Chart|Files|Capabilities|Template))\b"
)
_STRANGE = yaml.reader.Reader.NON_PRINTABLE
_SEPARATOR = re.compile(r"(?m)^---(?=\s|$)")


@dataclass(frozen=True)
class Unreadable:
    """A file, or a document of one, that could not be read: `line` counts from 1, 0: the file as a whole."""

    path: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}" if self.line else f"{self.path}: {self.problem}"


@dataclass(frozen=True)
class Source:
    """A YAML stream: a whole file, or a part of one that begins at its line `first` (from 0)."""

    text: str = field(repr=False)
    first: int = 0

    @functools.cached_property
    def nodes(self) -> tuple[yaml.Node, ...]:
        """The root node of each document; empty where the text is no YAML (JSON with tabs)."""
        try:
            return tuple(yaml.compose_all(self.text, Loader=Loader))
        except yaml.YAMLError:
            return ()

    @functools.cached_property
    def lines(self) -> tuple[str, ...]:
        return tuple(self.text.splitlines())

    @functools.cached_property
    def ignored(self) -> Mapping[int, frozenset[str]]:
        """Line (from 1, of the file) to the codes that a comment on it silences."""
        if "llm-hpa:ignore" not in self.text:
            return {}
        found = {}
        for number, line in enumerate(self.lines, 1):
            if match := _COMMENT.search(line):
                found[number + self.first] = frozenset(re.findall(r"[\w-]+", match[1]))
        return found


@dataclass(frozen=True)
class Document:
    """One object. `path` is its file (`<stdin>`), or `NAMESPACE/Kind/name` for one of a cluster, `line` its first line.

    Lines count from 1; 0: none, as in a cluster. `kind` is empty for a mapping that is no object of Kubernetes, such as
    the values of a Helm release. It is number `number` of its source, or stands `below` that, as in a List.
    """

    path: str
    line: int
    object: Json = field(repr=False)
    source: Source = field(default=Source(""), repr=False, compare=False)
    number: int = field(default=0, repr=False)
    below: FieldPath = field(default=(), repr=False)
    live: bool = False

    @functools.cached_property
    def kind(self) -> str:
        kind = self.object.get("kind")
        return kind if isinstance(kind, str) and self.object.get("apiVersion") else ""

    @property
    def api_version(self) -> str:
        return str(self.object.get("apiVersion") or "")

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @functools.cached_property
    def name(self) -> str:
        return str(self.at("metadata", "name", default=""))

    @functools.cached_property
    def namespace(self) -> str:
        """Empty where the manifest names none."""
        return str(self.at("metadata", "namespace", default=""))

    @property
    def reference(self) -> str:
        """`Deployment/vllm`; empty for what is no object."""
        return f"{self.kind}/{self.name}" if self.kind else ""

    @property
    def annotations(self) -> Json:
        return self.mapping("metadata", "annotations")

    def at(self, *path: str | int, default: Any = None) -> Any:
        """The value at a path, whatever its type; `default` when there is none (or null)."""
        return at(self.object, *path, default=default)

    def mapping(self, *path: str | int) -> Json:
        """The mapping at a path, empty when there is none or it is something else."""
        value = self.at(*path)
        return value if isinstance(value, dict) else {}

    def items(self, *path: str | int) -> Iterator[tuple[FieldPath, Json]]:
        """The mappings of the list at a path, each with its own path; what is no mapping is left out."""
        value = self.at(*path)
        for index, item in enumerate(value if isinstance(value, list) else ()):
            if isinstance(item, dict):
                yield (*path, index), item

    def line_of(self, path: FieldPath) -> int:
        """The line of a field, or of the nearest one above it that is there; 0 in a cluster."""
        if self.live or not self.line or not path:
            return self.line
        nodes = self.source.nodes
        if self.number >= len(nodes):
            return self.line
        node, mark = nodes[self.number], None
        for depth, step in enumerate((*self.below, *path)):
            found = _child(node, step)
            if found is None:
                break
            node, position = found
            mark = position if depth >= len(self.below) else mark
        return self.line if mark is None else mark.line + 1 + self.source.first

    def ignores(self, code: str, path: FieldPath) -> bool:
        """Whether a code is silenced for a field: by the annotation, by a comment on its line or the one before, or by
        a comment above the object."""
        named = re.findall(r"[\w-]+", str(self.annotations.get(_ANNOTATION) or ""))
        if code in named or "all" in named:
            return True
        comments = self.source.ignored
        if not comments:
            return False
        line = self.line_of(path)
        lines = {line, line - 1, self.line, *self._head()}
        return any({code, "all"} & comments.get(one, frozenset()) for one in lines)

    def _head(self) -> Iterator[int]:
        """The lines of comments that stand right above the object."""
        lines = self.source.lines
        number = self.line - self.source.first - 1
        while number > 0 and lines[number - 1].lstrip().startswith("#"):
            number -= 1
            yield number + self.source.first + 1


@dataclass(frozen=True)
class Manifests:
    """What was read: the objects, what could not be read, and files that are left out on purpose (sentences)."""

    documents: tuple[Document, ...]
    unreadable: tuple[Unreadable, ...] = ()
    notes: tuple[str, ...] = ()


def read(paths: Sequence[str]) -> Manifests:
    """The objects of files, of folders (with all below them, hidden ones left out) and of stdin (`-`), in order."""
    documents: list[Document] = []
    unreadable: list[Unreadable] = []
    notes: list[str] = []
    for name in dict.fromkeys(file for path in paths for file in _files(path)):
        shown = "<stdin>" if name == STDIN else name
        try:
            content = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
            text = content.decode("utf-8-sig")
        except OSError as error:
            unreadable.append(Unreadable(shown, 0, error.strerror or str(error)))
            continue
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            unreadable.append(Unreadable(shown, line, "it is not UTF-8 text"))
            continue
        found = parse(text, shown)
        documents += found.documents
        unreadable += found.unreadable
        notes += found.notes
    return Manifests(tuple(documents), tuple(unreadable), tuple(notes))


def parse(text: str, path: str) -> Manifests:
    """The objects of one file's text. A document that cannot be read does not keep the others from it."""
    if _TEMPLATE.search(text):
        return Manifests((), notes=(_is_template(path),))
    if text.lstrip()[:1] in ("{", "["):
        try:
            return Manifests(tuple(_objects(json.loads(text), path, 1, Source(text), 0, ())))
        except (ValueError, RecursionError):
            pass  # YAML in flow style, or the YAML reader says what is wrong
    source = Source(text)
    try:
        return Manifests(tuple(_stream(source, path)))
    except yaml.YAMLError as error:
        if "{{" in text:
            return Manifests((), notes=(_is_template(path),))
        parts = _parts(text)
        if len(parts) == 1:
            return Manifests((), (_unreadable(path, error, source),))
    documents: list[Document] = []
    unreadable: list[Unreadable] = []
    for part in parts:
        try:
            documents += _stream(part, path)
        except yaml.YAMLError as error:
            unreadable.append(_unreadable(path, error, part))
    return Manifests(tuple(documents), tuple(unreadable))


def _files(path: str) -> Iterator[str]:
    if path == STDIN or not os.path.isdir(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(folder, name)


def _stream(source: Source, path: str) -> Iterator[Document]:
    """The objects of a YAML stream. Raises YAMLError, after the documents before the fault."""
    aliases = "*" in source.text and "&" in source.text
    loader = Loader(source.text)
    number = 0
    try:
        while loader.check_node():
            node = loader.get_node()
            if aliases and _size(node, {}) > MOST_VALUES:
                problem = f"its aliases make more than {MOST_VALUES} values of it"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
            line = int(node.start_mark.line) + 1 + source.first
            try:
                value = loader.construct_document(node)
            except (ValueError, RecursionError) as error:
                problem = f"it cannot be read as YAML ({type(error).__name__})"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error
            yield from _objects(value, path, line, source, number, ())
            number += 1
    finally:
        loader.dispose()


def _objects(
    value: Any, path: str, line: int, source: Source, number: int, below: FieldPath
) -> Iterator[Document]:
    """A mapping as a document, a List as its items; anything else is no object."""
    if not isinstance(value, dict):
        return
    document = Document(path, line, value, source, number, below)
    items = value.get("items")
    if not document.kind.endswith("List") or not isinstance(items, list):
        yield document
        return
    kind = document.kind.removesuffix("List")
    for index, item in enumerate(items):
        if isinstance(item, dict):
            whole = {"apiVersion": document.api_version, "kind": kind, **item} if kind else item
            inner = document.line_of(("items", index)) if len(items) < 1000 else line
            yield from _objects(whole, path, inner, source, number, (*below, "items", index))


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for once aliases are followed, up to a little more than MOST_VALUES."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    mark = id(node)
    if mark in known:
        return known[mark]
    known[mark] = MOST_VALUES + 1  # for an alias of a node within itself, which never ends
    children: Iterator[yaml.Node]
    if isinstance(node, yaml.MappingNode):
        children = (one for pair in node.value for one in pair)
    else:
        children = iter(node.value)
    total = 1
    for child in children:
        total += _size(child, known)
        if total > MOST_VALUES:
            break
    known[mark] = total
    return total


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, Any] | None:
    """The node at a key or an index, and the mark to show for it (the key's)."""
    if isinstance(node, yaml.MappingNode):
        return next(((value, key.start_mark) for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark
    return None


def _parts(text: str) -> list[Source]:
    """The documents of a stream, cut at `---`."""
    starts = [0, *(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    parts, line = [], 0
    for begin, end in itertools.pairwise(dict.fromkeys(starts)):
        part = text[begin:end]
        if part.strip():
            parts.append(Source(part, line))
        line += part.count("\n")
    return parts


def _unreadable(path: str, error: yaml.YAMLError, source: Source) -> Unreadable:
    """The fault and its line; of a character that YAML has not the reader tells no line, only the first one counts."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    strange = _STRANGE.search(source.text) if isinstance(error, yaml.reader.ReaderError) else None
    line = source.text.count("\n", 0, strange.start()) if strange else mark.line if mark else 0
    return Unreadable(path, line + 1 + source.first, " ".join(str(problem).split()))


def _is_template(path: str) -> str:
    return f"{path}: skipped, it is a template; lint what it makes: helm template CHART | kubectl llm-hpa lint -f -"


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as the API server reads it: times stay text, and tags of other programs are passed over."""

    yaml_implicit_resolvers = {  # noqa: RUF012 PyYAML's own name and form
        first: [one for one in resolvers if one[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _untagged(loader: Any, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


Loader.add_constructor(None, _untagged)
