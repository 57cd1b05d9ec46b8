"""Run the plugin and kill it (SIGKILL, nothing is cleaned up) right after its N-th write, or after its `helm upgrade`.

    python -m tests.cluster.killed N|upgrade enable sts/x --max 3

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
from kubectl_llmhpa.kube.helm import Helm

UPGRADE = "upgrade"
_WRITES = ("create", "apply", "replace", "delete")
_HELM_WRITES = (UPGRADE, "rollback")


def kill_after(last: str) -> None:
    """Count the writes that were stored; the process ends inside the return of the one of that number or name."""
    count = 0

    def stored(name: str) -> None:
        nonlocal count
        count += 1
        if last in (name, str(count)):
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            answer = write(*args, **kwargs)
            if not kwargs.get("dry_run"):
                stored(name)
            return answer

        return wrapper

    for name in _WRITES:
        setattr(Cluster, name, counted(name, getattr(Cluster, name)))
    run = Helm.run

    def run_and_count(self: Helm, *arguments: str, stdin: str = "") -> str:
        answer = run(self, *arguments, stdin=stdin)
        if arguments[0] in _HELM_WRITES and not any(one.startswith("--dry-run") for one in arguments):
            stored(arguments[0])
        return answer

    Helm.run = run_and_count  # type: ignore[method-assign]


if __name__ == "__main__":
    kill_after(sys.argv[1])
    main(sys.argv[2:])
