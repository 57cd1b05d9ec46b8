"""A report as a document of kind `Bench`, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubectl_llmhpa.bench.report.model import Report
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.output import documents

KIND = "Bench"
_REMEDY = "give it what `bench --save` wrote"


def document(report: Report) -> dict[str, Any]:
    """Everything of it: docs/bench.schema.json."""
    return documents.document(KIND, documents.plain(report))


def load(path: Path) -> Report:
    """The report in a file. Raises LlmHpaError for a file that cannot be read or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LlmHpaError(f"read {path}", error.strerror or str(error)) from error
    except ValueError as error:
        raise LlmHpaError(f"read {path}", "it is not JSON", _REMEDY) from error
    return read(found, str(path))


def read(found: Any, origin: str) -> Report:
    """The report of a document; `origin` names the file. Raises LlmHpaError for anything else."""
    attempted, remedy = f"read {origin}", _REMEDY
    kind = found.get("kind") if isinstance(found, Mapping) else None
    if kind != KIND:
        problem = f"it is of kind {kind}" if isinstance(kind, str) else "it is no document of this plugin"
        raise LlmHpaError(attempted, problem, remedy)
    if found.get("schemaVersion") != documents.SCHEMA_VERSION:
        version = found.get("schemaVersion")
        problem = f"its schemaVersion is {version}, and this version reads {documents.SCHEMA_VERSION}"
        raise LlmHpaError(attempted, problem, "use the version of the plugin that wrote it")
    try:
        return documents.read(Report, found)
    except ValueError as error:
        raise LlmHpaError(attempted, str(error), remedy) from error
