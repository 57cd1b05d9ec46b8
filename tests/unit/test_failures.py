"""Failed requests become one sentence that names the verb, the object and the cause."""

from __future__ import annotations

import json

import pytest

from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.kube import failures

STATUS = {"kind": "Status", "reason": "Forbidden", "message": 'pods "x" is forbidden: User "u" cannot get'}


@pytest.mark.parametrize(
    ("method", "path", "sentence"),
    [
        (
            "GET",
            "/api/v1/namespaces/ml/pods/x:8000/proxy/metrics",
            'read pods x:8000 (proxy) in namespace "ml"',
        ),
        ("PATCH", "/apis/apps/v1/namespaces/m/deployments/pa", 'apply deployments.apps pa in namespace "m"'),
        (
            "GET",
            "/apis/autoscaling/v2/horizontalpodautoscalers?limit=5",
            "read horizontalpodautoscalers.autoscaling",
        ),
        ("GET", "/api/v1/namespaces/ml", "read namespaces ml"),
        ("GET", "/version", "read /version"),
    ],
)
def test_describe(method: str, path: str, sentence: str) -> None:
    assert failures.describe(method, path) == sentence


def answer(code: int, body: str, said: str = "") -> ApiError:
    return failures.from_answer("GET", "/api/v1/namespaces/ml/pods/x", code, body.encode(), lambda: said)


def test_the_servers_own_status_is_kept() -> None:
    error = answer(403, json.dumps(STATUS))
    assert error.forbidden
    assert error.reason == "Forbidden"
    assert 'User "u" cannot get' in str(error)


def test_a_status_without_a_kind_is_one_too() -> None:
    error = answer(
        504, json.dumps({"metadata": {}, "status": "Failure", "message": "Timeout: late", "code": 504})
    )
    assert (error.problem, error.unavailable) == ("Timeout: late", True)


def test_a_failed_credential_plugin_speaks_for_itself() -> None:
    error = answer(
        500, "getting credentials: exec: executable aws failed with exit code 1\n", "token expired"
    )
    assert "executable aws failed with exit code 1 (token expired)" in str(error)
    assert error.forbidden


def test_a_refused_connection_names_the_address() -> None:
    error = answer(500, "dial tcp 127.0.0.1:6443: connect: connection refused\n")
    assert error.unavailable
    assert "127.0.0.1:6443" in str(error)


def test_an_engines_401_does_not_send_anybody_to_log_in_to_the_cluster() -> None:
    path = "/api/v1/namespaces/ml/pods/x:8000/proxy/v1/completions"
    error = failures.from_answer("POST", path, 401, b'{"error":"Unauthorized"}', lambda: "")
    assert not error.forbidden
    assert error.message == 'HTTP 401: {"error":"Unauthorized"}'
    assert "log in" not in str(error)


def test_an_engines_plain_500_is_not_taken_for_ours() -> None:
    assert answer(500, "Internal Server Error").code == 500
