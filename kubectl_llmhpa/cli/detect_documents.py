"""`detect` as JSON and YAML: what is known of an engine, in the shape that scripts read.

What is not known is null, never left out and never 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.cli import finding_document
from kubectl_llmhpa.engines import EngineFacts, NotAnEngine, Seats, SignalSource
from kubectl_llmhpa.plan.looking import detecting
from kubectl_llmhpa.plan.looking.detecting import Detection, Template
from kubectl_llmhpa.plan.looking.sight import EngineSight
from kubectl_llmhpa.workloads import Rival


def workload(one: Detection) -> Json:
    """One workload: what is scaled, its engine as the template with most pods shows it, and every template."""
    scaled = one.workload
    main = one.main
    sight = main.look.sight
    known = engine(sight.facts) if sight else no_engine(main.look.refusal, main.look.reason)
    reason = str(one.unscalable) if one.unscalable else None
    role = known["role"] or (scaled.role if scaled else "") or None
    return {
        "namespace": one.namespace,
        "reference": one.reference,
        "scaleTarget": scaled.scale_target if scaled else None,
        "unscalable": reason,
        "rival": rival(scaled.rival) if scaled and scaled.rival else None,
        "topology": scaled.topology if scaled else None,
        "replicas": {
            "desired": scaled.replicas if scaled else None,
            "pods": len(one.pods),
            "ready": sum(template.ready for template in one.templates),
            "podsPerReplica": scaled.pods_per_replica if scaled else None,
        },
        **known,
        "role": role,
        **endpoint(sight),
        "hpas": None if one.hpas is None else [view.name for view in one.hpas],
        "templates": [template(each) for each in one.templates],
        "findings": [finding_document.item(each) for each in one.findings],
        "notes": list(scaled.notes) if scaled else [],
    }


def rival(known: Rival) -> Json:
    """Who scales it already, what to do, and lines to copy."""
    return {"problem": known.problem, "remedy": known.remedy or None, "detail": known.detail or None}


def endpoint(sight: EngineSight | None) -> Json:
    """Where the metrics are; all null while nothing is known."""
    if sight is None or not sight.port:
        return dict.fromkeys(("port", "portName", "declared", "path", "scheme"))
    declared = sight.port_name
    return {
        "port": sight.port,
        "portName": declared if isinstance(declared, str) else None,
        "declared": declared is not None,
        "path": sight.path,
        "scheme": sight.scheme,
    }


def template(one: Template) -> Json:
    """The pods of one template, the pod that was asked, and what it said."""
    sight = one.look.sight
    return {
        "hash": one.name or None,
        "pods": len(one.pods),
        "ready": one.ready,
        "asked": one.look.pod["metadata"]["name"],
        "answers": list(one.look.asked),
        **(engine(sight.facts) if sight else no_engine(one.look.refusal, one.look.reason)),
        **endpoint(sight),
    }


def signals(sources: Mapping[str, SignalSource]) -> Json:
    """Signal name to its metric, kind, PromQL, number of series, value, HPA forms and name in the metrics API."""
    return {
        name: {
            "metric": source.metric,
            "kind": source.kind.value,
            "query": source.query,
            "series_per_pod": source.series,
            "value": source.value,
            "forms": list(source.forms),
            "api_name": source.api_name,
        }
        for name, source in sources.items()
    }


def seats(known: Seats | None) -> Json | None:
    """The seats of one pod with their evidence."""
    if known is None:
        return None
    return {"value": known.value, "evidence": known.evidence, "proved": known.proved}


def engine(facts: EngineFacts) -> Json:
    """One pod's engine."""
    return {
        "engine": facts.engine,
        "reason": None,
        "dialect": facts.dialect or None,
        "form": facts.form or None,
        "models": list(facts.models),
        "role": facts.role or None,
        "version": facts.version,
        "versionSource": facts.version_source or None,
        "signals": signals(facts.signals),
        "seats": seats(facts.seats),
        "armed": facts.armed,
        "evidence": {"source": facts.source.value, "seen": facts.evidence},
        "lookalike": None,
    }


def no_engine(refusal: NotAnEngine | None, reason: str) -> Json:
    """No engine, why, and what else it is; `upstream` are signals of a router for External metrics."""
    return {
        "engine": None,
        "reason": reason,
        "dialect": None,
        "form": None,
        "models": [],
        "role": None,
        "version": None,
        "versionSource": None,
        "signals": {},
        "seats": None,
        "armed": False,
        "evidence": None,
        "lookalike": (detecting.lookalike(refusal) if refusal else "") or None,
        "upstream": signals(refusal.upstream) if refusal else {},
    }
