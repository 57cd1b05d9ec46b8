"""Argo Rollouts: a Deployment with canaries. Its scale subresource counts canary and preview pods as well.

Fact: argo-rollouts v1.9.0 manifests/crds/rollout-crd.yaml (status.HPAReplicas, status.selector).
"""

from __future__ import annotations

from kubectl_llmhpa.workloads.kinds import Kind, Lookup, Target, Trail, label_of
from kubectl_llmhpa.workloads.model import role_word


def _rollout(_: Lookup, trail: Trail) -> Target:
    found = trail[-1]
    labels = found.at("spec", "template", "metadata", "labels", default={})
    return Target(
        found, role=role_word(labels.get("llm-d.ai/role", label_of(trail, "llm-d.ai/role"))),
        no_selector="the Rollouts controller has not written status.selector",
    )  # fmt: skip


KINDS = (Kind("argoproj.io", "Rollout", _rollout),)
