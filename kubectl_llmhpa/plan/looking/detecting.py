"""Which engines run here: pods that look like engines, grouped by what is scaled, one of each pod template asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from urllib.parse import quote

from kubectl_llmhpa import engines, hpa, workloads
from kubectl_llmhpa.api import HPAS, PODS, Json, Reader
from kubectl_llmhpa.engines import lookalikes
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.findings import found as finding
from kubectl_llmhpa.hpa import HpaView
from kubectl_llmhpa.monitoring import selectors
from kubectl_llmhpa.plan.looking import places, sanity
from kubectl_llmhpa.plan.looking.elsewhere import Elsewhere
from kubectl_llmhpa.plan.looking.sanity import Selected
from kubectl_llmhpa.plan.looking.sight import EngineSight, Looker, PodLook
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.workloads import Workload, gpu_requests, is_ready, ready_pods, template_hash

#: Ports of engines that web servers and monitoring have too, so that they tell nothing.
_COMMON_PORTS = {80, 9090}

#: Hears what is being done, how much of it is done and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Question:
    """What was asked: a workload (`sts/vllm`), or the pods of a namespace (None: of all), by label selector.

    `hint` is the user's `vllm@0.20`.
    """

    workload: tuple[str, ...] = ()
    namespace: str | None = None
    selector: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Template:
    """The pods of one workload that were made from one template, and what came of asking one of them."""

    name: str
    pods: tuple[Json, ...]
    look: PodLook

    @property
    def ready(self) -> int:
        return sum(map(is_ready, self.pods))

    @property
    def what(self) -> str:
        """`vllm 0.20.2, 3 pods`."""
        sight = self.look.sight
        engine = f"{sight.facts.engine} {sight.facts.version or ''}".strip() if sight else "no engine"
        return f"{engine}, {len(self.pods)} pod{'s' if len(self.pods) != 1 else ''}"


@dataclass(frozen=True)
class Detection:
    """One workload: what is scaled (or why nothing can be), its templates, the HPAs that target it, and findings.

    `hpas` is None where HPAs may not be listed. `reference` is that of the pods' controller where nothing is scaled.
    """

    namespace: str
    reference: str
    workload: Workload | None
    unscalable: LlmHpaError | None
    templates: tuple[Template, ...]
    hpas: tuple[HpaView, ...] | None = ()
    findings: tuple[Finding, ...] = ()

    @property
    def main(self) -> Template:
        """The template that speaks for the workload: one with an engine, then the one with the most pods."""
        return max(self.templates, key=lambda one: (one.look.sight is not None, len(one.pods)))

    @property
    def sight(self) -> EngineSight | None:
        return self.main.look.sight

    @property
    def pods(self) -> tuple[Json, ...]:
        return tuple(pod for template in self.templates for pod in template.pods)

    @property
    def lookalike(self) -> str:
        """What it is instead of an engine, empty when it is one or nobody knows."""
        refusal = self.main.look.refusal
        return lookalike(refusal) if refusal else ""

    @property
    def known(self) -> bool:
        """Whether it is an engine, or known to be something else."""
        refusal = self.main.look.refusal
        return self.sight is not None or bool(refusal and refusal.seen)


@dataclass(frozen=True)
class Survey:
    """Everything that was found; `others` are references of workloads whose pods were asked and run no engine."""

    detections: tuple[Detection, ...]
    others: tuple[str, ...] = ()
    prometheus: str = ""


@dataclass
class _Batch:
    """Pods of one controller and one template: they are alike, so one of them is asked."""

    controller: str
    template: str
    pods: list[Json] = field(default_factory=list)
    look: PodLook | None = None


def lookalike(refusal: engines.NotAnEngine) -> str:
    """What a refusal says that it is instead of an engine, empty where only an engine was expected."""
    known = any(refusal.seen in (one.title, one.name) for one in engines.ENGINES)
    return "" if known else refusal.seen


def survey(reader: Reader, question: Question, progress: Progress = lambda *_: None) -> Survey:
    """Look at everything that was asked for. Raises LlmHpaError when the pods cannot be listed."""
    permitted = Permitted(reader)
    workload = _workload(reader, question)
    every = _pods(reader, question, workload)
    batches = _batches(every, everything=workload is not None)
    elsewhere = Elsewhere(permitted)
    with ThreadPoolExecutor(1, thread_name_prefix="owners") as beside:
        owners = beside.submit(_owners, permitted, batches, workload)
        _ask(Looker(permitted, hint=question.hint, elsewhere=elsewhere), batches, progress)
        detections = _by_owner(batches, owners.result())
    shown = [one for one in detections if one.known or question.workload]
    hpas = _hpas(permitted, {one.namespace for one in shown})
    samples = _samples(elsewhere, shown) if any(one.sight for one in shown) else {}
    scene = _Scene(detections, _what_ready_pods_are(every, detections), samples)
    judged = [_judged(one, hpas.get(one.namespace), scene) for one in shown]
    server = elsewhere.server() if samples else None
    return Survey(
        tuple(sorted(judged, key=lambda one: (one.namespace, one.reference))),
        tuple(sorted(f"{one.namespace}/{one.reference}" for one in detections if one not in shown)),
        f"{server.namespace}/{server.service}" if server else "",
    )


def worth_asking(pod: Json) -> bool:
    """Whether anything speaks for an engine: command line, labels, image, accelerator, or an engine's usual port."""
    usual = {engine.default_port for engine in engines.ENGINES} - _COMMON_PORTS
    for container, clues in places.clues_of(pod):
        if engines.expect(clues) is not None or lookalikes.by_clues(clues) is not None:
            return True
        ports = {int(port["containerPort"]) for port in container.get("ports") or []}
        if gpu_requests(container) or ports & usual:
            return True
    return False


