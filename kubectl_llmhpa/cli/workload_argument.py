"""The TYPE/NAME argument, in kubectl's two spellings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kubectl_llmhpa.api import type_and_name
from kubectl_llmhpa.cli import candidates

Words = tuple[str, ...]
F = TypeVar("F", bound=Callable[..., Any])


def workload_argument(required: bool = True, *, hpas: bool = False) -> Callable[[F], F]:
    """`TYPE/NAME` or `TYPE NAME`, received as the tuple `workload`; with `hpas` an HPA may be named too."""
    return click.argument(
        "workload", nargs=-1, required=required, metavar="TYPE/NAME" if required else "[TYPE/NAME]",
        callback=_checked, shell_complete=candidates.workloads_and_hpas if hpas else candidates.workloads,
    )  # fmt: skip


def _checked(ctx: click.Context, param: click.Parameter, words: Words) -> Words:
    """The words as they are; what is neither TYPE/NAME nor TYPE NAME is told before anything is connected to."""
    if words and not ctx.resilient_parsing:
        type_and_name(words)
    return words
