"""Every finding of `doctor`: a recorded healthy chain does not give it, and one change of that does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from kubectl_llmhpa.api import HPAS, Json
from kubectl_llmhpa.doctor import HOPS, Facts, Mark, codec, diagnose, look
from kubectl_llmhpa.doctor.facts import Problem, ScrapeTarget, Series
from kubectl_llmhpa.errors import ExitCode, LlmHpaError
from kubectl_llmhpa.findings import RULES
from kubectl_llmhpa.findings import found as finding_of
from tests import loading
from tests.unit.doctor_cases import CASES
from tests.unit.doctor_changes import (
    ADAPTER,
    FIRST,
    KEDA,
    RUNNING,
    SECOND,
    WAITING,
    Case,
    Change,
    adapter,
    both,
    condition,
    engine_is,
    hpa,
    monitor,
    no_number,
    no_rule,
    on,
    one_pending,
    prometheus,
    recorded,
    said,
    top,
    unlisted,
    unscraped,
    values,
)
from tests.unit.test_explain_look import Answers

OTHERS: Json = {"selector": {"matchLabels": {"app": "b"}}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}".strip())
def test_the_first_broken_hop_and_its_cause(case: Case) -> None:
    found = diagnose(case.change(case.base))
    assert found.broken is not None
    finding = found.broken.verdict.finding
    assert finding is not None
    assert (found.broken.hop, finding.code) == (case.hop, case.code)
    assert finding.seen
    assert finding.why
    assert finding.fix
    assert "{" not in finding.why
    assert "llm-hpa -n" not in finding.fix  # flags stand behind the command
    behind = [one.verdict.mark for one in found.hops[[one.hop for one in found.hops].index(case.hop) + 1 :]]
    assert set(behind) <= {Mark.UNKNOWN}


@pytest.mark.parametrize("name", ["adapter", "keda"])
def test_a_healthy_chain_has_no_broken_hop(name: str) -> None:
    found = diagnose(recorded(name))
    assert found.broken is None
    assert [one.hop for one in found.hops] == [one.name for one in HOPS]
    assert {one.verdict.mark for one in found.hops} == {Mark.OK}
    assert not [note for one in found.hops for note in one.verdict.notes]


def test_every_code_of_a_failure_mode_is_on_the_page() -> None:
    page = (loading.ROOT / "docs" / "failure-modes.md").read_text()
    codes = RULES.keys() & set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", page))
    assert {case.code for case in CASES if case.modes} <= codes


def test_every_failure_mode_is_a_case() -> None:
    named = {mode for case in CASES for mode in case.modes}
    # 18 is no fault: pods that start
    assert set(range(1, 31)) - named == {18}


def test_an_armed_engine_is_no_fault() -> None:
    armed = both(
        engine_is(armed=True, signals=()),
        values(items=()),
        lambda facts: replace(
            facts,
            samples=replace(
                facts.samples,
                ages={},
                series=tuple(one for one in facts.samples.series if one.labels["__name__"] == "up"),
            ),
        ),
    )
    found = diagnose(armed(ADAPTER))
    assert found.broken is None
    assert found.armed


def test_the_monitor_of_other_pods_is_left_alone() -> None:
    """It matches nothing of this workload, and its own pods would be lost by a patch."""
    edit = monitor(
        lambda one: (one["metadata"].update(name="llm-hpa-deployment-b"), one["spec"].update(OTHERS))
    )
    found = diagnose(both(unscraped, edit, on("scraping", busy=("llm-hpa-deployment-b",)))(ADAPTER))
    assert found.broken is not None
    finding = found.broken.verdict.finding
    assert finding is not None
    assert finding.code == "no-scrape-object"
    assert "llm-hpa-deployment-b" not in finding.fix


def test_a_monitor_is_written_for_an_autoscaler_of_others() -> None:
    """`enable` would refuse: somebody else scales it already."""
    change = both(unscraped, on("scraping", monitors=()))
    by_us, by_others = (
        diagnose(both(change, on("scaler", ours=ours))(ADAPTER)).broken.verdict.finding.fix  # type: ignore[union-attr]
        for ours in (True, False)
    )
    assert by_us == f"kubectl llm-hpa enable statefulset/vllm-inference -n {ADAPTER.namespace}"
    before, made, after = by_others.split("'")
    assert (before, after) == ("echo ", " | kubectl apply -f -")
    made = json.loads(made)
    assert made["spec"]["selector"]["matchLabels"]
    repaired = diagnose(both(change, on("scraping", monitors=(made,)))(ADAPTER))
    assert [one.verdict.mark for one in repaired.hops if one.hop in ("scrape object", "selection")] == [
        Mark.OK,
        Mark.OK,
    ]


def test_an_autoscaler_by_cpu_needs_no_samples() -> None:
    def by_cpu(live: Json) -> None:
        target = {"type": "Utilization", "averageUtilization": 80}
        live["spec"]["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
        message = "unable to fetch metrics from resource metrics API: the server could not find the resource"
        condition("ScalingActive", "False", "FailedGetResourceMetric", message)(live)

    found = diagnose(both(unscraped, on("scraping", monitors=()), hpa(by_cpu))(ADAPTER))
    marks = {one.hop: one.verdict.mark for one in found.hops}
    assert {marks[one] for one in ("scrape object", "selection", "scrape target", "sample")} == {Mark.SKIPPED}
    assert found.broken is not None
    assert found.broken.hop == "autoscaler"
    assert "metrics-server" in found.broken.verdict.finding.fix  # type: ignore[union-attr]


def test_a_metric_of_another_object_needs_no_samples_of_the_pods() -> None:
    def of_service(live: Json) -> None:
        described = {"apiVersion": "v1", "kind": "Service", "name": "queue"}
        target = {"type": "Value", "value": "5"}
        body = {"metric": {"name": WAITING}, "describedObject": described, "target": target}
        live["spec"]["metrics"] = [{"type": "Object", "object": body}]

    change = both(unscraped, on("scraping", monitors=()), hpa(of_service))
    found = diagnose(both(change, values(metric=WAITING))(ADAPTER))
    assert found.broken is None or found.broken.hop not in ("scrape object", "sample")
    unserved = diagnose(both(change, values(metric=WAITING, items=()))(ADAPTER))
    assert unserved.broken is not None
    assert unserved.broken.hop == "scrape object"


def test_a_target_that_was_not_scraped_yet_is_not_down() -> None:
    first, second = (ScrapeTarget(one, "j", "http://x", "unknown", "") for one in (FIRST, SECOND))
    new = diagnose(both(unscraped, on("samples", targets=(first, second)))(ADAPTER))
    assert "scrape target" in [one.hop for one in new.hops if one.verdict.mark is Mark.UNKNOWN]
    up = Series({"__name__": "up", "namespace": ADAPTER.namespace, "pod": FIRST, "job": "j"}, "1")
    one = diagnose(both(unscraped, on("samples", targets=(second,), series=(up,)))(ADAPTER))
    target = next(each.verdict for each in one.hops if each.hop == "scrape target")
    assert (target.mark, target.answer) == (
        Mark.OK,
        f"1 of 2 running pods up; not scraped yet: {SECOND}",
    )


def test_a_pending_pod_of_a_rollout_is_no_want_of_nodes() -> None:
    found = diagnose(one_pending(ADAPTER))
    assert found.broken is None
    assert "1 Pending beyond those, of a rollout" in found.hops[-2].verdict.answer


def test_a_number_that_the_adapter_leaves_out_is_no_zero() -> None:
    left = both(no_number, values(items=((SECOND, "1"),)))(ADAPTER)
    for facts, words in ((no_number(ADAPTER), "takes that for 0"), (left, "without a sample")):
        broken = diagnose(facts).broken
        assert broken is not None
        assert words in broken.verdict.finding.why  # type: ignore[union-attr]


def test_a_rule_that_enable_would_write_is_the_fix() -> None:
    broken = diagnose(both(unlisted, no_rule(RUNNING))(ADAPTER)).broken
    assert broken is not None
    assert broken.verdict.finding.fix == (  # type: ignore[union-attr]
        f"kubectl llm-hpa enable statefulset/vllm-inference -n {ADAPTER.namespace} --backend prometheus-adapter "
        "--max 3 --signal running=4 --signal waiting=2 --signal kv-cache=700m --adopt"
    )


def test_what_was_not_seen_is_not_called_healthy() -> None:
    from kubectl_llmhpa.cli import doctor_text

    text = doctor_text.text(diagnose(top(unseen=("list pods",))(ADAPTER)))
    assert text.endswith("nothing broken, as far as it could be seen; not seen: access")


def test_a_scrape_that_has_ended_proves_nothing() -> None:
    """Prometheus answers with its last samples for five minutes; the selection is what is broken."""
    other = prometheus(lambda one: one["spec"].update(podMonitorSelector={"matchLabels": {"team": "x"}}))
    left = on("samples", ages={FIRST: 97.0, SECOND: 98.0})
    labels = on("scraping", namespace_labels={"kubernetes.io/metadata.name": ADAPTER.namespace})
    broken = diagnose(both(other, left, labels)(ADAPTER)).broken
    assert broken is not None
    assert broken.verdict.finding.code == "monitor-not-selected"  # type: ignore[union-attr]


def test_an_hpa_that_waits_for_the_first_request_is_no_fault() -> None:
    message = "unable to get metric x: no metrics returned from custom metrics API"
    waits = hpa(condition("ScalingActive", "False", "FailedGetPodsMetric", message))
    idle = both(engine_is(armed=True, signals=()), values(items=()), waits)
    without = replace(ADAPTER.samples, ages={}, series=())
    found = diagnose(replace(idle(ADAPTER), samples=replace(without, targets=(up(FIRST), up(SECOND)))))
    assert found.broken is None
    assert found.armed
    served = diagnose(both(waits, values(items=()))(ADAPTER))
    assert served.broken is not None


def up(pod: str) -> ScrapeTarget:
    return ScrapeTarget(pod, "j", "http://x", "up", "")


@pytest.mark.parametrize(("metric", "hop"), [(RUNNING, "drift"), ("vllm:not_asked_for", None)])
def test_a_lost_rule_of_a_metric_that_is_not_used_is_a_note(metric: str, hop: str | None) -> None:
    lost = finding_of("rule-will-be-lost", "x", f"the rule for {metric} is gone from it", source="the file")
    found = diagnose(both(adapter(lost=(lost,)), on("scaler", ours=True))(ADAPTER))
    assert (found.broken.hop if found.broken else None) == hop
    if found.broken is not None:
        fix = found.broken.verdict.finding.fix  # type: ignore[union-attr]
        assert fix == f"kubectl llm-hpa enable statefulset/vllm-inference -n {ADAPTER.namespace}"
    else:
        assert [note.code for note in found.hops[-1].verdict.notes] == ["rule-will-be-lost"]


class Everything(Answers):
    """The answers to an administrator."""

    def may(self, *_: object, **__: object) -> bool:
        return True


def test_a_namespace_that_is_not_there_could_not_be_looked_at() -> None:
    reader: Any = Everything({})
    with pytest.raises(LlmHpaError, match="the namespace does not exist") as raised:
        look(reader, ("sts/a",), "nosuch")
    assert raised.value.exit_code == ExitCode.COULD_NOT_LOOK


def test_a_name_that_no_object_can_have_is_absent() -> None:
    """The API server takes any text for the name in a scaleTargetRef."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "h\x1b[31m/../x"}
    live = {"metadata": {"name": "odd", "namespace": "llm"}, "spec": {"scaleTargetRef": target}}
    reader: Any = Everything({HPAS.path("llm"): {"items": [live]}})
    broken = diagnose(look(reader, ("hpa/odd",), "llm")).broken
    assert broken is not None
    assert (broken.hop, broken.verdict.finding.code) == ("target", "target-absent")  # type: ignore[union-attr]


def test_a_load_above_the_maximum_is_a_note() -> None:
    arithmetic = json.loads(json.dumps(ADAPTER.arithmetic))
    arithmetic["hpa"]["spec"]["maxReplicas"] = 2
    condition("ScalingLimited", "True", "TooManyReplicas", "more than the maximum")(arithmetic["hpa"])
    condition("AbleToScale", "True", "ReadyForNewScale", "as recommended")(arithmetic["hpa"])
    arithmetic["answers"][0]["pods"] = dict.fromkeys(arithmetic["answers"][0]["pods"], "40")
    found = diagnose(replace(ADAPTER, arithmetic=arithmetic))
    assert [note.code for one in found.hops for note in one.verdict.notes] == ["at-maximum"]


def test_rescales_to_and_fro_by_load_are_no_fight() -> None:
    """Events of one text are merged: five times up and five times down may look like five times up."""

    def cycles(facts: Facts) -> Facts:
        up, down = (
            said("SuccessfulRescale", f"New size: {size}; reason: x", "HorizontalPodAutoscaler", "h", 5, time)
            for size, time in ((3, "2026-11-27T00:00:10Z"), (1, "2026-11-27T00:00:05Z"))
        )
        return replace(facts, scaler=replace(facts.scaler, events=(up, down)))

    assert diagnose(cycles(ADAPTER)).broken is None


def test_pods_that_start_are_no_fault() -> None:
    starting = replace(
        ADAPTER,
        pods=tuple(replace(one, ready=False) for one in ADAPTER.pods or ()),
        engine=None,
        values=tuple(replace(one, items=()) for one in ADAPTER.values),
    )
    found = diagnose(starting)
    assert found.broken is None
    notes = [note.code for one in found.hops for note in one.verdict.notes]
    assert "pods-starting" in notes


@pytest.mark.parametrize(
    ("change", "hop"),
    [
        (top(pods=None), "engine"),
        (on("samples", server="", series=(), ages={}), "sample"),
        (on("samples", blind=Problem("no", forbidden=True), series=(), ages={}), "scrape target"),
        (on("serving", custom=None, external=None, adapter=None, listed=None, served=()), "name"),
        (
            both(unscraped, on("scraping", monitors=None, prometheuses=None), on("samples", server="")),
            "selection",
        ),
        (values(items=(), problem=Problem("no", code=403, forbidden=True)), "value"),
        (on("scaler", seen=False, hpa=None, scaled_object=None), "autoscaler"),
        (top(unseen=("list pods",)), "access"),
    ],
    ids=["pods", "server", "prometheus", "apiservices", "monitors", "values", "hpas", "access"],
)
def test_what_may_not_be_seen_is_unknown_and_stops_nothing(change: Change, hop: str) -> None:
    found = diagnose(change(ADAPTER))
    assert found.broken is None
    assert hop in [one.hop for one in found.hops if one.verdict.mark is Mark.UNKNOWN]


@pytest.mark.parametrize("facts", [ADAPTER, KEDA, *(case.change(case.base) for case in CASES)])
def test_facts_go_into_a_file_and_come_back(facts: Facts) -> None:
    assert codec.load(codec.dump(facts), "x") == codec.cleaned(facts) == facts


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("vllm serve x --api-key sk-123abc --port 8000", "vllm serve x --api-key <hidden> --port 8000"),
        ("--api-key=sk-123abc", "--api-key=<hidden>"),
        ("http://admin:hunter2@prometheus:9090/x", "http://<hidden>@prometheus:9090/x"),
        ("Authorization: Bearer eyJhbGciOi.x.y", "Authorization: Bearer <hidden>"),
        ("https://host/q?access_token=abc&x=1", "https://host/q?access_token=<hidden>&x=1"),
        ("sum(vllm:num_requests_waiting{pod=~\"a|b\"})", "sum(vllm:num_requests_waiting{pod=~\"a|b\"})"),
        ("vllm:generation_tokens_total 5", "vllm:generation_tokens_total 5"),
    ],
)  # fmt: skip
def test_secrets_stay_out(text: str, left: str) -> None:
    assert codec.secrets_out({"a": [text]}) == {"a": [left]}
    assert codec.secrets_out(left) == left


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"kind": "DoctorFacts", "version": 99}',
        '{"kind": "DoctorFacts", "version": 1, "facts": {"asked": 1}}',
    ],
)
def test_another_file_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(LlmHpaError) as raised:
        codec.load(text, "x.json")
    assert raised.value.exit_code == ExitCode.COULD_NOT_LOOK
    assert "x.json" in str(raised.value)


def test_a_diagnosis_is_text_and_a_document() -> None:
    from kubectl_llmhpa.cli import doctor_text
    from kubectl_llmhpa.output import documents

    broken = diagnose(CASES[0].change(CASES[0].base))
    text = doctor_text.text(broken)
    assert "broken   target" in text
    assert "Fix:" in text
    assert "\x1b" not in text
    assert "✗" in doctor_text.text(broken, live=True)
    document = json.loads(
        documents.dump(documents.document("Diagnosis", doctor_text.content(broken)), "json")
    )
    assert (document["healthy"], document["broken"], len(document["hops"])) == (False, "target", len(HOPS))
    assert doctor_text.text(diagnose(ADAPTER)).endswith("\nhealthy")


def test_hostile_text_is_escaped() -> None:
    from kubectl_llmhpa.cli import doctor_text

    hostile = on("target", fault="absent", problem=Problem("\x1b[2Jgone\nfake: line"))
    text = doctor_text.text(diagnose(hostile(ADAPTER)))
    assert "\x1b" not in text
    assert "\\x1b[2Jgone" in text
    assert not any(line.startswith("fake:") for line in text.splitlines())
