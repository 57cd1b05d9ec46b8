"""Live candidates of the completion: what the cluster has, asked of the user's own kubectl.

Two seconds or nothing, and silent: a completion must never disturb the shell. kubectl gets the connection flags that
are typed already. Each function has click's form: the context of what is typed, the parameter, the word so far.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

_LIMIT_S = 2.0
_WORKLOADS = "deployments.apps,statefulsets.apps"
_HPAS = "horizontalpodautoscalers.autoscaling"
#: Types as `kubectl get -o name` writes them, and as people type them.
_SHORT = {
    "deployment.apps": "deployment",
    "statefulset.apps": "statefulset",
    "horizontalpodautoscaler.autoscaling": "hpa",
}
_TYPE = re.compile(r"[A-Za-z][\w.-]*")


def contexts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The contexts of the kubeconfig."""
    return _starting(incomplete, _kubectl(ctx, "config", "get-contexts", "-o", "name"))


def namespaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The namespaces of the cluster."""
    return _starting(incomplete, [name for _, name in _objects(ctx, "namespaces")])


def workloads(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Deployments and StatefulSets as `TYPE/NAME`; what is of another type once that is typed."""
    return _named(ctx, param, incomplete, _WORKLOADS)


def workloads_and_hpas(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """As `workloads`, and HPAs."""
    return _named(ctx, param, incomplete, f"{_WORKLOADS},{_HPAS}")


def _named(ctx: click.Context, param: click.Parameter, incomplete: str, offered: str) -> list[str]:
    before: tuple[str, ...] = ctx.params.get(param.name or "") or ()
    kind, slash, _ = incomplete.partition("/")
    if before and "/" not in before[0]:  # TYPE NAME in two words
        found = [name for _, name in _objects(ctx, before[0])]
    elif slash:
        found = [f"{kind}/{name}" for _, name in _objects(ctx, kind)]
    else:
        found = [f"{_SHORT.get(kind, kind)}/{name}" for kind, name in _objects(ctx, offered)]
    return [word for word in _starting(incomplete, found) if word not in before]


def _objects(ctx: click.Context, kinds: str) -> list[tuple[str, str]]:
    """The type and name of every object of a type, or of several with a comma between."""
    if not all(_TYPE.fullmatch(kind) for kind in kinds.split(",")):
        return []
    lines = _kubectl(ctx, "get", kinds, "-o", "name")
    return [(kind, name) for kind, slash, name in (line.partition("/") for line in lines) if slash]


def _starting(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def _kubectl(ctx: click.Context, *words: str) -> list[str]:
    """The lines that kubectl prints, also where a part of it failed; none when it failed or took too long."""
    import os
    import signal
    import subprocess

    from kubectl_llmhpa.cli.typed_connection import connection_of
    from kubectl_llmhpa.errors import LlmHpaError
    from kubectl_llmhpa.kube.proxy import kubectl

    connection = connection_of(ctx.params)
    namespace = [f"--namespace={connection.namespace}"] if connection.namespace else []
    try:
        process = subprocess.Popen(
            [kubectl(), *words, *connection.arguments(), *namespace], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
    except (LlmHpaError, OSError):
        return []
    with process:
        try:
            return process.communicate(timeout=_LIMIT_S)[0].splitlines()
        except subprocess.TimeoutExpired:
            if os.name == "nt":
                process.kill()
            else:  # with the credential plugin that it may be waiting for
                os.killpg(process.pid, signal.SIGKILL)
            return []
