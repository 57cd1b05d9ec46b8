"""What runs in a pod: read from its metrics page through the API server, else from what is known of it elsewhere.

Evidence in order: the body, series in Prometheus, the metrics API, the command line, labels, the image, the user's
word. A body that was read decides alone: weaker evidence serves only where none could be read.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.engines import Endpoint, EngineFacts, NotAnEngine, Source
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.findings import found as finding
from kubectl_llmhpa.plan.looking import places, sanity
from kubectl_llmhpa.plan.looking.elsewhere import Elsewhere, facts_of_served
from kubectl_llmhpa.plan.looking.places import Place
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.workloads import Workload, pods, ready_pods

#: A metrics page answers in milliseconds; what is blocked never answers.
ASK_SECONDS = 5.0
_AT_ONCE = 8
#: After so many requests of a namespace without an answer, and none with one, the rest is not asked.
_SILENT = 3
#: Answers of a server that has no metrics page, or a broken one (llama.cpp answers 501 without --metrics). Others, such
#: as 401, 403, 502 and 503, may come from a mesh in front of the engine.
_NO_PAGE = (404, 405, 500, 501)


@dataclass(frozen=True)
class EngineSight:
    """One pod's engine: where it listens, what it said ("" when it could not be read), what it is."""

    pod: Json
    container: Json
    port: int
    path: str
    body: str
    facts: EngineFacts
    scheme: str = "http"

    @property
    def port_name(self) -> str | int | None:
        """The declared port as a PodMonitor names it: its name, else its number; None when undeclared."""
        for container in (self.container, *self.pod["spec"]["containers"]):
            for port in container.get("ports") or []:
                if port["containerPort"] == self.port:
                    name: str = port.get("name") or ""
                    return name or self.port
        return None


@dataclass(frozen=True)
class PodLook:
    """What came of looking at one pod.

    `sight` is None when nothing speaks for an engine; then `refusal` says why, and what it is instead. `findings` are
    without their object. `asked` are the answers that were no metrics of an engine (`port 8000/metrics: HTTP 404`).
    `unread` is why the metrics page could not be read, empty when it was.
    """

    pod: Json
    sight: EngineSight | None
    refusal: NotAnEngine | None = None
    findings: tuple[Finding, ...] = ()
    asked: tuple[str, ...] = ()
    unread: ApiError | None = None

    @property
    def reason(self) -> str:
        """Why there is no engine to scale by, in one clause."""
        return "; ".join(self.asked) or (self.refusal.problem if self.refusal else "no port to ask")


def engine_of(reader: Reader, workload: Workload, hint: str = "") -> EngineSight:
    """The engine of one ready pod of a workload. `hint` is the user's `vllm@0.20`.

    Raises LlmHpaError when no pod is ready, or no evidence gives signals of an engine.
    """
    found = pods(reader, workload)
    ready = ready_pods(found)
    attempted = f"detect the engine of {workload.reference} in namespace {workload.namespace!r}"
    if not ready:
        states = f"none of its pods is ready ({len(found)} there)" if found else "it has no pods"
        remedy = f"wait until one is, see: kubectl -n {workload.namespace} get pods -l {workload.selector}"
        if not found and workload.replicas == 0:
            states = "it is at 0 replicas, and an engine is known by a pod that is ready"
            remedy = "send it a request where that wakes it, or scale it to 1"
        raise LlmHpaError(attempted, states, remedy)
    look = Looker(reader, hint=hint).look(ready[0])
    if look.sight is not None and look.sight.facts.signals:
        return look.sight
    if look.unread is not None and look.unread.forbidden:
        raise look.unread
    name = ready[0]["metadata"]["name"]
    fixes = [one.fix for one in look.findings if one.severity == "error"]
    raise LlmHpaError(
        attempted, f"pod {name} shows no engine metrics ({look.reason})",
        "; ".join(fixes) or "switch the engine's metrics on, or declare the port that serves them",
    )  # fmt: skip


