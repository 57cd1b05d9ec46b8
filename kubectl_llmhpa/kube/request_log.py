"""One line for each request to the API server, in the words of kubectl's own `-v 6`."""

from __future__ import annotations

import logging
import time

#: Nothing listens to it unless `-v` asks for it.
LOG = logging.getLogger("kubectl_llmhpa.requests")


def answered(method: str, path: str, status: int, size: int, began: float) -> None:
    """Note an answer of `size` bytes to a request sent at `began` (`time.monotonic()`); status 0: none came."""
    milliseconds = round((time.monotonic() - began) * 1000)
    LOG.debug(
        '"Response" verb="%s" url="%s" status=%d milliseconds=%d bytes=%d', method, path, status, milliseconds, size
    )  # fmt: skip


def show() -> None:
    """Print the lines on stderr from now on."""
    LOG.addHandler(logging.StreamHandler())
    LOG.setLevel(logging.DEBUG)
