"""`lint` as a command: what it prints, its exit codes, SARIF, live objects, and text that nobody meant for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import RULES
from kubectl_llmhpa.lint import documents, live, registry, sarif
from kubectl_llmhpa.lint.documents import Document, Unreadable
from tests.unit.cluster_facts import Facts, made
from tests.unit.command_line import ended

HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: x}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x}
  maxReplicas: 3
  metrics:
    - type: Pods
      pods:
        metric: {name: "vllm:kv_cache_usage_perc"}
        target: {type: AverageValue, averageValue: TARGET}
"""
BAD = HPA.replace("TARGET", '"50"')
GOOD = HPA.replace("TARGET", "800m")
WARNED = GOOD.replace("kv_cache", "gpu_cache")


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    return ended(capsys, "lint", *arguments)


def written(folder: Path, text: str, name: str = "hpa.yaml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "flags", "code"),
    [
        (BAD, [], 1),
        (BAD, ["--fail-on", "never"], 0),
        (BAD, ["--ignore", "ratio-target"], 0),
        (BAD, ["--ignore", "pinned, ratio-target"], 0),
        (GOOD, ["--fail-on", "info"], 0),
        (WARNED, [], 0),
        (WARNED, ["--fail-on", "warning"], 1),
        (WARNED, ["--fail-on", "info"], 1),
        ("a: [", [], 2),
        (f"{BAD}---\na: [", ["--fail-on", "never"], 2),
        ("a: 1\n", [], 0),
    ],
)
def test_exit_codes(
    text: str, flags: list[str], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-f", written(tmp_path, text), *flags, capsys=capsys)[0] == code


def test_lines_say_where_what_why_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, f"# head\n{BAD}")
    code, out, err = run("-f", path, capsys=capsys)
    first, why, fix = out.splitlines()
    assert first == (
        f"{path}:12: error ratio-target HorizontalPodAutoscaler/x: vllm:kv_cache_usage_perc is compared with 50"
    )
    assert why.strip() == RULES["ratio-target"].why
    assert fix.strip() == f"fix: {RULES['ratio-target'].fix}"
    assert (code, err) == (1, "1 error in 1 object\n")


def test_hostile_text_reaches_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, BAD.replace("name: x}", 'name: "x\\e[2J\\u202e"}', 1))
    _, out, _ = run("-f", path, capsys=capsys)
    assert r"HorizontalPodAutoscaler/x\x1b[2J\u202e:" in out


def test_the_document_has_every_fact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, f"{BAD}---\na: [\n---\n# llm-hpa:ignore retired-metric\n{WARNED}")
    code, out, err = run("-f", path, "-o", "json", capsys=capsys)
    found = json.loads(out)
    (finding,) = found["findings"]
    assert (found["kind"], found["judged"], code) == ("LintReport", 2, 2)
    assert {key: finding[key] for key in ("code", "file", "line", "object", "namespace", "field")} == {
        "code": "ratio-target", "file": path, "line": 11, "object": "HorizontalPodAutoscaler/x", "namespace": None,
        "field": "spec.metrics[0].pods.target.averageValue",
    }  # fmt: skip
    assert [one["code"] for one in found["ignored"]] == ["retired-metric"]
    assert [(one["path"], one["line"]) for one in found["unreadable"]] == [(path, 14)]
    assert f"{path}:14" in err


@pytest.mark.parametrize(
    "arguments",
    [["-f", "x", "-A"], ["-f", "x", "deploy/x"], ["deploy/x", "-A"], ["-f", "x", "--ignore", "no-such-code"]],
)
def test_bad_usage_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(*arguments, capsys=capsys)
    assert code == 1
    assert "See 'kubectl llm-hpa lint --help' for usage." in err


