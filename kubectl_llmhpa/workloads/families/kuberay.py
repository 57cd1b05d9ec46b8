"""KubeRay: Ray makes and ends its pods itself, so nothing outside can scale them.

Fact: ray-operator v1.5.0, config/crd/bases (no scale subresource on RayCluster, RayService, RayJob).
"""

from __future__ import annotations

from typing import NoReturn

from kubectl_llmhpa.workloads.kinds import Kind, Lookup, Trail, refusal

_SERVE = """\
# in serveConfigV2 of the RayService, below the deployment
autoscaling_config:
  min_replicas: 1
  max_replicas: N
  target_ongoing_requests: 2"""


def _ray(_: Lookup, trail: Trail) -> NoReturn:
    raise refusal(
        trail[0], f"{trail[-1].reference} has no scale subresource: Ray Serve decides about replicas, and Ray about "
        "pods", "scale it with Ray Serve's autoscaling_config.target_ongoing_requests", _SERVE,
    )  # fmt: skip


KINDS = tuple(Kind("ray.io", kind, _ray) for kind in ("RayCluster", "RayService", "RayJob"))
