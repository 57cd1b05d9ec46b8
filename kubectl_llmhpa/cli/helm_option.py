"""The `--helm CHART` option: the user's own helm on the command's connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Cluster
    from kubectl_llmhpa.plan.adapter.rule_steps import Helm

F = TypeVar("F", bound=Callable[..., Any])


def helm_option(text: str) -> Callable[[F], F]:
    """The option, received as `helm_chart`, empty without it."""
    return click.option("--helm", "helm_chart", default="", metavar="CHART", help=text)


def helm_of(cluster: Cluster, chart: str) -> Helm | None:
    """What upgrades the adapter's release with `chart`, None without one. Raises LlmHpaError when there is no helm."""
    if not chart:
        return None
    from kubectl_llmhpa.kube import helm
    from kubectl_llmhpa.plan.adapter.rule_steps import Helm

    return Helm(helm.Helm(cluster.connection), chart)