def _workload(reader: Reader, question: Question) -> Workload | None:
    if not question.workload:
        return None
    assert question.namespace is not None
    return workloads.resolve(reader, question.workload, question.namespace)


def _pods(reader: Reader, question: Question, workload: Workload | None) -> dict[str, list[Json]]:
    """The live pods by namespace."""
    if workload is not None:
        found = workloads.pods(reader, workload)
        if not found:
            raise LlmHpaError(
                f"detect the engine of {workload.reference} in namespace {workload.namespace!r}",
                "it has no pods",
                f"scale it up: kubectl -n {workload.namespace} scale {workload.reference.lower()} --replicas=1",
            )  # fmt: skip
        return {workload.namespace: found}
    query = f"?labelSelector={quote(question.selector)}" if question.selector else ""
    by_namespace: dict[str, list[Json]] = {}
    for pod in reader.get(PODS.path(question.namespace) + query).get("items") or []:
        finished = (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")
        if not finished and "deletionTimestamp" not in pod["metadata"]:
            by_namespace.setdefault(pod["metadata"]["namespace"], []).append(pod)
    return by_namespace


def _batches(every: Mapping[str, list[Json]], *, everything: bool) -> list[_Batch]:
    """The pods that are to be asked (`everything`: all of them), alike ones together."""
    found: dict[tuple[str, str, str], _Batch] = {}
    for namespace, pods in every.items():
        for pod in pods:
            controller, template = _controller(pod), template_hash(pod)
            batch = found.setdefault((namespace, controller, template), _Batch(controller, template))
            batch.pods.append(pod)
    return [batch for batch in found.values() if everything or worth_asking(batch.pods[0])]


def _controller(pod: Json) -> str:
    for owner in pod["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return f"{owner['kind']}/{owner['name']}"
    return f"Pod/{pod['metadata']['name']}"


def _owners(
    reader: Reader, batches: Sequence[_Batch], workload: Workload | None
) -> list[Workload | LlmHpaError]:
    """What is scaled for each batch."""
    if workload is not None:
        return [workload for _ in batches]
    return workloads.owners_of(reader, [batch.pods[0] for batch in batches])


def _ask(looker: Looker, batches: Sequence[_Batch], progress: Progress) -> None:
    """Look at the oldest ready pod of each batch."""
    ready = [(batch, pods[0]) for batch in batches if (pods := ready_pods(batch.pods))]
    looks = looker.many([pod for _, pod in ready], lambda done: progress("asking pods", done, len(ready)))
    for (batch, _), look in zip(ready, looks, strict=True):
        batch.look = look
    for batch in batches:
        batch.look = batch.look or looker.unasked(batch.pods[0], "no pod is ready")


def _by_owner(batches: Sequence[_Batch], owners: Sequence[Workload | LlmHpaError]) -> list[Detection]:
    """The batches by what is scaled for them, else by their controller."""
    groups: dict[tuple[str, str], list[tuple[_Batch, Workload | LlmHpaError]]] = {}
    for batch, owner in zip(batches, owners, strict=True):
        reference = owner.reference if isinstance(owner, Workload) else batch.controller
        namespace = batch.pods[0]["metadata"]["namespace"]
        groups.setdefault((namespace, reference), []).append((batch, owner))
    result = []
    for (namespace, reference), members in groups.items():
        owner = members[0][1]
        workload = owner if isinstance(owner, Workload) else None
        # workers of a multi-node replica have no metrics and are not what the HPA counts
        counted = [batch for batch, _ in members if workload is None or _selects(workload, batch.pods[0])]
        templates: dict[str, Template] = {}
        for batch in counted or [batch for batch, _ in members]:
            assert batch.look is not None
            alike = templates.get(batch.template, Template(batch.template, (), batch.look))
            look = alike.look if alike.look.sight else batch.look
            templates[batch.template] = Template(batch.template, (*alike.pods, *batch.pods), look)
        unscalable = owner if isinstance(owner, LlmHpaError) else None
        result.append(Detection(namespace, reference, workload, unscalable, tuple(templates.values())))
    return result


def _selects(workload: Workload, pod: Json) -> bool:
    try:
        return selectors.matches(workload.pod_selector, pod["metadata"].get("labels") or {})
    except LlmHpaError:
        return True


def _hpas(reader: Reader, namespaces: Iterable[str]) -> dict[str, list[Json]]:
    """The HPAs by namespace; a namespace whose HPAs may not be read is left out."""
    ordered = sorted(namespaces)
    answers = reader.get_many([HPAS.path(namespace) for namespace in ordered])
    return {
        namespace: answer.get("items") or []
        for namespace, answer in zip(ordered, answers, strict=True)
        if not isinstance(answer, ApiError)
    }


#: (namespace, pod) of the pods that a query gave, by the code of the finding.
_Samples = Mapping[str, set[tuple[str, str]]]


def _samples(elsewhere: Elsewhere, shown: Sequence[Detection]) -> _Samples:
    """What only Prometheus can tell, with two queries for each form of an engine; {} when it cannot be asked."""
    if elsewhere.server() is None:
        return {}
    namespaces = {one.namespace for one in shown}
    matchers = f'namespace="{next(iter(namespaces))}"' if len(namespaces) == 1 else 'namespace!=""'
    forms = {
        (one.sight.facts.engine, one.sight.facts.form): one.sight.facts.signals
        for one in shown
        if one.sight is not None and one.sight.facts.signals
    }
    found: dict[str, set[tuple[str, str]]] = {"two-targets": set(), "stale-gauge": set()}
    moving = {engine.name: engine.counts_while_generating for engine in engines.ENGINES}
    for (name, _), signals in forms.items():
        queries = {
            "two-targets": sanity.twice_scraped(signals.values(), matchers),
            "stale-gauge": sanity.stale(signals, moving[name], matchers),
        }
        for code, expression in queries.items():
            samples = elsewhere.query(expression) if expression else []
            found[code] |= {(one.labels.get("namespace", ""), one.labels.get("pod", "")) for one in samples}
    return found


@dataclass(frozen=True)
class _Scene:
    """What a workload is judged against: the others, what each ready pod is by namespace, Prometheus' answers."""

    detections: Sequence[Detection]
    pods: Mapping[str, Sequence[tuple[Mapping[str, str], Selected]]]
    samples: _Samples


def _judged(one: Detection, hpas: Sequence[Json] | None, scene: _Scene) -> Detection:
    """The detection with its HPAs and findings; `hpas` are those of its namespace, None when they may not be read."""
    about = one.reference
    found: list[Finding] = []
    for template in one.templates:
        look = template.look
        found += [replace(each, about=about) for each in look.findings]
        if look.sight is not None:
            found += sanity.of_facts(about, look.sight.facts)
    found += sanity.of_templates(about, {each.name: each.what for each in one.templates})
    if one.workload is not None:
        found += sanity.of_rival(about, one.workload.rival)
    if one.sight is not None and one.workload is not None:
        found += sanity.of_selector(about, _selected(one.workload, scene))
    names = [(one.namespace, pod["metadata"]["name"]) for pod in one.pods]
    twice, stuck = (
        [name for key, name in names if (key, name) in scene.samples.get(code, ())]
        for code in ("two-targets", "stale-gauge")
    )
    found += sanity.of_samples(about, twice, stuck)
    if hpas is None:
        seen = "HorizontalPodAutoscalers may not be listed with these permissions"
        found.append(finding("not-checked", about, seen, what="what scales it"))
        return replace(one, hpas=None, findings=_once(found))
    views = tuple(
        hpa.view(each, ready=sum(template.ready for template in one.templates), now=_now())
        for each in hpas
        if one.workload is not None and one.workload.is_target_of(each["spec"]["scaleTargetRef"])
    )
    if one.sight is not None:
        queue = _queue_in_front(one, scene.detections)
        found += [each for view in views for each in sanity.of_hpa(about, one.sight.facts, view, queue)]
    return replace(one, hpas=views, findings=_once(found))


def _what_ready_pods_are(
    every: Mapping[str, list[Json]], detections: Sequence[Detection]
) -> dict[str, list[tuple[Mapping[str, str], Selected]]]:
    """Labels and kind of each ready pod by namespace; pods whose metrics could not be read are left out."""
    known = {
        (one.namespace, pod["metadata"]["name"]): (template.look, one.lookalike)
        for one in detections
        for template in one.templates
        for pod in template.pods
    }
    result: dict[str, list[tuple[Mapping[str, str], Selected]]] = {}
    for namespace, pods in every.items():
        for pod in filter(is_ready, pods):
            name = pod["metadata"]["name"]
            look, lookalike = known.get((namespace, name), (None, ""))
            if look is None or look.unread is None:
                selected = Selected(name, lookalike, look is not None and look.sight is not None)
                labels = pod["metadata"].get("labels") or {}
                result.setdefault(namespace, []).append((labels, selected))
    return result


def _selected(workload: Workload, scene: _Scene) -> list[Selected]:
    """The ready pods that the scale selector matches, with other workloads' among them."""
    try:
        selector = workload.pod_selector
    except LlmHpaError:
        return []
    pods = scene.pods.get(workload.namespace, ())
    return [selected for labels, selected in pods if selectors.matches(selector, labels)]


def _queue_in_front(one: Detection, detections: Sequence[Detection]) -> str:
    """The router of the namespace that holds a queue of its own, empty when there is none."""
    for other in detections:
        refusal = other.main.look.refusal
        if other.namespace == one.namespace and refusal is not None and "waiting" in refusal.upstream:
            return f"{other.reference} ({refusal.seen})"
    return ""


def _once(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(found))


def _now() -> datetime:
    return datetime.now(timezone.utc)
