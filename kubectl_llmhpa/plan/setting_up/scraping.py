"""Who scrapes the workload: nobody yet, so a scrape object of ours, or somebody already, so none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kubectl_llmhpa import __version__, hpa, monitoring
from kubectl_llmhpa.api import (
    POD_MONITORS,
    VERSION_ANNOTATION,
    VM_POD_SCRAPES,
    Json,
    Reader,
    Resource,
    Writer,
)
from kubectl_llmhpa.backends.series_labels import DEFAULT
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.monitoring import (
    arms,
    durations,
    pod_annotations,
    prometheus_operator,
    registry,
    victoriametrics,
)
from kubectl_llmhpa.monitoring.model import WORKLOAD, MetricsPort, Scraper, Wanted
from kubectl_llmhpa.monitoring.prometheus_operator import ENDPOINT_KEYS, Selection
from kubectl_llmhpa.monitoring.scene import Scene
from kubectl_llmhpa.plan import journal
from kubectl_llmhpa.plan.looking import targets
from kubectl_llmhpa.plan.looking.look import Surroundings
from kubectl_llmhpa.plan.looking.sight import EngineSight
from kubectl_llmhpa.plan.looking.targets import Target
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.workloads import Workload

DEFAULT_INTERVAL = "5s"
#: `global.scrape_interval` of Prometheus (the operator sets 30 s).
_DEFAULT_OF_PROMETHEUS = "1m"


@dataclass(frozen=True)
class Scrape:
    """Who scrapes the workload's pods.

    `object` is what `enable` writes of the kind `resource`; None where others scrape them already, and then `by`
    names those. Else `by` is who selects it, `job` the value of the label `job` on its series.
    """

    resource: Resource
    object: Json | None
    by: str
    job: str
    pod_label: str = "pod"
    """The label of its series that names the pod."""
    namespace_label: str = "namespace"
    selection: Selection | None = None
    """The Prometheus object that selects it, where there is one and it can be queried."""
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    scraper: str = ""
    """The word of `--scrape` for it, empty where others scrape."""
    reason: str = ""
    """Why this scraper was taken, in one clause."""
    selected_by: Mapping[str, str] = field(default_factory=dict)
    """The label of its series that names the workload, with its value; none where that was not asked for."""
    interval: str = ""
    """A duration: how often the pods are scraped; empty where Prometheus' own default is in force, or not known."""

    @property
    def fresh(self) -> float:
        """Seconds: an older sample is left from an earlier run (Prometheus answers with those of five minutes)."""
        return max(15.0, 3 * durations.seconds(self.interval or _DEFAULT_OF_PROMETHEUS))


def monitor_name(workload: Workload) -> str:
    """The name of a workload's scrape object (a PodMonitor's scrape job is `namespace/name`)."""
    return journal.name_for(workload)


