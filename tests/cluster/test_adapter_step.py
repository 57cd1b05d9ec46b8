"""The adapter's file under the optimistic lock of a real API server: side by side, undone, lost and written again.

No adapter runs here: what it would list and whether it has rolled out is said by the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.plan import steps
from kubectl_llmhpa.plan.adapter import rule_record, rules, serving
from tests.cluster.conftest import Json, Kubectl

pytestmark = pytest.mark.control_plane

TEXT = "# theirs\nrules:\n- seriesQuery: theirs\n  metricsQuery: q\n"
RUNNING = {"running": {"seriesQuery": "running", "metricsQuery": "r"}}
WAITING = {"waiting": {"seriesQuery": "waiting", "metricsQuery": "w"}}


class World:
    """One adapter's ConfigMap and Deployment, and what it serves."""

    def __init__(self, kubectl: Kubectl, cluster: Cluster, namespace: str) -> None:
        self.kubectl = kubectl
        self.cluster = cluster
        self.namespace = namespace
        self.served: set[str] | ApiError = {"pods/theirs"}
        kubectl.apply(
            {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "adapter", "namespace": namespace},
                "data": {"config.yaml": TEXT},
            },
            {
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "adapter", "namespace": namespace},
                "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": {
                    "metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "none"}]},
                }},
            },
        )  # fmt: skip

    def step(self, wanted: dict[str, Json], writer: Any = None) -> rules.AdapterRules:
        deployment = self.kubectl.get("deployment", "adapter", "-n", self.namespace)
        adapter = Adapter("v1beta1", deployment, "adapter", "config.yaml", "", relist=0, max_age=0)
        return rules.AdapterRules(writer or self.cluster, adapter, wanted)

    def listed(self, *_: object) -> set[str]:
        if isinstance(self.served, ApiError):
            raise self.served
        return set(self.served)

    def patched(self, text: str) -> tuple[str, ...]:
        """The words that make kubectl write the file anew."""
        patch = json.dumps({"data": {"config.yaml": text}})
        return ("patch", "configmap", "adapter", "-n", self.namespace, "--type=merge", "-p", patch)

    @property
    def text(self) -> str:
        text: str = self.kubectl.get("configmap", "adapter", "-n", self.namespace)["data"]["config.yaml"]
        return text

    @property
    def queries(self) -> list[str]:
        return [one["seriesQuery"] for one in yaml.safe_load(self.text)["rules"]]

    @property
    def restarted_for(self) -> str:
        template = self.kubectl.get("deployment", "adapter", "-n", self.namespace)["spec"]["template"]
        return str(template["metadata"].get("annotations", {}).get(rules.CONFIG_HASH, ""))

    @property
    def recorded(self) -> list[str]:
        found = self.kubectl.run(
            "get", "cm", rule_record.RECORD, "-n", self.namespace, "-o", "json", check=False
        )
        if found.code:
            return []
        return sorted(json.loads(json.loads(found.stdout)["data"]["record.json"])["rules"])


