"""The JSON Schema of a document, from the dataclasses and named tuples that it is made of: one place says what it has.

What a field means stands in the docstring of its class; there names are Python's, here they are the document's.
"""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kubectl_llmhpa.output.documents import SCHEMA_VERSION, camel, fields_of, has_fields

#: Longest line of a small object or list.
_WIDTH = 110
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number", Decimal: "number"}


def schema(kind: str, content: type[Any]) -> dict[str, Any]:
    """The schema of the documents of a kind, whose content is a dataclass of plain data."""
    named: dict[str, Any] = {}
    body = _object(content, named)
    constants = {"schemaVersion": {"const": SCHEMA_VERSION}, "kind": {"const": kind}}
    return {
        "$schema": _DIALECT,
        "title": kind,
        **body,
        "required": [*constants, *body["required"]],
        "properties": {**constants, **body["properties"]},
        "$defs": dict(sorted(named.items())),
    }


def text(found: Mapping[str, Any]) -> str:
    """A schema as JSON with its small objects on one line each, ending in a newline."""
    tall = json.dumps(found, indent=2, ensure_ascii=False)
    for _ in range(2):  # the innermost, then those around them
        tall = re.sub(r"[{\[][^{}\[\]]*[}\]]|\{ *\n[^\n]*\n *\}", _on_one_line, tall)
    return tall + "\n"


def _on_one_line(found: re.Match[str]) -> str:
    line = " ".join(found[0].split())
    return line if len(line) <= _WIDTH else found[0]


def _object(content: type[Any], named: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(content)
    properties = {camel(name): _of(hints[name], named) for name in fields_of(content)}
    return {
        "description": _description(content),
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _of(hint: Any, named: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type hint; those of dataclasses are put into `named`."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        (choice,) = (_of(each, named) for each in inner if each is not types.NoneType)
        plain = isinstance(choice.get("type"), str) and len(choice) == 1
        return {"type": [choice["type"], "null"]} if plain else {"anyOf": [choice, {"type": "null"}]}
    if origin is tuple and inner[-1:] == (Ellipsis,):
        return {"type": "array", "items": _of(inner[0], named)}
    if origin is tuple:
        return {"type": "array", "prefixItems": [_of(each, named) for each in inner], "items": False}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(inner[1], named)}
    if has_fields(hint):
        name = typing.cast("type[Any]", hint).__name__
        if name not in named:
            named[name] = {}
            named[name] = _object(typing.cast("type[Any]", hint), named)
        return {"$ref": f"#/$defs/{name}"}
    return {"type": _SCALARS[hint]}


def _description(content: type[Any]) -> str:
    """The docstring on one line; names of fields as the document spells them."""
    text = " ".join(inspect.cleandoc(content.__doc__ or "").split())
    names = fields_of(content)
    return re.sub(r"`(\w+)`", lambda found: f"`{camel(found[1])}`" if found[1] in names else found[0], text)
