"""`doctor` of a plain HPA whose minimum is 0: what will keep it there is said before it is there."""

from __future__ import annotations

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.doctor import diagnose
from tests.unit.doctor_changes import ADAPTER, both, condition, external, hpa, idle_zero


def from_zero(live: Json) -> None:
    live["spec"]["minReplicas"] = 0


def by_gateway(live: Json) -> None:
    """Its metric is there without a pod."""
    external(live)
    live["spec"]["metrics"][0]["external"]["metric"]["name"] = "gateway_queue"


def percentages(live: Json) -> None:
    live["spec"]["behavior"]["scaleUp"] = {
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }


def notes(*changes: object) -> list[str]:
    found = diagnose(both(*changes)(ADAPTER))  # type: ignore[arg-type]
    assert found.broken is None
    return [note.code for hop in found.hops for note in hop.verdict.notes]


def test_while_pods_run_the_traps_are_notes() -> None:
    assert notes(hpa(from_zero)) == ["nobody-counts-at-zero"]
    assert "stuck-policy" in notes(hpa(from_zero), hpa(percentages))


def test_an_hpa_that_forgot_its_zero_is_broken() -> None:
    disabled = condition("ScalingActive", "False", "ScalingDisabled", "scaling is disabled")
    found = diagnose(both(idle_zero, hpa(from_zero), hpa(by_gateway), hpa(disabled))(ADAPTER))
    assert found.broken is not None
    assert found.broken.verdict.finding is not None
    assert found.broken.verdict.finding.code == "forgotten-zero"
