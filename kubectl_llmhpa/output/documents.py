"""Facts as JSON and YAML documents.

Every document is an object with `schemaVersion` and `kind` first. Keys are camelCase as in Kubernetes; a value that is
not known is null, never left out and never 0.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

SCHEMA_VERSION = "llm-hpa/v1alpha1"
FORMATS = ("json", "yaml")


def document(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """A document of a kind (`Status`), its content made plain."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "kind": kind,
        **{key: plain(value) for key, value in content.items()},
    }


def dump(obj: Any, form: str) -> str:
    """The text of a document (or of a Kubernetes object), ending in a newline. `form` is one of FORMATS."""
    value = plain(obj)
    if form == "json":
        return json.dumps(value, indent=4, ensure_ascii=False) + "\n"
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1000))


def plain(value: Any) -> Any:
    """Dataclasses as objects with camelCase keys, enums as their value, decimals as numbers, the rest as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {_camel(field.name): plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
