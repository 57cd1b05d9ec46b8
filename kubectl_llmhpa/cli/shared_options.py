"""Options that several commands have, each with one text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kubectl_llmhpa.cli.value_types import EngineName, Secret, Url

F = TypeVar("F", bound=Callable[..., Any])


def engine_option(command: F) -> F:
    """`--engine NAME[@VERSION]`, received as `engine`, empty without it."""
    help_text = "The engine, where nothing else tells"
    return click.option("--engine", type=EngineName(), default="", help=help_text)(command)


def dry_run_option(text: str) -> Callable[[F], F]:
    """`--dry-run`, received as `none`, `client` or `server`."""
    return click.option(
        "--dry-run", type=click.Choice(["none", "client", "server"]), default="none", show_default=True, help=text
    )  # fmt: skip


def edit_adapter_option(command: F) -> F:
    """`--edit-adapter`, received as True, False, or None for auto."""
    return click.option(
        "--edit-adapter", type=click.Choice(["auto", "yes", "no"]), default="auto", show_default=True,
        callback=lambda _context, _option, word: {"auto": None, "yes": True, "no": False}[word],
        help="Whether rules may be added to the adapter's ConfigMap; auto: not where Helm, Argo CD or Flux own it, "
        "whose next run would drop them",
    )(command)  # fmt: skip


def kedas_prometheus_options(command: F) -> F:
    """How KEDA reaches Prometheus: `prometheus_url`, `token_secret` and `unsafe_ssl`."""
    for option in (
        click.option("--unsafe-ssl", is_flag=True, help="KEDA does not check the certificate of Prometheus"),
        click.option(
            "--prometheus-token-secret", "token_secret", type=Secret(),
            help="Secret beside the workload with the bearer token that KEDA shows to Prometheus (key: token)",
        ),
        click.option(
            "--prometheus-url", type=Url(), default="", help="What KEDA asks, where that is outside the cluster"
        ),
    ):  # fmt: skip
        command = option(command)
    return command
