"""One look at the cluster asks for nothing twice."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.api import DEPLOYMENTS
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.plan.once import Once
from tests.unit.cluster_facts import NAMESPACE, Facts, made

A, B = (DEPLOYMENTS.path(NAMESPACE, name) for name in ("a", "b"))


def test_what_was_read_is_not_read_again() -> None:
    facts = Facts(made("Deployment", "a"), made("Deployment", "b"))
    once = Once(facts)
    assert once.get(A) == once.get(A)
    assert once.get_many([B, A, B]) == [once.get(B), once.get(A), once.get(B)]
    assert once.get(B)["metadata"]["name"] == "b"
    assert facts.asked == [A, B]


def test_what_is_not_there_is_not_asked_for_again() -> None:
    facts = Facts()
    once = Once(facts)
    assert isinstance(once.get_many([A])[0], ApiError)
    for _ in range(2):
        with pytest.raises(ApiError) as refused:
            once.get(A)
        assert refused.value.not_found
    assert facts.asked == [A]