class Looker:
    """Looks at pods, several at once, and keeps in mind what cannot be asked in a namespace."""

    def __init__(self, reader: Reader, *, hint: str = "", elsewhere: Elsewhere | None = None) -> None:
        """`hint` is the user's `vllm@0.20` for pods whose metrics cannot be read."""
        self._reader = reader if isinstance(reader, Permitted) else Permitted(reader)
        self._hint = hint
        self._elsewhere = elsewhere or Elsewhere(self._reader)
        self._lock = threading.Lock()
        self._silent: dict[str, int] = {}
        self._answering: set[str] = set()

    def many(self, found: Sequence[Json], progress: Callable[[int], None] = lambda _: None) -> list[PodLook]:
        """One look for each pod, in order; `progress` hears how many are done."""
        looks: list[PodLook] = []
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look") as pool:
            for look in pool.map(self.look, found):
                looks.append(look)
                progress(len(looks))
        return looks

    def unasked(self, pod: Json, why: str) -> PodLook:
        """What a pod's command line, labels and image say, without a request."""
        place = places.of(pod, self._hint)[0]
        try:
            facts = engines.assume(place.clues, place.hint)
        except NotAnEngine as error:
            return PodLook(pod, None, error, (), (why,))
        return PodLook(pod, _sight(pod, place, facts), None, (), (why,))

    def look(self, pod: Json) -> PodLook:
        """What runs in one pod. Raises LlmHpaError when the hint names no engine."""
        answers = _Answers()
        candidates = places.of(pod, self._hint)
        silent: set[tuple[int, str]] = set()
        for place in candidates:
            if place.endpoint == places.NOWHERE:
                break
            port, path, scheme = place.endpoint
            if (port, scheme) in silent:
                continue
            where = f"port {port}{path}"
            try:
                body = self._ask(pod, place.endpoint)
            except ApiError as error:
                answers.failures.append(error)
                answers.asked.append(f"{where}: {error.message}")
                if error.forbidden:
                    break
                if error.reason != ApiError.BACKEND:
                    silent.add((port, scheme))
                continue
            try:
                facts = engines.identify(body, place.clues, hint=place.hint)
            except NotAnEngine as error:
                answers.refusals.append(error)
                answers.findings += sanity.of_refusal("", error, place.clues, body)
                remedy = f" ({error.remedy})" if error.remedy else ""
                answers.asked.append(f"{where}: {error.problem}{remedy}")
                continue
            return PodLook(pod, _sight(pod, place, self._informed(pod, place, facts), body))
        place = candidates[0]
        if fault := self._switched_off(place, answers):
            assumed = engines.assume(place.clues, place.hint)
            facts = replace(assumed, signals={}, seats=None)
            return PodLook(pod, _sight(pod, place, facts), None, (fault,), tuple(answers.asked))
        if answers.refusals:
            refusal = next((one for one in answers.refusals if one.seen), answers.refusals[0])
            return PodLook(pod, None, refusal, tuple(answers.findings), tuple(answers.asked))
        return self._by_other_evidence(pod, place, answers)

    def _ask(self, pod: Json, endpoint: Endpoint) -> str:
        """The text at an endpoint. Raises ApiError, at once where a namespace is known not to answer."""
        namespace, name = _named(pod)
        path = places.proxied(namespace, name, endpoint)
        refusal = self._reader.refusal(path)
        if refusal is not None:
            raise refusal
        with self._lock:
            if namespace not in self._answering and self._silent.get(namespace, 0) >= _SILENT:
                raise ApiError("", 504, "Silent", "not asked, since nothing in this namespace answers")
        try:
            body = self._reader.get_text(path, timeout=ASK_SECONDS)
        except ApiError as error:
            with self._lock:
                if error.code in (0, 504):
                    self._silent[namespace] = self._silent.get(namespace, 0) + 1
                elif error.reason == ApiError.BACKEND:
                    self._answering.add(namespace)
            raise
        with self._lock:
            self._answering.add(namespace)
        return body

    def _informed(self, pod: Json, place: Place, facts: EngineFacts) -> EngineFacts:
        """The facts with what the engine's information page adds: version, models, seats."""
        engine = next(one for one in engines.ENGINES if one.name == facts.engine)
        if not engine.info_path:
            return facts
        path = places.proxied(*_named(pod), place.endpoint._replace(path=engine.info_path))
        try:
            info = engine.info_of(json.loads(self._reader.get_text(path, timeout=ASK_SECONDS)))
        except (ApiError, ValueError):
            return facts
        if info.version:
            facts = replace(facts, version=info.version, version_source=engine.info_path)
        if info.seats and not (facts.seats and facts.seats.proved):
            facts = replace(facts, seats=info.seats)
        return replace(facts, models=facts.models or info.models)

    def _switched_off(self, place: Place, answers: _Answers) -> Finding | None:
        """The engine is there and its metrics are not: the flag that is missing, or that hides them."""
        hidden = sanity.hidden("", place.clues, place.hint)
        if hidden and (answers.refusals or answers.closed):
            return hidden
        if answers.closed and not answers.refusals:
            return sanity.switched_off("", place.clues, answers.asked[0], place.hint)
        return None

    def _by_other_evidence(self, pod: Json, place: Place, answers: _Answers) -> PodLook:
        """No body could be read: what other places know of the pod, else its command line, labels and image."""
        namespace, name = _named(pod)
        failures = answers.failures
        asked = tuple(answers.asked)
        unread = next((one for one in failures if one.forbidden), failures[0] if failures else None)
        try:
            facts = self._in_series(namespace, name, place) or facts_of_served(
                self._elsewhere.served(namespace, name), place.clues, place.hint
            )
            if facts is None:
                facts = engines.assume(place.clues, place.hint)
                if answers.closed:
                    raise NotAnEngine(
                        f"{facts.evidence} speaks for {facts.engine}, but no metrics came ({'; '.join(asked)})",
                        "declare the port that serves its metrics",
                        seen=facts.engine,
                    )
        except NotAnEngine as error:
            return PodLook(pod, None, error, (), asked, unread)
        why = "forbidden" if unread is not None and unread.forbidden else "; ".join(asked) or "no port"
        seen = (
            f"its metrics page could not be read ({why}); what is known comes from its {facts.source.value}"
        )
        note = finding("not-checked", "", seen, what="which names and values this pod exposes")
        return PodLook(pod, _sight(pod, place, facts), None, (note,), asked, unread)

    def _in_series(self, namespace: str, name: str, place: Place) -> EngineFacts | None:
        """By the pod's series in Prometheus. Raises NotAnEngine when they are a router's."""
        series = self._elsewhere.series(namespace, name)
        server = self._elsewhere.server()
        if series is None or server is None:
            return None
        try:
            facts = engines.identify(series, place.clues, hint=place.hint, source=Source.SERIES)
        except NotAnEngine as error:
            if error.seen:
                raise
            return None
        where = f"in Prometheus {server.namespace}/{server.service}"
        return replace(facts, evidence=facts.evidence.replace("in its metrics", where))


@dataclass
class _Answers:
    """What a pod's endpoints answered so far."""

    asked: list[str] = field(default_factory=list)
    refusals: list[NotAnEngine] = field(default_factory=list)
    failures: list[ApiError] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def closed(self) -> bool:
        """Whether every endpoint that was asked is proved to have no metrics page."""
        return bool(self.failures) and all(map(_closed, self.failures))


def _named(pod: Json) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def _sight(pod: Json, place: Place, facts: EngineFacts, body: str = "") -> EngineSight:
    port, path, scheme = place.endpoint
    return EngineSight(pod, place.container, port, path, body, facts, scheme)


def _closed(error: ApiError) -> bool:
    """Whether an answer proves that no metrics come from this endpoint."""
    no_page = error.reason == ApiError.BACKEND and error.code in _NO_PAGE
    return no_page or "connection refused" in error.message
