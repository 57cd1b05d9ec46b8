"""Facts as JSON and back. What is secret does not get into them: see `secrets_out`."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.doctor.facts import Facts
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

KIND = "DoctorFacts"
#: Raised when a field changes its meaning; files of another number are refused.
VERSION = 1
T = TypeVar("T")

_HIDDEN = "<hidden>"
#: What a secret follows, in command lines, URLs and headers.
_SECRETS = (
    (re.compile(r"(?i)(--?[\w-]*(?:api[-_]?key|token|password|secret)[\w-]*)([= ]+)(?!<hidden>)\S+"), r"\1\2"),
    (re.compile(r"(?i)\b(bearer|basic)(\s+)(?!<hidden>)[\w+/=.~-]{6,}"), r"\1\2"),
    (re.compile(r"(?i)\b((?:api[-_]?key|access[-_]?token|token|password|secret))(=)(?!<hidden>)[^\s&\"',}]+"), r"\1\2"),
)  # fmt: skip
_USERINFO = re.compile(r"(?i)([a-z][a-z0-9+.-]*://)[^/@\s\"']+@")


def dump(facts: Facts) -> str:
    """The text of a facts file."""
    document = {"kind": KIND, "version": VERSION, "facts": secrets_out(encoded(facts))}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def load(text: str, name: str) -> Facts:
    """The facts in the text of a file called `name`. Raises LlmHpaError when it holds none of this version."""
    attempted = f"read the facts in {name}"
    remedy = "give a file that kubectl llm-hpa doctor --record wrote"
    try:
        document = json.loads(text)
    except ValueError as error:
        raise LlmHpaError(
            attempted, f"it is not JSON ({error})", remedy, exit_code=ExitCode.COULD_NOT_LOOK
        ) from error
    if not isinstance(document, dict) or document.get("kind") != KIND or document.get("version") != VERSION:
        problem = f"it is no document of kind {KIND}, version {VERSION}"
        raise LlmHpaError(attempted, problem, remedy, exit_code=ExitCode.COULD_NOT_LOOK)
    try:
        return decoded(Facts, document["facts"])
    except (KeyError, TypeError, ValueError) as error:
        problem = f"a part of it has another form ({error})"
        raise LlmHpaError(attempted, problem, remedy, exit_code=ExitCode.COULD_NOT_LOOK) from error


def cleaned(facts: Facts) -> Facts:
    """The facts as a file would give them back: without secrets, so that what is shown live is shown again."""
    return decoded(Facts, json.loads(json.dumps(secrets_out(encoded(facts)))))


def secrets_out(value: Any) -> Any:
    """The value with what looks like a password, token or key in any text replaced."""
    if isinstance(value, str):
        for pattern, kept in _SECRETS:
            value = pattern.sub(kept + _HIDDEN, value)
        return _USERINFO.sub(rf"\1{_HIDDEN}@", value)
    if isinstance(value, dict):
        return {key: secrets_out(one) for key, one in value.items()}
    if isinstance(value, list):
        return [secrets_out(one) for one in value]
    return value


def encoded(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists; fields that have their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: encoded(each)
            for field in dataclasses.fields(value)
            if (each := getattr(value, field.name)) != _default(field)
        }
    if isinstance(value, Mapping):
        return {str(key): encoded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [encoded(one) for one in value]
    return value


def decoded(kind: type[T], value: Any) -> T:
    """The dataclass `kind` from what `encoded` made. Raises KeyError, TypeError or ValueError for anything else."""
    made: T = _decoded(kind, value)
    return made


def _decoded(kind: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return (
            _decoded(next(one for one in arguments if one is not type(None)), value)
            if len([one for one in arguments if one is not type(None)]) == 1
            else value
        )
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        known = {name: _decoded(hints[name], one) for name, one in _object(value).items() if name in hints}
        return kind(**known)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"a list was expected, not {type(value).__name__}")
        if arguments[-1] is Ellipsis:
            return tuple(_decoded(arguments[0], one) for one in value)
        return tuple(_decoded(each, one) for each, one in zip(arguments, value, strict=True))
    if origin in (Mapping, dict) or origin is typing.get_origin(Mapping[str, str]):
        return {key: _decoded(arguments[1], one) for key, one in _object(value).items()}
    if kind in (str, int, float, bool) and not isinstance(value, (int, float) if kind is float else kind):
        raise TypeError(f"{kind.__name__} was expected, not {type(value).__name__}")
    return value


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not {type(value).__name__}")
    return value


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return dataclasses.MISSING
