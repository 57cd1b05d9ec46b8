"""Following the pods of a run: why one does not start, several clients as one, and what is lost with a pod."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubectl_llmhpa.bench import following, results
from kubectl_llmhpa.bench.job import INDEX, Run
from kubectl_llmhpa.bench.pod.measure import Sample, Tally
from kubectl_llmhpa.bench.pod_state import container_state, disruption, ended_badly, why_waiting
from kubectl_llmhpa.errors import ApiError, ExitCode, LlmHpaError


def a_pod(state: dict[str, Any], index: int = 0, **status: Any) -> dict[str, Any]:
    statuses = [{"name": "istio-proxy", "state": {"running": {}}}, {"name": "bench", "state": state}]
    return {
        "metadata": {"name": f"bench-{index}", "annotations": {INDEX: str(index)}},
        "spec": {"containers": [{"image": "x/y:1"}]},
        "status": {"containerStatuses": statuses, **status},
    }


class Answers:
    """A reader with the pods and logs of a run, as they are now; keeps what was asked of the pods' ports."""

    def __init__(self, pods: list[dict[str, Any]], logs: dict[str, list[dict[str, Any]]]) -> None:
        self.pods, self.logs, self.job = pods, logs, {}  # type: list[Any], dict[str, Any], dict[str, Any]
        self.told: list[str] = []

    def get(self, path: str) -> dict[str, Any]:
        if "/jobs/" in path:
            return self.job
        return {"items": [] if "/events" in path else self.pods}

    def get_text(self, path: str) -> str:
        name = path.split("/pods/")[1].split("/")[0]
        if "proxy" in path:
            self.told.append(path.split("/pods/")[1])
            return ""
        if name not in self.logs:
            raise ApiError("read", 404, "NotFound", "no such pod")
        lines = [
            f"LLMHPA {json.dumps({'n': number, **fact})}" for number, fact in enumerate(self.logs[name], 1)
        ]
        tail = int(path.partition("tailLines=")[2] or len(lines))
        return "\n".join(lines[-tail:])


def follower(reader: Any, clients: int = 1) -> following.Follower:
    run = Run("abc", "bench", "llm", "w", "client", {}, 300, clients=clients)
    return following.Follower(reader, run, clock=lambda: 0.0, sleep=lambda _: None)


def summary(done: int, ended: str = "time") -> dict[str, Any]:
    tally = Tally(0.0)
    for _ in range(done):
        tally.succeed(Sample(0.1, [], 0.5, 5, True, 5), 1.0)
    return {"kind": "summary", **tally.summary(10.0), "ended": ended, "mode": "m", "asked_concurrency": 2}


RUNNING: dict[str, Any] = {"running": {}}


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        ({"reason": "ImagePullBackOff", "message": "not found"}, "image x/y:1 cannot be pulled: not found.*--image"),
        ({"reason": "RunContainerError", "message": 'exec: "python3": not found in $PATH'}, "no Python.*--image"),
        ({"reason": "CreateContainerConfigError", "message": 'secret "k" missing'}, "cannot start: secret"),
    ],
)  # fmt: skip
def test_what_does_not_pass_by_waiting_ends_it(waiting: dict[str, str], words: str) -> None:
    pod = a_pod({"waiting": waiting})
    with pytest.raises(LlmHpaError, match=words):
        why_waiting(pod, container_state(pod), "run")


def test_what_passes_by_waiting_is_told() -> None:
    pod = a_pod({}, conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}])
    assert "0/3 nodes" in why_waiting(pod, {}, "run")
    assert "being started" in why_waiting(a_pod({}), {}, "run")


EVICTED: dict[str, Any] = {
    "phase": "Failed",
    "reason": "Evicted",
    "message": "The node was low on resource: memory.",
}


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (a_pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), "ran out of memory"),
        (a_pod({}, **EVICTED), "ended from outside: Evicted: The node was low"),
        (a_pod(RUNNING, **EVICTED), "ended from outside: Evicted"),
        (a_pod({"terminated": {"exitCode": 1, "reason": "Error"}}), "without a result: boom"),
        (a_pod({"terminated": {"exitCode": 127, "reason": "Error"}}), "not found"),
    ],
)
def test_a_pod_that_ended_without_a_result(pod: dict[str, Any], words: str) -> None:
    assert words in ended_badly(pod, container_state(pod)["terminated"], "boom", "run").problem


