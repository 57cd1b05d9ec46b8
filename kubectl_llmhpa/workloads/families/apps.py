"""Kubernetes' own: Deployment, StatefulSet, ReplicaSet, and those that are no target of an HPA."""

from __future__ import annotations

from typing import NoReturn

from kubectl_llmhpa.workloads.kinds import Kind, Lookup, Target, Trail, refusal
from kubectl_llmhpa.workloads.model import role_word

#: The label of llm-d's charts and of KServe's LLMInferenceService (KServe pkg/constants).
ROLE_LABEL = "llm-d.ai/role"


def _workload(_: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    template = found.at("spec", "template", "metadata", "labels", default={})
    return Target(found, role=role_word(template.get(ROLE_LABEL, found.labels.get(ROLE_LABEL, ""))))


def _pod(_: Lookup, trail: Trail) -> NoReturn:
    pod = trail[0]
    owner = next(
        (one for one in pod.at("metadata", "ownerReferences", default=()) if one.get("controller")), None
    )
    if owner:
        raise refusal(
            pod, f"{owner['kind']}/{owner['name']} made it, which has no scale subresource that an HPA could use",
            "see what its documentation says about autoscaling",
        )  # fmt: skip
    raise refusal(
        pod, "no controller made this pod, so nothing can make a second one",
        "run it as a Deployment, StatefulSet or LeaderWorkerSet",
    )  # fmt: skip


def _job(_: Lookup, trail: Trail) -> NoReturn:
    raise refusal(
        trail[0], f"{trail[-1].reference} runs it once and is not scaled", "run a server as a Deployment"
    )


def _daemon_set(_: Lookup, trail: Trail) -> NoReturn:
    raise refusal(
        trail[0], f"{trail[-1].reference} runs one pod on every node, so its number is that of the nodes",
        "scale the nodes, or run the engine as a Deployment",
    )  # fmt: skip


def _node(_: Lookup, trail: Trail) -> NoReturn:
    raise refusal(trail[0], "it is a static pod of a node, or a node", "run the engine as a Deployment")


def _service(_: Lookup, trail: Trail) -> NoReturn:
    raise refusal(
        trail[0], "a Service has no replicas", "name the Deployment, StatefulSet or group behind it",
    )  # fmt: skip


KINDS = (
    Kind("apps", "Deployment", _workload),
    Kind("apps", "StatefulSet", _workload),
    Kind("apps", "ReplicaSet", _workload),
    Kind("", "ReplicationController", _workload),
    Kind("", "Pod", _pod),
    Kind("batch", "Job", _job),
    Kind("batch", "CronJob", _job),
    Kind("apps", "DaemonSet", _daemon_set),
    Kind("", "Node", _node),
    Kind("", "Service", _service),
)
