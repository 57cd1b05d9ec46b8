"""What stands behind an option: values in a form of their own, each told wrong before anything is connected to."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

T = TypeVar("T")

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_KEY = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*/)?[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)?"
_LABEL_REQUIREMENT = re.compile(
    rf"\s*(?:!\s*{_KEY}|{_KEY}(?:\s*(?:==?|!=|[<>])\s*{_VALUE}|\s+(?:in|notin)\s*\([^()]*\))?)\s*"
)
_FIELD_REQUIREMENT = re.compile(r"\s*[\w.-]+\s*(?:==?|!=)[^,=]*")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_URL = re.compile(r"https?://[^\s/?#]+\S*")


class Form(click.ParamType[T]):
    """A value with a form of its own: `read` raises ValueError with what is wrong."""

    def read(self, text: str) -> T:
        raise NotImplementedError

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """The value that was read; click's error names the option beside what is wrong."""
        try:
            return self.read(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Duration(Form[int]):
    """A Go duration of whole seconds (`5s`, `1m30s`), received in seconds."""

    name = "duration"

    def read(self, text: str) -> int:
        match = _DURATION.fullmatch(text)
        if not match or not any(match.groups()):
            raise ValueError(f"{text!r} is not a duration such as 30s or 5m")
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds


class SignalTarget(Form["tuple[str, Decimal]"]):
    """`NAME=TARGET`, received as the signal and its target for each pod."""

    name = "name=target"

    def read(self, text: str) -> tuple[str, Decimal]:
        from decimal import Decimal, InvalidOperation

        from kubectl_llmhpa import quantities
        from kubectl_llmhpa.engines.model import SIGNALS

        signal, _, number = text.partition("=")
        if signal not in SIGNALS:
            raise ValueError(f"there is no signal {signal!r}; choose from {', '.join(SIGNALS)}")
        try:
            target = Decimal(number)
        except InvalidOperation:
            target = Decimal(0)
        if not target.is_finite() or target <= 0:
            raise ValueError(f"{text!r} is not of the form running=4 or kv-cache=0.8")
        if target > quantities.MOST:
            raise ValueError(f"{text!r} is more than an HPA can calculate with")
        return signal, target


class Policy(Form[str]):
    """The name of a policy."""

    name = "policy"

    def read(self, text: str) -> str:
        from kubectl_llmhpa.policy.presets import PRESETS

        if text not in PRESETS:
            raise ValueError(f"there is no policy {text!r}; choose from {', '.join(PRESETS)}")
        return text


class EngineName(Form[str]):
    """`NAME` or `NAME@VERSION` of an engine."""

    name = "name[@version]"

    def read(self, text: str) -> str:
        from kubectl_llmhpa.engines.rows import ENGINES

        name, at, version = text.partition("@")
        known = [engine.name for engine in ENGINES]
        if text and name not in known:
            raise ValueError(f"there is no engine {name!r}; choose from {', '.join(known)}")
        if at and not version[:1].isdigit():
            raise ValueError(f"{version!r} is not a version; write for example {name}@0.20")
        return text


class Secret(Form[tuple[str, str]]):
    """`NAME` or `NAME:KEY`; the key is `token` where none is given."""

    name = "name[:key]"

    def read(self, text: str) -> tuple[str, str]:
        name, _, key = text.partition(":")
        if not name:
            raise ValueError("the name of the Secret is missing; write NAME or NAME:KEY")
        return name, key or "token"


class Parts(Form[frozenset[str]]):
    """`scrape,hpa`: parts of a set-up."""

    name = "parts"

    def read(self, text: str) -> frozenset[str]:
        chosen = frozenset(part.strip() for part in text.split(","))
        if not chosen <= {"scrape", "rules", "hpa"}:
            raise ValueError(f"{text!r} is not a list of scrape, rules and hpa")
        return chosen


class NamespacedName(Form[str]):
    """`NAMESPACE/NAME`."""

    name = "namespace/name"

    def read(self, text: str) -> str:
        if text and not re.fullmatch(r"[^/\s]+/[^/\s]+", text):
            raise ValueError(f"{text!r} is not of the form NAMESPACE/NAME")
        return text


class ObjectName(Form[str]):
    """The name of an object: a DNS subdomain, as the API server takes it."""

    name = "name"

    def read(self, text: str) -> str:
        if len(text) > 253 or not _SUBDOMAIN.fullmatch(text):
            raise ValueError(f"{text!r} is not a name: lower-case letters, digits, - and . only")
        return text


class OutputFile(click.Path):
    """A file that can be written, told before the work for it is done."""

    def __init__(self, path_type: type[Path] | None = None) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=path_type)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; fails where its folder is not there."""
        folder = os.path.dirname(os.fspath(value))
        if folder and not os.path.isdir(folder):
            self.fail(f"there is no folder {folder!r}", param, ctx)
        return super().convert(value, param, ctx)


class Url(Form[str]):
    """An address that begins with http:// or https://."""

    name = "url"

    def read(self, text: str) -> str:
        if text and not _URL.fullmatch(text):
            raise ValueError(f"{text!r} is not a URL such as http://HOST:PORT")
        return text


class LabelSelector(Form[str]):
    """A label selector as kubectl takes it: `app=vllm,tier!=test,team in (a,b),!canary`."""

    name = "selector"

    def read(self, text: str) -> str:
        requirements = re.split(r",(?![^()]*\))", text)
        if text and not all(map(_LABEL_REQUIREMENT.fullmatch, requirements)):
            raise ValueError(f"{text!r} is not a label selector such as app=vllm,team in (a,b)")
        return text


class FieldSelector(Form[str]):
    """A field selector as kubectl takes it: `metadata.name=x,metadata.namespace!=y`."""

    name = "selector"

    def read(self, text: str) -> str:
        if text and not all(map(_FIELD_REQUIREMENT.fullmatch, text.split(","))):
            raise ValueError(f"{text!r} is not a field selector such as metadata.name=x")
        return text
