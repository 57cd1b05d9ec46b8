"""What speaks for an engine besides its body: command line, labels, image, and the user's word.

Engines are started in many ways, so this is evidence, strongest first, and never decides which names exist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from kubectl_llmhpa.engines import commands, lookalikes
from kubectl_llmhpa.engines.exposition import Exposition
from kubectl_llmhpa.engines.model import Clues, Engine, Form, Source
from kubectl_llmhpa.engines.rows import ENGINES
from kubectl_llmhpa.errors import LlmHpaError

#: Labels whose value names an engine: llm-d and the inference extension, AIBrix, Alibaba Cloud, the NIM operator.
ENGINE_LABELS = (
    "llm-d.ai/engine-type",
    "inference.networking.k8s.io/engine-type",
    "model.aibrix.ai/engine",
    "alibabacloud.com/inference-backend",
    "app.kubernetes.io/part-of",
)
#: Labels whose value may be a role: llm-d, Dynamo, DisaggregatedSet, RoleBasedGroup (two generations), AIBrix.
ROLE_LABELS = (
    "llm-d.ai/role",
    "nvidia.com/dynamo-sub-component-type",
    "nvidia.com/dynamo-component-type",
    "disaggregatedset.x-k8s.io/role",
    "rbg.workloads.x-k8s.io/role-name",
    "rolebasedgroup.workloads.x-k8s.io/role",
    "role-name",
)
ROLES = ("prefill", "decode")
#: Values of a variable that leave off what it switches (Dynamo's DYN_SYSTEM_PORT is -1 when unset).
_UNSET = "-1"
_OFF = ("", "0", _UNSET, "false")
EMPTY = Exposition(frozenset(), {})
_TAG = re.compile(r":v?(\d+\.\d+(\.\d+)?(\.?post\d+|rc\d+)?)\b")


class Endpoint(NamedTuple):
    """Where metrics may be: port, path, and `http` or `https`."""

    port: int
    path: str
    scheme: str = "http"


@dataclass(frozen=True)
class Expected:
    """The engine that other evidence than the body stands for."""

    engine: Engine
    source: Source
    evidence: str


def read(
    command: Sequence[str] = (),
    *,
    image: str = "",
    labels: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Clues:
    """The clues of one container: its command and args, image and environment, and its pod's labels."""
    return Clues(tuple(commands.words(command, env)), dict(env or {}), image, dict(labels or {}))


def expect(clues: Clues, hint: str = "") -> Expected | None:
    """The engine that the clues stand for, None when they name none or a look-alike. `hint` is `vllm@0.20`.

    Raises LlmHpaError when the hint names no engine.
    """
    if hint:
        name = hint.partition("@")[0]
        engine = next((one for one in ENGINES if one.name == name), None)
        if engine is None:
            known = ", ".join(one.name for one in ENGINES)
            raise LlmHpaError(
                f"read --engine {hint}", f"there is no engine {name!r}", f"choose one of {known}"
            )
        return Expected(engine, Source.USER, f"--engine {hint}")
    line = " ".join(clues.words)
    if lookalikes.by_clues(clues):
        return None
    for engine in ENGINES:
        for pattern in engine.commands:
            if match := re.search(pattern, line):
                return Expected(engine, Source.COMMAND, f"`{match[0].strip()}` on its command line")
    for label in ENGINE_LABELS:
        for engine in ENGINES:
            if (value := clues.labels.get(label, "")) and value.lower() in engine.labels:
                return Expected(engine, Source.LABEL, f"label {label}={value}")
    for engine in ENGINES:
        for label, pattern in engine.marks:
            if (value := clues.labels.get(label, "")) and re.fullmatch(pattern, value.lower()):
                return Expected(engine, Source.LABEL, f"label {label}={value}")
    for engine in ENGINES:
        if any(re.search(pattern, clues.image) for pattern in engine.images):
            return Expected(engine, Source.IMAGE, f"image {clues.image}")
    return None


def role_of(engine: Engine, body: Exposition, clues: Clues) -> str:
    """The role that the engine itself tells, else the one of the pod's labels; empty when neither says."""
    own = engine.role_of(body, clues)
    if own:
        return own
    values = (clues.labels.get(label, "").lower() for label in ROLE_LABELS)
    return next((value for value in values if value in ROLES), "")