def monitor(
    workload: Workload,
    sight: EngineSight,
    around: Surroundings,
    scraped: Sequence[Target] | None,
    *,
    interval: str | None = None,
    wanted: str = "",
    reset: bool = False,
    scrape: str = registry.AUTO,
    named: bool = False,
) -> Scrape:
    """Our scrape object and who will select it; no object where others scrape already.

    `scraped` are the targets that the pods are already (None: not known), `interval` and `wanted` the user's scrape
    interval and Prometheus, `reset` drops what others added to ours, `scrape` is the word of `--scrape`, `named`:
    the series are to carry a label for the workload. Raises LlmHpaError when nobody will select it.
    """
    scene = _scene(around)
    ours = _ours(workload, around, scene)
    notes = tuple(filter(None, [pod_annotations.note(sight.pod)]))
    if ours is None and (taken := _already(workload, sight, around, scraped, scrape)):
        return replace(taken, notes=notes)
    scraper, reason = _scraper(workload, around, scene, ours, scrape)
    by, labels, selection, more = _selected(scraper, workload, around, scene, wanted)
    live = _port(sight)
    made = scraper.render(
        Wanted(
            name=monitor_name(workload), namespace=workload.namespace, selector=workload.pod_selector, port=live,
            interval=interval or DEFAULT_INTERVAL, labels={**labels, **journal.labels_for(workload)},
            annotations={VERSION_ANNOTATION: __version__},
            workload=workload.label if named else "",
        )
    )  # fmt: skip
    if ours and not reset:
        _keep_endpoints(scraper, made, ours, keep_timing=interval is None)
    _check(made, workload)
    job = scraper.job(workload.namespace, monitor_name(workload))
    works = any(one.job == job for one in scraped or ())
    findings = [
        *([] if works else rights(workload, scene, selection)),
        *_twice(workload, scraped, job, standing=ours is not None),
    ]
    return Scrape(
        scraper.resource, made, by, job, scraper.pod_label, scraper.namespace_label,
        None if selection is None or selection.agent else selection,
        tuple(findings), (*scraper.notes, *more, *notes), scraper.name, reason,
        {WORKLOAD: workload.label} if named and scraper is prometheus_operator.SCRAPER else {},
        str(made["spec"][scraper.endpoints][0].get(scraper.timing[0]) or ""),
    )  # fmt: skip


def left_behind(reader: Reader, resource: Resource, namespace: str, name: str) -> Json | None:
    """What stays when an object of ours is deleted: the VMPodScrape that VictoriaMetrics made from our PodMonitor.

    Raises ApiError when it cannot be read; a cluster without the kind has none.
    """
    if resource != POD_MONITORS:
        return None
    try:
        live = Permitted(reader).get(VM_POD_SCRAPES.path(namespace, name))
    except ApiError as error:
        if error.not_found or error.forbidden:
            return None
        raise
    return live if victoriametrics.converted(live) else None


def drop_left_behind(writer: Writer, resource: Resource, namespace: str, name: str) -> Json | None:
    """Delete what `left_behind` names, and return it as it was. Raises ApiError."""
    live = left_behind(writer, resource, namespace, name)
    if live is not None:
        writer.delete(VM_POD_SCRAPES, namespace, name, uid=live["metadata"]["uid"])
    return live


def _scene(around: Surroundings) -> Scene:
    return replace(around.scene, prometheuses=around.prometheuses)


def _ours(workload: Workload, around: Surroundings, scene: Scene) -> Json | None:
    """Our live scrape object of the workload, whatever its kind."""
    name = monitor_name(workload)
    every = (*around.pod_monitors, *scene.scrape_objects)
    return next((one for one in every if one["metadata"]["name"] == name and hpa.is_ours(one)), None)


def _already(
    workload: Workload,
    sight: EngineSight,
    around: Surroundings,
    scraped: Sequence[Target] | None,
    scrape: str,
) -> Scrape | None:
    """Who scrapes the pods without us: seen in Prometheus, or told by PodMonitors where it cannot be asked."""
    if scrape == registry.NONE:
        return Scrape(POD_MONITORS, None, "somebody else (--scrape none)", "", reason="it was asked for")
    pod_labels = sight.pod["metadata"].get("labels") or {}
    theirs = {
        one["metadata"]["name"]: one for one in around.pod_monitors if monitoring.selects(one, pod_labels)
    }
    if scraped is not None:
        others = [one for one in scraped if one.job != _our_job(workload)]
        if not others:
            return None
        jobs = sorted({one.job for one in others})
        names = [_job_name(job, workload.namespace, theirs) for job in jobs]
        pair = min((one.labels for one in others), key=lambda one: one != DEFAULT)
        findings = tuple(_twice(workload, others, "", standing=True))
        return Scrape(
            POD_MONITORS, None, " and ".join(names), jobs[0] if len(jobs) == 1 else "", pair.pod, pair.namespace,
            findings=findings,
        )  # fmt: skip
    port = _port(sight)
    able = [
        name
        for name, one in theirs.items()
        if name != monitor_name(workload)
        and prometheus_operator.scrapes(one, port)
        and not prometheus_operator.rejected(one)
        and _any_selects(one, workload.namespace, around)
    ]
    if not able or scrape not in (registry.AUTO, prometheus_operator.SCRAPER.name):
        return None
    return Scrape(POD_MONITORS, None, f"podmonitor {', '.join(able)}", "")


