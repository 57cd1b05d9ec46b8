"""Faults around prometheus-adapter while another team reads from it: all is taken back, they lose no sync."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends import adapter_rules
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube import Cluster
from kubectl_llmhpa.plan import steps
from kubectl_llmhpa.plan.adapter import rule_record, rules
from tests.cluster import recorder
from tests.cluster.bystander import METRIC, Bystander, bystander
from tests.cluster.conftest import ADAPTER, Kubectl, Plugin, assert_one_sentence, fresh_namespace
from tests.cluster.dump import differences, dump
from tests.cluster.half_way import MESSAGE, Refusal, refused
from tests.cluster.shared_adapter import SharedAdapter
from tests.cluster.stub_workload import Stub
from tests.cluster.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NAME = "prometheus-adapter"
PLACE = ("-n", "monitoring")
LIFE = ("--max=3", "--scrape-interval=2s", *ADAPTER)
#: Seconds that the adapter gets until it serves again, instead of a relist and a minute.
PATIENCE = 20.0


@pytest.fixture(scope="module")
def theirs(kubectl: Kubectl) -> Iterator[Bystander]:
    with fresh_namespace(kubectl) as name, bystander(kubectl, name) as found:
        yield found


@pytest.fixture
def unharmed(theirs: Bystander) -> Iterator[None]:
    """The other team's HPA works before and after, and never stopped in between."""
    assert theirs.works()
    before = len(theirs.lost)
    yield
    assert theirs.works()
    assert theirs.lost[before:] == []


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str) -> Stub:
    workload = Stub(kubectl, namespace)
    workload.start()
    return workload


