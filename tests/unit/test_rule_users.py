"""Who uses rules of ours, from HPAs and journals as the API has them."""

from __future__ import annotations

import json
from dataclasses import asdict

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.plan.adapter import rule_users
from kubectl_llmhpa.plan.adapter.rule_users import Leaving
from kubectl_llmhpa.plan.journal import SCHEMA, Journal

A, B = "vllm:waiting", "vllm:running"


def hpa(name: str, *metrics: Json) -> Json:
    return {"metadata": {"namespace": "ml", "name": name}, "spec": {"metrics": list(metrics)}}


def pods(name: str) -> Json:
    return {"type": "Pods", "pods": {"metric": {"name": name}}}


def book(name: str, *metrics: str, schema: str = SCHEMA, leaving: bool = False) -> Json:
    content = {"schemaVersion": schema, **asdict(Journal(metrics=metrics, leaving=leaving))}
    return {"metadata": {"namespace": "ml", "name": name}, "data": {"journal.json": json.dumps(content)}}


def test_an_hpa_uses_what_it_reads_of_pods_and_of_objects() -> None:
    cpu = {"type": "Resource", "resource": {"name": "cpu"}}
    other = {"type": "Object", "object": {"metric": {"name": B}, "describedObject": {"kind": "Namespace"}}}
    assert rule_users.metrics(hpa("x", cpu, pods(A), other)) == {A, B}
    assert rule_users.metrics({"spec": {}}) == frozenset()
    users = rule_users.judge([hpa("x", cpu, pods(A)), hpa("y", other), hpa("z", cpu)], [], [A, B], Leaving())
    assert users == {"ml/x": {A}, "ml/y": {B}}


def test_who_leaves_is_no_user() -> None:
    leaving = Leaving([A], {("ml", "x")}, ("ml", "llm-hpa-deployment-x"))
    own = book("llm-hpa-deployment-x", A)
    assert rule_users.judge([hpa("x", pods(A))], [own], [A], leaving) == {}
    assert rule_users.judge([hpa("y", pods(A))], [own], [A], leaving) == {"ml/y": {A}}


def test_a_journal_is_a_user_before_its_hpa_is_there() -> None:
    journals = [
        book("j", A, "other"),
        {"metadata": {"namespace": "mon", "name": "record"}, "data": {"record.json": "{}"}},
    ]
    assert rule_users.judge([], journals, [A, B], Leaving()) == {"configmap ml/j": {A}}
    assert rule_users.judge([hpa("x", pods(A))], journals, [A, B], Leaving()) == {"ml/x": {A}}


def test_of_two_that_leave_neither_keeps_the_rules_of_the_other() -> None:
    assert rule_users.judge([], [book("j", A, leaving=True)], [A, B], Leaving()) == {}


def test_a_journal_of_another_version_may_use_them_all() -> None:
    assert rule_users.judge([], [book("j", schema="v9")], [A, B], Leaving()) == {"configmap ml/j": {A, B}}
