"""What the owner of the adapter's file has to know before rules are added to it, and where they are not."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends import ack_adapter, adapter_rules, helm
from kubectl_llmhpa.backends.model import ACK
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.looking.look import Surroundings
from kubectl_llmhpa.plan.wishes import RULES, Wishes


def notes(around: Surroundings, rules: Mapping[str, Json], wishes: Wishes) -> list[str]:
    """What adding `rules` means for others: a file that is written anew from elsewhere, an API that is away.

    Raises LlmHpaError when the file belongs to somebody who writes it anew and the user did not say that it may be
    edited all the same, or when it may not be edited; the lines for its source come with it. An export edits nothing.
    """
    adapter = around.adapter
    if not rules or adapter is None or RULES not in wishes.parts or wishes.exporting:
        return []
    replicas = int((adapter.deployment.get("spec") or {}).get("replicas", 1))
    gap = f", and {adapter.gap}" if adapter.gap else ""
    if adapter.reloads and wishes.helm_chart and replicas == 1:
        gap = f", and {ack_adapter.RELOAD_GAP}"
    away = (
        [f"{adapter.name} reads its rules anew{gap}: for a moment no HPA can read custom metrics"]
        if gap
        else []
    )
    if wishes.helm_chart:
        return away
    where = f"configmap {adapter.namespace}/{adapter.config_map}"
    owner = around.file_owner
    if wishes.edit_adapter is False or (owner and wishes.edit_adapter is None):
        raise _refusal(around, where, rules)
    if owner is None:
        return away
    fragment = helm.fragment(adapter.kind, list(rules.values()), around.rules).rstrip()
    if owner[0] == "Helm":
        return [
            *away,
            f"{where} belongs to Helm ({owner[1]}): the next `helm upgrade` drops the rules that are added now unless "
            f"its values have them too:\n{fragment}",
        ]
    return [
        *away,
        f"{where} belongs to {owner[0]} ({owner[1]}), which will revert the rules that are added now",
    ]


def check_labels(around: Surroundings, metrics: Collection[str], pod_label: str) -> None:
    """Refuse metrics for which the adapter has a rule that goes by another label than the workload's series have.

    Such a rule never yields these pods, and one more for the same name would hide it (see `series_labels`). Raises
    LlmHpaError.
    """
    for name in metrics:
        serving = [one for one in around.rules if adapter_rules.serves(one, name) and one.get("resources")]
        labels = [adapter_rules.pod_label(one) for one in serving]
        if labels and pod_label not in labels:
            by = f"takes pods from label {labels[-1]!r}" if labels[-1] else "knows no pods"
            raise LlmHpaError(
                f"read {name} through the adapter",
                f"its rule for that {by}, and the series of the pods have {pod_label!r}",
                "let the scrape set the label that the rule goes by, or change that rule",
            )  # fmt: skip


def _refusal(around: Surroundings, where: str, rules: Mapping[str, Json]) -> LlmHpaError:
    """Why the file is not edited, with the lines for its source, and for Helm the command that applies them."""
    adapter, owner = around.adapter, around.file_owner
    assert adapter is not None
    lines = helm.fragment(adapter.kind, list(rules.values()), around.rules).rstrip()
    remedy = "add the lines below to its source and run this again"
    release = helm.release_of(adapter.deployment)
    if owner and owner[0] == "Helm" and release is not None:
        remedy += ", let --helm CHART upgrade the release"
        whole = (
            ""
            if adapter.kind == ACK
            else "# Helm replaces lists: `custom` has to keep the rules that it has.\n"
        )
        lines = f"{whole}{lines}\n# {helm.upgrade_line(release)}"
    return LlmHpaError(
        f"add {len(rules)} rules to {where}",
        f"it belongs to {owner[0]} ({owner[1]})" if owner else "it may not be edited",
        f"{remedy}, or force the edit with --edit-adapter=yes",
        detail=lines,
    )
