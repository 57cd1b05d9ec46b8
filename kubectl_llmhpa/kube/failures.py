"""From a failed request to one sentence: the verb and resource that was missing, the host that refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from kubectl_llmhpa.errors import ApiError

Said = Callable[[], str]

_VERBS = {"GET": "read", "POST": "create", "PUT": "update", "PATCH": "apply", "DELETE": "delete"}
_OBJECT = re.compile(
    r"^/(?:api/v1|apis/(?P<group>[^/]+)/[^/?]+)"
    r"(?:/namespaces/(?P<namespace>[^/?]+)(?=/))?"
    r"(?:/(?P<plural>[^/?]+))?(?:/(?P<name>[^/?]+))?(?:/(?P<below>[^?]+))?"
)


def describe(method: str, path: str) -> str:
    """`read pods/x/proxy in namespace "n"` for a request."""
    verb = _VERBS.get(method, method.lower())
    match = _OBJECT.match(path)
    if match is None or not match["plural"]:
        return f"{verb} {path.partition('?')[0]}"
    kind = match["plural"] if not match["group"] else f"{match['plural']}.{match['group']}"
    text = f"{verb} {kind}"
    if match["name"]:
        text += f" {match['name']}"
    if match["below"]:
        text += f" ({match['below'].partition('/')[0]})"
    if match["namespace"]:
        text += f' in namespace "{match["namespace"]}"'
    return text


def no_answer(method: str, path: str, error: Exception) -> ApiError:
    """The proxy itself did not answer."""
    problem = (
        "the API server did not answer in time" if isinstance(error, TimeoutError) else f"no answer ({error})"
    )
    return ApiError(describe(method, path), 0, "NoAnswer", problem, "check with: kubectl get --raw /readyz")


def from_answer(method: str, path: str, code: int, body: bytes, said: Said) -> ApiError:
    """An `ApiError` from an answer with a status of 400 or more.

    A plain-text 500 is the proxy's own: it could not reach the server or get credentials.
    """
    attempted = describe(method, path)
    text = body.decode("utf-8", "replace").strip()
    try:
        status = json.loads(text)
    except ValueError:
        status = None
    # KEDA's metrics server leaves the kind out of its own
    if isinstance(status, dict) and (status.get("kind") == "Status" or status.get("status") == "Failure"):
        return from_status(attempted, code, str(status.get("reason", "")), str(status.get("message", "")))
    if code == 500 and text.startswith("getting credentials"):
        detail = said()
        problem = f"{text.partition(': ')[2] or text}" + (f" ({detail})" if detail else "")
        return ApiError(
            "get credentials for the cluster",
            401,
            "Credentials",
            problem,
            "run the credential plugin's login again",
        )
    if code == 500 and ("dial " in text or "lookup " in text or "tls: " in text or "x509: " in text):
        return ApiError(
            "connect to the cluster", 0, "NoConnection", text, "check --context and the server's address"
        )
    first = text.splitlines()[0][:300] if text else f"HTTP {code}"
    if re.search(r"/(pods|services)/[^/]+/proxy\b", path):
        return ApiError(attempted, code, ApiError.BACKEND, f"HTTP {code}: {first}" if text else first)
    return from_status(attempted, code, "", first)


def from_status(attempted: str, code: int, reason: str, message: str) -> ApiError:
    """An `ApiError` with the remedy that fits its code."""
    if code == 401:
        return ApiError(
            attempted, code, reason, "the server does not accept these credentials (401)", "log in again"
        )
    if code == 403:
        lacks = (
            not message or " cannot " in message
        )  # else a quota, a webhook or a namespace that ends says no
        remedy = "ask an administrator for that verb on that resource" if lacks else ""
        return ApiError(attempted, code, reason, message or "forbidden", remedy)
    return ApiError(attempted, code, reason, message)
