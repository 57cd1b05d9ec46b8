"""Findings about an autoscaler and its workload: targets, limits, behaviour, room."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS = (
    Rule(
        "enable-refused", "info", "Something else scales the workload, or keeps an HPA from doing so",
        "enable makes no HPA for it as it is",
        "{remedy}",
    ),
    Rule(
        "ratio-target", "error", "A target of 1 or more for a ratio",
        "the metric lies between 0 and 1, so it never asks for more replicas",
        "use a target such as 0.8 (800m)",
    ),
    Rule(
        "target-above-seats", "error", "A target for running requests that one pod cannot exceed",
        "a full pod stays within the tolerance of the target, so it never asks for more replicas",
        "use {better}",
    ),
    Rule(
        "renamed-metric", "error", "An HPA asks for a name that this version of the engine no longer exposes",
        "the metric is unknown to the HPA, which then does not act on it",
        "use {now}, or run enable again",
    ),
    Rule(
        "slow-start", "warning", "Pods take long to become ready",
        "a replica asked for during a burst serves only after that",
        "keep a warm replica above the base load: --min 2 or more",
    ),
    Rule(
        "gpu-capacity", "warning", "The nodes have no room for --max replicas",
        "replicas above {room} will stay Pending until nodes are added",
        "lower --max or make sure that nodes are added",
    ),
    Rule(
        "quota", "warning", "A resource quota is below what --max replicas need",
        "replicas above {room} cannot be created",
        "raise the quota or lower --max",
    ),
    Rule(
        "grace-period", "warning", "A generation may outlast the grace period of its pod",
        "a generation that is not done when its pod is scaled in is cut off",
        "set terminationGracePeriodSeconds above the longest generation, or use --scale-down disabled",
    ),
)  # fmt: skip
