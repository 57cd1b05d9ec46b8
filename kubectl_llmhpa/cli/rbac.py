"""`rbac`: the least roles that a command needs, to be applied by who may grant them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kubectl_llmhpa.cli.connection import connect, connection_options
from kubectl_llmhpa.cli.messages import say
from kubectl_llmhpa.cli.value_types import Parts
from kubectl_llmhpa.cli.workload_argument import workload_argument
from kubectl_llmhpa.plan.permissions.rights_table import COMMANDS

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Connection
    from kubectl_llmhpa.plan.permissions.roles import Role

_FLAGS = (
    "selector", "watch", "warm", "prometheus-token-secret", "helm", "install-custom-metrics-api", "url", "replicas",
    "prove", "history",
)  # fmt: skip


@click.command("rbac", short_help="Print the least roles that a command needs")
@workload_argument(required=False)
@click.option(
    "--for", "commands", type=click.Choice(COMMANDS), multiple=True,
    help="Roles for this command; may be repeated (default: all of them)",
)  # fmt: skip
@click.option(
    "--backend", type=click.Choice(["auto", "prometheus-adapter", "ack", "keda"]), default="auto", show_default=True,
    help="Who hands the numbers to the HPA; auto: whoever it will be",
)  # fmt: skip
@click.option("--only", "parts", type=Parts(), metavar="PARTS", help="As enable --only: scrape,hpa or rules")
@click.option(
    "--with", "flags", type=click.Choice(_FLAGS), multiple=True,
    help="What this option of the command needs besides; may be repeated",
)  # fmt: skip
@click.option("--required", is_flag=True, help="Leave out what is only for better evidence")
@click.option("-A", "--all-namespaces", is_flag=True, help="For workloads in all namespaces")
@click.option(
    "--to", "subjects", metavar="SUBJECT", multiple=True,
    help="Bind them to user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME; may be repeated",
)  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", help="Output format")
@connection_options
def rbac(
    connection: Connection,
    workload: tuple[str, ...],
    commands: tuple[str, ...],
    backend: str,
    parts: frozenset[str] | None,
    flags: tuple[str, ...],
    required: bool,
    all_namespaces: bool,
    subjects: tuple[str, ...],
    output: str,
) -> None:
    """Print the least roles that commands need: YAML for kubectl apply.

    One Role for the workload's namespace, one around the metric adapter, one around Prometheus, and a ClusterRole that
    only reads. With TYPE/NAME they are for that workload's kind, else for Deployments and StatefulSets. What they do
    not need in every case says why it is there.

    \b
    Examples:
      # All that a team needs to enable and disable, without touching the adapter
      kubectl llm-hpa rbac --for enable --for disable --only scrape,hpa -n llm --to group:llm-team
      # What the owners of the adapter need to add its rules
      kubectl llm-hpa rbac --for enable --only rules -n llm --to user:pat
      # Apply what the status of all namespaces needs
      kubectl llm-hpa rbac --for status -A --to serviceaccount:ops:dashboard | kubectl apply -f -
    """  # fmt: skip
    from kubectl_llmhpa.backends.model import BACKENDS
    from kubectl_llmhpa.output import documents
    from kubectl_llmhpa.plan.permissions import rights, roles
    from kubectl_llmhpa.plan.wishes import PARTS

    if workload and all_namespaces:
        raise click.UsageError("a workload name cannot be given across all namespaces")
    bound = [roles.subject(one) for one in subjects]
    with connect(connection, read_only=True) as cluster:
        scene, notes = roles.scene_of(cluster, "" if all_namespaces else cluster.namespace, workload)
    backends = BACKENDS if backend == "auto" else (backend,)
    chosen = rights.select(
        scene, commands or COMMANDS, parts or PARTS, backends, [f"--{one}" for one in flags]
    )
    # roles of other rights have other names, or the one that is applied last would take the other's away
    words = [*commands, *sorted(parts or ()), backend.replace("auto", ""), *flags, "required" * required]
    words += [one.plural for one in scene.types] if workload else []
    name = "-".join(["llm-hpa", *filter(None, words)])
    made = roles.roles(chosen, scene, name=name, subjects=bound, optional=not required)
    told = []
    for place, note in notes.items():
        there = any(one.place == place for one in made)
        todo = "fill in what stands in capitals" if there else f"no role for the {place}"
        told.append(f"note: {todo}: {note}")
    for line in dict.fromkeys(told):
        say(line)
    click.echo(_yaml(made) if output == "yaml" else documents.dump(_list(made), "json"), nl=False)


def _list(made: list[Role]) -> dict[str, object]:
    items = [each for one in made for each in (one.body, *one.bindings)]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _yaml(made: list[Role]) -> str:
    """The objects with a comment over each role, and over each rule that is not always needed."""
    from kubectl_llmhpa.output import documents

    parts = []
    for one in made:
        parts += ["---\n", f"# {one.about}\n", documents.dump(one.head, "yaml"), "rules:\n"]
        for rule in one.rules:
            parts += [f"# {rule.why}\n"] if rule.why else []
            parts.append(documents.dump([rule.body], "yaml"))
        for binding in one.bindings:
            parts += ["---\n", documents.dump(binding, "yaml")]
    return "".join(parts)
