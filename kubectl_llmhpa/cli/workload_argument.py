"""The TYPE/NAME argument, in kubectl's two spellings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def workload_argument(required: bool = True) -> Callable[[F], F]:
    """`TYPE/NAME` or `TYPE NAME`, received as the tuple `workload`."""
    return click.argument(
        "workload", nargs=-1, required=required, metavar="TYPE/NAME" if required else "[TYPE/NAME]"
    )
