"""Run the plugin with the check after an HPA has changed hands failing, so that the move is taken back.

python -m tests.cluster.failing migrate sts/x --to keda
"""

from __future__ import annotations

import sys

from kubectl_llmhpa.cli.main import main
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.handover_steps import Hands


def _fail(self: Hands, floor: int, name: str) -> None:
    del self, floor
    raise LlmHpaError(f"check HorizontalPodAutoscaler {name}", "it fails on purpose")


if __name__ == "__main__":
    Hands.check = _fail  # type: ignore[method-assign]
    main(sys.argv[1:])
