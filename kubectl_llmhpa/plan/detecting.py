"""Which engines run here: pods that look like engines, grouped by what is scaled, one of each pod template asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from kubectl_llmhpa.plan import places, sanity
from kubectl_llmhpa.plan.elsewhere import Elsewhere
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.plan.sanity import Selected
from kubectl_llmhpa.plan.sight import EngineSight, Looker, PodLook
from kubectl_llmhpa.workloads import Workload, gpu_requests, is_ready, ready_pods, template_hash

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
        if refusal is None or any(refusal.seen in (one.title, one.name) for one in engines.ENGINES):
            return ""
        return refusal.seen

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
class _Group:
    """The pods of one workload while it is being looked at."""

    namespace: str
    reference: str
    workload: Workload | None
    unscalable: LlmHpaError | None
    pods: list[Json] = field(default_factory=list)


def survey(reader: Reader, question: Question, progress: Progress = lambda *_: None) -> Survey:
    """Look at everything that was asked for. Raises LlmHpaError when the pods cannot be listed."""
    permitted = Permitted(reader)
    every, groups = _groups(reader, permitted, question)
    elsewhere = Elsewhere(permitted)
    looker = Looker(permitted, hint=question.hint, elsewhere=elsewhere)
    sets = [(group, name, pods) for group in groups for name, pods in _templates(group).items()]
    chosen = [next(iter(ready_pods(pods)), None) for _, _, pods in sets]
    asked = [pod for pod in chosen if pod is not None]
    looks = iter(looker.many(asked, lambda done: progress("asking pods", done, len(asked))))
    templates: dict[int, list[Template]] = {}
    for (group, name, pods), pod in zip(sets, chosen, strict=True):
        look = next(looks) if pod is not None else looker.unasked(pods[0], "no pod is ready")
        templates.setdefault(id(group), []).append(Template(name, tuple(pods), look))
    detections = [
        Detection(one.namespace, one.reference, one.workload, one.unscalable, tuple(templates[id(one)]))
        for one in groups
    ]
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
    usual = {engine.default_port for engine in engines.ENGINES}
    for container, clues in places.clues_of(pod):
        if engines.expect(clues) is not None or lookalikes.by_clues(clues) is not None:
            return True
        ports = {int(port["containerPort"]) for port in container.get("ports") or []}
        if gpu_requests(container) or ports & usual:
            return True
    return False


def _groups(
    reader: Reader, permitted: Permitted, question: Question
) -> tuple[Mapping[str, list[Json]], list[_Group]]:
    """All live pods by namespace, and the workloads of those that are to be asked."""
    if question.workload:
        assert question.namespace is not None
        workload = workloads.resolve(reader, question.workload, question.namespace)
        pods = workloads.pods(reader, workload)
        if not pods:
            raise LlmHpaError(
                f"detect the engine of {workload.reference} in namespace {workload.namespace!r}",
                "it has no pods", f"scale it up: kubectl scale {workload.reference} --replicas=1",
            )  # fmt: skip
        group = _Group(workload.namespace, workload.reference, workload, None, pods)
        return {workload.namespace: pods}, [group]
    query = f"?labelSelector={quote(question.selector)}" if question.selector else ""
    found = reader.get(PODS.path(question.namespace) + query).get("items") or []
    live = [
        pod
        for pod in found
        if "deletionTimestamp" not in pod["metadata"]
        and (pod.get("status") or {}).get("phase") not in ("Failed", "Succeeded")
    ]
    by_namespace: dict[str, list[Json]] = {}
    worth: dict[tuple[str, str, str], bool] = {}
    asked = []
    for pod in live:
        namespace = pod["metadata"]["namespace"]
        by_namespace.setdefault(namespace, []).append(pod)
        template = (namespace, _controller(pod), template_hash(pod))
        if template not in worth:
            worth[template] = worth_asking(pod)
        if worth[template]:
            asked.append(pod)
    return by_namespace, _by_owner(permitted, asked)


def _by_owner(reader: Reader, pods: Sequence[Json]) -> list[_Group]:
    """The pods by what is scaled for them, else by their controller."""
    groups: dict[tuple[str, str], _Group] = {}
    for pod, owner in zip(pods, workloads.owners_of(reader, pods), strict=True):
        namespace = pod["metadata"]["namespace"]
        if isinstance(owner, Workload):
            group = _Group(namespace, owner.reference, owner, None)
        else:
            group = _Group(namespace, _controller(pod), None, owner)
        groups.setdefault((namespace, group.reference), group).pods.append(pod)
    for group in groups.values():
        if group.workload is not None:
            # workers of a multi-node replica have no metrics and are not what the HPA counts
            group.pods = [pod for pod in group.pods if _selects(group.workload, pod)] or group.pods
    return list(groups.values())


def _controller(pod: Json) -> str:
    for owner in pod["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return f"{owner['kind']}/{owner['name']}"
    return f"Pod/{pod['metadata']['name']}"


def _templates(group: _Group) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for pod in group.pods:
        found.setdefault(template_hash(pod), []).append(pod)
    return found


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
