"""What `status` reads: the HPAs, and beside them a number of lists that does not grow with the HPAs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from kubectl_llmhpa.api import (
    API_SERVICES,
    EVENTS,
    HPAS,
    SCALED_OBJECTS,
    Json,
    Reader,
    Resource,
    events_path,
)
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.hpa import is_ours, scaled_objects
from kubectl_llmhpa.status.overview import Autoscaler, by_name, cut_off, overview
from kubectl_llmhpa.status.question import BUILTIN, CUSTOM_METRICS, RESCALED, Question, Scalers


class Around(NamedTuple):
    """What was read beside the HPAs.

    `keda` is what is wrong with KEDA itself, empty while nothing is known to be; `lost` maps metrics of rules that the
    adapter's next restart loses to a sentence. `unread` are (what, why) of lists that could not be read.
    """

    scaled_objects: Sequence[Json] = ()
    workloads: Mapping[tuple[str, str, str], Json] = {}
    events: Sequence[Json] = ()
    keda: str = ""
    lost: Mapping[str, str] = {}
    unread: tuple[tuple[str, str], ...] = ()


def around(
    reader: Reader, question: Question, scalers: Scalers, lost: Mapping[str, str] | None = None
) -> tuple[list[Json], Around]:
    """Those HPAs that were asked for, and what is around them.

    At most one more round of requests, for what was not read ahead: a list for each kind that they scale, and their
    events. Then KEDA and the adapter are looked at, where they serve one of these; not the adapter where `lost` is
    given.
    """
    unread: dict[str, str] = {}
    every = scalers.hpas
    asked = [one for one in every if question.means(HPAS.kind, one["metadata"]["name"], target(one))]
    kedas = [
        one
        for one in _scaled_objects(scalers.scaled_objects, question, every, unread)
        if question.means(SCALED_OBJECTS.kind, one["metadata"]["name"], scaled_objects.scale_target(one))
    ]
    asked += _of(kedas, every, asked)
    references = [*map(target, asked), *map(scaled_objects.scale_target, kedas)]
    lists = {one.plural: (one, one.path(question.namespace)) for one in _kinds(reader, references)}
    if any((one.get("status") or {}).get("lastScaleTime") for one in asked):
        lists["events"] = EVENTS, events_path(question.namespace, HPAS.kind, reason=RESCALED)
    if any(scaled_objects.state(one).fault for one in kedas):
        failed = events_path(question.namespace, SCALED_OBJECTS.kind, reason=scaled_objects.FAILED)
        lists["events of ScaledObjects"] = EVENTS, failed
    workloads: dict[tuple[str, str, str], Json] = {}
    events: list[Json] = []
    rules = lost is None and any(map(is_ours, asked))
    paths = [*(path for _, path in lists.values()), *([CUSTOM_METRICS] if rules else [])]
    missing = [path for path in paths if path not in scalers.ahead]
    answers = {**scalers.ahead, **dict(zip(missing, reader.get_many(missing), strict=True))}
    for name, (resource, path) in lists.items():
        items = _items(answers[path], f"list {name}", unread)
        if resource is EVENTS:
            events += items
        else:
            workloads |= by_name(resource.kind, items)
    by_keda = any(scaled_objects.of_hpa(one) for one in asked)
    by_rules = rules and not isinstance(answers[CUSTOM_METRICS], ApiError)
    keda, found = _servers(reader, keda=by_keda, rules=by_rules) if by_keda or by_rules else ("", {})
    return asked, Around(kedas, workloads, events, keda, lost or found, tuple(unread.items()))


def judged(question: Question, hpas: Sequence[Json], seen: Around, now: datetime) -> list[Autoscaler]:
    """The autoscalers that were asked for, from what was read."""
    found = overview(
        hpas, seen.workloads, seen.events, now=now, every=bool(question.named),
        scaled_objects=seen.scaled_objects, lost=seen.lost,
    )  # fmt: skip
    return [cut_off(one, seen.keda) if one.scaled_object and seen.keda else one for one in found]


def _servers(reader: Reader, *, keda: bool, rules: bool) -> tuple[str, dict[str, str]]:
    """What the HPAs do not tell of those who serve their numbers, in one look at what may be read.

    Why KEDA's numbers do not reach its HPAs, empty while they do or nothing is known; and the metrics of rules that the
    adapter's next restart would lose, with the sentence about each.
    """
    from kubectl_llmhpa.plan.once import Once
    from kubectl_llmhpa.plan.permitted import Permitted

    looking = Once(Permitted(reader))
    lost: dict[str, str] = {}
    if rules:
        from kubectl_llmhpa.plan.adapter import lost_rules

        lost = {metric: str(finding) for metric, finding in lost_rules.findings(looking).items()}
    return _keda_problem(looking) if keda else "", lost


def _keda_problem(reader: Reader) -> str:
    from kubectl_llmhpa.backends import keda

    (answer,) = reader.get_many([API_SERVICES.path()])
    try:
        here = keda.find(reader, [] if isinstance(answer, ApiError) else answer.get("items") or [])
    except ApiError:
        return ""
    return here.problem if here is not None else ""


def _scaled_objects(
    answer: Json | ApiError, question: Question, hpas: Sequence[Json], unread: dict[str, str]
) -> list[Json]:
    """KEDA's ScaledObjects; none where KEDA is not installed. That they may not be read matters to HPAs of KEDA only.

    With a selector, which is for HPAs, those alone that have an HPA among `hpas`.
    """
    asked_for = {(_namespace(hpa), scaled_objects.of_hpa(hpa)) for hpa in hpas if scaled_objects.of_hpa(hpa)}
    if isinstance(answer, ApiError) and (answer.not_found or not asked_for):
        return []
    found = _items(answer, f"list {SCALED_OBJECTS.plural}", unread)
    if question.label_selector or question.field_selector:
        found = [one for one in found if (_namespace(one), one["metadata"]["name"]) in asked_for]
    return found


def _of(kedas: Sequence[Json], hpas: Sequence[Json], asked: Sequence[Json]) -> list[Json]:
    """The HPAs of ScaledObjects that were asked for by their own name."""
    names = {(_namespace(one), one["metadata"]["name"]) for one in kedas}
    known = {id(one) for one in asked}
    return [
        one for one in hpas if id(one) not in known and (_namespace(one), scaled_objects.of_hpa(one)) in names
    ]


def _kinds(reader: Reader, references: Iterable[Mapping[str, object]]) -> list[Resource]:
    """The resources of all kinds that are referred to. One more request where one is not built in."""
    kinds = {(str(one.get("apiVersion")), str(one.get("kind"))) for one in references}
    found = [one for one in BUILTIN if (one.api_version, one.kind) in kinds]
    others = sorted(kinds - {(one.api_version, one.kind) for one in BUILTIN})
    if others:
        from kubectl_llmhpa.workloads.discovery import Types

        types = Types(reader)
        try:
            found += [
                known.resource for one in others if (known := types.of(*one)) and known.resource.namespaced
            ]
        except ApiError:
            return found
    return list(dict.fromkeys(found))


def _items(answer: Json | ApiError, attempted: str, unread: dict[str, str]) -> list[Json]:
    """The items of a list; one that may not be read counts as empty and is noted."""
    if isinstance(answer, ApiError):
        unread[attempted] = answer.message or answer.reason
        return []
    return answer.get("items") or []


def target(hpa: Json) -> Json:
    """`spec.scaleTargetRef` of an HPA."""
    return (hpa.get("spec") or {}).get("scaleTargetRef") or {}


def _namespace(obj: Json) -> str:
    return str(obj["metadata"].get("namespace", ""))
