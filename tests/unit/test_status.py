"""`status` on recorded objects: what is printed, and how little is asked of the API server."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from urllib.parse import unquote

import pytest
from click.testing import CliRunner, Result

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, Json, Resource, WatchEvent
from kubectl_llmhpa.cli import status as status_module
from kubectl_llmhpa.cli import status_run
from kubectl_llmhpa.cli.status_text import Lines
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from tests.unit.hpa_objects import KV, W, average, failed, hpa, pods, reported

OURS: Json = {"labels": {MANAGED_BY: MANAGER}, "managedFields": [{"manager": MANAGER}]}


class Recorded:
    """An `api.Reader` over lists: by the plural at the end of the path, in every namespace; no single objects."""

    namespace = "llm"

    def __init__(self, **lists: list[Json] | ApiError) -> None:
        self.lists = lists
        self.asked: list[str] = []

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        self.asked.append(unquote(path))
        if re.search(r"/namespaces/[^/]+/[^/]+/", path):
            raise ApiError(f"read {path}", 404, "NotFound", "not found")
        answer = self.lists.get(path.partition("?")[0].rpartition("/")[2], [])
        if isinstance(answer, ApiError):
            raise answer
        return {"items": answer}

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        raise AssertionError(path)

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        assert resource == "*", "an administrator is asked for nothing else"
        return True

    def account_may(self, account: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        raise AssertionError(account)

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        found: list[Json | ApiError] = []
        for path in paths:
            try:
                found.append(self.get(path))
            except ApiError as error:
                found.append(error)
        return found

    def watch(
        self,
        resource: Resource,
        namespace: str,
        *,
        field_selector: str = "",
        label_selector: str = "",
        timeout: float | None = None,
    ) -> Iterator[WatchEvent]:
        found = self.lists["horizontalpodautoscalers"]
        assert isinstance(found, list)
        for item in found:
            yield WatchEvent("ADDED", item)
        time.sleep(0.1)
        raise ApiError("watch", 403, "Forbidden", "the watch ends here")


def stateful_set(ready: int, name: str = "vllm") -> Json:
    return {"metadata": {"name": name, "namespace": "llm"}, "status": {"readyReplicas": ready}}


def rescale(message: str) -> Json:
    about = {"kind": "HorizontalPodAutoscaler", "namespace": "llm", "name": "vllm"}
    return {
        "reason": "SuccessfulRescale",
        "message": message,
        "involvedObject": about,
        "lastTimestamp": "2026-11-24T11:00:00Z",
    }


BUSY = hpa(
    metrics=[pods(W, average("5")), pods(KV, average("800m"))],
    current_metrics=[reported(W, "6500m"), reported(KV, "420m")],
    replicas=(2, 3),
    **OURS,
)
WEB = hpa(metrics=[pods("http_requests", average("5"))], name="web", uid="u2")


def run(reader: Recorded, *words: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    @contextlib.contextmanager
    def connect(connection: object, *, read_only: bool) -> Iterator[Recorded]:
        assert read_only
        yield reader

    monkeypatch.setattr(status_run, "Cluster", connect)
    return CliRunner().invoke(status_module.status, words, catch_exceptions=True)


def busy() -> Recorded:
    return Recorded(
        horizontalpodautoscalers=[WEB, BUSY],
        statefulsets=[stateful_set(1)],
        events=[rescale(f"New size: 3; reason: pods metric {W} above target")],
    )


def test_the_table_shows_the_binding_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(busy(), monkeypatch=monkeypatch)
    header, line = done.stdout.splitlines()
    assert header.split("   ")[0] == "WORKLOAD"
    for cell in (
        "statefulset/vllm",
        "vllm",
        "waiting 6.5/5",
        "2 -> 3 (1 ready)",
        "1..6",
    ):
        assert f"   {cell}" in f"   {line}", cell
    assert ", waiting above target   " in line
    assert "http_requests" not in done.stdout


def test_wide_shows_all_signals_and_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(busy(), "-A", "-o", "wide", monkeypatch=monkeypatch)
    header, line = done.stdout.splitlines()
    assert header.startswith("NAMESPACE   WORKLOAD")
    assert header.endswith("WHY")
    assert "waiting 6.5/5, kv-cache 0.42/0.8" in line
    assert "   yes   " in line


def test_one_workload_is_told_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(busy(), "sts/vllm", monkeypatch=monkeypatch)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "Replicas: 2 -> 3 (1 ready), limits 1..6" in lines
    assert f"waiting {W} 6.5 5 1.30 3 Above" in lines
    assert f"kv-cache {KV} 0.42 0.8 0.52 2 Below" in lines
    assert any(line.startswith("ScalingActive True ValidMetricFound") for line in lines)
    assert any(line.endswith("3 1 waiting above target") for line in lines)


def test_a_document_has_a_schema_and_nulls_for_what_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = hpa(conditions=failed("no metrics returned from custom metrics API"))
    reader = Recorded(horizontalpodautoscalers=[unknown], statefulsets=[stateful_set(0)])
    found = json.loads(run(reader, "-o", "json", monkeypatch=monkeypatch).stdout)
    assert found["schemaVersion"].startswith("llm-hpa/")
    (item,) = found["items"]
    assert item["state"] == "Armed"
    assert item["metrics"][0]["now"] is None
    assert item["metrics"][0]["signal"] == "waiting"
    assert item["engine"] == "vllm"


def test_names_are_those_of_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        run(busy(), "-o", "name", monkeypatch=monkeypatch).stdout
        == "horizontalpodautoscaler.autoscaling/vllm\n"
    )


def test_nothing_found_is_said_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(Recorded(), monkeypatch=monkeypatch)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "No LLM autoscalers found in llm namespace.\n"
    assert run(Recorded(), "-A", "-o", "json", monkeypatch=monkeypatch).stdout.endswith('"items": []\n}\n')


def test_a_workload_without_an_hpa_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    class There(Recorded):
        def get(self, path: str, *, accept: str = "application/json") -> Json:
            found: dict[str, Json] = {
                "other": {"metadata": {"name": "other", "namespace": "llm"}},
                "scale": {"status": {"selector": "app=other"}},
            }
            return found.get(path.rpartition("/")[2]) or super().get(path)

    for reader, words in (
        (There(), "kubectl llm-hpa enable sts/other -n llm"),
        (Recorded(), "there is none of that name"),
    ):
        done = run(reader, "sts/other", monkeypatch=monkeypatch)
        assert isinstance(done.exception, LlmHpaError)
        assert words in str(done.exception)


def test_a_lost_rule_is_said_to_those_who_use_it() -> None:
    from kubectl_llmhpa.cli.status_run import _lost
    from kubectl_llmhpa.status.overview import overview

    found = overview([hpa()], {}, [], now=datetime.now(timezone.utc), every=True)
    assert _lost(found, {W: "mine", KV: "of another"}) == ["mine"]


@pytest.mark.parametrize("words", [["-w", "-o", "json"], ["-A", "sts/vllm"]])
def test_what_does_not_go_together_is_refused(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(busy(), *words, monkeypatch=monkeypatch).exit_code == 2


@pytest.mark.parametrize("count", [1, 50])
def test_the_number_of_requests_does_not_grow_with_the_autoscalers(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [hpa(name=f"vllm-{number}", uid=str(number)) for number in range(count)]
    reader = Recorded(horizontalpodautoscalers=many, statefulsets=[stateful_set(3)])
    assert len(run(reader, monkeypatch=monkeypatch).stdout.splitlines()) == count + 1
    assert reader.asked == [
        "/apis/autoscaling/v2/namespaces/llm/horizontalpodautoscalers",
        "/apis/keda.sh/v1alpha1/namespaces/llm/scaledobjects",
        "/apis/apps/v1/namespaces/llm/deployments",
        "/apis/apps/v1/namespaces/llm/statefulsets",
        "/api/v1/namespaces/llm/events?fieldSelector="
        "involvedObject.kind=HorizontalPodAutoscaler,reason=SuccessfulRescale",
        "/apis/custom.metrics.k8s.io",
    ]


def test_who_serves_the_numbers_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For an HPA of KEDA and for one by rules of ours alike."""
    of_keda = hpa(name="code")
    of_keda["metadata"]["ownerReferences"] = [{"kind": "ScaledObject", "name": "code"}]
    of_rules = hpa(name="chat")
    of_rules["metadata"] |= OURS
    reader = Recorded(horizontalpodautoscalers=[of_keda, of_rules])
    run(reader, monkeypatch=monkeypatch)
    assert [path for path in reader.asked if path.endswith("/apiservices")] == [
        "/apis/apiregistration.k8s.io/v1/apiservices"
    ]


