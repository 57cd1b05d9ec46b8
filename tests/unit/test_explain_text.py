"""What `explain` prints: a few whole pages, and nothing of the cluster that could move a cursor."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from kubectl_llmhpa.cli.explain_document import item
from kubectl_llmhpa.cli.explain_text import block
from kubectl_llmhpa.explain import Answer, Facts, replay, what_if
from kubectl_llmhpa.hpa.arithmetic import Pod
from kubectl_llmhpa.hpa.failures import without_selectors
from kubectl_llmhpa.output import documents
from kubectl_llmhpa.policy import behavior
from tests.unit.explain_facts import GONE, by_pod, external, facts, in_series, of_namespace, rescale, running
from tests.unit.hpa_objects import KV, W, average, held, pods, reported

BOTH = [pods(W, average("5")), pods(KV, average("800m"))]
STABILIZING = facts(
    3,
    by_pod(0, 1),
    by_pod("300m", "200m"),
    metrics=BOTH,
    pods=(*running(2), Pod("p2", "Pending", False)),
    shape=behavior(),
    conditions=held("ScaleDownStabilized"),
    current_metrics=[reported(W, "500m"), reported(KV, "250m")],
    events=(rescale(2, "11:40:00"), rescale(3, "11:58:32")),
)


def test_a_whole_page() -> None:
    assert (
        block(replay(STABILIZING))
        == """\
Name:        vllm
Namespace:   llm
Workload:    StatefulSet/vllm
Replicas:    3, limits 1..6
Pods:        3 match, 2 ready, 1 pending; selector app=vllm
In short:    stays 3: waiting asks for 1, held at 3 by the scale-down window, may go down to 2 in 212 to 300 s

waiting  (vllm:num_requests_waiting, Pods AverageValue, target 5)
  p1          1
  p0          0
  total       1
  average     0.5 per pod, over 2 pods with a sample
  ratio       0.1 of the target, below the tolerance of 0.9..1.1 (4.5 to 5.5 would change nothing)
  pending     p2: left out
  asks for    1 = 0.1 x 2 pods, rounded up

kv-cache  (vllm:kv_cache_usage_perc, Pods AverageValue, target 0.8)
  p0          0.3
  p1          0.2
  average     0.25 per pod, over 2 pods with a sample
  ratio       0.312 of the target, below the tolerance of 0.9..1.1 (0.72 to 0.88 would change nothing)
  pending     p2: left out
  asks for    1 = 0.312 x 2 pods, rounded up

Result:
  votes       waiting 1 (the largest), kv-cache 1
  windows     up 0 s, down 300 s: 1 held at 3, since the highest recent recommendation was 3
  limits      1..6
  result      3, no change

The controller says:
  replicas        3 -> 3: the same
  AbleToScale     True ScaleDownStabilized:
  ScalingActive   True ValidMetricFound: the HPA was able to successfully calculate a replica count from pods metric \
vllm:num_requests_waiting
  ScalingLimited  False DesiredWithinRange: the desired count is within the acceptable range

What would change it:
  - may go down to 2 in 212 to 300 s
  - 8 more waiting (9 in all) would keep 3
  - 16 more waiting (17 in all) would give 4
  - 0.47 more kv-cache (0.72 per pod) would keep 3

