"""What keeps a plain HPA with a minimum of 0 from leaving zero replicas (Kubernetes 1.37, seen on a real controller).

The controller goes to zero and comes back by External or Object metrics only, and remembers in the condition
`ScaledToZero` that it went there itself (pkg/controller/podautoscaler/horizontal.go). KEDA's HPAs are no matter of
this: their minimum is 1, and KEDA's own loop does both.
"""

from __future__ import annotations

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.hpa import scaled_objects

_OUTSIDE = ("External", "Object")


def traps(hpa: Json) -> tuple[Finding, ...]:
    """The findings about one HPA; none where its minimum is above 0, or where KEDA made it."""
    metadata, spec, status = hpa.get("metadata") or {}, hpa.get("spec") or {}, hpa.get("status") or {}
    if spec.get("minReplicas") != 0 or scaled_objects.of_hpa(hpa):
        return ()
    about = f"HorizontalPodAutoscaler {metadata.get('namespace', '')}/{metadata.get('name', '')}"
    result = []
    if not any(one.get("type") in _OUTSIDE for one in spec.get("metrics") or ()):
        result.append(
            found("nobody-counts-at-zero", about, "its metrics are all of pods, and its minimum is 0")
        )
    if stuck := no_way_up((spec.get("behavior") or {}).get("scaleUp") or {}):
        fix = "add a Pods policy to scaleUp, with selectPolicy Max"
        result.append(found("stuck-policy", about, f"its minimum is 0, and {stuck}", fix=fix))
    conditions = {one.get("type"): one for one in status.get("conditions") or ()}
    disabled = conditions.get("ScalingActive", {}).get("reason") == "ScalingDisabled"
    if disabled and conditions.get("ScaledToZero", {}).get("status") != "True":
        result.append(
            found("forgotten-zero", about, "the workload is at 0, and the HPA did not take it there")
        )
    return tuple(result)


def no_way_up(up: Json) -> str:
    """Why scale-up allows nothing from 0, empty where it does. Left out, policies are a number and a percentage."""
    kinds = {one.get("type") for one in up.get("policies") or ()} or {"Pods", "Percent"}
    chosen = up.get("selectPolicy") or "Max"
    if chosen == "Disabled":
        return "its scale-up is disabled"
    if kinds == {"Percent"}:
        return "every scale-up policy is a percentage, and a percentage of 0 is 0"
    if chosen == "Min" and "Percent" in kinds:
        return "selectPolicy Min takes the percentage, and a percentage of 0 is 0"
    return ""