def _any_selects(monitor: Json, namespace: str, around: Surroundings) -> bool:
    """Whether a Prometheus selects a PodMonitor as it stands."""
    labels = monitor["metadata"].get("labels") or {}
    for one in around.prometheuses:
        try:
            prometheus_operator.choose(
                [one], namespace, around.namespace_labels, operators=around.scene.operators
            )
        except LlmHpaError:
            continue
        if monitoring.selected_by(one, labels):
            return True
    return False


def _our_job(workload: Workload) -> str:
    return prometheus_operator.SCRAPER.job(workload.namespace, monitor_name(workload))


def _job_name(job: str, namespace: str, monitors: Mapping[str, Json]) -> str:
    """A scrape job as a reader knows it: `podmonitor theirs`, else the name of the job."""
    home, _, name = job.partition("/")
    return (
        f"podmonitor {name}"
        if home == namespace and name in monitors
        else f"the scrape job {job or '(unnamed)'}"
    )


def _scraper(
    workload: Workload, around: Surroundings, scene: Scene, ours: Json | None, scrape: str
) -> tuple[Scraper, str]:
    """The scraper to write for, and why. Raises LlmHpaError where ours is for another one, or none is here."""
    live = None if ours is None else _scraper_of(ours)
    if scrape != registry.AUTO:
        asked = registry.named(scrape)
        if live is not None and asked != live:
            raise LlmHpaError(
                f"have {workload.reference} scraped by {asked.title}",
                f"{live.resource.kind} {monitor_name(workload)} of an earlier run has it scraped by {live.title}",
                f"remove that first: kubectl llm-hpa disable {workload.reference} -n {workload.namespace}",
            )
        return asked, "it was asked for"
    if live is not None:
        return live, "an earlier run set it up"
    url = around.adapter.prometheus_url if around.adapter else ""
    if not (scene.prometheuses or scene.agents) and not scene.groups:
        return prometheus_operator.SCRAPER, ""  # its refusal says what was looked for
    return registry.choose(scene, url)


def _scraper_of(ours: Json) -> Scraper:
    if arms.is_arms(ours):
        return arms.SCRAPER
    return next(one for one in registry.SCRAPERS if one.resource.api_version == ours["apiVersion"])


def _selected(
    scraper: Scraper, workload: Workload, around: Surroundings, scene: Scene, wanted: str
) -> tuple[str, Mapping[str, str], Selection | None, tuple[str, ...]]:
    """Who selects it, the labels that it needs for that, the Prometheus object, and what to know of it."""
    own = journal.labels_for(workload)
    if scraper is victoriametrics.SCRAPER:
        agent = victoriametrics.choose(scene.vm_agents, workload.namespace, around.namespace_labels, own)
        return agent.by, agent.labels, None, ()
    if scraper is not prometheus_operator.SCRAPER:
        return scraper.title, {}, None, ()
    selection = prometheus_operator.choose(
        around.prometheuses, workload.namespace, around.namespace_labels, wanted=wanted,
        serving=around.server_pods, serving_namespace=around.server.namespace if around.server else "",
        agents=scene.agents, operators=scene.operators, own=own,
    )  # fmt: skip
    if not selection.agent:
        return f"prometheus {selection.reference}", selection.labels, selection, ()
    where = f" ({', '.join(selection.remote_write)})" if selection.remote_write else ""
    note = (
        f"prometheusagent {selection.reference} keeps no samples: who hands the number to the HPA has to ask the "
        f"Prometheus that it writes to{where}; KEDA takes that with --prometheus-url"
    )
    return f"prometheusagent {selection.reference}", selection.labels, selection, (note,)


