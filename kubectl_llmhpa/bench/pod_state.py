"""What the state of the benchmark's pod means, in words. Pure: pods and messages in, reasons out."""

from __future__ import annotations

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.bench.job import CONTAINER
from kubectl_llmhpa.errors import ExitCode, LlmHpaError

_IMAGE = "name an image that has Python 3.8 or later with --image, for example python:3.12-slim"
_NO_PULL = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_NO_START = (
    "CreateContainerError",
    "RunContainerError",
    "CreateContainerConfigError",
    "StartError",
    "CrashLoopBackOff",
)


def container_state(pod: Json) -> Json:
    """`{"waiting"|"running"|"terminated": {...}}` of the benchmark's container; {} before there is one.

    A pod that has failed as a whole (evicted before its container was made, its node lost) counts as terminated.
    """
    status = pod.get("status", {})
    for one in status.get("containerStatuses") or []:
        if one["name"] == CONTAINER:
            state: Json = one.get("state") or {}
            if status.get("phase") != "Failed" or "terminated" in state:
                return state
    if status.get("phase") == "Failed":
        return {"terminated": {"reason": status.get("reason", ""), "message": status.get("message", "")}}
    return {}


def why_waiting(pod: Json, state: Json, attempted: str) -> str:
    """What the pod waits for, in a few words. Raises LlmHpaError for what does not pass by waiting."""
    waiting = state.get("waiting") or {}
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message") or "")
    if reason in _NO_PULL:
        image = pod["spec"]["containers"][0].get("image")
        problem = f"image {image} cannot be pulled: {message or reason}"
        raise LlmHpaError(attempted, problem, "name one that the nodes can pull, with --image")
    if reason in _NO_START:
        raise _no_start(attempted, pod, message or reason)
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"no node takes the pod yet: {condition.get('message') or condition.get('reason')}"
    if reason in ("ContainerCreating", "PodInitializing", ""):
        return "the pod is being started (the image may have to be pulled)"
    return f"the pod waits: {reason} {message}".rstrip()


def disruption(pod: Json) -> str:
    """Who ended the pod from outside: an eviction, a preemption, its node, somebody; empty when nobody did.

    Conditions: `DisruptionTarget` (Kubernetes 1.26 on); the pod's own reason where the kubelet did it.
    """
    status = pod.get("status", {})
    for condition in status.get("conditions") or []:
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            return f"{condition.get('reason')}: {condition.get('message')}"
    if status.get("phase") == "Failed" and status.get("reason"):
        return f"{status['reason']}: {status.get('message') or 'no message'}"
    return "its pod was deleted" if "deletionTimestamp" in pod["metadata"] else ""


def ended_badly(pod: Json, terminated: Json, output: str, attempted: str) -> LlmHpaError:
    """Why a container ended without a result; `output` are its last lines without the results."""
    code, reason = terminated.get("exitCode"), str(terminated.get("reason", ""))
    message = str(terminated.get("message") or "")
    if code in (126, 127) or reason in ("StartError", "ContainerCannotRun"):
        return _no_start(attempted, pod, message or f"its command was not found (exit {code})")
    if reason == "OOMKilled":
        return LlmHpaError(attempted, "its pod ran out of memory", "lower --concurrency or --input-len")
    disrupted = disruption(pod)
    if disrupted:
        return LlmHpaError(attempted, f"its pod was ended from outside: {disrupted}", "run it again")
    problem = f"its pod ended (exit {code}, {reason}) without a result: {output or message or 'no output'}"
    remedy = _IMAGE if "No module named" in output or "SyntaxError" in output else "see docs/bench.md"
    return LlmHpaError(attempted, problem, remedy, exit_code=ExitCode.MEASUREMENT_INVALID)


def refused(message: str) -> tuple[str, str]:
    """(problem, remedy) for a pod that the API server refuses."""
    if "exceeded quota" in message or "must specify" in message:
        return (
            f"the namespace's quota forbids its pod: {message}",
            "raise the ResourceQuota or free some of it",
        )
    if "PodSecurity" in message or "security context constraint" in message:
        return f"the namespace's pod security forbids its pod: {message}", "see docs/bench.md"
    return f"its pod is refused: {message}", "see: kubectl describe job"


def _no_start(attempted: str, pod: Json, message: str) -> LlmHpaError:
    if "not found" in message or "no such file" in message:
        image = pod["spec"]["containers"][0].get("image")
        reason = message[message.find("exec: ") :] if "exec: " in message else message
        return LlmHpaError(attempted, f"image {image} has no Python to run it with ({reason})", _IMAGE)
    return LlmHpaError(attempted, f"the container cannot start: {message}", "see: kubectl describe pod")
