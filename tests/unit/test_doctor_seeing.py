"""What `doctor` could not see: the rights that were missing, and no others."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.doctor.seeing import Seeing
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.plan.permitted import Permitted
from tests.unit.test_status import Recorded

HPAS = "/apis/autoscaling/v2/namespaces/llm/horizontalpodautoscalers"
SECRETS = "/api/v1/namespaces/llm/secrets"


class Team(Recorded):
    """Somebody who may do everything but read Secrets, and is no administrator."""

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        return resource not in ("*", "secrets")


class Stranger(Recorded):
    """Somebody whose login has expired."""

    def get(self, path: str, *, accept: str = "application/json") -> dict[str, object]:
        raise ApiError(f"read {path}", 401, "Unauthorized", "the server does not accept these credentials")


def test_what_only_an_administrator_may_is_not_missed() -> None:
    seeing = Seeing(Team())
    nested = Permitted(seeing)
    assert nested.get(HPAS) == {"items": []}
    assert not seeing.unseen
    with pytest.raises(ApiError):
        nested.get(SECRETS)
    assert list(seeing.unseen) == ['list secrets in namespace "llm"']


def test_a_login_that_has_expired_is_no_missing_right() -> None:
    seeing = Seeing(Stranger())
    with pytest.raises(ApiError):
        seeing.get(HPAS)
    assert not seeing.unseen
