"""A Prometheus server as a data source, asked through the API server's service proxy."""

from __future__ import annotations

import math
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from kubectl_llmhpa.api import SERVICES, Json, Reader
from kubectl_llmhpa.errors import ApiError, LlmHpaError

#: Series that are asked for at once: enough to see labels by, and no more than an answer may hold.
SERIES_LIMIT = 1000


@dataclass(frozen=True)
class Server:
    """A Prometheus behind a Service of the cluster."""

    namespace: str
    service: str
    port: int
    prefix: str = ""
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its URL inside the cluster."""
        return f"{self.scheme}://{self.service}.{self.namespace}.svc:{self.port}{self.prefix.rstrip('/')}"

    @property
    def proxy_path(self) -> str:
        """The path of its root through the API server."""
        scheme = "https:" if self.scheme == "https" else ""
        below = f"proxy{self.prefix.rstrip('/')}"
        return SERVICES.path(self.namespace, f"{scheme}{self.service}:{self.port}", below)


@dataclass(frozen=True)
class Sample:
    """One element of an instant vector; `value` may be NaN or infinite."""

    labels: Mapping[str, str]
    value: float


def server_of(url: str, own_namespace: str) -> Server | None:
    """The Service behind a URL such as `http://prometheus.monitoring.svc:9090/prefix`, None for other hosts."""
    parts = urllib.parse.urlsplit(url)
    if not parts.hostname:
        return None
    words = parts.hostname.split(".")
    inside = len(words) == 1 or len(words) == 2 or words[2] == "svc"
    if not inside or parts.hostname.replace(".", "").isdigit():
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    namespace = words[1] if len(words) > 1 else own_namespace
    return Server(namespace, words[0], port, parts.path, parts.scheme)


def query_path(server: Server, expression: str) -> str:
    """The API path that `query` reads."""
    return f"{server.proxy_path}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"


def query(reader: Reader, server: Server, expression: str) -> list[Sample]:
    """The instant vector of a PromQL expression.

    Raises ApiError when the proxy refuses, LlmHpaError when Prometheus refuses the expression.
    """
    answer: Json = reader.get(query_path(server, expression))
    if answer.get("status") != "success":
        raise LlmHpaError(
            f"ask Prometheus {server.namespace}/{server.service}", str(answer.get("error", "no success"))
        )
    return [
        Sample(one.get("metric") or {}, float(one["value"][1])) for one in answer["data"].get("result") or []
    ]


def query_range(
    reader: Reader, server: Server, expression: str, *, start: int, end: int, step: int
) -> list[tuple[int, float]]:
    """(time, number) of an expression that gives one element, every `step` seconds where it gives one; [] for none.

    Raises ApiError; its `code` is 400 or 422 when Prometheus refuses the expression.
    """
    question = {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
    answer: Json = reader.get(f"{server.proxy_path}/api/v1/query_range?{urllib.parse.urlencode(question)}")
    found = answer["data"].get("result") or [{}]
    return [(round(float(at)), float(number)) for at, number in found[0].get("values") or []]


def series(reader: Reader, server: Server, *selectors: str, seconds: float) -> list[dict[str, str]]:
    """The labels of up to SERIES_LIMIT series that one of the selectors matches, seen within the last `seconds`.

    Raises ApiError; its `code` is 400 or 422 when Prometheus refuses a selector.
    """
    question = {"match[]": selectors, "start": f"{time.time() - seconds:.0f}", "limit": str(SERIES_LIMIT)}
    path = f"{server.proxy_path}/api/v1/series?{urllib.parse.urlencode(question, doseq=True)}"
    found: list[dict[str, str]] = reader.get(path).get("data") or []
    return found


def names(reader: Reader, server: Server, selector: str, *, seconds: float) -> set[str]:
    """The metric names that a selector matches, seen within the last `seconds`. Raises ApiError."""
    question = {"match[]": selector, "start": f"{time.time() - seconds:.0f}"}
    path = f"{server.proxy_path}/api/v1/label/__name__/values?{urllib.parse.urlencode(question)}"
    return set(reader.get(path).get("data") or [])


def per_pod(samples: list[Sample], label: str = "pod") -> dict[str, float]:
    """Pod name to value, NaN and infinities left out."""
    return {
        one.labels[label]: one.value for one in samples if label in one.labels and math.isfinite(one.value)
    }


def reachable(reader: Reader, server: Server) -> ApiError | None:
    """None when the server answers, else why not (for example the right to the service proxy is missing)."""
    try:
        query(reader, server, "vector(1)")
    except ApiError as error:
        return error
    return None


def down(error: ApiError) -> bool:
    """Whether an error of `reachable` means that no Prometheus runs there.

    Other failures prove nothing: the API server of a managed cluster may have no way to pods. That a Service does not
    exist, or leads to no ready pod, it knows by itself (pkg/registry/core/service/storage: ResourceLocation).
    """
    if error.not_found:
        return error.reason != ApiError.BACKEND
    return error.unavailable and "no endpoints available" in error.message
