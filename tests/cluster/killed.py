"""Run the plugin and kill it (SIGKILL, nothing is cleaned up) right after its N-th write.

    python -m tests.cluster.killed N enable sts/x --max 3

Ends by itself, with the plugin's own exit code, when there are fewer writes than N.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from kubectl_llmhpa.cli.main import main
from kubectl_llmhpa.kube import Cluster

_WRITES = ("create", "apply", "replace", "delete")


def kill_after(limit: int) -> None:
    """Count the writes that were stored; the process ends inside the last one's return."""
    count = 0

    def counted(write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            answer = write(*args, **kwargs)
            if not kwargs.get("dry_run"):
                count += 1
                if count >= limit:
                    os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return wrapper

    for name in _WRITES:
        setattr(Cluster, name, counted(getattr(Cluster, name)))


if __name__ == "__main__":
    kill_after(int(sys.argv[1]))
    main(sys.argv[2:])