class TestSarif:
    """The parts of SARIF 2.1.0 that readers of it ask for (sections 3.14 to 3.52 of the standard)."""

    def log(self) -> Json:
        text = f"{BAD}---\n# llm-hpa:ignore retired-metric\n{WARNED}"
        found = documents.parse(text, "deploy/my hpa.yaml").documents
        return sarif.render(registry.run(found), [Unreadable("x.yaml", 3, "broken")])

    def test_results_lead_to_rules_and_lines(self) -> None:
        log = self.log()
        (run,) = log["runs"]
        assert log["version"] == "2.1.0"
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["level"] in ("error", "warning", "note")
            assert result["message"]["text"]
            physical = result["locations"][0]["physicalLocation"]
            assert physical["artifactLocation"]["uri"] == "deploy/my%20hpa.yaml"
            assert physical["region"]["startLine"] >= 1
        assert [one["ruleId"] for one in run["results"] if "suppressions" not in one] == ["ratio-target"]
        assert [one["suppressions"] for one in run["results"][1:]] == [[{"kind": "inSource"}]]
        assert all(one["helpUri"].endswith(f"findings.md#{one['id']}") for one in rules)

    def test_what_could_not_be_read_is_a_failure_of_the_run(self) -> None:
        (invocation,) = self.log()["runs"][0]["invocations"]
        assert invocation["executionSuccessful"] is False
        assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "broken"

    def test_a_live_object_has_no_file(self) -> None:
        obj = yaml.safe_load(BAD)
        report = registry.run([Document("ns", 0, obj, live=True)])
        (location,) = sarif.render(report, [])["runs"][0]["results"][0]["locations"]
        assert location == {
            "logicalLocations": [{"fullyQualifiedName": "ns/HorizontalPodAutoscaler/x", "kind": "object"}]
        }


class Lists(Facts):
    """Answers lists by their path; what is not there is not installed."""

    def __init__(self, lists: dict[str, list[Json]], refused: Sequence[str] = ()) -> None:
        super().__init__()
        self.lists, self.refused = lists, refused

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        return [self.answer(path.rpartition("/")[2]) for path in paths]

    def may(self, *_: str) -> bool:
        return True

    def answer(self, plural: str) -> Json | ApiError:
        if plural in self.refused:
            return ApiError(f"list {plural}", 403, "Forbidden", "no")
        if plural not in self.lists:
            return ApiError(f"list {plural}", 404, "NotFound", "no such resource")
        return {"items": self.lists[plural]}


