"""The test cluster itself: it starts, starts again after any crash, and leaves nothing behind.

These tests run on the host as root and bring up small clusters under names of their own.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.ground import processes, programs
from tests.cluster.ground.layout import Layout
from tests.cluster.ground.parts import NEEDS, daemons_of, with_needs
from tests.cluster.ground.programs import Program

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "scripts" / "cluster"
NAME = "ground-test"
STEADY = "ground-steady"
"""A second cluster, up for all tests that change nothing in it."""

pytestmark = [pytest.mark.ground, pytest.mark.timeout(600)]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a cluster needs root")


def tool(*arguments: str, name: str = NAME) -> subprocess.CompletedProcess[str]:
    """Run the tool on one of this module's clusters."""
    command = [str(TOOL), "--name", name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def up(*arguments: str, name: str = NAME) -> None:
    done = tool("up", *arguments, name=name)
    assert done.returncode == 0, done.stderr


def pids(layout: Layout, *parts: str) -> dict[str, int | None]:
    return {daemon: processes.pid_of(layout, daemon) for daemon in daemons_of(parts)}


def on_host() -> dict[str, list[str]]:
    """Return what a cluster could leave on the host, less what other clusters may be changing."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    layout = Layout(NAME)
    return {
        "processes": [str(pid) for pid in processes.marked(layout)],
        "mounts": sorted(path for path in mounts if path == str(layout.netns) or "/run/netns/" not in path),
        "state": [str(path) for path in (layout.netns, layout.state) if path.exists()],
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").rglob(layout.cgroup)),
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "iptables": _iptables(),
        "folders": sorted(
            str(path)
            for folder in ("/var/lib", "/var/log", "/etc/cni", "/opt", "/run", "/run/containerd")
            if Path(folder).is_dir()
            for path in Path(folder).iterdir()
            if path.name not in ("kubectl-llm-hpa", "netns", "containerd")
        ),
    }


def _iptables() -> list[str]:
    try:
        rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return []
    return [re.sub(r"\[\d+:\d+\]", "", line) for line in rules.splitlines() if not line.startswith("#")]


@pytest.fixture
def layout() -> Iterator[Layout]:
    """A cluster's layout; whatever the test did with the cluster, it is down afterwards."""
    yield Layout(NAME)
    done = tool("down")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def steady() -> Iterator[str]:
    """The name of a cluster that is up for all tests of this module."""
    up("--with", "control-plane", name=STEADY)
    yield STEADY
    done = tool("down", name=STEADY)
    assert done.returncode == 0, done.stderr


def test_parts_bring_what_they_need() -> None:
    assert with_needs(["adapter"]) == ["control-plane", "node", "dns", "prometheus", "adapter"]
    assert with_needs([]) == ["control-plane"]
    assert with_needs(NEEDS) == list(NEEDS)


def test_a_program_is_built_anew_when_what_decides_its_bytes_changes(tmp_path: Path) -> None:
    program = programs.PROGRAMS["etcd"]
    assert program.path == Program(program.name, program.module, program.package).path
    others = [
        Program(program.name, program.module, program.package, tags="netgo"),
        Program(program.name, program.module, program.package, ldflags="-s"),
        Program(program.name, program.module, program.package + "/x"),
        Program(program.name, "helm", program.package),
    ]
    assert len({program.path, *(other.path for other in others)}) == 1 + len(others)


def test_without_root_one_sentence_says_so() -> None:
    script = (
        "import os, sys; from tests.cluster.ground.cli import main;"
        "os.geteuid() or os.setuid(65534); sys.exit(main(['--name', 'nobody', 'up']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("cluster: the test cluster needs root")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["up", "--with", "kitchen-sink"],
            "there is no part 'kitchen-sink': choose from control-plane, crds, node",
        ),
        (["build", "kubeadm"], "there is no program 'kubeadm'"),
        (["status"], f"cluster {NAME} is not up"),
        (["exec", "true"], f"cluster {NAME} is not up: start it with"),
        (["load-image", "no.tar"], "has no node to load images into"),
    ],
)
@as_root
def test_one_sentence_says_what_is_wrong(arguments: list[str], said: str) -> None:
    done = tool(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("cluster: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@as_root
def test_down_leaves_nothing(layout: Layout) -> None:
    before = on_host()
    up("--with", "node")
    pod = ["run", "sleeper", "--image=registry.k8s.io/pause:3.6"]
    assert tool("kubectl", *pod).returncode == 0
    wait = ["wait", "--for=condition=Ready", "pod/sleeper", "--timeout=60s"]
    assert tool("kubectl", *wait).returncode == 0, tool("kubectl", "describe", "pods").stdout
    running = on_host()
    assert running["processes"]
    assert running["cgroups"]
    assert running["interfaces"] == before["interfaces"]
    assert running["iptables"] == before["iptables"]
    assert set(running["mounts"]) - set(before["mounts"]) == {f"/run/netns/{NAME}"}
    assert tool("down").returncode == 0
    assert on_host() == before


@as_root
def test_no_packet_leaves_the_cluster(steady: str) -> None:
    routes = tool("exec", "ip", "route", name=steady).stdout
    assert "10.96.0.0/16" in routes
    assert "default" not in routes


@as_root
def test_exec_passes_exit_codes_and_signals_on(steady: str) -> None:
    assert tool("exec", "sh", "-c", "exit 7", name=steady).returncode == 7
    context = tool("exec", "--", "kubectl", "config", "current-context", name=steady)
    assert context.stdout == f"{steady}\n"
    with subprocess.Popen([str(TOOL), "--name", steady, "exec", "sleep", "60"]) as sleeper:
        deadline = time.monotonic() + 20
        while processes.command_line(sleeper.pid) != ["sleep", "60"] and time.monotonic() < deadline:
            time.sleep(0.05)
        sleeper.send_signal(signal.SIGTERM)
        assert sleeper.wait(20) == -signal.SIGTERM


@as_root
def test_up_again_changes_only_what_is_asked_for(layout: Layout) -> None:
    up("--with", "control-plane")
    first = pids(layout, "control-plane")
    assert None not in first.values()
    up("--with", "control-plane")
    assert pids(layout, "control-plane") == first

    up("--with", "control-plane", "--hpa-sync", "2s")
    second = pids(layout, "control-plane")
    assert {name for name in first if first[name] != second[name]} == {"kube-controller-manager"}

    up("--with", "node")
    assert pids(layout, "control-plane") == second
    manager = second["kube-controller-manager"]
    assert manager is not None
    assert "--horizontal-pod-autoscaler-sync-period=2s" in processes.command_line(manager)
    assert tool("status").returncode == 0


@pytest.mark.parametrize(
    ("part", "killed"),
    [
        ("control-plane", ["etcd", "kube-apiserver"]),
        ("node", ["kubelet", "containerd"]),
    ],
)
@as_root
def test_up_after_daemons_were_killed(layout: Layout, part: str, killed: list[str]) -> None:
    up("--with", part)
    for name in killed:
        pid = processes.pid_of(layout, name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    done = tool("status")
    assert done.returncode == 1
    assert " ended: run `up`" in done.stderr

    up("--with", part)
    assert tool("status").returncode == 0
    assert tool("kubectl", "get", "namespace", "default").returncode == 0


@pytest.mark.parametrize("after_s", [0.6, 2.0, 5.0])
@as_root
def test_up_after_the_tool_itself_was_killed(layout: Layout, after_s: float) -> None:
    with subprocess.Popen(
        [str(TOOL), "--name", NAME, "up", "--with", "node"], stderr=subprocess.DEVNULL
    ) as half:
        time.sleep(after_s)
        half.kill()
    for pid in processes.marked(layout):
        assert os.getsid(pid) != os.getsid(0)
    up("--with", "node")
    assert tool("status").returncode == 0


@as_root
def test_two_clusters_do_not_see_each_other(layout: Layout, steady: str) -> None:
    up("--with", "control-plane")
    assert tool("kubectl", "create", "namespace", "mine").returncode == 0
    assert tool("kubectl", "get", "namespace", "mine", name=steady).returncode != 0
    assert tool("down").returncode == 0
    assert tool("status", name=steady).returncode == 0
