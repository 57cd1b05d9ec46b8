"""The end after a signal: an evicted pod is gone with its log as soon as it has ended, so it stays a while."""

from __future__ import annotations

import time

#: Of the 5 s that Kubernetes gives the pod: who follows it reads its log every second.
STAY_S = 2.0


def stay(ended: str) -> None:
    """Waits where the load was ended by a signal, so that its summary and the reason can be read."""
    if ended == "signal":
        time.sleep(STAY_S)
