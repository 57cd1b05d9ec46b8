"""`detect` as text: a table of workloads, or one engine in full, and below it the findings as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubectl_llmhpa.engines import EngineFacts, Kind, NotAnEngine, Seats, SignalSource
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.output.tables import UNKNOWN, fields, table
from kubectl_llmhpa.plan.looking import detecting
from kubectl_llmhpa.plan.looking.detecting import Detection, Template
from kubectl_llmhpa.plan.looking.sight import EngineSight

_SEVERITIES = ("error", "warning", "info")
#: A rate or a latency: one look at a pod cannot tell it.
_OVER_TIME = "<over time>"
_BUILT_IN = ("Deployment", "StatefulSet", "ReplicaSet", "Pod", "Job", "DaemonSet")


HEADERS = (
    "workload", "engine", "version", "role", "port", "replicas", "waiting", "running", "kv", "seats", "scaled by",
    "findings",
)  # fmt: skip
WIDE = ("model", "dialect", "path", "topology", "pod", "evidence")


def workloads_table(detections: Sequence[Detection], *, namespaces: bool, wide: bool) -> str:
    """The table of `detect`: a row for each pod template, so that two versions in a rollout are both there."""
    headers = [*(["namespace"] if namespaces else []), *HEADERS, *(WIDE if wide else ())]
    rows = [
        [*([one.namespace] if namespaces else []), *row(one, template, wide=wide)]
        for one in detections
        for template in one.templates
    ]
    return table(headers, rows)


def row(one: Detection, template: Template, *, wide: bool) -> list[str]:
    """One template of a workload as cells under HEADERS (and WIDE)."""
    sight = template.look.sight
    facts = sight.facts if sight else None
    signals = facts.signals if facts else {}
    refusal = template.look.refusal
    engine = facts.engine if facts else nothing(refusal)
    role = (facts.role if facts else "") or (one.workload.role if one.workload else "")
    codes = [finding.code for finding in one.findings if finding.severity != "info"]
    cells = [
        kubectl_name(one.reference),
        engine,
        (facts.version or UNKNOWN) if facts else "",
        role,
        port(sight) if sight else "",
        replicas(one, template),
        *(now(signals.get(name), facts) for name in ("waiting", "running", "kv-cache")),
        seats(facts.seats) if facts else "",
        scaled_by(one),
        ", ".join(dict.fromkeys(codes)),
    ]
    if not wide:
        return cells
    return [
        *cells,
        ", ".join(facts.models) if facts else "",
        (facts.dialect or UNKNOWN) if facts else "",
        sight.path if sight else "",
        one.workload.topology if one.workload else "",
        template.look.pod["metadata"]["name"],
        f"{facts.source.value}: {facts.evidence}" if facts else template.look.reason,
    ]


def nothing(refusal: NotAnEngine | None) -> str:
    """That there is no engine, and what there is or should be."""
    if refusal is None or not refusal.seen:
        return "none"
    return f"none: {detecting.lookalike(refusal) or f'{refusal.seen} expected'}"


def now(source: SignalSource | None, facts: EngineFacts | None) -> str:
    """The value of a signal; `armed` before the engine has series, and nothing where it has no such signal."""
    if source is None or facts is None:
        return ""
    return "armed" if facts.armed and source.value is None else value(source)


def kubectl_name(reference: str) -> str:
    """`Deployment/vllm` as kubectl writes it, `deployment/vllm`; custom kinds keep their capitals."""
    kind, _, rest = reference.partition("/")
    return f"{kind.lower()}/{rest}" if kind in _BUILT_IN else reference


def port(sight: EngineSight) -> str:
    """`8000 (http)`, `8000 (undeclared)`, `8443 (https, TLS)`."""
    declared = sight.port_name
    word = "undeclared" if declared is None else declared if isinstance(declared, str) else ""
    words = ", ".join(filter(None, (word, "TLS" if sight.scheme == "https" else "")))
    if not sight.port:
        return UNKNOWN
    return f"{sight.port} ({words})" if words else str(sight.port)


def replicas(one: Detection, template: Template) -> str:
    """`2/3`: ready pods of those there are, and of how many pods a replica consists where it is not one."""
    total = len(template.pods)
    if one.workload is not None and len(one.templates) == 1:
        total = max(total, one.workload.replicas * one.workload.counted_per_replica)
    text = f"{template.ready}/{total}"
    several = one.workload.pods_per_replica if one.workload else 1
    return f"{text} x {several} pods" if several > 1 else text


def seats(known: Seats | None) -> str:
    """`8`, or `~256` while only a flag or its default speaks for it."""
    if known is None:
        return UNKNOWN
    return str(known.value) if known.proved else f"~{known.value}"


def scaled_by(one: Detection) -> str:
    """The HPAs that target it, that none can, or that something else does (`see below`: a finding says what)."""
    if one.unscalable is not None:
        return "cannot be"
    if one.hpas is None:
        return UNKNOWN
    names = ", ".join(f"hpa/{view.name}" for view in one.hpas)
    return names or ("see below" if one.workload and one.workload.rival else "")


def remarks(one: Detection) -> list[str]:
    """Why it cannot be scaled, or is no engine, in sentences that begin with its name."""
    lines = []
    look = one.main.look
    if look.sight is None:
        reason = str(look.refusal) if look.refusal and look.refusal.seen else look.reason
        lines.append(f"note: {one.reference}: no engine: {reason}")
    elif one.main.ready == 0:
        source = look.sight.facts.source.value
        lines.append(f"note: {one.reference}: no pod is ready; what is shown comes from its {source}")
    if look.sight is not None and one.unscalable is not None:
        problem = one.unscalable.problem
        remedy = f"; {one.unscalable.remedy}" if one.unscalable.remedy else ""
        lines.append(f"note: {one.reference}: no HPA can scale it: {problem}{remedy}")
    return lines + [f"note: {note}" for note in (one.workload.notes if one.workload else ())]


def to_copy(detections: Iterable[Detection]) -> list[str]:
    """The lines that do what the finding on another autoscaler says, indented."""
    rivals = [one.workload.rival for one in detections if one.workload and one.workload.rival]
    return [f"  {line}" for rival in rivals for line in rival.detail.splitlines()]


def workload_block(one: Detection) -> str:
    """One workload in full: each template's engine, where it answers, its signals and its seats."""
    blocks = []
    for template in one.templates:
        sight, pod = template.look.sight, template.look.pod["metadata"]["name"]
        scaled = one.workload
        topology = f"{scaled.topology}, scaled as {scaled.reference}" if scaled else "not scalable"
        first = [
            ("Workload", f"{one.reference} in namespace {one.namespace}"),
            ("Topology", topology),
            ("Replicas", f"{replicas(one, template)} pods ready"),
            ("Scaled by", scaled_by(one)),
            ("Pod", f"{pod} (template {template.name})" if template.name else pod),
        ]
        if sight is None:
            blocks.append(fields([*first, ("Engine", "none"), ("Reason", template.look.reason)]))
            continue
        endpoint = ("Metrics", f"port {port(sight)}, {sight.scheme}, path {sight.path}")
        blocks.append(engine_block(sight.facts, [*first, endpoint]))
    return "\n\n".join(blocks)


