"""KServe: InferenceService and LLMInferenceService make Deployments, and may set their replicas themselves.

Facts: kserve v0.20.0. InferenceService: pkg/controller/v1beta1/inferenceservice/reconcilers/{autoscaler,hpa,deployment}
(class `hpa`, the default, makes an HPA; `keda` a ScaledObject; `none` writes minReplicas back; only `external` leaves
the replicas alone), pkg/constants/constants.go (names). LLMInferenceService: pkg/controller/v1alpha2/llmisvc/
workload.go (replicas are left alone where the spec sets none, since v0.17), scaling.go, workload_*_node.go (names).
"""

from __future__ import annotations

from kubectl_llmhpa.workloads.kinds import (
    Found,
    Kind,
    Lookup,
    Target,
    Trail,
    enable_command,
    owned_by,
    patch,
    refusal,
)
from kubectl_llmhpa.workloads.model import DECODE, LEADER_WORKER, PREFILL, REPLICAS, Rival

GROUP = "serving.kserve.io"
_CLASS = "serving.kserve.io/autoscalerClass"
_MODE = "serving.kserve.io/deploymentMode"
_STOP = "serving.kserve.io/stop"
_KNATIVE_MODES = ("Knative", "Serverless")
_DOES = {
    "hpa": "KServe makes an HPA of its own for it",
    "keda": "KServe makes a ScaledObject of its own for it",
    "none": "KServe sets its replicas to minReplicas and takes every change back",
}


def _service(lookup: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    if found.annotations.get(_STOP) == "true":
        raise refusal(found, f"it is stopped (annotation {_STOP})", "start it before it is scaled")
    mode = found.annotations.get(_MODE) or found.at("status", "deploymentMode", default="")
    if mode in _KNATIVE_MODES or any(one.resource.group == "serving.knative.dev" for one in trail):
        return owned_by(trail, Rival(
            "Knative sets its replicas from requests in flight", f"make it anew with annotation {_MODE}: Standard "
            "(RawDeployment before KServe 0.16), or give Knative a target: annotation autoscaling.knative.dev/target",
        ))  # fmt: skip
    if found.at("spec", "predictor", "workerSpec") is not None:
        return owned_by(trail, Rival(
            "its head and its workers are two Deployments, which would not scale together",
            "run it as an LLMInferenceService or a LeaderWorkerSet",
        ))  # fmt: skip
    below = next((one for one in reversed(trail[:-1]) if one.resource.kind == "Deployment"), None)
    deployment = below or _predictor(lookup, found)
    return Target(deployment, rival=_class_rival(found))


def _predictor(lookup: Lookup, found: Found) -> Found:
    own = found.at("spec", "predictor", "name", default="")
    names = [f"{found.name}-{own}-predictor"] if own else []
    names += [f"{found.name}-predictor", f"{found.name}-predictor-default"]
    for name in names:
        deployment = lookup.find("apps/v1", "Deployment", found.namespace, name)
        if deployment is not None:
            return deployment
    raise refusal(
        found, f"its Deployment {names[0]} is not there", "KServe makes one only where annotation "
        f"{_MODE} is Standard (RawDeployment before KServe 0.16)",
    )  # fmt: skip


def _class_rival(found: Found) -> Rival | None:
    chosen = found.annotations.get(_CLASS, "hpa")
    if chosen == "external":
        return None
    body = f'{{"metadata":{{"annotations":{{"{_CLASS}":"external"}}}}}}'
    return Rival(
        f"{_DOES.get(chosen, f'its autoscaler class is {chosen}')}, and two autoscalers stop each other",
        f"set annotation {_CLASS}: external on {found.reference}", patch(found, body),
    )  # fmt: skip


def _llm_service(lookup: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    if found.annotations.get(_STOP) == "true":
        raise refusal(found, f"it is stopped (annotation {_STOP})", "start it before it is scaled")
    parts = [_part(lookup, found, False)]
    if found.at("spec", "prefill") is not None:
        parts.append(_part(lookup, found, True))
    names = {one.name for one in trail[:-1]}
    chosen = [one for one in parts if one.found.name in names] or parts
    if len(trail) > 1 and chosen is parts:
        return owned_by(trail, Rival("it is not the part of an LLMInferenceService that runs the model"))
    if len(chosen) > 1:
        raise refusal(
            found, "it has a prefill and a decode part, and each needs an HPA of its own",
            "choose a part and its limits",
            "\n".join(
                enable_command(found.namespace, one.found.resource.kind, one.found.name) for one in chosen
            ),
        )  # fmt: skip
    return chosen[0]


def _part(lookup: Lookup, found: Found, prefill: bool) -> Target:
    """The workload of one part, with what its spec says about its replicas."""
    path = ("spec", "prefill") if prefill else ("spec",)
    several_nodes = found.at(*path, "worker") is not None
    name = f"{found.name}-kserve{'-mn' if several_nodes else ''}{'-prefill' if prefill else ''}"
    kind = ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet") if several_nodes else ("apps/v1", "Deployment")
    workload = lookup.find(*kind, found.namespace, name)
    if workload is None:
        raise refusal(found, f"its {kind[1]} {name} is not there yet", "see whether KServe's controller runs")
    rival = None
    if found.at(*path, "scaling") is not None:
        rival = Rival(
            f"KServe scales it by {'.'.join(path)}.scaling",
            f"change that, or remove it from {found.reference}",
        )
    elif found.at(*path, "replicas") is not None:
        inner = '{"replicas":null}'
        body = f'{{"spec":{{"prefill":{inner}}}}}' if prefill else f'{{"spec":{inner}}}'
        rival = Rival(
            f"KServe sets its replicas to {'.'.join(path)}.replicas and takes every change back",
            f"remove that field (KServe 0.17 or later leaves replicas alone then), or let KServe scale it with "
            f"{'.'.join(path)}.scaling", patch(found, body),
        )  # fmt: skip
    size = int(workload.at("spec", "leaderWorkerTemplate", "size", default=1))
    role = PREFILL if prefill else DECODE if found.at("spec", "prefill") is not None else ""
    return Target(workload, LEADER_WORKER if several_nodes else REPLICAS, role, size, rival=rival)


def _knative(_: Lookup, trail: Trail) -> Target:
    return owned_by(trail, Rival(
        "Knative sets its replicas from requests in flight",
        "give Knative a target with annotation autoscaling.knative.dev/target, or run the engine as a Deployment",
    ))  # fmt: skip


KINDS = (
    Kind(GROUP, "InferenceService", _service),
    Kind(GROUP, "LLMInferenceService", _llm_service),
    Kind("serving.knative.dev", "Service", _knative),
    Kind("serving.knative.dev", "Configuration", _knative),
    Kind("serving.knative.dev", "Revision", _knative),
)
