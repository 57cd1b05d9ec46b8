"""What the tests on a real API server share: kubectl, the plugin through kubectl, namespaces of their own."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]
TEST_NAMESPACE = "t-"


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
    """A namespace that goes away at the end; nobody waits for that."""
    name = f"{TEST_NAMESPACE}{uuid.uuid4().hex[:8]}"
    kubectl.run("create", "namespace", name)
    yield name
    kubectl.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace for one test."""
    with fresh_namespace(kubectl) as name:
        yield name


def assert_one_sentence(outcome: Outcome, *words: str) -> None:
    """One line `error: ...` with these words, exit code 1, no traceback and no data."""
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout == ""
    for word in words:
        assert word in lines[0], lines[0]
    assert outcome.code == 1
