"""The pods of a workload: which are ready, which container is the engine, what they ask of a node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from urllib.parse import quote

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import PODS, Json, Reader, moment
from kubectl_llmhpa.workloads.model import Workload

#: A pod that took longer has been unready for another reason than its start.
LONGEST_START_S = 3600.0
_SIDECARS = ("istio-proxy", "linkerd-proxy", "vault-agent", "envoy", "queue-proxy")
_HASH_LABELS = ("pod-template-hash", "controller-revision-hash")


def pods(reader: Reader, workload: Workload) -> list[Json]:
    """The pods that the workload's scale selector matches and that are not being deleted or finished."""
    found = reader.get(f"{PODS.path(workload.namespace)}?labelSelector={quote(workload.selector)}")
    return [
        pod
        for pod in found.get("items") or []
        if "deletionTimestamp" not in pod["metadata"]
        and pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
    ]


def is_ready(pod: Json) -> bool:
    """Whether the pod's Ready condition is True."""
    conditions: Sequence[Json] = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def ready_pods(found: Iterable[Json]) -> list[Json]:
    """The ready ones, oldest first."""
    return sorted(
        (pod for pod in found if is_ready(pod)), key=lambda pod: str(pod["metadata"].get("creationTimestamp"))
    )


def template_hash(pod: Json) -> str:
    """The hash of the pod template that made this pod (two hashes: a rollout is under way)."""
    labels: Json = pod["metadata"].get("labels") or {}
    return next((str(labels[name]) for name in _HASH_LABELS if name in labels), "")


def engine_container(pod: Json) -> Json:
    """The container that most likely runs the engine.

    The one with an accelerator, else the first that is not a known sidecar.
    """
    containers: list[Json] = pod["spec"]["containers"]
    for container in containers:
        if gpu_requests(container):
            return container
    return next((one for one in containers if one["name"] not in _SIDECARS), containers[0])


def gpu_requests(container: Json) -> dict[str, Decimal]:
    """Accelerators that a container asks for: extended resource name to count."""
    limits: Json = (container.get("resources") or {}).get("limits") or {}
    found: dict[str, Decimal] = {}
    for name, amount in limits.items():
        domain, _, what = name.partition("/")
        if (
            quantities.parse(amount)
            and what
            and ("gpu" in what or domain in ("amd.com", "habana.ai", "google.com", "aws.amazon.com"))
        ):
            found[name] = quantities.parse(amount)
    return found


def start_times(found: Sequence[Json]) -> tuple[float, ...]:
    """Seconds from creation to ready of pods that became ready once and never restarted, in order."""
    times = []
    for pod in found:
        status = pod.get("status") or {}
        if any(one.get("restartCount") for one in status.get("containerStatuses") or ()):
            continue
        ready: Json = next((one for one in status.get("conditions") or () if one.get("type") == "Ready"), {})
        begun, done = (
            moment(pod["metadata"].get("creationTimestamp")),
            moment(ready.get("lastTransitionTime")),
        )
        if ready.get("status") != "True" or begun is None or done is None:
            continue
        if 0 < (took := (done - begun).total_seconds()) <= LONGEST_START_S:
            times.append(took)
    return tuple(sorted(times))