@pytest.fixture
def world(kubectl: Kubectl, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with Cluster(Connection(), read_only=False) as cluster:
        result = World(kubectl, cluster, namespace)
        monkeypatch.setattr(rules, "_SLACK_SECONDS", 0.5)
        monkeypatch.setattr(serving, "rolled_out", lambda _: True)
        monkeypatch.setattr(serving, "listed", result.listed)
        yield result


def test_two_runs_side_by_side_are_both_remembered(world: World) -> None:
    class Overtaken:
        """Lets another run through between the look at the record and its first write."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.cluster, name)

        def create(self, obj: Json) -> Json:
            if not world.recorded:
                world.step(RUNNING).do()
            return world.cluster.create(obj)

    world.step(WAITING, Overtaken()).do()
    assert world.queries == ["theirs", "running", "waiting"]
    assert world.recorded == ["running", "waiting"]
    shown, restart = world.step({}).removal()
    assert restart.line == "deployment.apps/adapter restarted"
    assert shown.after is not None
    assert shown.after["data"]["config.yaml"] == TEXT
    world.step({}).remove()
    assert world.step({}).removal() == []
    assert (world.text, world.recorded, world.restarted_for) == (TEXT, [], "")


def test_a_record_that_another_run_extends_is_not_deleted(world: World) -> None:
    world.step(RUNNING).do()

    class Overtaken:
        """Lets another run through before the record is deleted."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.cluster, name)

        def delete(self, *args: Any, **kwargs: Any) -> bool:
            world.step(WAITING).do()
            return world.cluster.delete(*args, **kwargs)

    world.step({}, Overtaken()).remove()
    assert world.queries == ["theirs", "waiting"]
    assert "waiting" in world.recorded
    world.step({}).remove()
    assert (world.text, world.recorded) == (TEXT, [])


def test_undoing_one_run_keeps_the_rules_of_others(world: World) -> None:
    world.step(RUNNING).do()
    before = world.text

    class Forgets(rules.AdapterRules):
        def _verify(self, before: set[str], expected: set[str], then: str = "") -> None:
            if "waiting" in world.text:
                raise LlmHpaError("restart", "it no longer serves theirs")
            super()._verify(before, expected, then)

    step = Forgets(world.cluster, world.step({})._adapter, WAITING)
    with pytest.raises(LlmHpaError, match="no longer serves") as failure:
        steps.run([step], lambda _: None)
    assert not isinstance(failure.value, steps.UndoError)
    assert (world.text, world.recorded) == (before, ["running"])
    assert world.restarted_for
    world.step({}).remove()
    assert (world.text, world.recorded, world.restarted_for) == (TEXT, [], "")


def test_rules_are_taken_back_although_the_adapter_is_down(world: World) -> None:
    step = world.step(WAITING)

    class Breaks:
        """The adapter goes down with the new file."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.cluster, name)

        def apply(self, obj: Json, **options: Any) -> Json:
            if not options.get("dry_run"):
                world.served = ApiError("list", 503, "ServiceUnavailable", "down")
            return world.cluster.apply(obj, **options)

    step = world.step(WAITING, Breaks())
    with pytest.raises(LlmHpaError, match="down"):
        steps.run([step], lambda _: None)
    assert world.text == TEXT
    assert world.restarted_for == ""
    world.step({}).remove()  # what `disable` does next, the adapter still being down
    assert world.recorded == []


def test_a_text_that_comes_back_is_loaded_again(world: World) -> None:
    world.step(RUNNING).do()
    first, with_ours = world.restarted_for, world.text
    world.kubectl.run(*world.patched(TEXT))
    world.step(RUNNING).do()
    assert world.text == with_ours
    assert world.restarted_for != first
    again = world.restarted_for
    assert world.step(RUNNING).do() == []
    assert world.restarted_for == again


def test_a_metric_whose_last_series_expired_does_not_fail_a_good_run(world: World) -> None:
    world.served = {"pods/theirs", "pods/expired"}

    class Expires:
        """The list is made anew at the restart, without what has no series any more."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.cluster, name)

        def apply(self, obj: Json, **options: Any) -> Json:
            if not options.get("dry_run"):
                world.served = {"pods/theirs"}
            return world.cluster.apply(obj, **options)

    world.kubectl.run(*world.patched("rules:\n- seriesQuery: theirs\n- seriesQuery: expired\n"))
    world.step(WAITING, Expires()).do()
    assert world.queries == ["theirs", "expired", "waiting"]


def test_a_name_whose_rule_another_run_takes_out_is_not_waited_for(world: World) -> None:
    world.kubectl.run(*world.patched("rules:\n- seriesQuery: theirs\n- seriesQuery: leaving\n"))
    world.served = {"pods/leaving"}

    class Overtaken:
        """Somebody takes a rule out before the adapter has restarted, and nothing at all is listed then."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.cluster, name)

        def apply(self, obj: Json, **options: Any) -> Json:
            if not options.get("dry_run"):
                world.kubectl.run(*world.patched(world.text.replace("- seriesQuery: leaving\n", "")))
                world.served = set()
            return world.cluster.apply(obj, **options)

    world.step(WAITING, Overtaken()).do()
    assert world.queries == ["theirs", "waiting"]


def test_an_empty_list_is_a_failure_and_taken_back(world: World) -> None:
    class Empties:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.cluster, name)

        def apply(self, obj: Json, **options: Any) -> Json:
            if not options.get("dry_run"):
                world.served = set() if "waiting" in world.text else {"pods/theirs"}
            return world.cluster.apply(obj, **options)

    with pytest.raises(LlmHpaError, match="no longer serves pods/theirs") as failure:
        steps.run([world.step(WAITING, Empties())], lambda _: None)
    assert not isinstance(failure.value, steps.UndoError)
    assert (world.text, world.recorded, world.restarted_for) == (TEXT, [], "")


def test_a_second_rule_for_a_name_is_refused_before_anything_is_written(world: World) -> None:
    world.kubectl.run(*world.patched("rules:\n- seriesQuery: other\n  name: {as: waiting}\n"))
    with pytest.raises(LlmHpaError, match="waiting is served by the rule for other already"):
        steps.run([world.step(WAITING)], lambda _: None)
    assert (world.recorded, world.restarted_for) == ([], "")


def test_an_older_text_of_a_rule_of_ours_is_replaced_and_comes_back_when_undone(world: World) -> None:
    world.step(WAITING).do()
    newer = {"waiting": {**WAITING["waiting"], "metricsQuery": "newer"}}
    step = world.step(newer)
    step.do()
    assert [one["metricsQuery"] for one in yaml.safe_load(world.text)["rules"]] == ["q", "newer"]
    step.undo()
    assert [one["metricsQuery"] for one in yaml.safe_load(world.text)["rules"]] == ["q", "w"]
    world.step({}).remove()
    assert (world.text, world.recorded, world.restarted_for) == (TEXT, [], "")


def test_a_rule_of_ours_for_other_labels_is_not_replaced(world: World) -> None:
    def by(label: str) -> dict[str, Json]:
        return {"w": {"seriesQuery": "w", "resources": {"overrides": {label: {"resource": "pod"}}}}}

    world.step(by("pod")).do()
    with pytest.raises(LlmHpaError, match="w takes pods from label 'pod' already"):
        steps.run([world.step(by("pod_name"))], lambda _: None)
    world.step({}).remove()


def test_a_rule_that_helm_has_rendered_since_is_helms(world: World) -> None:
    world.step(WAITING).do()
    rendered = f"# from values\n{world.text}"
    world.kubectl.run(*world.patched(rendered), "--field-manager=helm")
    world.step({}).remove()
    assert (world.text, world.recorded, world.restarted_for) == (rendered, [], "")


def test_a_rule_that_helm_dropped_is_lost_and_said(world: World) -> None:
    world.step(WAITING).do()
    world.kubectl.run(*world.patched(TEXT), "--field-manager=helm")
    record = rule_record.read_record(world.cluster, world.namespace)
    assert rule_record.lost(record, world.text, {"pods/theirs", "pods/waiting"}) == ["waiting"]
    assert rule_record.lost(record, world.text, {"pods/theirs"}) == []
    world.step(WAITING).do()
    assert (
        rule_record.lost(
            rule_record.read_record(world.cluster, world.namespace), world.text, {"pods/waiting"}
        )
        == []
    )
    world.step({}).remove()
    assert (world.text, world.recorded, world.restarted_for) == (TEXT, [], "")


def test_a_paused_deployment_is_refused(world: World) -> None:
    world.kubectl.run("rollout", "pause", "deploy/adapter", "-n", world.namespace)
    with pytest.raises(LlmHpaError, match="paused"):
        steps.run([world.step(WAITING)], lambda _: None)
    assert (world.text, world.recorded) == (TEXT, [])


def test_rules_that_others_need_stay(world: World) -> None:
    world.step({**RUNNING, **WAITING}).do()
    assert [one.verb for one in world.step({}).removal({"running"})] == ["configured", "restarted"]
    world.step({}).remove({"running"})
    assert (world.queries, world.recorded) == (["theirs", "running"], ["running"])
    assert world.step({}).remove({"running"}) == []
    world.step({}).remove()
    assert (world.text, world.recorded, world.restarted_for) == (TEXT, [], "")