def test_what_is_read_ahead_and_not_needed_may_be_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ApiError("list", 403, "Forbidden", "deployments is forbidden")
    lists = {"horizontalpodautoscalers": [BUSY], "statefulsets": [stateful_set(3)]}
    done = run(Recorded(**lists, deployments=denied), monkeypatch=monkeypatch)
    assert done.stdout == run(Recorded(**lists), monkeypatch=monkeypatch).stdout
    assert "forbidden" not in done.output


def test_what_may_not_be_read_is_said_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ApiError("list", 403, "Forbidden", "events is forbidden")
    reader = Recorded(horizontalpodautoscalers=[BUSY], statefulsets=denied, events=denied)
    done = run(reader, monkeypatch=monkeypatch)
    assert "warning: could not list events: events is forbidden" in done.stderr
    assert "   2 -> 3     1..6   " in done.stdout


def test_text_of_the_cluster_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = hpa(conditions=failed("\x1b[2Jgone"))
    done = run(Recorded(horizontalpodautoscalers=[evil]), "-o", "wide", monkeypatch=monkeypatch)
    assert "\x1b" not in done.stdout
    assert "\\x1b[2Jgone" in done.stdout


def test_a_growing_table_shows_changes_only_and_keeps_its_columns() -> None:
    lines = Lines(["workload", "state", "age"])
    first, second = ("llm", "a"), ("llm", "b")
    assert lines.after(first, ["sts/long-name", "Steady", "1s"]) == [
        "WORKLOAD        STATE                 AGE",
        "sts/long-name   Steady                1s",
    ]
    assert lines.after(first, ["sts/long-name", "Steady", "9s"]) == []
    assert lines.after(second, ["sts/b", "Broken: metrics API", "9s"]) == [
        "sts/b           Broken: metrics API   9s"
    ]
    assert lines.after(first, ["sts/long-name", "AtMax", "9s"]) == [
        "sts/long-name   AtMax                 9s"
    ]
    # two HPAs of one workload are told apart
    assert lines.after(("llm", "c"), ["sts/long-name", "AtMax", "9s"]) != []


def test_a_watch_shows_a_line_and_ends_with_the_watchs_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(busy(), "-w", monkeypatch=monkeypatch)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["WORKLOAD", "statefulset/vllm"]
    assert isinstance(done.exception, ApiError)
    assert done.exception.message == "the watch ends here"


def test_a_watch_says_once_what_it_may_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ApiError("list", 403, "Forbidden", "events is forbidden")
    monkeypatch.setattr("kubectl_llmhpa.status.following.LOOK_AGAIN_SECONDS", 0.02)
    done = run(Recorded(horizontalpodautoscalers=[BUSY], events=denied), "-w", monkeypatch=monkeypatch)
    assert done.stderr == "warning: could not list events: events is forbidden\n"
