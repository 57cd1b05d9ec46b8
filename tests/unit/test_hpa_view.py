"""HPAs judged: messages are those of a real cluster (Kubernetes 1.37)."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.hpa import view
from kubectl_llmhpa.policy import behavior
from tests.unit.hpa_objects import (
    ABLE,
    ACTIVE,
    KV,
    RANGE,
    W,
    average,
    failed,
    held,
    hpa,
    inactive,
    limited,
    pods,
    reported,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
CUSTOM = "unable to fetch metrics from custom metrics API: "
EXTERNAL = "unable to fetch metrics from external metrics API: "


@pytest.mark.parametrize(
    ("conditions", "state", "why"),
    [
        (
            failed("no custom metrics API (custom.metrics.k8s.io) registered"),
            "Broken: metrics API",
            "no adapter is installed for custom.metrics.k8s.io",
        ),
        (
            failed(CUSTOM + "no custom metrics API (custom.metrics.k8s.io) registered"),
            "Broken: metrics API",
            "no adapter is installed for custom.metrics.k8s.io",
        ),
        (
            failed(CUSTOM + "no known available metric versions found"),
            "Broken: metrics API",
            "the adapter behind custom.metrics.k8s.io does not answer",
        ),
        (
            failed(
                CUSTOM
                + "the server is currently unable to handle the request (get pods.custom.metrics.k8s.io *)"
            ),
            "Broken: metrics API",
            "does not answer",
        ),
        (
            failed(CUSTOM + f"the server could not find the metric {W} for pods"),
            "Broken: name",
            f"the metrics API does not know {W}: ",
        ),
        (
            failed("no metrics returned from custom metrics API"),
            "Broken: sample",
            f"no pod of the workload has a sample of {W}",
        ),
        (
            failed("did not receive metrics for targeted pods (pods might be unready)"),
            "Broken: sample",
            f"a sample of {W}",
        ),
        (
            failed(CUSTOM + "Internal error occurred: unable to fetch metrics"),
            "Broken: value",
            "query fails in Prometheus",
        ),
        (
            failed(CUSTOM + 'pods.custom.metrics.k8s.io "*" is forbidden: User "x" cannot get resource'),
            "Broken: metrics API",
            "may not read the metric",
        ),
        (failed("something nobody has seen yet"), "Broken: value", "something nobody has seen yet"),
        (
            inactive(
                "FailedGetExternalMetric",
                "the HPA was unable to compute the replica count: unable to get external metric "
                "llm/s0-prometheus/&LabelSelector{MatchLabels:map[string]string{},}: "
                + EXTERNAL
                + "rpc error: code = Unknown desc = error when getting metric values metric:s0-prometheus "
                "encountered error",
            ),
            "Broken: value",
            "KEDA cannot compute s0-prometheus",
        ),
        (
            inactive(
                "FailedGetExternalMetric",
                f'{EXTERNAL}error getting scalers ScaledObject.keda.sh "X" not found',
            ),
            "Broken: metrics API",
            "ScaledObject X, which does not exist",
        ),
        (
            inactive(
                "FailedGetExternalMetric",
                "unable to get external metric llm/queue/nil: no metrics returned from external metrics API",
            ),
            "Broken: sample",
            "a sample of queue",
        ),
        (
            inactive(
                "FailedGetObjectMetric",
                "invalid object metric source: neither a value target nor an average value target was set",
            ),
            "Broken: autoscaler",
            "do not fit",
        ),
        (
            inactive(
                "AmbiguousSelector",
                "pods by selector app=X are controlled by more than one HPA (e.g. [NS/A NS/B])",
            ),
            "Broken: autoscaler",
            "another HPA controls the same pods",
        ),
        (
            inactive("InvalidSelector", "the HPA target's scale is missing a selector"),
            "Broken: target",
            "no usable pod selector",
        ),
        (
            inactive("ScalingDisabled", "scaling is disabled since the replica count of the target is zero"),
            "Disabled",
            "0 replicas",
        ),
        (
            [
                {
                    "type": "AbleToScale",
                    "status": "False",
                    "reason": "FailedGetScale",
                    "message": "the HPA controller was unable to get the target's current scale: "
                    'noscales.G "X" not found',
                }
            ],
            "Broken: target",
            '(noscales.G "X" not found)',
        ),
        (
            [
                {
                    "type": "AbleToScale",
                    "status": "False",
                    "reason": "FailedUpdateScale",
                    "message": "the HPA controller was unable to update the target scale: denied",
                }
            ],
            "Broken: effect",
            "(denied)",
        ),
        ([], "New", "has not looked at it yet"),
    ],
)
def test_each_failure_names_its_hop(conditions: list[Json], state: str, why: str) -> None:
    found = view(hpa(conditions=conditions))
    assert (found.state, found.healthy) == (state, not state.startswith("Broken"))
    assert why in found.why


@pytest.mark.parametrize(
    "inner",
    [
        "no metrics returned from custom metrics API",
        CUSTOM + f"the server could not find the metric {W} for pods",
    ],
)
def test_a_missing_sample_is_armed_while_no_pod_is_ready(inner: str) -> None:
    assert view(hpa(conditions=failed(inner)), ready=0).state == "Armed"
    assert view(hpa(conditions=failed(inner)), ready=1).state.startswith("Broken")


@pytest.mark.parametrize(
    ("value", "conditions", "replicas", "shape", "state", "why"),
    [
        ("5", [ABLE, ACTIVE, RANGE], (3, 3), None, "Steady", "is on target"),
        (
            "5400m",
            [ABLE, ACTIVE, RANGE],
            (3, 3),
            None,
            "Steady",
            f"{W} 5.4/5 is above the target, but within the tolerance",
        ),
        (
            "10",
            [ABLE, ACTIVE, RANGE],
            (3, 3),
            None,
            "Steady",
            "pods without a sample count as 0 on the way up",
        ),
        (
            "0",
            [ABLE, ACTIVE, RANGE],
            (3, 3),
            None,
            "Steady",
            "pods without a sample count as on target on the way down",
        ),
        ("4400m", [ABLE, ACTIVE, RANGE], (3, 3), None, "Steady", "the load fits 3 replicas"),
        ("0", limited("TooFewReplicas"), (1, 1), None, "Steady", "at the minimum of 1"),
        ("20", limited("TooManyReplicas"), (6, 6), None, "AtMax", "more than the maximum of 6"),
        ("20", limited("ScaleUpLimit"), (1, 4), None, "ScalingUp", "add them step by step"),
        ("20", held("SucceededRescale"), (1, 3), None, "ScalingUp", "going from 1 to 3"),
        (
            "20",
            limited("ScaleUpLimit"),
            (0, 0),
            {"scaleUp": {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}},
            "ScalingUp",
            "a percentage of 0 is 0",
        ),
        ("0", limited("ScaleDownLimit"), (3, 2), None, "ScalingDown", "step by step"),
        ("0", held("SucceededRescale"), (3, 2), None, "ScalingDown", "going from 3 to 2"),
        (
            "0",
            limited("ScaleDownLimit"),
            (3, 3),
            behavior(scale_down=False),
            "Steady",
            "scale-down is disabled",
        ),
        ("0", held("ScaleDownStabilized"), (3, 3), None, "Stabilizing", "the highest vote of the last 300 s"),
        (
            "0",
            held("ScaleDownStabilized"),
            (3, 3),
            behavior(60),
            "Stabilizing",
            "the highest vote of the last 60 s",
        ),
        ("20", held("ScaleUpStabilized"), (3, 3), None, "Stabilizing", "the lowest vote"),
    ],
)
def test_each_working_state_has_its_reason(
    value: str, conditions: list[Json], replicas: tuple[int, int], shape: Json | None, state: str, why: str
) -> None:
    found = view(
        hpa(current_metrics=[reported(W, value)], conditions=conditions, replicas=replicas, shape=shape)
    )
    assert found.state == state
    assert why in found.why
    assert found.healthy


@pytest.mark.parametrize(
    ("last", "state"),
    [("2026-11-24T11:58:00Z", "ScalingUp"), ("2026-11-24T11:00:00Z", "NoCapacity"), (None, "NoCapacity")],
)
def test_pods_that_are_not_ready_start_first_and_lack_capacity_later(last: str | None, state: str) -> None:
    found = view(hpa(current_metrics=[reported(W, "5")], last=last), ready=1, now=NOW)
    assert (found.state, found.healthy) == (state, state == "ScalingUp")
    assert "2 of 3 pods are not ready" in found.why


def test_one_unknown_metric_of_two_is_degraded() -> None:
    both = [pods(W, average("5")), pods(KV, average("800m"))]
    found = view(hpa(metrics=both, current_metrics=[reported(W, "5"), {"type": ""}]))
    assert found.state == "Degraded"
    assert f"{KV} cannot be computed" in found.why


def test_votes_and_the_binding_metric() -> None:
    both = [pods(W, average("5")), pods(KV, average("800m"))]
    found = view(hpa(metrics=both, current_metrics=[reported(KV, "900m"), reported(W, "2500m")]))
    waiting, cache = found.metrics
    assert (waiting.now, waiting.target, waiting.state, waiting.ratio, waiting.vote) == (
        "2500m",
        "5",
        "Below",
        Decimal("0.5"),
        2,
    )
    assert (cache.now, cache.target, cache.state, cache.ratio, cache.vote) == (
        "900m",
        "800m",
        "Above",
        Decimal("1.125"),
        4,
    )
    assert found.binding == cache


def test_a_tolerance_in_the_spec_is_the_one_that_counts() -> None:
    shape = behavior()
    shape["scaleUp"]["tolerance"] = "50m"
    (metric,) = view(hpa(current_metrics=[reported(W, "5400m")], shape=shape)).metrics
    assert (metric.state, metric.vote) == ("Above", 4)


@pytest.mark.parametrize("value", ["-9223372036854775808m", None])
def test_a_garbage_or_missing_number_is_unknown_and_never_zero(value: str | None) -> None:
    (metric,) = view(hpa(current_metrics=[] if value is None else [reported(W, value)])).metrics
    assert (metric.now, metric.ratio, metric.vote) == (None, None, None)
    assert metric.state == ("Unknown" if value is None else "Garbage")


def test_a_garbage_number_is_broken_and_at_zero_replicas_it_is_not() -> None:
    garbage = [reported(W, "-9223372036854775808m")]
    found = view(hpa(current_metrics=garbage))
    assert found.state == "Broken: value"
    assert "NaN or infinite" in found.why
    at_zero = view(hpa(current_metrics=garbage, replicas=(0, 0)))
    assert (at_zero.state, at_zero.metrics[0].now) == ("Steady", None)
    assert "scaled to zero" in at_zero.why


def test_old_numbers_are_not_shown_once_the_scale_cannot_be_read() -> None:
    conditions = [
        {"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "message": "not found"}
    ]
    (metric,) = view(hpa(current_metrics=[reported(W, "5")], conditions=conditions)).metrics
    assert metric.now is None


@pytest.mark.parametrize(
    ("metric", "current", "form", "now", "target", "noted"),
    [
        (pods(W, average("5", "Value")), {"averageValue": "5"}, "AverageValue", "5", "5", "works as AverageValue"),
        (pods(W, average("5")), {"averageValue": "5"}, "AverageValue", "5", "5", ""),
        ({"type": "External", "external": {"metric": {"name": "q", "selector": {"matchLabels": {"a": "b"}}},
                                           "target": {"type": "AverageValue", "value": "5"}}},
         {"value": "20"}, "Value", "20", "5", "works as Value"),
        ({"type": "External", "external": {"metric": {"name": "q"}, "target": average("5", "Value")}},
         {"averageValue": "10"}, "AverageValue", "10", "5", "works as AverageValue"),
        ({"type": "Object", "object": {"metric": {"name": "q"}, "describedObject": {"kind": "Service", "name": "s"},
                                       "target": average("5", "Value")}},
         {}, "Value", None, "<unset>", "the controller refuses the metric"),
        ({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
         {"averageUtilization": 42}, "Utilization", "42%", "80%", ""),
    ],
)  # fmt: skip
def test_the_form_is_what_the_controller_reads(
    metric: Json, current: Json, form: str, now: str | None, target: str, noted: str
) -> None:
    key = metric["type"].lower()
    status = {
        "type": metric["type"],
        key: {**{k: v for k, v in metric[key].items() if k != "target"}, "current": current},
    }
    (found,) = view(hpa(metrics=[metric], current_metrics=[status])).metrics
    assert (found.form, found.now, found.target) == (form, now, target)
    assert noted in " ".join(found.notes)
    assert bool(found.notes) is bool(noted)


@pytest.mark.parametrize(
    ("usage", "replicas", "vote"),
    [("6667m", 3, 4), ("4500m", 2, 2), ("8", 2, 4), ("2700m", 4, 3), ("5500m", 2, 2)],
)
def test_an_external_average_votes_by_its_total(usage: str, replicas: int, vote: int) -> None:
    """The status holds the share of a replica, rounded up: 20 in all over 3 is 6667m, and 20 / 5 are 4 replicas."""
    entry = {"metric": {"name": "s0-prometheus"}, "target": average("5")}
    (metric,) = view(
        hpa(
            metrics=[{"type": "External", "external": entry}],
            current_metrics=[
                {
                    "type": "External",
                    "external": {"metric": entry["metric"], "current": {"averageValue": usage}},
                }
            ],
            replicas=(replicas, replicas),
        )
    ).metrics
    assert metric.vote == vote


def test_a_vote_has_the_rounding_of_the_controller() -> None:
    """Its ratio is a double: 1.1 times the target is within the tolerance, and 2.1 / 0.7 x 3 is 9."""
    ((exact,), (edge,)) = (
        view(hpa(metrics=[pods(KV, average(target))], current_metrics=[reported(KV, now)])).metrics
        for target, now in (("700m", "2100m"), ("700m", "770m"))
    )
    assert (exact.vote, edge.vote, edge.state) == (9, 3, "OnTarget")