class TestLive:
    """The same rules on objects of a cluster."""

    def objects(self, name: str) -> Json:
        found: Json = yaml.safe_load(BAD.replace("name: x", f"name: {name}"))
        found["metadata"]["namespace"] = "llm"
        return found

    def deployment(self, name: str) -> Json:
        pod = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": "nginx"}]},
        }
        metadata = {"name": name, "namespace": "llm"}
        return {"metadata": metadata, "spec": {"replicas": 2, "template": pod}}

    def test_objects_are_judged_without_lines_and_their_replicas_are_their_own(self) -> None:
        lists = {
            "horizontalpodautoscalers": [self.objects("a"), self.objects("b")],
            "deployments": [self.deployment("a"), self.deployment("b")],
        }
        found, notes = live.read(Lists(lists, refused=["podmonitors"]), "llm")
        report = registry.run(found)
        assert [(one.finding.code, one.line, one.document.path) for one in report.found] == [
            ("ratio-target", 0, "llm"), ("ratio-target", 0, "llm")
        ]  # fmt: skip
        assert len(notes) == 1
        assert "podmonitors" in notes[0]
        for kind, name in (("Deployment", "b"), ("HorizontalPodAutoscaler", "b")):
            (one,) = live.of_object(report.found, found, kind, name)
            assert one.document.name == "b"

    @pytest.mark.parametrize(
        ("words", "meant"),
        [
            (("deploy/a",), ("Deployment", "a")),
            (("rs/a-1",), ("Deployment", "a")),
            (("leaderworkersets", "g"), ("LeaderWorkerSet", "g")),
        ],
    )
    def test_a_name_means_what_is_scaled(self, words: tuple[str, ...], meant: tuple[str, str]) -> None:
        deployment = made("Deployment", "a", spec={}, scale=("app=a", 1))
        replica_set = made("ReplicaSet", "a-1", by=deployment, spec={}, scale=("app=a", 1))
        group = made("LeaderWorkerSet", "g", spec={}, scale=("app=g", 1))
        assert live.meant(Facts(deployment, replica_set, group), words) == meant

    def test_a_name_that_is_not_there_is_told(self) -> None:
        with pytest.raises(LlmHpaError, match="find deployment a in namespace 'llm': "):
            live.meant(Facts(), ("deploy/a",))

    @pytest.mark.parametrize("active", [True, False])
    def test_a_retired_name_is_no_fault_where_the_hpa_gets_its_numbers(self, active: bool) -> None:
        hpa: Json = yaml.safe_load(WARNED)
        hpa["status"] = {"conditions": [{"type": "ScalingActive", "status": str(active)}]}
        found, _ = live.read(Lists({"horizontalpodautoscalers": [hpa]}), None)
        assert {one.finding.code for one in registry.run(found).found} == (
            set() if active else {"retired-metric"}
        )

    def test_autoscalers_that_may_not_be_listed_are_a_failure(self) -> None:
        with pytest.raises(ApiError):
            live.read(Lists({}, refused=["horizontalpodautoscalers"]), None)

    def test_the_hpa_of_a_scaled_object_is_no_second_scaler(self) -> None:
        scaled = {
            "metadata": {"name": "a", "namespace": "llm"},
            "spec": {"scaleTargetRef": {"name": "a"}, "minReplicaCount": 1},
        }  # fmt: skip
        of_keda = self.objects("a")
        of_keda["metadata"] |= {
            "name": "keda-hpa-a",
            "ownerReferences": [{"kind": "ScaledObject", "name": "a"}],
        }
        lists = {
            "horizontalpodautoscalers": [of_keda],
            "scaledobjects": [scaled],
            "deployments": [self.deployment("a")],
        }
        found, _ = live.read(Lists(lists), "llm")
        assert {one.kind for one in found} == {"ScaledObject", "Deployment"}
        assert "two-scalers" not in {one.finding.code for one in registry.run(found).found}


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["50", "0", "-1", "1e400", ".nan", "2147483647", "External", "Value", "vllm:kv_cache_usage_perc"]),
)  # fmt: skip
KEYS = st.sampled_from([
    "spec", "metadata", "metrics", "triggers", "type", "pods", "external", "object", "metric", "target", "name",
    "averageValue", "value", "behavior", "scaleUp", "scaleDown", "policies", "selectPolicy", "minReplicas", "query",
    "maxReplicas", "scaleTargetRef", "template", "containers", "command", "args", "env", "image", "labels",
    "annotations", "fallback", "replicas", "hard", "stabilizationWindowSeconds", "selector", "podMetricsEndpoints",
])  # fmt: skip
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


def spoilt(draw: Any, value: Any) -> Any:
    """A copy in which something, anywhere, is something else."""
    if draw(st.integers(0, 7)) == 0:
        return draw(ANYTHING)
    if isinstance(value, dict):
        return {key: spoilt(draw, item) for key, item in value.items()}
    if isinstance(value, list):
        return [spoilt(draw, item) for item in value]
    return value


PATTERNS = [
    one
    for name in ("quota.yaml", "behaviour.yaml", "fallback.yaml", "refused-targets.yaml", "aibrix-fifty.yaml")
    for one in yaml.safe_load_all(
        (Path(__file__).parents[1] / "lint" / "broken" / name).read_text().replace(".nan", "nan")
    )
]


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_shape_of_an_object_ends_the_run(data: st.DataObject) -> None:
    spoiled = [spoilt(data.draw, one) for one in data.draw(st.lists(st.sampled_from(PATTERNS), max_size=4))]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": spoiled})
    found = documents.parse(text, "x.json")
    assert not found.unreadable
    report = registry.run(found.documents)
    sarif.render(report, [])


@given(st.text(max_size=200))
def test_no_text_ends_the_reading(text: str) -> None:
    found = documents.parse(text, "x.yaml")
    registry.run(found.documents)