def settled(engine: Engine, body: Exposition, clues: Clues) -> Clues:
    """The clues with the role in them, which is the engine's own word or that of the labels."""
    return replace(clues, role=role_of(engine, body, clues))


def likely_form(engine: Engine, clues: Clues) -> Form:
    """The form of a pod whose body tells nothing: the one of its role, else the first for any role."""
    role = role_of(engine, EMPTY, clues)
    fitting = [form for form in engine.forms if role in form.roles or (role and role == form.role)]
    return (fitting or [form for form in engine.forms if not form.roles] or list(engine.forms))[0]


def version_of(engine: Engine, clues: Clues, hint: str = "") -> tuple[str | None, str]:
    """The version and what says so: the user, else the tag of an image that is named after the engine's versions."""
    _, _, version = hint.partition("@")
    if version:
        return version, "--engine"
    own = any(re.search(pattern, clues.image) for pattern in engine.versioned)
    tag = _TAG.search(clues.image) if own else None
    return (tag[1], "image tag") if tag else (None, "")


def dialect_since(engine: Engine, version: str) -> str:
    """The newest dialect that begins at or before a version; empty when none is known to."""
    wanted = version_key(version)
    for dialect in engine.dialects:
        if dialect.since and version_key(dialect.since) <= wanted:
            return dialect.name
    return ""


def models_of(engine: Engine, clues: Clues) -> tuple[str, ...]:
    """The model of the command line or the environment, empty when they name none."""
    flags = (commands.flag(clues.words, name) for name in engine.model_flags)
    variables = (clues.env.get(name) for name in engine.model_env)
    programs = {word for sequence in engine.model_after for word in sequence}
    said = (commands.after(clues.words, *sequence) for sequence in engine.model_after)
    positional = (word for word in said if word not in programs)
    name = next(filter(None, (*flags, *positional, *variables)), "")
    return (name,) if name else ()


def hidden_by(engine: Engine, clues: Clues) -> str:
    """The flag that hides the engine's metrics, empty when none does."""
    for switch in engine.switch_off:
        name, equals, value = switch.partition("=")
        if equals and (commands.flag(clues.words, name) or "").lower() == value:
            return switch
        if not equals and (word := commands.switch(clues.words, name)):
            return word
    return ""


def missing_switch(engine: Engine, clues: Clues) -> str:
    """The flag without which the engine exposes no metrics and that is not there; empty when nothing is missing.

    A pod that shows no command of its own may have it in its image, so that tells nothing.
    """
    listens = likely_form(engine, clues).listens or engine
    if not listens.switch_on or not clues.words:
        return ""
    if engine.switch_until:
        version = version_of(engine, clues)[0]
        if version is None or version_key(version) >= version_key(engine.switch_until):
            return ""
    given = any(
        commands.switch(clues.words, name) or clues.env.get(name, "").lower() not in _OFF
        for name in listens.switch_on
    )
    return "" if given else listens.switch_on[0]


def listening(clues: Clues, hint: str = "") -> list[Endpoint]:
    """Where the metrics are, most likely first; empty when nothing serves them by HTTP, or no engine is named.

    A port variable is read only where it is the engine's own contract: a Service called `vllm` injects
    `VLLM_PORT=tcp://...` (vllm-project/vllm#34199).
    """
    expected = expect(clues, hint)
    if expected is None:
        return []
    engine = expected.engine
    if any(commands.switch(clues.words, name) for name in engine.no_http):
        return []
    listens = likely_form(engine, clues).listens or engine
    scheme = "https" if any(commands.flag(clues.words, name) for name in engine.tls_flags) else "http"
    texts = [
        commands.flag(clues.words, *listens.port_flags),
        *(clues.env.get(name) for name in listens.port_env),
    ]
    if next((text for text in texts if text is not None), "") == _UNSET:
        return []
    ports = [engine.port_of(clues), *map(commands.whole, texts), listens.default_port]
    port = next(one for one in ports if one is not None and one < 65536)
    return [Endpoint(port, engine.path, scheme)]


def version_key(version: str) -> tuple[int, ...]:
    """A version to compare by: `0.11.2rc1` as (0, 11, 2)."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
