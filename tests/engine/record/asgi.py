"""Ask an application for its metrics in this very process, so that its HTTP series are those of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import Any

# Not of the environment that checks types.
fastapi = import_module("fastapi")
httpx = import_module("httpx")


def application(*served: str) -> Any:
    """Return a FastAPI application that answers requests to ``served`` and ``/health``."""
    app = fastapi.FastAPI()
    for path in served:
        app.add_api_route(path, lambda: {"ok": True}, methods=["POST"])
    app.add_api_route("/v1/models", lambda: {"data": []}, methods=["GET"])
    app.add_api_route("/health", lambda: fastapi.Response(status_code=200), methods=["GET"])
    return app


def scraped(app: Any, requests: Sequence[tuple[str, str]]) -> str:
    """Return the metrics body of ``app`` after ``requests``, each a method and a path."""

    async def ask() -> str:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            for method, path in requests:
                await client.request(method, path)
            answer = await client.get("/metrics")
            answer.raise_for_status()
            return str(answer.text)

    return asyncio.run(ask())
