"""`status` in the words that it is mostly asked in, read without click, which takes longer to load than all else.

What is not on the list here is click's to read, bad usage included.
"""

from __future__ import annotations

from typing import Any

_SWITCHES = {"-A": "all_namespaces", "--all-namespaces": "all_namespaces", "--no-headers": "no_headers"}
_VALUES = {
    "-n": "namespace",
    "--namespace": "namespace",
    "--context": "context",
    "-o": "output",
    "--output": "output",
}
_OUTPUTS = ("wide", "json", "yaml", "name")


def read(words: list[str]) -> dict[str, Any] | None:
    """The arguments for `status_run.run`; None where the words are another command, or click's to read."""
    if words[:1] != ["status"]:
        return None
    asked: dict[str, Any] = {}
    values: dict[str, str] = {}
    names: list[str] = []
    left = iter(words[1:])
    for word in left:
        name, equals, value = word.partition("=")
        if word in _SWITCHES:
            asked[_SWITCHES[word]] = True
        elif name in _VALUES and (name.startswith("--") or not equals):
            values[_VALUES[name]] = value if equals else next(left, "")
        elif word.startswith("-"):
            return None
        else:
            names.append(word)
    output = values.pop("output", None)
    everywhere = "all_namespaces" in asked
    plain = all(values.values()) and not any(value.startswith("-") for value in values.values())
    if not plain or output not in (None, *_OUTPUTS) or (everywhere and (names or "namespace" in values)):
        return None
    from kubectl_llmhpa.kube import Connection

    namespace = values.pop("namespace", None)
    return {**asked, "names": tuple(names), "output": output, "connection": Connection(values, namespace)}
