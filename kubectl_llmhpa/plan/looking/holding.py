"""What holds a request while there is no pod: the one thing without which a workload may not go to zero.

An endpoint picker with flow control does (`engines/endpoint_picker.py`), for the pods of its InferencePool. Its queue
is then what wakes the workload, so it has to be in the Prometheus that KEDA asks. KEDA's HTTP add-on does too, and
brings a ScaledObject of its own. Routers do not: SGLang's answers 503 ("No available workers"), Dynamo's frontend 404
for a model that has no worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubectl_llmhpa.api import HTTP_SCALED_OBJECTS, PODS, Json, Reader
from kubectl_llmhpa.backends import scaled_object
from kubectl_llmhpa.engines import endpoint_picker
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.looking import preflight
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.workloads import Workload, inference_pools
from kubectl_llmhpa.workloads.inference_pools import InferencePool

_ONE = "use --min 1 or more"


@dataclass(frozen=True)
class Holding:
    """What was seen of what could hold a request.

    `pools` are those that select a pod of the workload, `others` the pods of other workloads in each of them, by its
    name. `signs` are the metrics of pickers in the namespace, each with its labels, None where Prometheus (`server`)
    cannot be asked; `blind` says why. `addons` are the HTTPScaledObjects of the workload.
    """

    pools: tuple[InferencePool, ...] = ()
    others: Mapping[str, tuple[str, ...]] | None = None
    signs: tuple[Mapping[str, str], ...] | None = None
    server: Server | None = None
    blind: str = ""
    addons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Holder:
    """A picker that holds requests for the workload: its pool, and its queries."""

    namespace: str
    pool: str
    picker: str

    @property
    def held(self) -> str:
        """The query for requests that wait."""
        return endpoint_picker.held(self.namespace, self.pool)

    @property
    def empty(self) -> str:
        """The query that gives 0 while the pool has no pod, and no element otherwise."""
        return endpoint_picker.empty(self.namespace, self.pool)


def look(reader: Reader, workload: Workload, pods: Sequence[Json], server: Server | None) -> Holding:
    """Look for it, in two rounds of reads; what may not be read counts as absent. Raises ApiError."""
    namespace = workload.namespace
    *lists, addons, everyone = Permitted(reader).get_many([
        *(one.path(namespace) for one in inference_pools.KINDS),
        HTTP_SCALED_OBJECTS.path(namespace),
        PODS.path(namespace),
    ])  # fmt: skip
    found = inference_pools.read(item for one in lists for item in _items(one))
    pools = tuple(pool for pool in found if any(pool.selects(pod) for pod in pods))
    mine = {pod["metadata"]["name"] for pod in pods}
    others = {
        pool.name: tuple(
            sorted(
                pod["metadata"]["name"]
                for pod in _items(everyone)
                if pool.selects(pod) and pod["metadata"]["name"] not in mine and _lives(pod)
            )
        )
        for pool in pools
    }
    signs: tuple[Mapping[str, str], ...] | None = None
    blind = ""
    if server is not None and pools:
        try:
            samples = prometheus.query(reader, server, endpoint_picker.signs(namespace))
            signs = tuple(one.labels for one in samples)
        except LlmHpaError as error:
            blind = error.message if isinstance(error, ApiError) else str(error)
    owned = tuple(one["metadata"]["name"] for one in _items(addons) if _targets(one, workload))
    return Holding(pools, others, signs, server, blind, owned)


def judge(workload: Workload, engine: str, seen: Holding) -> Holder:
    """The picker that holds requests for a workload at zero replicas. Raises LlmHpaError with why there is none."""
    if seen.addons:
        raise _refusal(
            workload,
            f"KEDA's HTTP add-on holds requests for it (HTTPScaledObject {', '.join(seen.addons)}) and makes a "
            "ScaledObject of its own for it; two would stop each other",
            "set the limits in the HTTPScaledObject, or delete it",
        )
    if not seen.pools:
        answer = (
            "Dynamo's frontend answers 404 for a model that has no worker"
            if engine == "dynamo"
            else "a Service or a router answers with an error (503)"
        )
        raise _refusal(
            workload,
            f"nothing holds the first request until a pod is there: no InferencePool selects its pods, and {answer}",
            f"put an endpoint picker with flow control in front of it, or {_ONE}",
        )
    if len(seen.pools) > 1:
        names = ", ".join(pool.name for pool in seen.pools)
        raise _refusal(workload, f"several InferencePools select its pods ({names})", "let one select them")
    pool = seen.pools[0]
    if strangers := (seen.others or {}).get(pool.name):
        raise _refusal(
            workload,
            f"InferencePool {pool.name} has pods of other workloads too ({', '.join(strangers[:3])}), so it holds "
            "no request for want of this one",
            f"give it a pool of its own, or {_ONE}",
        )
    if seen.signs is None:
        why = seen.blind or "no Prometheus that can be asked is known"
        raise _refusal(
            workload,
            f"whether the picker of InferencePool {pool.name} holds requests cannot be seen ({why})",
            f"see that Prometheus is there and may be asked (services/proxy), or {_ONE}",
        )
    _working(workload, pool, seen.signs)
    return Holder(workload.namespace, pool.name, pool.picker)


def notes(holder: Holder, pods: Sequence[Json]) -> list[str]:
    """What holds the requests, what wakes the workload, and how long it may take."""
    slow = max(preflight.start_seconds(pods), default=None)
    took = "" if slow is None else f" (a pod took {slow:.0f} s from scheduled to ready)"
    return [
        f"at zero replicas the endpoint picker of InferencePool {holder.namespace}/{holder.pool} holds requests; KEDA "
        f"looks at its queue every {scaled_object.POLL_SECONDS} s, and one request brings the first replica",
        f"the picker drops a request that waits longer than its time limit (defaultRequestTTL or noEndpointRequestTTL, "
        f"60 s unless set from llm-d 0.10 on): set it, and the gateway's timeout, above the start of a pod{took}",
    ]


def _working(workload: Workload, pool: InferencePool, signs: Sequence[Mapping[str, str]]) -> None:
    """Nothing when the picker is scraped and holds requests. Raises LlmHpaError."""
    queue = endpoint_picker.SIGNALS[0].metrics
    full = endpoint_picker.SATURATION
    label = endpoint_picker.POOL_LABEL
    here = f"the endpoint picker of InferencePool {pool.name}"
    known = any(one["__name__"] in endpoint_picker.READY and one.get("name") == pool.name for one in signs)
    if any(one["__name__"] in (*queue, *full) and one.get(label) == pool.name for one in signs):
        if not known:
            raise _refusal(
                workload, f"{here} does not tell how many pods the pool has ({endpoint_picker.READY[1]})",
                f"take a newer one, or {_ONE}",
            )  # fmt: skip
        return
    if any(one["__name__"] in queue and not one.get(label) for one in signs):
        raise _refusal(
            workload,
            f"{here} is of a version before 1.3, which answers 503 while the pool has no pod",
            f"update it, or {_ONE}",
        )
    if known:
        raise _refusal(
            workload,
            f"{here} shows no queue: its flow control is off, or nothing has gone through it since it started",
            f'set featureGates: ["flowControl"] in its configuration and send it a request, or {_ONE}',
        )
    raise _refusal(
        workload,
        f"Prometheus has no samples of {here} ({pool.picker or 'it has no Service'}), and its queue is what would "
        "wake the workload",
        f"have it scraped (its chart can make a ServiceMonitor), or {_ONE}",
    )


def _refusal(workload: Workload, problem: str, remedy: str) -> LlmHpaError:
    return LlmHpaError(
        f"let {workload.reference} in namespace {workload.namespace!r} go to zero replicas", problem, remedy
    )


def _targets(addon: Json, workload: Workload) -> bool:
    """HTTPScaledObject's reference: a missing kind means a Deployment (kedacore/http-add-on, v1alpha1 types)."""
    given = (addon.get("spec") or {}).get("scaleTargetRef") or {}
    return workload.is_target_of({
        "apiVersion": given.get("apiVersion") or "apps/v1",
        "kind": given.get("kind") or "Deployment",
        "name": given.get("name") or given.get("deployment"),
    })  # fmt: skip


def _lives(pod: Json) -> bool:
    ended = (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")
    return not ended and "deletionTimestamp" not in pod["metadata"]


def _items(answer: Json | ApiError) -> list[Json]:
    if isinstance(answer, ApiError):
        if answer.not_found or answer.forbidden:
            return []
        raise answer
    return list(answer.get("items") or [])
