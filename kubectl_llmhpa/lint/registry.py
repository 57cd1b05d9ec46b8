"""All checks, and the run over all documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.findings import SEVERITIES
from kubectl_llmhpa.lint import (
    adapter_rules,
    aibrix,
    keda,
    limits,
    metric_targets,
    promql_rules,
    scale_targets,
    scrapers,
)
from kubectl_llmhpa.lint.documents import Document
from kubectl_llmhpa.lint.model import MALFORMED, Bundle, Check, Located, MalformedError, located

#: Every check there is; a new file of rules adds its own here.
CHECKS: tuple[Check, ...] = (
    *metric_targets.CHECKS, *scale_targets.CHECKS, *limits.CHECKS, *keda.CHECKS, *aibrix.CHECKS,
    *promql_rules.CHECKS, *adapter_rules.CHECKS, *scrapers.CHECKS,
)  # fmt: skip
#: Kinds that are not judged themselves but looked at beside others.
CONTEXT = (
    "Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet", "Pod", "Service", "Namespace", "ResourceQuota",
    "Prometheus", "PrometheusAgent", "TriggerAuthentication", "ClusterTriggerAuthentication",
    "CustomResourceDefinition",
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What a run found, worst first within each file; `ignored` were silenced; `notes` say what was not judged."""

    found: tuple[Located, ...]
    ignored: tuple[Located, ...]
    notes: tuple[str, ...]
    judged: int


def run(
    documents: Sequence[Document], ignore: Collection[str] = (), checks: Iterable[Check] | None = None
) -> Report:
    """Judge the documents together. `ignore` are codes that are not reported."""
    bundle = Bundle(documents)
    every = CHECKS if checks is None else tuple(checks)
    results: dict[tuple[int, str, str], Located] = {}
    judged: set[int] = set()
    for check in every:
        for document in bundle.of_kind(*check.kinds):
            try:
                if not check.fits(document):
                    continue
                judged.add(id(document))
                for one in check.judge(bundle, document):
                    place = (id(one.document), one.finding.code, f"{one.path}{one.finding.seen}")
                    results.setdefault(place, one)
            except MalformedError as error:
                _add_malformed(results, error.document, error.met)
            except MALFORMED as error:
                _add_malformed(results, document, error)
    ordered = sorted(results.values(), key=_order)
    silenced = [
        one
        for one in ordered
        if one.finding.code in ignore or one.document.ignores(one.finding.code, one.path)
    ]
    hidden = {id(one) for one in silenced}
    return Report(
        tuple(one for one in ordered if id(one) not in hidden),
        tuple(silenced),
        tuple(_skipped(one for one in bundle.documents if id(one) not in judged)),
        len(judged),
    )


def _add_malformed(results: dict[tuple[int, str, str], Located], document: Document, met: Exception) -> None:
    """One finding for a document, whatever is met in it how often."""
    seen = f"{type(met).__name__}: {str(met)[:200]}"
    found = located(document, (), "malformed-object", seen)
    results.setdefault((id(document), "malformed-object", ""), found)


def _order(one: Located) -> tuple[str, int, int, str]:
    return one.document.path, one.line, SEVERITIES.index(one.finding.severity), one.finding.code


def _skipped(documents: Iterable[Document]) -> Iterable[str]:
    """One sentence for what was passed over, by kind."""
    kinds = Counter(one.kind or "no kind" for one in documents if one.kind not in CONTEXT)
    if kinds:
        shown = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(8))
        yield f"not judged, of kinds without rules: {shown}{', ...' if len(kinds) > 8 else ''}"
