"""Run the plugin and write down its requests and the seconds that it waited for others.

    python -m tests.cluster.counted REPORT.json enable sts/x --max 3

Requests that look whether something waited for is there are `looks`. The wait itself begins with the first pause
between two looks. Ends with the plugin's own exit code.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubectl_llmhpa.cli.main import main
from kubectl_llmhpa.kube import request_log
from kubectl_llmhpa.plan.adapter.serving import Serving
from kubectl_llmhpa.plan.setting_up import hops


class Account:
    """What one run cost."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.waited = 0.0
        self._inside = False
        self._paused: float | None = None

    def note(self, answer: request_log.Answered) -> None:
        self.requests.append({**answer._asdict(), "looks": self._inside})

    def waiting(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted from its first pause on."""

        @functools.wraps(wait)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._inside = True
            try:
                return wait(*args, **kwargs)
            finally:
                self._inside = False
                if self._paused is not None:
                    self.waited += time.monotonic() - self._paused
                    self._paused = None

        return wrapper

    def pausing(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        """`time.sleep`, which marks the beginning of a wait."""

        def wrapper(seconds: float) -> None:
            if self._inside and self._paused is None:
                self._paused = time.monotonic()
            sleep(seconds)

        return wrapper


if __name__ == "__main__":
    account = Account()
    request_log.LISTENERS.append(account.note)
    hops.wait = account.waiting(hops.wait)
    Serving.wait = account.waiting(Serving.wait)  # type: ignore[method-assign]
    time.sleep = account.pausing(time.sleep)  # type: ignore[assignment]
    try:
        main(sys.argv[2:])
    finally:
        report = {"requests": account.requests, "waited": account.waited}
        Path(sys.argv[1]).write_text(json.dumps(report))
