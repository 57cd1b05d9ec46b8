"""Commands in what is printed act on the cluster that the user typed.

A remedy is copied as it stands. Where the kubeconfig has several clusters, one without the `--context` of the command
that printed it would act on another.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

#: kubectl's flags that say which cluster. As whom is left out: a remedy may be for somebody who may do more.
_FLAGS = ("kubeconfig", "context", "cluster", "server")
_SHORT = {"-s": "server", "-n": "namespace"}
_VERBS = (
    "annotate|api-resources|apply|auth|cordon|create|delete|describe|drain|edit|exec|get|label|logs|patch|port-forward|"
    "rollout|scale|top|uncordon|version|wait"
)
#: A command of ours with its verb, or one of kubectl's; not one with such a flag, and not kubectl in a sentence.
_COMMAND = re.compile(
    rf"\bkubectl (?:(?P<ours>llm-hpa [a-z]+)|(?=(?:{_VERBS}|-n|--raw)\b))(?![^;,()]* --(?:kubeconfig|context)[ =])"
)
_kept = ""


def keep(words: Sequence[str]) -> None:
    """Remember what a command line says of the connection, for `completed`."""
    global _kept
    _kept = flags_of(words)


def flags_of(words: Sequence[str]) -> str:
    """Those flags as a shell takes them, in the order in which they were typed; empty where there are none."""
    return " ".join(f"--{flag} {shlex.quote(value)}" for flag, value in _typed(words) if flag in _FLAGS)


def namespace_of(words: Sequence[str]) -> str:
    """The namespace, or all of them, as a shell takes it; empty where none was typed."""
    if "-A" in words or "--all-namespaces" in words:
        return "-A"
    return next((f"-n {shlex.quote(value)}" for flag, value in _typed(words) if flag == "namespace"), "")


def _typed(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The flags that say where, by their long names, with their values."""
    left = iter(words)
    for word in left:
        if word == "--":
            return
        name, equals, value = word.partition("=")
        if word[:2] in _SHORT and word[2:]:  # -nlab
            name, equals, value = word[:2], "=", word[2:]
        flag = _SHORT.get(name, name.removeprefix("--") if name.startswith("--") else "")
        if flag in (*_FLAGS, "namespace") and (value or not equals):
            value = value or next(left, "")
            if value:
                yield flag, value


def completed(text: str, flags: str | None = None) -> str:
    """The text with those flags (None: the ones that are kept) in every command of it."""
    kept = _kept if flags is None else flags
    if not kept:
        return text

    def place(found: re.Match[str]) -> str:
        ours = found["ours"]
        return f"kubectl {ours} {kept}" if ours else f"kubectl {kept} "

    return _COMMAND.sub(place, text)
