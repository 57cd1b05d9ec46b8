"""`spec.behavior`, always written in full: a part left out gets the API server's default, which differs.

Bounds: `stabilizationWindowSeconds` 0 to 3600, `periodSeconds` 1 to 1800 (validation of autoscaling/v2). No
`tolerance`: below Kubernetes 1.35 the field is dropped.
"""

from __future__ import annotations

from kubectl_llmhpa.api import LONGEST_WINDOW, Json
from kubectl_llmhpa.errors import LlmHpaError


def behavior(scale_down_window: int = 300, *, scale_down: bool = True) -> Json:
    """Up at once by the larger of 100 % and 2 pods per 30 s; down by the larger of 1 pod and 10 % per minute.

    `scale_down_window` in seconds; `scale_down` False switches scale-in off and keeps its policies for later.
    Raises LlmHpaError for a window that the API server would refuse.
    """
    if not 0 <= scale_down_window <= LONGEST_WINDOW:
        raise LlmHpaError(
            "scale-down window", f"{scale_down_window} s is not between 0 and {LONGEST_WINDOW} s"
        )
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 30},
                {"type": "Pods", "value": 2, "periodSeconds": 30},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": scale_down_window,
            "selectPolicy": "Max" if scale_down else "Disabled",
            "policies": [
                {"type": "Pods", "value": 1, "periodSeconds": 60},
                {"type": "Percent", "value": 10, "periodSeconds": 60},
            ],
        },
    }
