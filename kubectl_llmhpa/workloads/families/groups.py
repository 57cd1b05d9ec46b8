"""Groups whose roles scale apart, each through a scaling adapter of its own: which role is meant, and its adapter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.workloads.kinds import Found, Lookup, Target, Trail, enable_command, refusal
from kubectl_llmhpa.workloads.model import FRONTEND, ROLE, role_word

#: How a selector that takes one pod of each replica ends: LeaderWorkerSet's worker-index, RoleBasedGroup's
#: component-index.
_LEADER = "-index=0"


def setting(items: str, index: int, name: str, field: str, value: Json) -> str:
    """The JSON patch that sets a field of one item of `spec.<items>`, only while that item still has this name."""
    path = f"/spec/{items}/{index}"
    steps = [
        {"op": "test", "path": f"{path}/name", "value": name},
        {"op": "add", "path": f"{path}/{field}", "value": value},
    ]
    return json.dumps(steps, separators=(",", ":"))


@dataclass(frozen=True)
class Role:
    """One role of a group. `word` is its role in our words, `switch_on` the command that makes its adapter."""

    name: str
    adapter: str
    switch_on: str
    switched_on: bool = False
    word: str = ""
    pods_per_replica: int = 1

    def target(self, adapter: Found, no_selector: str) -> Target:
        """This role, scaled through its adapter."""
        leaders_only = str(adapter.at("status", "selector", default="")).endswith(_LEADER)
        counted = 1 if leaders_only else self.pods_per_replica
        word = self.word or role_word(self.name)
        return Target(adapter, ROLE, word, self.pods_per_replica, counted, no_selector=no_selector)


@dataclass(frozen=True)
class Adapter:
    """The kind of a scaling adapter: what says that it is not installed, and why it may have no selector."""

    api_version: str
    kind: str
    absent: str
    unbound: str


def role_of_group(lookup: Lookup, trail: Trail, roles: Sequence[Role], kind: Adapter, meant: str) -> Target:
    """The adapter of the role `meant` (empty: of the only role that runs an engine).

    Raises LlmHpaError when several roles may be meant, with a command for each, and when the role has no adapter,
    with the command that switches it on.
    """
    group = trail[-1]
    if lookup.served(kind.api_version, kind.kind) is None:
        raise refusal(group, kind.absent)
    if meant:
        candidates = [one for one in roles if one.name.lower() == meant.lower()]
    else:
        candidates = [one for one in roles if (one.word or role_word(one.name)) != FRONTEND] or list(roles)
    if not candidates:
        problem = f"it has no role {meant!r}" if meant else "it has no role"
        raise refusal(group, problem, f"its roles: {', '.join(one.name for one in roles)}" if roles else "")
    adapters = [lookup.find(kind.api_version, kind.kind, group.namespace, one.adapter) for one in candidates]
    if len(candidates) > 1:
        raise refusal(
            group, f"it has {len(candidates)} roles ({', '.join(one.name for one in candidates)}), and each needs an "
            "HPA of its own", "choose a role and its limits",
            "\n".join(_command(group, one, kind, adapter) for one, adapter in zip(candidates, adapters, strict=True)),
        )  # fmt: skip
    role, adapter = candidates[0], adapters[0]
    if adapter is None and role.switched_on:
        raise refusal(
            group, f"its {kind.kind} {role.adapter} is not there yet", "see whether its controller runs"
        )
    if adapter is None:
        raise refusal(
            group,
            f"role {role.name} is not open to an autoscaler",
            "switch its scaling adapter on",
            role.switch_on,
        )
    return role.target(adapter, kind.unbound)


def adapter_itself(adapter: Found, roles: Sequence[Role], kind: Adapter) -> Target:
    """The adapter that was pointed at, with what the roles of its group say about it."""
    role = next((one for one in roles if one.adapter == adapter.name), None)
    return role.target(adapter, kind.unbound) if role else Target(adapter, ROLE, no_selector=kind.unbound)


def _command(group: Found, role: Role, kind: Adapter, adapter: Found | None) -> str:
    enable = enable_command(group.namespace, kind.kind, role.adapter)
    return enable if adapter or role.switched_on else f"{role.switch_on} && {enable}"
