"""Requests to an OpenAI-compatible server: one, or as many at once as a test wants to see running and waiting."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

REQUEST_LIMIT_S: Final = 120


def complete(
    server: str, model: str, *, tokens: int, prompt: str = "note the rain on the sea"
) -> dict[str, Any]:
    """Return the answer of ``server`` (``http://HOST:PORT``) to a completion of just so many tokens.

    Raises ``OSError`` when the server does not answer, or answers with an error.
    """
    body = {"model": model, "prompt": prompt, "max_tokens": tokens, "ignore_eos": True}
    request = urllib.request.Request(
        f"{server}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=REQUEST_LIMIT_S) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def get(url: str) -> str:
    """Return what ``url`` answers.  Raises ``OSError`` like ``complete``."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def scrape(server: str) -> str:
    """Return the metrics body of ``server``."""
    return get(f"{server}/metrics")


@contextlib.contextmanager
def streams(server: str, model: str, count: int, *, tokens: int) -> Iterator[list[str]]:
    """Keep ``count`` requests going inside the block; gives the failures so far, as text.

    At the end no new request is made, and those that run are waited for.
    """
    failures: list[str] = []
    enough = threading.Event()

    def stream(number: int) -> None:
        while not enough.is_set():
            try:
                complete(server, model, tokens=tokens, prompt=f"note the rain on the sea {number}")
            except OSError as failure:
                failures.append(str(failure))
                enough.wait(1)

    threads = [threading.Thread(target=stream, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        enough.set()
        for thread in threads:
            thread.join()
