"""Facts as JSON and YAML documents.

Every document is an object with `schemaVersion` and `kind` first. Keys are camelCase as in Kubernetes; a value that is
not known is null, never left out and never 0.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

T = TypeVar("T")

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
    """Dataclasses and named tuples as objects with camelCase keys, enums as their value, decimals as numbers."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {camel(field.name): plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {camel(name): plain(one) for name, one in value._asdict().items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def read(wanted: type[T], value: Any, where: str = "") -> T:
    """The inverse of `plain` for a dataclass or a named tuple of plain data.

    A key that is not known is left out, so a document of a newer version can be read; a key that is missing takes the
    field's default. Raises ValueError, which names the place (`sweep.points[3].ttft`), for anything else.
    """
    if not isinstance(value, Mapping):
        raise _misfit(where, "an object")
    hints = typing.get_type_hints(wanted)
    found = {}
    for field, optional in fields_of(wanted).items():
        name = camel(field)
        place = f"{where}.{name}" if where else name
        if name in value:
            found[field] = _read(hints[field], value[name], place)
        elif not optional:
            raise ValueError(f"{place} is missing")
    return wanted(**found)


def has_fields(kind: Any) -> bool:
    """Whether a type is a dataclass or a named tuple."""
    return dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")


def fields_of(kind: Any) -> dict[str, bool]:
    """The fields of a dataclass or a named tuple, each with whether it has a default."""
    if not dataclasses.is_dataclass(kind):
        return {name: name in kind._field_defaults for name in kind._fields}
    missing = dataclasses.MISSING
    return {
        one.name: one.default is not missing or one.default_factory is not missing
        for one in dataclasses.fields(kind)
    }


def _read(hint: Any, value: Any, where: str) -> Any:
    """A value of a type hint: plain types, None, Decimal, enums, what has fields, and tuples and mappings of them."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and types.NoneType in inner:
            return None
        (hint,) = (each for each in inner if each is not types.NoneType)
        return _read(hint, value, where)
    if origin is tuple:
        kinds = _items(inner, value, where)
        return tuple(
            _read(kind, each, f"{where}[{place}]")
            for place, (kind, each) in enumerate(zip(kinds, value, strict=True))
        )
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _misfit(where, "an object")
        return {str(key): _read(inner[1], each, f"{where}.{key}") for key, each in value.items()}
    if has_fields(hint):
        return read(typing.cast("type[Any]", hint), value, where)
    return _scalar(hint, value, where)


def _items(inner: tuple[Any, ...], value: Any, where: str) -> Sequence[Any]:
    """The type of each item of a tuple: `tuple[int, ...]` has any number of them, `tuple[float, str]` two."""
    if not isinstance(value, (list, tuple)):
        raise _misfit(where, "a list")
    if inner[-1:] == (Ellipsis,):
        return [inner[0]] * len(value)
    if len(inner) != len(value):
        raise _misfit(where, f"a list of {len(inner)}")
    return inner


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if issubclass(hint, enum.Enum):
        try:
            return hint(value)
        except ValueError:
            raise _misfit(where, f"one of {', '.join(str(each.value) for each in hint)}") from None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint in (float, Decimal) and number:
        return hint(str(value))
    if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise _misfit(
        where,
        {int: "a whole number", float: "a number", Decimal: "a number", str: "a text"}.get(hint, "yes or no"),
    )


def _misfit(where: str, wanted: str) -> ValueError:
    return ValueError(f"{where or 'the document'} is not {wanted}")


def camel(name: str) -> str:
    """`duration_seconds` as documents spell it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
