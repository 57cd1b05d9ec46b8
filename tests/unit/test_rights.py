"""The table of rights, and the roles that are made of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from kubectl_llmhpa.api import Json, Resource
from kubectl_llmhpa.backends.model import BACKENDS, KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.cli import group, rbac
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.permissions import rights, roles
from kubectl_llmhpa.plan.permissions.rights import Scene
from kubectl_llmhpa.plan.permissions.rights_table import (
    ADAPTER,
    CLUSTER,
    COMMANDS,
    OPTIONAL,
    PLACES,
    ROWS,
    WORKLOAD,
)
from kubectl_llmhpa.plan.permitted import Right
from kubectl_llmhpa.plan.wishes import PARTS, RULES, SCALER, SCRAPE

READS = {"get", "list", "watch"}
SCENE = Scene({place: f"in-{place}" for place in PLACES if place != CLUSTER})


def made(
    *commands: str, scene: Scene = SCENE, optional: bool = False, **choices: Collection[str]
) -> dict[str, list[Json]]:
    """The rules by place."""
    found = rights.select(scene, commands, **choices)
    return {one.place: one.body["rules"] for one in roles.roles(found, scene, name="x", optional=optional)}


def writes(rules: list[Json]) -> set[str]:
    """What the rules let one write."""
    return {resource for rule in rules if set(rule["verbs"]) - READS for resource in rule["resources"]}


@pytest.mark.parametrize(
    ("rule", "right", "expected"),
    [
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, Right("get", "", "pods", "", "n"), True),
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, Right("get", "a", "x", "y", "n"), True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, Right("list", "", "pods", "", "n"), False),
        ({"verbs": ["get"], "apiGroups": ["a"], "resources": ["pods"]}, Right("get", "", "pods", "", "n"), False),
        # a subresource is another resource
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, Right("get", "", "pods", "proxy", "n"), False),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/proxy"]}, Right("get", "", "pods", "proxy", "n"),
         True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["*/scale"]}, Right("get", "", "x", "scale", "n"), True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["*/scale"]}, Right("get", "", "x", "", "n"), False),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/*"]}, Right("get", "", "pods", "log", "n"), False),
        # a name in the rule counts for that name only
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["x"], "resourceNames": ["a"]},
         Right("get", "", "x", "", "n", "a"), True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["x"], "resourceNames": ["a"]},
         Right("get", "", "x", "", "n", "b"), False),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["x"], "resourceNames": ["a"]},
         Right("get", "", "x", "", "n"), False),
        ({"verbs": ["get"]}, Right("get", "", "pods", "", "n"), False),
    ],
)  # fmt: skip
def test_a_rule_grants_a_right(rule: Json, right: Right, expected: bool) -> None:
    assert rights.granted([rule], right) is expected


def test_what_is_missing_is_said_together() -> None:
    hpas = Right("create", "autoscaling", "horizontalpodautoscalers", "", "ml")
    lacking = [hpas, replace(hpas, verb="patch"), Right("update", "", "configmaps", "", "mon", "rules")]
    assert rights.sentence(lacking) == [
        'create and patch horizontalpodautoscalers.autoscaling in namespace "ml"',
        'update configmaps rules in namespace "mon"',
    ]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_but_reads_on_the_whole_cluster(command: str, backend: str) -> None:
    rules = made(command, optional=True, backends=[backend])
    assert writes(rules.get(CLUSTER, [])) == set()


def test_a_cluster_wide_write_is_asked_for_by_name() -> None:
    rules = made("enable", flags=["--install-custom-metrics-api"])
    assert writes(rules[CLUSTER]) == {"apiservices"}


def test_a_team_writes_nothing_around_the_adapter_and_its_owners_no_hpa() -> None:
    team = made("enable", "disable", parts=[SCRAPE, SCALER], backends=[PROMETHEUS_ADAPTER])
    assert writes(team[ADAPTER]) == set()
    assert writes(team[WORKLOAD]) == {"horizontalpodautoscalers", "podmonitors", "configmaps"}
    owners = made("enable", parts=[RULES], backends=[PROMETHEUS_ADAPTER])
    assert writes(owners[ADAPTER]) == {"configmaps", "deployments"}
    assert not writes(owners[WORKLOAD]) & {"horizontalpodautoscalers", "podmonitors"}


def test_shared_objects_are_written_by_name_only() -> None:
    scene = replace(SCENE, names={"file": ("rules",), "deployment": ("adapter",)})
    rules = made("enable", "disable", "migrate", scene=scene)[ADAPTER]
    named = [rule for rule in rules if set(rule["verbs"]) & {"update", "patch", "delete"}]
    assert {name for rule in named for name in rule["resourceNames"]} == {
        "rules", "adapter", "llm-hpa-adapter-rules",
    }  # fmt: skip


def test_with_keda_nothing_is_written_around_the_adapter() -> None:
    assert ADAPTER not in made("enable", backends=[KEDA])
    assert writes(made("disable", backends=[KEDA])[ADAPTER]) == set()
    assert "scaledobjects" in writes(made("enable", backends=[KEDA])[WORKLOAD])
    assert "triggerauthentications" not in writes(made("enable", backends=[KEDA])[WORKLOAD])
    flags = ["--prometheus-token-secret"]
    assert "triggerauthentications" in writes(made("enable", backends=[KEDA], flags=flags)[WORKLOAD])


@pytest.mark.parametrize("command", ["detect", "status", "explain", "lint", "simulate"])
def test_looking_writes_nothing(command: str) -> None:
    assert {name for rules in made(command, optional=True).values() for name in writes(rules)} == set()


def test_another_kind_of_workload_and_scrape_object() -> None:
    groups = Resource("leaderworkerset.x-k8s.io/v1", "leaderworkersets", "LeaderWorkerSet")
    scene = replace(
        SCENE, types=(groups,), scrape=Resource("operator.victoriametrics.com/v1beta1", "vmpodscrapes", "")
    )
    rules = made("enable", scene=scene)[WORKLOAD]
    read = [rule for rule in rules if rule["apiGroups"] == ["leaderworkerset.x-k8s.io"]]
    assert [rule["resources"] for rule in read] == [["leaderworkersets", "leaderworkersets/scale"]]
    assert "vmpodscrapes" in writes(rules)
    assert "podmonitors" not in writes(rules)


def test_what_is_optional_is_asked_of_nobody_and_says_why() -> None:
    found = list(rights.select(SCENE, COMMANDS))
    for one in roles.roles(found, SCENE, name="x"):
        needed = {
            (verb, *rule.resources, rule.group) for rule in one.rules if not rule.why for verb in rule.verbs
        }
        for rule in one.rules:
            assert len(set(rule.verbs)) == len(rule.verbs)
            if rule.why:
                assert rule.why.startswith(("optional: ", "with --"))
                assert not {(verb, *rule.resources, rule.group) for verb in rule.verbs} & needed
    asked = rights.for_enable("in-workload", parts=PARTS, backend=PROMETHEUS_ADAPTER)
    assert not [one for one in asked if (one.resource, one.subresource) == ("pods", "proxy")]


def test_all_metrics_are_said_as_a_rule_can() -> None:
    (rule,) = [one for one in made("enable")[WORKLOAD] if one["apiGroups"] == ["custom.metrics.k8s.io"]]
    assert rule == {"apiGroups": ["custom.metrics.k8s.io"], "resources": ["*"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("user:pat@example.com", "User"),
        ("group:a:b", "Group"),
        ("serviceaccount:ops:robot", "ServiceAccount"),
    ],
)
def test_a_subject(words: str, kind: str) -> None:
    one = roles.Role("r", WORKLOAD, "ml", (), (roles.subject(words),))
    (binding,) = one.bindings
    assert binding["subjects"][0]["kind"] == kind
    assert binding["metadata"] == {"name": f"r:{words}", "namespace": "ml"}


@pytest.mark.parametrize("words", ["pat", "user:", "serviceaccount:robot", "serviceaccount::robot", "host:x"])
def test_no_subject(words: str) -> None:
    with pytest.raises(LlmHpaError, match="none of user:NAME"):
        roles.subject(words)


def test_the_command_line_and_the_table_have_the_same_words() -> None:
    assert set(COMMANDS) == set(group.COMMANDS) - {"rbac", "completion"}
    assert {f"--{one}" for one in rbac._FLAGS} == {row.need for row in ROWS} - {"", OPTIONAL}