def test_an_eviction_through_the_api_is_told_by_a_condition() -> None:
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "drained",
    }
    pod = a_pod(RUNNING, conditions=[condition])
    assert disruption(pod) == "EvictionByEvictionAPI: drained"

    class Late(Answers):
        """The eviction comes between the pod and its log."""

        def get_text(self, path: str) -> str:
            self.pods = [pod]
            return super().get_text(path)

    one = follower(Late([a_pod(RUNNING)], {"bench-0": [{"kind": "start"}, summary(5, "signal")]}))
    one.wait_for_start(1, print)
    one.step()
    assert one.summary is not None
    assert results.of("builtin", one.summary).invalid == (
        "the load was ended from outside (EvictionByEvictionAPI: drained)"
    )


def test_a_pod_that_vanishes_ends_it_with_what_the_job_says() -> None:
    reader = Answers([a_pod(RUNNING)], {"bench-0": [{"kind": "start"}]})
    one = follower(reader)
    one.wait_for_start(1, print)
    reader.pods = []
    reader.job = {
        "status": {"conditions": [{"type": "Failed", "message": "Job was active longer than specified"}]}
    }
    with pytest.raises(LlmHpaError, match="active longer"):
        one.step()
    reader.job = {}
    two = follower(Answers([a_pod(RUNNING)], {}))
    two.wait_for_start(1, print)
    two.reader = reader  # type: ignore[assignment]
    with pytest.raises(LlmHpaError, match="deleted") as raised:
        two.step()
    assert raised.value.exit_code is ExitCode.MEASUREMENT_INVALID


def test_no_line_is_lost_when_the_log_is_read_late() -> None:
    lines: list[dict[str, Any]] = [{"kind": "start"}, *({"kind": "point", "point": i} for i in range(200))]
    reader = Answers([a_pod(RUNNING)], {"bench-0": lines[:2]})
    one = follower(reader)
    one.wait_for_start(1, print)
    assert len(one.step()) == 2
    reader.logs["bench-0"] = lines
    assert len(one.step()) == 199
    assert [point["point"] for point in one.points] == list(range(200))


def test_clients_are_told_to_start_when_the_last_one_is_there_and_look_like_one() -> None:
    ready = {"kind": "ready", "port": 8099}
    tick = {"kind": "tick", "t": 1.0, "want": 2, "in_flight": 2, "sent": 3, "done": 1, "good": 1, "failed": {},
            "tokens": 9, "ttft_ms": 5.0}  # fmt: skip
    reader = Answers([a_pod(RUNNING, 0), a_pod(RUNNING, 1)], {"bench-0": [ready], "bench-1": []})
    both = follower(reader, clients=2)
    both.wait_for_start(1, print)
    assert both.step() == []
    assert reader.told == []
    reader.logs["bench-1"] = [ready]
    both.step()
    both.step()
    assert reader.told == ["bench-0:8099/proxy/start?in=1.200", "bench-1:8099/proxy/start?in=1.200"]
    for name in ("bench-0", "bench-1"):
        reader.logs[name] = [ready, {"kind": "start", "mode": "m"}, tick]
    facts = both.step()
    assert [fact["kind"] for fact in facts] == ["start", "tick"]
    assert facts[-1]["done"] == 2
    reader.logs["bench-0"].append(summary(4))
    assert both.step() == []
    reader.logs["bench-1"].append(summary(6))
    assert [fact["kind"] for fact in both.step()] == ["summary"]
    assert both.summary is not None
    assert both.summary["done"] == 10


def test_a_client_that_dies_spoils_the_result_and_is_named() -> None:
    ready = {"kind": "ready", "port": 8099}
    reader = Answers([a_pod(RUNNING, 0), a_pod(RUNNING, 1)], {"bench-0": [ready], "bench-1": [ready]})
    both = follower(reader, clients=2)
    both.wait_for_start(1, print)
    both.step()
    reader.pods[1] = a_pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, 1)
    both.step()
    reader.logs["bench-0"].append(summary(4))
    both.step()
    assert both.summary is not None
    assert results.of("builtin", both.summary).invalid == (
        "1 of 2 clients left no result (client 1: its pod ran out of memory)"
    )


def test_a_log_is_read_past_noise_and_half_lines() -> None:
    text = 'INFO hello\nLLMHPA {"kind":"tick","n":3}\nLLMHPA {"kind":"ti\nLLMHPA [1]\nLLMHPA {"kind":"x","n":"3"}\n'
    assert following.parse(text) == [{"kind": "tick", "n": 3}]