def engine_block(facts: EngineFacts, first: Sequence[tuple[str, str]] = ()) -> str:
    """One engine below the `first` fields: what it is, its signals, its seats."""
    version = f"{facts.version} ({facts.version_source})" if facts.version else UNKNOWN
    state = "serving" if facts.live else "not read: names are those of its newest version"
    parts = [
        fields(
            [
                *first,
                ("Engine", facts.engine),
                ("Version", version),
                ("Dialect", facts.dialect or UNKNOWN),
                ("Models", ", ".join(facts.models) or UNKNOWN),
                ("Role", facts.role or "none of its own"),
                ("State", "armed: no series before its first request" if facts.armed else state),
                ("Seats", seats_sentence(facts.seats)),
                ("Evidence", f"{facts.source.value}: {facts.evidence}"),
            ]
        )
    ]
    if facts.signals:
        parts.append("Signals:\n" + signals_table(facts.signals.values()))
    return "\n".join(parts)


def no_engine_block(refusal: NotAnEngine) -> str:
    """Why it is no engine, and the signals that a router offers instead."""
    parts = [fields([("Engine", "none"), ("Reason", refusal.problem), ("Remedy", refusal.remedy)])]
    if refusal.upstream:
        parts.append("Signals (External only):\n" + signals_table(refusal.upstream.values()))
    return "\n".join(parts)


def signals_table(sources: Iterable[SignalSource]) -> str:
    """One line a signal, indented."""
    rows = [
        [one.signal, metric(one), one.kind.value, value(one), str(one.series), ", ".join(one.forms)]
        for one in sources
    ]
    return table(["signal", "metric", "kind", "now", "series", "hpa forms"], rows, indent="  ")


def metric(source: SignalSource) -> str:
    """Its name in the body, and a sign where other metrics come to it."""
    spec = source.spec
    return f"{source.metric}, ..." if spec.plus or spec.minus or spec.over else source.metric


def lines_below(detections: Sequence[Detection]) -> list[str]:
    """Everything that the table does not say, worst first: errors and warnings, notes, what is good to know."""
    found = [finding for one in detections for finding in one.findings]
    notes = [line for one in detections for line in remarks(one)]
    if any(template.look.sight and template.ready > 1 for one in detections for template in one.templates):
        notes.append("note: waiting, running and kv are those of one ready pod (-o wide names it)")
    return [
        *finding_lines([one for one in found if one.severity != "info"]),
        *notes,
        *finding_lines([one for one in found if one.severity == "info"]),
    ]


def finding_lines(found: Sequence[Finding]) -> list[str]:
    """`warning: sts/vllm: what was seen; why it matters; the fix [code]`, worst first."""
    ordered = sorted(found, key=lambda one: _SEVERITIES.index(one.severity))
    return [f"{one.severity}: {one}" for one in ordered]


def value(source: SignalSource) -> str:
    """`5`, `42%`; what one look cannot tell says what it is."""
    if source.kind in (Kind.LATENCY, Kind.RATE):
        return _OVER_TIME
    if source.value is None:
        return UNKNOWN
    return f"{100 * source.value:.0f}%" if source.kind is Kind.RATIO else f"{source.value:g}"


def seats_sentence(seats: Seats | None) -> str:
    """`8 (--max-num-seqs 8 x 1 data-parallel rank, not proved)`."""
    if seats is None:
        return UNKNOWN
    return f"{seats.value} ({seats.evidence}{'' if seats.proved else ', not proved'})"
