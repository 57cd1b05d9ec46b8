"""What may go wrong later and can be seen now: capacity, quota, grace period, start-up time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from kubectl_llmhpa import quantities
from kubectl_llmhpa.api import NODES, PODS, RESOURCE_QUOTAS, Json, Reader, moment
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.findings import Finding
from kubectl_llmhpa.findings import found as finding
from kubectl_llmhpa.workloads import Workload, gpu_requests

_SLOW_START_SECONDS = 180


def findings(
    reader: Reader,
    workload: Workload,
    found: Sequence[Json],
    max_replicas: int,
    longest: float | None,
    *,
    before: int = 0,
) -> list[Finding]:
    """The findings before the first write.

    `found` are the workload's pods, `longest` the duration in seconds of the longest generations seen
    (the engine's own histogram), None when it is not known. Whether there is room is looked at only where
    `max_replicas` are more than the most that there may be now (`before`).
    """
    if not found:
        return []
    room = _room(reader, workload, found, max_replicas) if max_replicas > before else []
    result = [*room, *_grace(workload, found[0], longest)]
    slow = start_seconds(found)
    if slow and max(slow) > _SLOW_START_SECONDS:
        result.append(
            finding("slow-start", workload.reference, f"a pod took {max(slow):.0f} s from scheduled to ready")
        )
    return result


def start_seconds(found: Sequence[Json]) -> list[float]:
    """Seconds from scheduled to ready of each pod that is ready and whose containers never restarted.

    Pod conditions keep only the last transition, so a restarted pod tells nothing.
    """
    seconds = []
    for pod in found:
        times = {
            one["type"]: one["lastTransitionTime"]
            for one in pod.get("status", {}).get("conditions") or []
            if one["status"] == "True"
        }
        statuses = pod.get("status", {}).get("containerStatuses") or []
        ready, scheduled = moment(times.get("Ready")), moment(times.get("PodScheduled"))
        if ready and scheduled and not any(one["restartCount"] for one in statuses):
            seconds.append((ready - scheduled).total_seconds())
    return seconds


def _room(reader: Reader, workload: Workload, found: Sequence[Json], max_replicas: int) -> list[Finding]:
    """What the nodes and the quotas have no room for, in one round of reads."""
    wanted: dict[str, Decimal] = {}
    for container in found[0]["spec"]["containers"]:
        for name, amount in gpu_requests(container).items():
            wanted[name] = wanted.get(name, Decimal(0)) + amount
    running = f"{PODS.path()}?fieldSelector=status.phase!=Succeeded,status.phase!=Failed"
    paths = [RESOURCE_QUOTAS.path(workload.namespace), *([NODES.path(), running] if wanted else [])]
    quotas, *accelerators = reader.get_many(paths)
    result = _capacity(workload, found, max_replicas, wanted, *accelerators) if wanted else []
    return [*result, *_quota(workload, found, max_replicas, quotas)]


def _capacity(
    workload: Workload,
    found: Sequence[Json],
    max_replicas: int,
    wanted: Mapping[str, Decimal],
    nodes: Json | ApiError,
    running: Json | ApiError,
) -> list[Finding]:
    """Whether the cluster's nodes have the accelerators that `max_replicas` pods need, each of them `wanted`."""
    if isinstance(nodes, ApiError) or isinstance(running, ApiError):
        return [_unseen("gpu-capacity", workload, "nodes and pods of all namespaces")]
    own = {pod["metadata"]["uid"] for pod in found}
    others = [pod for pod in running.get("items") or [] if pod["metadata"]["uid"] not in own]
    result = []
    for name, each in wanted.items():
        there = sum(
            (quantities.parse(node["status"].get("allocatable", {}).get(name, 0)) for node in nodes["items"]),
            Decimal(0),
        )
        used = sum(
            (
                gpu_requests(container).get(name, Decimal(0))
                for pod in others
                if pod["spec"].get("nodeName")
                for container in pod["spec"]["containers"]
            ),
            Decimal(0),
        )
        free = max(Decimal(0), there - used)
        room = int(free // each)
        if room < max_replicas:
            result.append(
                finding(
                    "gpu-capacity", workload.reference,
                    f"{max_replicas} replicas need {each * max_replicas} {name}; {free} are free or its own", room=room,
                )
            )  # fmt: skip
    return result


def _quota(
    workload: Workload, found: Sequence[Json], max_replicas: int, quotas: Json | ApiError
) -> list[Finding]:
    """Whether the namespace's quotas admit the pods between now and `max_replicas`."""
    more = max_replicas - len(found)
    if isinstance(quotas, ApiError):
        return [_unseen("quota", workload, f"resource quotas of {workload.namespace}")]
    result = []
    for quota in quotas.get("items") or []:
        if quota["spec"].get("scopes") or quota["spec"].get("scopeSelector"):
            continue
        status = quota.get("status") or {}
        for name, hard in (status.get("hard") or {}).items():
            each = _asks(found[0], name)
            left = quantities.parse(hard) - quantities.parse((status.get("used") or {}).get(name, 0))
            if more > 0 and each > 0 and each * more > left:
                result.append(
                    finding(
                        "quota", f"resourcequota {workload.namespace}/{quota['metadata']['name']}",
                        f"{name}: {quantities.show(left)} left, {max_replicas} replicas need "
                        f"{quantities.show(each * more)} more", room=len(found) + max(0, int(left // each)),
                    )
                )  # fmt: skip
    return result


def _asks(pod: Json, quota_name: str) -> Decimal:
    """How much of a quota's resource one pod takes (`pods`, `cpu`, `requests.memory`, `limits.cpu`, ...)."""
    if quota_name in ("pods", "count/pods"):
        return Decimal(1)
    side, _, name = quota_name.partition(".") if quota_name.startswith(("requests.", "limits.")) else (
        "requests", "", quota_name,
    )  # fmt: skip
    total = Decimal(0)
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        amounts = resources.get(side) or (resources.get("limits") if side == "requests" else None) or {}
        total += quantities.parse(amounts.get(name, 0))
    return total


def _grace(workload: Workload, pod: Json, longest: float | None) -> list[Finding]:
    """Whether a pod may finish its longest generation when it is scaled in."""
    grace = int(pod["spec"].get("terminationGracePeriodSeconds", 30))
    if longest is not None and longest > grace:
        seen = f"the grace period is {grace} s and generations of up to {longest:g} s were seen"
    elif longest is None and grace <= 30:
        seen = f"the grace period is {grace} s and no generation has been seen yet"
    else:
        return []
    return [finding("grace-period", workload.reference, seen)]


def _unseen(code: str, workload: Workload, what: str) -> Finding:
    seen = f"{what} may not be read with these permissions"
    return finding("not-checked", workload.reference, seen, what=f"{code}: whether --max fits")
