"""`explain` as a document: every number of the calculation, and the sentences. Quantities are texts."""

from __future__ import annotations

import math

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.explain import Change, Explained, Explanation
from kubectl_llmhpa.hpa.arithmetic import Invalid, Outcome, Proposal
from kubectl_llmhpa.output.documents import plain


def item(one: Explanation) -> Json:
    """One HPA explained."""
    facts = one.facts
    metadata, spec = facts.hpa.get("metadata") or {}, facts.hpa.get("spec") or {}
    return {
        "name": metadata.get("name"),
        "namespace": metadata.get("namespace"),
        "target": spec.get("scaleTargetRef"),
        "scaledObject": facts.scaled_object["metadata"].get("name") if facts.scaled_object else None,
        "time": facts.now,
        "whatIf": one.what_if or None,
        "min": spec.get("minReplicas", 1),
        "max": spec.get("maxReplicas"),
        "scale": plain(facts.scale),
        "pods": plain(facts.pods),
        "metrics": [_metric(metric) for metric in one.metrics],
        "result": None if one.outcome is None else _outcome(one.outcome),
        "settled": None if one.settled is None else one.settled.replicas,
        "controller": plain(one.said),
        "changes": [_change(change) for change in one.changes],
        "estimates": list(one.estimates),
        "unread": dict(facts.unread),
        "stops": one.stops or None,
    }


def _metric(one: Explained) -> Json:
    metric, vote = one.metric, one.vote
    known = isinstance(vote, Proposal)
    return {
        "signal": one.named.word,
        "name": one.named.name,
        "type": one.view.type,
        "form": (metric.form or None) if metric else one.view.form,
        "target": _text(metric.target) if metric and metric.form else one.view.target,
        "calculated": metric is not None,
        "pods": dict(one.answer.pods) if one.answer.kind == "pods" else None,
        "values": list(one.answer.values) if one.answer.kind == "values" else None,
        "total": None if one.level is None else _text(one.level),
        "usage": _text(vote.usage) if isinstance(vote, Proposal) else None,
        "ratio": _number(vote.ratio) if isinstance(vote, Proposal) else None,
        "step": vote.step if isinstance(vote, Proposal) else None,
        "finalRatio": _number(vote.final) if isinstance(vote, Proposal) else None,
        "count": vote.count if isinstance(vote, Proposal) else None,
        "missing": list(vote.missing) if isinstance(vote, Proposal) else None,
        "pending": list(vote.pending) if isinstance(vote, Proposal) else None,
        "ignored": list(vote.ignored) if isinstance(vote, Proposal) else None,
        "replicas": vote.replicas if isinstance(vote, Proposal) else None,
        "wins": one.wins if known else False,
        "problem": vote.message if isinstance(vote, Invalid) else None,
        "lastSeen": one.view.now,
        "notes": list(one.notes),
    }


def _outcome(outcome: Outcome) -> Json:
    stabilized, limited = outcome.stabilized, outcome.limited
    return {
        "path": outcome.path,
        "before": outcome.before,
        "asked": outcome.asked if outcome.ballot and outcome.ballot.replicas is not None else None,
        "stabilized": None if stabilized is None else stabilized.replicas,
        "lowestRecommendation": None if stabilized is None else stabilized.lowest,
        "highestRecommendation": None if stabilized is None else stabilized.highest,
        "allowances": plain(limited.allowances) if limited else [],
        "limit": limited.reason if limited else None,
        "replicas": outcome.replicas,
        "reason": outcome.reason or None,
    }


def _change(one: Change) -> Json:
    amounts = one.kind in ("more", "less")
    return {
        "kind": one.kind,
        "replicas": one.replicas,
        "metric": one.metric,
        "by": _text(one.by) if amounts else None,
        "level": _text(one.level) if amounts else None,
        "limit": one.level if one.kind in ("max", "min") else None,
        "wait": plain(one.wait),
        "sentence": one.sentence,
    }


def _text(milli: int) -> str:
    return quantities.show(quantities.parse(f"{milli}m"))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