Not known, but estimated:
  - recent recommendations: taken for 3; at least 3 for sure 88 s ago; at most 3 for sure 15 s ago
  - tolerance: a controller flag, taken for its default of 0.1"""
    )


CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}


@pytest.mark.parametrize(
    ("seen", "lines"),
    [
        pytest.param(
            facts(4, by_pod(15)),
            [
                "  no sample   p1, p2, p3: count 0, since it would go up (running, without waiting)",
                "  with those  ratio 0.75 over 4 pods",
                "  asks for    4: with those pods the ratio is on the other side of 1, so it stays",
            ],
            id="missing, up",
        ),
        pytest.param(
            facts(5, by_pod(0)),
            [
                "  no sample   p1, p2, p3, p4: count as on target, since it would go down (running, without waiting)",
                "  asks for    4 = 0.8 x 5 pods, rounded up",
            ],
            id="missing, down",
        ),
        pytest.param(
            facts(2, by_pod(20), pods=(Pod("p0"), Pod("p1", "Pending", False), Pod("p2", deleting=True))),
            [
                "Pods:        3 match, 2 ready, 1 pending, 1 being deleted; selector app=vllm",
                "  pending     p1: counts 0, since it would go up",
                "  ended       p2: left out (being deleted, or failed)",
                "  asks for    4 = 2 x 2 pods, rounded up",
                "  result      2 -> 4",
            ],
            id="pending and deleting",
        ),
        pytest.param(
            facts(3, by_pod(5.4, 5.4, 5.4)),
            ["  ratio       1.08 of the target, within the tolerance of 0.9..1.1 (4.5 to 5.5 would change nothing)",
             "  asks for    3: within the tolerance, so it stays"],
            id="within",
        ),
        pytest.param(
            facts(2, in_series(11, 9), metrics=[external("q", average("5"))]),
            ["q  (External AverageValue, target 5)", "  series      2: 11, 9", "  total       20",
             "  average     10 per replica", "  asks for    4 = 20 / 5, rounded up"],
            id="external average",
        ),
        pytest.param(
            facts(2, in_series(12), metrics=[of_namespace("q", {"type": "Value", "value": "5"})]),
            ["  value       12", "  asks for    5 = 2.4 x 2 ready pods, rounded up"],
            id="value",
        ),
        pytest.param(
            facts(20, by_pod(*range(20)), limits=(1, 30)),
            ["  p19         19", "  p14         14", "  14 more     13 to 0", "  total       190"],
            id="many pods are folded",
        ),
        pytest.param(
            facts(3, by_pod(0, 0, 0), Answer("failed", message=GONE), metrics=BOTH),
            [f"  no vote     unable to get metric {KV}: {GONE}",
             "  votes       waiting 0, kv-cache none",
             "              a metric without a number may mean load, so it cannot go down",
             "  result      3, no change",
             "  - kv-cache cannot be read, which forbids going down; without it the rest would give 1"],
            id="one of two cannot be read",
        ),
        pytest.param(
            facts(3, by_pod(50, 50, 50), shape=behavior(), limits=(1, 40)),
            ["  policies    up, the policy that changes most, so 30 is cut to 6:",
             "              100 % in 30 s allows 6 (from 3)", "              2 pods in 30 s allows 5 (from 3)",
             "  limits      1..40", "  result      3 -> 6"],
            id="policies",
        ),
        pytest.param(
            facts(3, by_pod(50, 50, 50)),
            ["  limits      1..6: 30 cut to 6, TooManyReplicas",
             "  - at the maximum of 6: a maximum of 30 would give 30"],
            id="maximum",
        ),
        pytest.param(
            facts(3, by_pod(0, 0, 0), shape=behavior(0, scale_down=False)),
            ["  policies    down is Disabled, so it stays at 3",
             "  - scale-down is Disabled, so it never goes down of itself"],
            id="disabled",
        ),
        pytest.param(
            facts(0, Answer("pods")),
            ["  result      0: scaling is off while there is no replica; scale the workload to 1 to go on"],
            id="no replicas",
        ),
        pytest.param(
            facts(9, by_pod(*[0] * 9)),
            ["  limits      current number of replicas above spec.maxreplicas", "  result      9 -> 6"],
            id="above the maximum",
        ),
        pytest.param(
            facts(2, Answer("none"), metrics=[CPU]),
            ["Nothing to calculate: it has CPU and memory metrics only, which are not calculated here",
             "cpu  (Resource Utilization, target 80%)",
             "  note        CPU and memory are not calculated here; the controller has no number of it"],
            id="cpu",
        ),
    ],
)  # fmt: skip
def test_lines(seen: Facts, lines: list[str]) -> None:
    text = block(replay(seen))
    assert [line for line in lines if line not in text.splitlines()] == [], text


@pytest.mark.parametrize(
    ("seen", "short"),
    [
        (facts(1, by_pod(11)), "1 -> 3: waiting asks for 3, the controller last came to 1"),
        (facts(3, by_pod(5, 5, 5)), "stays 3: waiting asks for 3"),
        (facts(3, by_pod(50, 50, 50), told=(3, 6)), "3 -> 6: waiting asks for 30, cut to 6 by the maximum"),
        (facts(3, Answer("pods")), "stays 3: waiting cannot be read"),
        (facts(9, by_pod(*[0] * 9), told=(9, 6)), "9 -> 6: outside of 1..6"),
        (facts(0, Answer("pods")), "stays 0: an HPA does nothing for a workload without replicas"),
        (
            facts(3, by_pod(9, 9, 9), shape=behavior(), limits=(1, 40), told=(3, 6)),
            "3 -> 6: waiting asks for 6",
        ),
        (
            facts(3, by_pod(90, 90, 90), shape=behavior(), limits=(1, 40), told=(3, 6)),
            "3 -> 6: waiting asks for 54, cut to 6 by the scale-up policies",
        ),
    ],
)
def test_the_result_in_short(seen: Facts, short: str) -> None:
    assert f"In short:    {short}" in block(replay(seen)).splitlines()


def test_what_if_is_on_the_page_and_nothing_is_compared() -> None:
    text = block(replay(what_if.apply(STABILIZING, "waiting=40"), before=STABILIZING, what_if="waiting=40"))
    assert "What if:     waiting=40" in text.splitlines()
    assert "  replicas        3 -> 3" in text.splitlines()


def test_colour_marks_the_metric_names_and_nothing_else() -> None:
    plain, coloured = (block(replay(STABILIZING), colour=colour) for colour in (False, True))
    assert "waiting  \x1b[2m(vllm:num_requests_waiting" in coloured
    assert coloured.replace("\x1b[2m", "").replace("\x1b[0m", "") == plain


EVIL = "\x1b[2J\u202eevil"


@pytest.mark.parametrize(
    ("second", "line"),
    [
        (by_pod(5, 5), "less of any one metric changes nothing: the others ask for as many"),
        (
            Answer("failed", message=GONE),
            "less of any one metric changes nothing while running cannot be read",
        ),
    ],
)
def test_why_less_of_one_metric_is_not_enough(second: Answer, line: str) -> None:
    both = [pods(W, average("5")), pods("vllm:num_requests_running", average("5"))]
    assert f"  - {line}\n" in block(replay(facts(2, by_pod(5, 5), second, metrics=both)))


def test_the_selector_of_a_message_is_left_out() -> None:
    selector = (
        "&LabelSelector{MatchLabels:map[string]string{scaledobject.keda.sh/name: b,},"
        "MatchExpressions:[]LabelSelectorRequirement{},}"
    )
    assert without_selectors(f"external metric rv/s0-prometheus/{selector}: no") == (
        "external metric rv/s0-prometheus: no"
    )
    assert without_selectors(f"pods metric x({selector}) and y(nil)") == "pods metric x and y"


def test_text_of_the_cluster_is_escaped() -> None:
    said = [{"type": "AbleToScale", "status": "True", "reason": EVIL, "message": f"{EVIL}\n{EVIL}"}]
    seen = facts(
        2, Answer("pods", pods={EVIL: "3"}), Answer("failed", message=EVIL), conditions=said,
        metrics=[pods(EVIL, average("5")), pods(KV, average("800m"))], pods=(Pod(EVIL), Pod(f"{EVIL}2")),
    )  # fmt: skip
    text = block(replay(replace(seen, unread={"scale": EVIL})))
    assert "evil" in text
    assert not [char for char in text if char != "\n" and not char.isprintable()]


@pytest.mark.parametrize("value", ["-9223372036854775808m", "9223372036854775807", "1e18", "-5", "0.0004"])
def test_no_number_breaks_it(value: str) -> None:
    for metric in (
        pods(W, average("5")),
        external(W, average("5")),
        of_namespace(W, {"type": "Value", "value": "5"}),
    ):
        answer = by_pod(value, value) if metric["type"] == "Pods" else in_series(value)
        found = replay(facts(2, answer, metrics=[metric]))
        assert block(found)
        assert json.loads(documents.dump(item(found), "json"))["result"]["before"] == 2


def test_the_document() -> None:
    found = item(replay(STABILIZING))
    assert yaml.safe_load(documents.dump(found, "yaml")) == json.loads(documents.dump(found, "json"))
    waiting, cache = found["metrics"]
    assert (waiting["signal"], waiting["name"], waiting["total"], waiting["ratio"]) == (
        "waiting",
        W,
        "1",
        0.1,
    )
    assert (waiting["pods"], waiting["pending"], waiting["missing"]) == ({"p0": "0", "p1": "1"}, ["p2"], [])
    assert (cache["usage"], cache["lastSeen"], cache["replicas"], cache["wins"]) == ("250m", "250m", 1, False)
    assert found["result"] == {
        "path": "metrics", "before": 3, "asked": 1, "stabilized": 3, "lowestRecommendation": 1,
        "highestRecommendation": 3, "allowances": [], "limit": "DesiredWithinRange", "replicas": 3,
        "reason": "All metrics below target",
    }  # fmt: skip
    assert found["changes"][0] == {
        "kind": "wait", "replicas": 2, "metric": None, "by": None, "level": None, "limit": None,
        "wait": {"earliest": 212, "latest": 300}, "sentence": "may go down to 2 in 212 to 300 s",
    }  # fmt: skip
    assert (found["controller"]["agrees"], found["settled"]) == (True, 2)
