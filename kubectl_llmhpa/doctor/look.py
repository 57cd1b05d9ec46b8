"""The look: every hop's facts, in a few rounds of requests. What may not be read is noted, not raised."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone

from kubectl_llmhpa import __version__
from kubectl_llmhpa.api import (
    API_SERVICES,
    HPAS,
    NAMESPACE_NAME,
    POD_MONITORS,
    PROMETHEUSES,
    SCALED_OBJECTS,
    SERVICES,
    Json,
    Reader,
)
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.doctor import (
    asks,
    codec,
    engine,
    keda,
    samples,
    scaling,
    scraping,
    serving,
    target,
    values,
)
from kubectl_llmhpa.doctor.facts import Facts, Problem, SampleFacts, ScalerFacts
from kubectl_llmhpa.doctor.seeing import Seeing
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import address, prometheus, prometheus_operator
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.looking.sight import EngineSight


def look(
    reader: Reader, words: tuple[str, ...], namespace: str, *, wanted: str = "", hint: str = ""
) -> Facts:
    """Look at one workload or autoscaler (`words`: `TYPE/NAME`).

    `wanted` is the user's Prometheus (`namespace/name`), `hint` the user's `vllm@0.20`. Raises LlmHpaError with the
    exit code COULD_NOT_LOOK where what was named is not there, and ApiError where the server does not answer.
    """
    seeing = Seeing(reader)
    at = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    listed = (HPAS, SCALED_OBJECTS, POD_MONITORS)
    seeing.get_many([*(one.path(namespace) for one in listed), PROMETHEUSES.path(), API_SERVICES.path()])
    goal, workload, scaler = target.look(seeing, words, namespace)
    facts = Facts("/".join(words), namespace, at, __version__, goal, scaler)
    if workload is None:
        return codec.cleaned(replace(facts, pods=None, unseen=seeing.unseen))
    by_keda = scaler.scaled_object is not None
    with ThreadPoolExecutor(2, thread_name_prefix="doctor") as beside:
        adapting = beside.submit(_adapter, seeing, by_keda)
        calculating = beside.submit(scaling.look_arithmetic, seeing, scaler.hpa, at)
        pods, live = target.look_pods(seeing, workload)
        seen, sight = engine.look(seeing, live, hint)
        adapter, why = adapting.result()
        arithmetic = calculating.result()
    findings = scaling.look_findings(scaler.hpa, sight.facts if sight else None, goal.reference)
    asked = asks.of(scaler.hpa)
    server = _server(seeing, namespace, adapter, scaler, wanted)
    found = samples.look(seeing, server, namespace, live, _metrics(scaler, sight))
    served = serving.look(seeing, adapter, why, asked, seen, listing=not by_keda)
    numbers = values.look(seeing, asked, workload, served)
    return codec.cleaned(
        replace(
            facts,
            scaler=replace(scaler, findings=findings),
            pods=pods,
            engine=seen,
            samples=found,
            scraping=scraping.look(seeing, workload, scraped=_scraped(found) or not live),
            serving=served,
            values=numbers,
            keda=keda.look(seeing, scaler.scaled_object, namespace, numbers) if _external(scaler) else None,
            arithmetic=arithmetic,
            unseen=seeing.unseen,
        )
    )


def _scraped(found: SampleFacts) -> bool:
    return bool(found.series) and not samples.left_over(found)


def _adapter(seeing: Seeing, by_keda: bool) -> tuple[Adapter | None, Problem | None]:
    """The adapter of the custom metrics API, which KEDA's HPAs do not ask."""
    return (None, None) if by_keda else serving.look_adapter(seeing)


def _external(scaler: ScalerFacts) -> bool:
    return scaler.scaled_object is not None or any(one.type == asks.EXTERNAL for one in asks.of(scaler.hpa))


def _metrics(scaler: ScalerFacts, sight: EngineSight | None) -> tuple[str, ...]:
    """The series that the autoscaler's numbers are made of, else those of the engine's signals."""
    names: Sequence[str] = keda.metrics_of(scaler.scaled_object)
    if not names:
        names = [
            name
            for one in asks.of(scaler.hpa)
            if one.type != asks.EXTERNAL
            for name in asks.spellings(one.name)
        ]
    if not names and sight is not None:
        names = [one.metric for one in sight.facts.signals.values() if one.kind.value in ("count", "ratio")]
    return tuple(dict.fromkeys(names))


def _server(
    seeing: Seeing, namespace: str, adapter: Adapter | None, scaler: ScalerFacts, wanted: str
) -> Server | None:
    """Whose samples count: the user's Prometheus, the one that KEDA or the adapter asks, else the one that scrapes."""
    if not wanted:
        url, home = (
            (adapter.prometheus_url, adapter.namespace)
            if adapter
            else (keda.address_of(scaler.scaled_object), "")
        )
        server = prometheus.server_of(url, home) if url else None
        if server is not None and not _down(seeing, server):
            return server
    return _operated(seeing, namespace, wanted) or (server if not wanted else None)


def _down(seeing: Seeing, server: Server) -> bool:
    """Whether no Prometheus runs there, by a question whose answer counts for nothing else."""
    try:
        seeing.get(SERVICES.path(server.namespace, server.service))
    except ApiError as error:
        return error.not_found
    return False


def _operated(seeing: Seeing, namespace: str, wanted: str) -> Server | None:
    """The Service of the Prometheus object that is wanted, or that selects the namespace."""
    objects: list[Json] = seeing.items(PROMETHEUSES.path()) or []
    if wanted:
        objects = [
            one for one in objects if f"{one['metadata']['namespace']}/{one['metadata']['name']}" == wanted
        ]
    for one in objects:
        labels = {NAMESPACE_NAME: namespace}
        home = str(one["metadata"]["namespace"])
        try:
            chosen = prometheus_operator.choose([one], namespace, labels)
            return address.of(chosen, seeing.items(SERVICES.path(home)) or [], objects)
        except LlmHpaError:
            continue
    if not objects:
        return None
    prefix = str((objects[0].get("spec") or {}).get("routePrefix") or "")
    return Server(str(objects[0]["metadata"]["namespace"]), "prometheus-operated", 9090, prefix)