def _check(made: Json, workload: Workload) -> None:
    """Raises LlmHpaError where what others added to ours makes the operator skip it."""
    if made["kind"] != POD_MONITORS.kind or not (why := prometheus_operator.rejected(made)):
        return
    raise LlmHpaError(
        f"have {workload.reference} scraped",
        f"podmonitor {made['metadata']['name']}, as others changed it, would be skipped: {why}",
        "correct it, or drop those changes with --reset-defaults",
    )


def rights(workload: Workload, scene: Scene, selection: Selection | None) -> list[Finding]:
    """A finding where the Prometheus that will select our object may not find the pods, or nobody can tell."""
    if selection is None or selection.account not in scene.may_list:
        return []
    may = scene.may_list[selection.account]
    account = selection.account.replace("/", ":")
    if may is None:
        seen = (
            f"whether serviceaccount {selection.account} may list pods in {workload.namespace} is not known"
        )
        what = f"whether Prometheus {selection.reference} finds the pods"
        return [found("not-checked", workload.reference, seen, what=what)]
    if may:
        return []
    name = f"{selection.name}-{selection.namespace}-discovery"
    seen = f"serviceaccount {selection.account} may not list pods in namespace {workload.namespace}"
    return [
        found(
            "prometheus-may-not-list-pods", workload.reference, seen,
            prometheus=selection.reference,
            role=f"kubectl -n {workload.namespace} create role {name} --verb=get,list,watch --resource=pods",
            binding=f"kubectl -n {workload.namespace} create rolebinding {name} --role={name} "
            f"--serviceaccount={account}",
        )
    ]  # fmt: skip


def _twice(
    workload: Workload,
    scraped: Sequence[Target] | None,
    job: str,
    *,
    standing: bool,
) -> list[Finding]:
    """A finding where several jobs scrape a pod: with ours (`job`) that stands, or of others among themselves."""
    if scraped is None or not standing:
        return []
    pods = targets.twice(scraped)
    if not pods:
        return []
    pod, jobs = next(iter(pods.items()))
    more = f" and {len(pods) - 1} more" if len(pods) > 1 else ""
    named = [f"{one} (ours)" if one == job else one for one in jobs]
    seen = f"pod {pod}{more} is scraped by the jobs {' and '.join(named)}"
    return [found("two-targets", workload.reference, seen)]


def _port(sight: EngineSight) -> MetricsPort:
    declared = sight.container.get("ports") or []
    first = int(declared[0]["containerPort"]) if declared else None
    name = str(sight.container["name"])
    return MetricsPort(sight.port, sight.path, sight.scheme, sight.port_name, name, first)


def _keep_endpoints(scraper: Scraper, made: Json, live: Json, *, keep_timing: bool) -> None:
    """Day 2: what somebody added to our object stays; where the engine answers follows the engine."""
    key, timing = scraper.endpoints, scraper.timing
    first, *others = live["spec"].get(key) or [{}]
    fresh = made["spec"][key][0]
    if keep_timing:
        for each in timing:
            fresh.pop(each, None)
        fresh |= {each: first[each] for each in timing if each in first}
    ours = fresh.get(scraper.relabelings) or []
    added = [
        one
        for one in first.get(scraper.relabelings) or []
        if one not in ours
        and not prometheus_operator.is_redirection(one)
        and not prometheus_operator.names_workload(one)
    ]
    if ours or added:
        fresh[scraper.relabelings] = [*ours, *added]
    kept = {
        each: value
        for each, value in first.items()
        if each not in (*timing, *ENDPOINT_KEYS, "tls", scraper.relabelings)
    }
    made["spec"][key] = [{**kept, **fresh}, *others]
