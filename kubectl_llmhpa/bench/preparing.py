"""Before a run: what the user wants, what is there, and from both the plan. Reads only."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kubectl_llmhpa import hpa as autoscaler
from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import HPAS, SCALED_OBJECTS, Json, Reader
from kubectl_llmhpa.bench import gpus, job, load, target, traffic
from kubectl_llmhpa.bench.sizing.model import Arrivals, Conditions, Slo, Sweep
from kubectl_llmhpa.bench.sizing.prove import Prediction
from kubectl_llmhpa.engines import told_seats
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.plan import pinning
from kubectl_llmhpa.plan.looking.sight import EngineSight, engine_of
from kubectl_llmhpa.workloads import Workload, pods, ready_pods

#: Module of `bench/pod` by tool.
_MODULES = {"builtin": "client", "vllm": "vllm_serve", "sglang": "sglang_serve"}
_DRAIN_S = 15
_MARGIN_S = 120


@dataclass(frozen=True)
class Options:
    """What the user asked for; None and empty: not said.

    `tool` is builtin, vllm or sglang. `duration_s` is not used when `num_prompts` is given; of a sweep it is the least
    time of a point. `points` and `replicas` are of a sweep, `stages` (`seconds, first, last` requests per second) of a
    profile, `scale_in` and `sync_s` (the HPA controller's period) of a proof, as `replicas` is: those to reach.
    `arrivals` are what a sweep's replicas are for. `models` are names and their weights: each request asks for one.
    `unscaled` stages have a peak of 1; the true one is to be computed, from the sweep `measured` where there is one.
    """

    tool: str = "builtin"
    concurrency: int | None = None
    duration_s: float = 180.0
    num_prompts: int | None = None
    input_tokens: int = 256
    output_tokens: int = 128
    url: str = ""
    models: tuple[tuple[str, float], ...] = ()
    image: str = ""
    keep: bool = False
    start_timeout_s: float = 600.0
    seed: int | None = None
    clients: int = 1
    slo: Slo = field(default_factory=Slo)
    points: tuple[int, ...] = ()
    replicas: int | None = None
    stages: tuple[tuple[float, float, float], ...] = ()
    unscaled: bool = False
    measured: Sweep | None = None
    scale_in: bool = True
    sync_s: float = 15.0
    arrivals: Arrivals = field(default_factory=Arrivals)


@dataclass(frozen=True)
class Scene:
    """What is there: the engine, its pods, the HPA (None: nothing scales it), and its ScaledObject where KEDA made it
    (None: it did not, or it cannot be read)."""

    workload: Workload
    sight: EngineSight
    hpa: Json | None
    own: tuple[Json, ...]
    model: target.Model
    options: Options
    scaled_object: Json | None = None

    @property
    def signals(self) -> dict[str, str]:
        return signals_of(self.hpa, self.scaled_object)

    @property
    def told(self) -> dict[str, int]:
        """By metric, the seats that a full pod counts for, where KEDA's query corrects seats by those seen."""
        return told_by(self.scaled_object)

    @property
    def asks(self) -> list[load.Ask]:
        """What the HPA asks for, as far as load is concerned."""
        return asks_of(self.hpa, self.signals, self.told)

    @property
    def ready(self) -> int:
        """Ready pods, at least one."""
        return max(1, len(ready_pods(self.own)))

    @property
    def seats(self) -> int | None:
        seats = self.sight.facts.seats
        return None if seats is None else seats.value

    @property
    def max_replicas(self) -> int | None:
        return None if self.hpa is None else int(self.hpa["spec"]["maxReplicas"])


@dataclass(frozen=True)
class Work:
    """What a mode wants done: where the load goes and how much, the generator's own settings, and how long at most.

    `only` is the one pod that is loaded and read (empty: all), `pins` the replicas to hold meanwhile, `prediction` what
    the HPA must do under it and `origins` where the numbers of that come from, `conditions` what a sweep is judged by.
    """

    endpoint: target.Endpoint
    load: load.Load
    settings: Mapping[str, Any]
    seconds: float
    only: str = ""
    pins: int | None = None
    prediction: Prediction | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    conditions: Conditions | None = None


@dataclass(frozen=True)
class Plan:
    """Everything known before the load starts."""

    workload: Workload
    sight: EngineSight
    hpa: Json | None
    endpoint: target.Endpoint
    model: target.Model
    load: load.Load
    replicas: int
    options: Options
    run: job.Run
    traffic: traffic.Traffic | None = None
    only: str = ""
    pins: int | None = None
    prediction: Prediction | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    conditions: Conditions | None = None
    signals: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()

    @property
    def max_replicas(self) -> int | None:
        return None if self.hpa is None else int(self.hpa["spec"]["maxReplicas"])


def look(reader: Reader, workload: Workload, options: Options, mode: Callable[[Reader, Scene], Work]) -> Plan:
    """Reads all that the run depends on; writes nothing. `mode` is the `work` of a file in `modes`.

    Raises LlmHpaError when there is nothing to load, and when another benchmark runs.
    """
    sight = engine_of(reader, workload)
    if options.tool not in ("builtin", sight.facts.engine) and not options.image:
        raise LlmHpaError(
            f"benchmark {workload.reference}",
            f"its engine is {sight.facts.engine}, without {options.tool}'s generator",
            "use --tool builtin, or name an image that has it with --image",
        )  # fmt: skip
    refuse_second_run(reader, workload)
    hpas = reader.get(HPAS.path(workload.namespace)).get("items") or []
    hpa = next((each for each in hpas if workload.is_target_of(each["spec"]["scaleTargetRef"])), None)
    own = tuple(pods(reader, workload))
    wanted = options.models[0][0] if options.models else ""
    model = target.model(reader, sight.pod, sight.port, sight.container, wanted=wanted, own=own)
    scene = Scene(workload, sight, hpa, own, model, options, _scaled_object(reader, hpa))
    work = mode(reader, scene)
    refuse_other_host(work.endpoint, options.tool, workload)
    chosen = mixed(work.load, options.models)
    loaded = [pod for pod in own if work.only in ("", pod["metadata"]["name"])]
    if work.prediction is not None:
        options = replace(options, duration_s=work.seconds)
    if hpa is not None:
        state = autoscaler.view(hpa, ready=len(ready_pods(own)))
        if not state.healthy:
            chosen = replace(chosen, notes=(*chosen.notes, f"the HPA is {state.state}: {state.why}"))
        if scene.scaled_object is None and scaled_objects.of_hpa(hpa):
            unread = "what the HPA's metrics measure is not known: its ScaledObject cannot be read"
            chosen = replace(chosen, notes=(*chosen.notes, unread))
    return Plan(
        workload, sight, hpa, work.endpoint, model, chosen, work.pins or scene.ready, options, _run(scene, work),
        traffic.look(reader, workload, sight), work.only, work.pins, work.prediction,
        work.origins, work.conditions, scene.signals, gpus.products(reader, sight.container, loaded),
    )  # fmt: skip


def _scaled_object(reader: Reader, hpa: Json | None) -> Json | None:
    """What KEDA made the HPA from, where that can be read."""
    name = scaled_objects.of_hpa(hpa) if hpa else ""
    if hpa is None or not name:
        return None
    with contextlib.suppress(ApiError):
        return reader.get(SCALED_OBJECTS.path(hpa["metadata"]["namespace"], name))
    return None


def signals_of(hpa: Json | None, scaled_object: Json | None) -> dict[str, str]:
    """The engine's signal behind each metric of an HPA, by the metric's name; of KEDA's HPA its ScaledObject tells."""
    if hpa is None:
        return {}
    return scaled_objects.signals_behind([one.name for one in autoscaler.view(hpa).metrics], scaled_object)


def told_by(scaled_object: Json | None) -> dict[str, int]:
    """By the HPA's name of a metric, the told seats in the query of a ScaledObject; those without are left out."""
    told = {
        name: told_seats(str((one.get("metadata") or {}).get("query") or ""))
        for name, one in scaled_objects.triggers(scaled_object).items()
    }
    return {name: seats for name, seats in told.items() if seats}


def asks_of(
    hpa: Json | None, signals: Mapping[str, str], told: Mapping[str, int] | None = None
) -> list[load.Ask]:
    """The HPA's metrics as far as load is concerned; a target that is no positive number is left out."""
    asks, seats = [], told or {}
    for metric in autoscaler.view(hpa).metrics if hpa is not None else ():
        try:
            value = float(quantities.parse(metric.target))
        except ValueError:
            continue
        if value > 0:
            signal, full = signals.get(metric.name, ""), seats.get(metric.name, 0)
            asks.append(load.Ask(metric.name, signal, value, metric.form != "Value", full))
    return asks


def slo_settings(slo: Slo) -> dict[str, float | None]:
    """An SLO as the client takes it."""
    return {"ttft_s": slo.ttft, "tpot_s": slo.tpot, "e2e_s": slo.e2e}


def seed_of(options: Options) -> int:
    return options.seed if options.seed is not None else secrets.randbelow(2**31)


def mixed(chosen: load.Load, models: Sequence[tuple[str, float]]) -> load.Load:
    """The load with a note of the shares of its models, where it asks for several."""
    if len(models) < 2:
        return chosen
    total = sum(weight for _, weight in models)
    shares = ", ".join(f"{name} ({weight / total:.0%})" for name, weight in models)
    return replace(chosen, notes=(*chosen.notes, f"requests ask for {shares}"))


def refuse_other_host(endpoint: target.Endpoint, tool: str, workload: Workload) -> None:
    """An engine's own generator sends the host name of its URL, by which no route of a Gateway would be found."""
    if endpoint.host and tool != "builtin":
        raise LlmHpaError(
            f"benchmark {workload.reference}",
            f"{tool}'s generator cannot ask for host {endpoint.host}, by which {endpoint.what} is found",
            "use --tool builtin",
        )


def refuse_second_run(reader: Reader, workload: Workload, own: str = "") -> None:
    """Two loads on one workload spoil each other's figures. `own` is the name of the Job that may be there."""
    for found in pinning.running(reader, workload):
        name = found["metadata"]["name"]
        if name == own:
            continue
        raise LlmHpaError(
            f"benchmark {workload.reference}", f"another benchmark of it runs already (job/{name})",
            f"wait for it, or remove it: kubectl -n {workload.namespace} delete job {name}",
        )  # fmt: skip


def _run(scene: Scene, work: Work) -> job.Run:
    options, workload, word = scene.options, scene.workload, secrets.token_hex(3)
    settings: dict[str, Any] = {
        "base_url": work.endpoint.url, "host": work.endpoint.host, "model": scene.model.name,
        "models": options.models, "seed": seed_of(options),
        "input_tokens": options.input_tokens, "output_tokens": options.output_tokens,
        "slo": slo_settings(options.slo), "request_timeout_s": 300, "drain_s": _DRAIN_S,
        **work.settings,
    }  # fmt: skip
    # Kubernetes counts from the making of the Job, the pull of the image included.
    deadline = int(options.start_timeout_s + work.seconds) + _MARGIN_S
    run = job.Run(
        word, job.job_name(workload.name, word), workload.namespace, workload.label, _MODULES[options.tool], settings,
        deadline, options.image, clients=options.clients,
    )  # fmt: skip
    if options.tool == "builtin":
        return run
    return replace(
        run, settings=settings | {"tokenizer": scene.model.root or scene.model.name}, like_engine=True,
        requests={"cpu": "1", "memory": "2Gi"}, limits={"cpu": "4", "memory": "8Gi"},
    )  # fmt: skip
