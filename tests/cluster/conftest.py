"""What the tests on a real API server share: kubectl, the plugin through kubectl, namespaces of their own."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from kubectl_llmhpa.api import HPAS, MANAGED_BY, MANAGER
from kubectl_llmhpa.cli.helm_option import helm_of
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.plan.adapter.rule_record import read_record
from kubectl_llmhpa.plan.adapter.rule_steps import unused
from kubectl_llmhpa.plan.adapter.rule_users import Leaving
from tests.cluster.ground import network
from tests.cluster.ground.api import Api
from tests.cluster.ground.layout import NAME_VARIABLE, Layout

if TYPE_CHECKING:
    from tests.cluster.stub_workload import Stub

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]
TEST_NAMESPACE = "t-"
#: Flags of `enable` where the adapter is to serve, though KEDA is here too and the adapter's file is Helm's.
ADAPTER = ("--backend=prometheus-adapter", "--edit-adapter=yes")
#: The clusters of pytest-xdist's workers, one for each, with blanks between them (`scripts/test` sets it).
CLUSTERS = "LLM_HPA_CLUSTERS"


def pytest_configure(config: pytest.Config) -> None:
    """Move a worker of pytest-xdist into the cluster that is its own, so that tests side by side share nothing."""
    names = os.environ.get(CLUSTERS, "").split()
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and names:
        layout = Layout(names[int(worker.removeprefix("gw"))])
        network.enter(layout)
        os.environ.update(layout.client_environment)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Give the tests of a file that share a fixture to one worker, and others to whoever is free.

    By the file and not by the mark `xdist_group`: pytest-xdist 3.8 writes it into ids that pytest 9.2 does not read.
    """
    return _BySharedFixtures(config, log)


class _BySharedFixtures(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if _shares_fixtures(file) else nodeid


@functools.cache
def _shares_fixtures(file: str) -> bool:
    text = (ROOT / file).read_text()
    return 'scope="module"' in text or 'scope="class"' in text


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that go to one worker as a whole, then with the tests that may take longest."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_weight, reverse=True)


def _weight(item: pytest.Item) -> tuple[bool, float]:
    mark = item.get_closest_marker("timeout")
    limit = float(mark.args[0]) if mark and mark.args else 0.0
    return _shares_fixtures(item.nodeid.partition("::")[0]), limit


@dataclass(frozen=True)
class Outcome:
    """What a command said."""

    code: int
    stdout: str
    stderr: str


class Kubectl:
    """The real kubectl against the test cluster, as its administrator."""

    def run(
        self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 120
    ) -> Outcome:
        done = subprocess.run(
            ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return Outcome(done.returncode, done.stdout, done.stderr)

    def get(self, *arguments: str) -> Json:
        found: Json = json.loads(self.run("get", *arguments, "-o", "json").stdout)
        return found

    def apply(self, *objects: Json) -> None:
        self.run(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        )

    def raw(self, *paths: str, accept: str = "application/json") -> list[Json]:
        """What `get --raw` gives for each path, all on one connection: a hundred processes would take long."""
        found: list[Json] = []
        with Api(Layout(os.environ[NAME_VARIABLE])).connection(timeout_s=60) as connection:
            for path in paths:
                while True:
                    connection.request("GET", path, headers={"Accept": accept})
                    answer = connection.getresponse()
                    content = json.loads(answer.read())
                    if answer.status != 429:
                        break
                    time.sleep(1)  # kubectl waits as well: the storage of a new definition begins
                assert answer.status == 200, f"{path}: {content}"
                found.append(content)
        return found


Plugin = Callable[..., Outcome]


@functools.cache
def load_image(name: str) -> None:
    """Have an engine's image in the node, once a run."""
    subprocess.run([ROOT / "scripts" / "cluster", "load-image", name], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return Kubectl()


@pytest.fixture(scope="session")
def llm_hpa() -> Plugin:
    """`kubectl llm-hpa ...` as kubectl itself starts it."""
    assert shutil.which("kubectl-llm_hpa"), "run through scripts/test, which puts the plugin on PATH"

    def run(*arguments: str, timeout: float = 400, **environment: str) -> Outcome:
        done = subprocess.run(
            ["kubectl", "llm-hpa", *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, **environment},
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@contextlib.contextmanager
def fresh_namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace that goes away at the end, after a failure too; nobody waits for that."""
    name = f"{TEST_NAMESPACE}{uuid.uuid4().hex[:8]}"
    kubectl.run("create", "namespace", name)
    try:
        yield name
    finally:
        try:
            _leave(kubectl, name)
        finally:
            kubectl.run("delete", "namespace", name, "--wait=false")


def _leave(kubectl: Kubectl, namespace: str) -> None:
    """Take out the rules that a test has left in the adapter: they would outlive the namespace.

    Whoever uses them goes first, without the plugin, since the test may have failed anywhere.
    """
    with Cluster(Connection(), read_only=False) as cluster:
        # HPAs would count as users of the rules while the namespace goes away
        if cluster.get(HPAS.path(namespace)).get("items"):
            kubectl.run("delete", "hpa", "--all", "-n", namespace)
        record = read_record(cluster, "monitoring")
        if record is None:
            return
        kubectl.run("delete", "scaledobject,hpa", "--all", "-n", namespace)
        kubectl.run("delete", "configmap", "-l", f"{MANAGED_BY}={MANAGER}", "-n", namespace)
        rules = unused(
            cluster, Leaving(), print, helm_of(cluster, record.helm["chart"] if record.helm else "")
        )
        if rules is not None:
            rules.remove()


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace for one test."""
    with fresh_namespace(kubectl) as name:
        yield name


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str, llm_hpa: Plugin) -> Iterator[Stub]:
    """One stub pod, and no trace of the plugin afterwards."""
    from tests.cluster.stub_workload import Stub

    workload = Stub(kubectl, namespace)
    workload.start()
    yield workload
    llm_hpa("disable", *workload.reference)


def listen() -> None:
    """In a new process: have Ctrl-C reach it even where the tests run in the background, with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def assert_one_sentence(outcome: Outcome, *words: str) -> None:
    """One line `error: ...` with these words, exit code 1, no traceback and no data."""
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout == ""
    for word in words:
        assert word in lines[0], lines[0]
    assert outcome.code == 1
