"""`status` on a real API server and the real HPA controller: whose HPAs are shown, drift, rescales without events."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import queue
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kubectl_llmhpa.api import MANAGED_BY, MANAGER
from tests.cluster.conftest import Json, Kubectl, Plugin, listen

pytestmark = pytest.mark.control_plane

W = "vllm:num_requests_waiting"
QUEUE: Json = {
    "type": "Pods",
    "pods": {"metric": {"name": W}, "target": {"type": "AverageValue", "averageValue": "5"}},
}
CPU: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
LIMIT = 60


def workload(
    name: str, namespace: str, *, kind: str = "Deployment", image: str = "vllm/vllm-openai:v0.20.2"
) -> Json:
    """A workload whose pods no node takes."""
    container = {"name": "main", "image": image, "args": ["--model", "Qwen/Qwen3-0.6B"]}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec: Json = {"replicas": 4, "selector": {"matchLabels": labels}, "template": template}
    if kind == "StatefulSet":
        spec |= {"serviceName": name, "updateStrategy": {"type": "OnDelete"}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def scaler(name: str, namespace: str, metric: Json, *, kind: str = "Deployment", **metadata: Any) -> Json:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    return {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 6, "metrics": [metric]},
    }  # fmt: skip


def items(llm_hpa: Plugin, *arguments: str) -> dict[str, Json]:
    done = llm_hpa("status", *arguments, "-o", "json")
    assert done.code == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)["items"]}


def test_hpas_of_others_and_on_cpu_are_shown_where_an_engine_runs(
    kubectl: Kubectl, llm_hpa: Plugin, namespace: str
) -> None:
    kubectl.apply(
        workload("engine", namespace), scaler("engine", namespace, CPU),
        workload("queue", namespace, image="example/llm:1"), scaler("queue", namespace, QUEUE),
        workload("web", namespace, image="nginx:1.29"), scaler("web", namespace, CPU),
    )  # fmt: skip
    found = items(llm_hpa, "-n", namespace)
    assert {
        name: (one["engine"], one["ours"], one["metrics"][0]["signal"]) for name, one in found.items()
    } == {
        "engine": ("vllm", False, None),
        "queue": ("vllm", False, "waiting"),
    }
    table = llm_hpa(
        "status", "-n", namespace, "--sort-by", "{.metadata.name}", "--no-headers"
    ).stdout.splitlines()
    assert [line.split()[0] for line in table] == ["deployment/engine", "deployment/queue"]
    assert "   cpu <unknown>/80%   " in table[0]
    both = llm_hpa("status", "deploy/web", "hpa/queue", "-n", namespace, "-o", "name").stdout.split()
    assert both == ["horizontalpodautoscaler.autoscaling/queue", "horizontalpodautoscaler.autoscaling/web"]


def test_drift_is_a_mark_in_the_row(kubectl: Kubectl, llm_hpa: Plugin, namespace: str) -> None:
    mine = scaler("llm", namespace, QUEUE, kind="StatefulSet", labels={MANAGED_BY: MANAGER})
    kubectl.apply(workload("llm", namespace, kind="StatefulSet"))
    kubectl.run("apply", "--server-side", f"--field-manager={MANAGER}", "-f", "-", stdin=json.dumps(mine))
    (one,) = items(llm_hpa, "-n", namespace).values()
    assert (one["ours"], one["drift"]) == (True, [])
    kubectl.run("patch", "hpa", "llm", "-n", namespace, "--type=merge", "-p", '{"spec": {"maxReplicas": 9}}')
    newer = workload("llm", namespace, kind="StatefulSet", image="vllm/vllm-openai:v0.21.0")
    kubectl.apply(newer)
    until = time.monotonic() + LIMIT
    while len(one["drift"]) < 2 and time.monotonic() < until:
        (one,) = items(llm_hpa, "-n", namespace).values()
    assert [each["word"] for each in one["drift"]] == ["changed", "templates"]
    assert one["drift"][0]["text"] == "spec.maxReplicas of HorizontalPodAutoscaler changed by kubectl-patch"
    row = llm_hpa("status", "-n", namespace).stdout.splitlines()[1]
    assert f"   {one['state']} *   " in row
    assert "   changed, templates   " in llm_hpa("status", "-n", namespace, "-o", "wide").stdout


def test_a_rescale_is_seen_without_its_event(kubectl: Kubectl, namespace: str) -> None:
    """By a user who may not read events; the controller takes an HPA above its maximum down without any metric."""
    kubectl.apply(workload("llm", namespace), scaler("llm", namespace, QUEUE))
    verbs = ("--verb=list", "--verb=watch")
    kubectl.run(
        "create",
        "role",
        "looker",
        "-n",
        namespace,
        *verbs,
        "--resource=horizontalpodautoscalers,deployments.apps",
    )
    kubectl.run("create", "rolebinding", "looker", "-n", namespace, "--role=looker", "--user=looker")
    with watching("-n", namespace, "--as", "looker") as (process, lines):
        assert lines.get(timeout=LIMIT).startswith("WORKLOAD   ")
        lines.get(timeout=LIMIT)
        kubectl.run(
            "patch", "hpa", "llm", "-n", namespace, "--type=merge", "-p", '{"spec": {"maxReplicas": 2}}'
        )
        line = lines.get(timeout=LIMIT)
        while "4 -> 2" not in line.partition(",")[2]:  # the last rescale, after its age
            line = lines.get(timeout=LIMIT)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=LIMIT) == 130


@contextlib.contextmanager
def watching(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], queue.Queue[str]]]:
    """`status -w` into a pipe, its lines as they come."""
    lines: queue.Queue[str] = queue.Queue()
    with subprocess.Popen(
        ["kubectl", "llm-hpa", "status", "-w", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listen,
    ) as process:  # fmt: skip

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.put(line)

        threading.Thread(target=read, daemon=True).start()
        try:
            yield process, lines
        finally:
            process.kill()


def test_on_a_terminal_it_is_drawn_in_place_at_its_size(kubectl: Kubectl, namespace: str) -> None:
    kubectl.apply(workload("llm", namespace), scaler("llm", namespace, QUEUE))
    pid, terminal = pty.fork()
    if pid == 0:
        listen()
        # without the size that readline, which pytest loads, has put into its environment
        inherited = {name: text for name, text in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environment = {**inherited, "TERM": "xterm"}
        os.execvpe("kubectl", ["kubectl", "llm-hpa", "status", "-w", "-n", namespace], environment)
    try:
        resize(terminal, 24, 200)
        seen = until(terminal, b"deployment/llm")
        assert b"\x1b[2J" in seen
        resize(terminal, 24, 30)
        os.kill(pid, signal.SIGWINCH)
        narrow = until(terminal, "…".encode())
        assert b"\x1b[2J" not in narrow
        assert b"\x1b[H" in narrow
        os.write(terminal, b"\x03")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    finally:
        os.close(terminal)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def resize(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def until(terminal: int, text: bytes) -> bytes:
    """What the terminal shows up to a text."""
    seen = b""
    while text not in seen:
        seen += os.read(terminal, 4096)
    return seen