@pytest.fixture
def impatient(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not come about is waited for no longer than it takes when it does."""
    container = kubectl.get("deploy", NAME, *PLACE)["spec"]["template"]["spec"]["containers"][0]
    flag = "--metrics-relist-interval="
    relist = next(one.removeprefix(flag) for one in container["args"] if one.startswith(flag))
    monkeypatch.setattr(rules, "_SLACK_SECONDS", PATIENCE - {"1m": 60.0, "30s": 30.0, "10s": 10.0}[relist])


def enable(stub: Stub) -> None:
    """In this process, where the test has changed something."""
    assert recorder.run("enable", *stub.reference, *LIFE) == 0


def text(kubectl: Kubectl) -> str:
    """The adapter's file."""
    found: str = kubectl.get("configmap", NAME, *PLACE)["data"]["config.yaml"]
    return found


def write(kubectl: Kubectl, file: str) -> None:
    """Somebody else writes it: the tool that does so here, so that its owner stays the same."""
    patch = json.dumps({"data": {"config.yaml": file}})
    kubectl.run("patch", "configmap", NAME, *PLACE, "--type=merge", "-p", patch, "--field-manager=helm")


@pytest.fixture
def as_it_was(kubectl: Kubectl) -> Iterator[str]:
    """The adapter's file, which a test may change."""
    before = text(kubectl)
    yield before
    if text(kubectl) != before:
        write(kubectl, before)


def spoiled(monkeypatch: pytest.MonkeyPatch, **wrong: object) -> None:
    """Every rule of ours has something wrong in it, which our own check of the file does not see."""
    good = adapter_rules.rule_for
    monkeypatch.setattr(adapter_rules, "rule_for", lambda *args, **named: {**good(*args, **named), **wrong})
    monkeypatch.setattr(adapter_rules, "_problem", lambda *_: "")


@pytest.mark.usefixtures("unharmed")
class TestARule:
    def test_that_the_adapter_rejects_and_others_wrote(
        self, llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, as_it_was: str
    ) -> None:
        """The adapter still runs with what it has read; a restart of ours would end it."""
        write(kubectl, f"{as_it_was}\nexternalRules:\n- {{seriesQuery: up, descripton: theirs}}\n")
        before = dump(kubectl, stub.namespace)
        outcome = llm_hpa("enable", *stub.reference, *LIFE)
        assert_one_sentence(outcome, "'descripton'", "repair it first")
        assert differences(before, dump(kubectl, stub.namespace)) == []

    def test_that_the_adapter_rejects_and_we_wrote(
        self, kubectl: Kubectl, stub: Stub, impatient: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = dump(kubectl, stub.namespace)
        spoiled(monkeypatch, descripton="ours")
        with pytest.raises(LlmHpaError, match="its new pod does not become ready") as failure:
            enable(stub)
        assert not isinstance(failure.value, steps.UndoError), failure.value
        assert differences(before, dump(kubectl, stub.namespace)) == []

    @pytest.mark.parametrize(
        "wrong",
        [{"seriesQuery": '{__name__=~"["}'}, {"metricsQuery": "sum(<<.Series>>"}],
        ids=lambda one: next(iter(one)),
    )
    def test_whose_query_errors(
        self, kubectl: Kubectl, stub: Stub, monkeypatch: pytest.MonkeyPatch, wrong: Json
    ) -> None:
        before = dump(kubectl, stub.namespace)
        spoiled(monkeypatch, **wrong)
        with pytest.raises(LlmHpaError, match="Prometheus refuses its query"):
            enable(stub)
        assert differences(before, dump(kubectl, stub.namespace)) == []


@pytest.mark.usefixtures("unharmed")
def test_the_file_changes_between_our_read_and_our_write(
    llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, as_it_was: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {"seriesQuery": 'prometheus_build_info{namespace!="",pod!=""}', "resources": {"template": "<<.Resource>>"},
              "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)"}  # fmt: skip
    plain = Cluster.replace
    overtaken: list[str] = []

    def replace(self: Cluster, obj: Json, **options: Any) -> Json:
        if obj["metadata"]["name"] == NAME and not options.get("dry_run") and not overtaken:
            overtaken.append(adapter_rules.add(as_it_was, [theirs]))
            write(kubectl, overtaken[0])
        return plain(self, obj, **options)

    monkeypatch.setattr(Cluster, "replace", replace)
    enable(stub)
    (file,) = overtaken
    written = yaml.safe_load(text(kubectl))["rules"]
    assert theirs in written
    assert len(written) > len(yaml.safe_load(file)["rules"])
    outcome = llm_hpa("disable", *stub.reference)
    assert outcome.code == 0, outcome.stderr
    assert text(kubectl) == file


@pytest.mark.usefixtures("unharmed")
def test_a_deployment_that_does_not_roll_out(kubectl: Kubectl, stub: Stub, impatient: None) -> None:
    pods = [pod for pod in kubectl.get("pods", *PLACE)["items"] if "deletionTimestamp" not in pod["metadata"]]
    metadata = {"name": "full", "namespace": "monitoring"}
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": metadata,
            "spec": {"hard": {"pods": str(len(pods))}},
        }
    )
    try:
        used = f"--for=jsonpath={{.status.used.pods}}={len(pods)}"
        kubectl.run("wait", "resourcequota/full", *PLACE, used, "--timeout=30s")
        before = dump(kubectl, stub.namespace)
        with pytest.raises(LlmHpaError, match="its new pod does not become ready") as failure:
            enable(stub)
        assert not isinstance(failure.value, steps.UndoError), failure.value
        assert differences(before, dump(kubectl, stub.namespace)) == []
    finally:
        kubectl.run("delete", "resourcequota", "full", *PLACE)


HALF_WAY = {
    "journal": ("", Refusal("", "configmaps", "llm-hpa-statefulset-vllm-inference")),
    "scrape-object": ("", Refusal("monitoring.coreos.com", "podmonitors")),
    "record": ("monitoring", Refusal("", "configmaps", rule_record.RECORD)),
    "file": ("monitoring", Refusal("", "configmaps", NAME)),
    "restart": ("monitoring", Refusal("apps", "deployments", NAME)),
    "hpa": ("", Refusal("autoscaling", "horizontalpodautoscalers")),
}


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("case", HALF_WAY)
def test_the_api_server_refuses_half_way(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, case: str) -> None:
    namespace, refusal = HALF_WAY[case]
    with refused(kubectl, namespace or stub.namespace, refusal):
        before = dump(kubectl, stub.namespace)
        outcome = llm_hpa("enable", *stub.reference, *LIFE)
        assert outcome.code == 1
        assert f"{MESSAGE}" in outcome.stderr
        assert "undoing failed" not in outcome.stderr
        assert differences(before, dump(kubectl, stub.namespace)) == []


def alone(kubectl: Kubectl) -> bool:
    """Whether the adapter has one pod, counting one that is ending."""
    return len(kubectl.get("pods", *PLACE, "-l", f"app.kubernetes.io/name={NAME}")["items"]) == 1


@pytest.fixture
def no_probe(kubectl: Kubectl, theirs: Bystander) -> Iterator[None]:
    """The adapter without its readiness probe, as others set it up."""
    where = "/spec/template/spec/containers/0/readinessProbe"
    probe = kubectl.get("deploy", NAME, *PLACE)["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]

    def patch(operation: Json) -> None:
        words = ("--type=json", "-p", json.dumps([operation]), "--field-manager=helm")
        kubectl.run("patch", "deploy", NAME, *PLACE, *words)
        kubectl.run("rollout", "status", f"deploy/{NAME}", *PLACE, "--timeout=90s")
        until(lambda: alone(kubectl), 60, "the old pod is gone")
        until(
            lambda: SharedAdapter(kubectl).lists(METRIC),
            60,
            "the new one serves, which it does some time later",
        )
        until(theirs.works, 90, "the other team's HPA works")

    patch({"op": "remove", "path": where})
    yield
    patch({"op": "add", "path": where, "value": probe})


def test_an_adapter_without_a_readiness_probe(
    llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, theirs: Bystander, no_probe: None
) -> None:
    """Its API is away while it restarts: said before, and over as soon as it answers."""
    before, lost = dump(kubectl, stub.namespace), len(theirs.lost)
    for command in (("enable", *stub.reference, *LIFE), ("disable", *stub.reference)):
        outcome = llm_hpa(*command)
        assert outcome.code == 0, outcome.stderr
        if command[0] == "enable":
            said = outcome.stderr.index(
                "it has no readiness probe: for a moment no HPA can read custom metrics"
            )
            assert said < outcome.stderr.index("metric name")
        until(theirs.works, 20, "the other team's HPA works")
    away = ("no known available metric versions", "unable to handle the request", "could not find the metric")
    assert [one for one in theirs.lost[lost:] if not any(text in one for text in away)] == []
    assert differences(before, dump(kubectl, stub.namespace)) == []
