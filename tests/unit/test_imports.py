"""What the entry point may import.

`kubectl llm-hpa --help` and completion answer while somebody waits for a key press, so the command line's own import
is held to a list: the standard library, click and the modules of ours that are named here. Whoever adds to the list
has measured it.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from kubectl_llmhpa.cli.group import COMMANDS

ALLOWED_PACKAGES = {"click", "kubectl_llmhpa", "_virtualenv", "_distutils_hack", "sitecustomize"}
#: What `main` may load for its help.
ALLOWED_OF_OURS = {
    "kubectl_llmhpa",
    "kubectl_llmhpa.cli",
    "kubectl_llmhpa.cli.complete",
    "kubectl_llmhpa.cli.group",
    "kubectl_llmhpa.cli.main",
    "kubectl_llmhpa.cli.status_words",
    "kubectl_llmhpa.errors",
}
# Standard library, but slow to import, and nothing that a help text needs.
SLOW_STANDARD_LIBRARY = {
    "asyncio", "concurrent.futures", "dataclasses", "email", "http.client", "importlib.metadata",
    "json", "logging", "pathlib", "ssl", "subprocess", "tempfile", "traceback", "urllib.parse",
}  # fmt: skip


def modules_after(code: str) -> set[str]:
    """Which modules are loaded after the code ran in an interpreter of its own."""
    report = "import sys; sys.__stderr__.write(' '.join(['loaded:', *sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True, timeout=30
    )
    return set(done.stderr.rpartition("loaded:")[2].split())


RUN_HELP = """
import sys
from kubectl_llmhpa.cli.main import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
RUN_COMPLETION = """
import sys
sys.argv = ["kubectl_complete-llm_hpa", "en"]
from kubectl_llmhpa.cli.complete import main
main()
"""


@pytest.fixture(scope="module")
def nothing() -> set[str]:
    return modules_after("")


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import kubectl_llmhpa.cli.main", id="import"),
        pytest.param(RUN_HELP, id="help"),
    ],
)
def test_the_entry_point_imports_only_what_is_listed(code: str, nothing: set[str]) -> None:
    loaded = modules_after(code) - nothing
    packages = {name.partition(".")[0] for name in loaded}
    assert packages - ALLOWED_PACKAGES - sys.stdlib_module_names == set()
    assert {name for name in loaded if name.startswith("kubectl_llmhpa")} <= ALLOWED_OF_OURS
    assert loaded & SLOW_STANDARD_LIBRARY == set()


# What no command needs for its help, nor `status` for its answer.
HEAVY = {"aiohttp", "kubernetes", "prometheus_client", "pydantic", "requests", "rich", "tabulate", "urllib3"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    code = RUN_HELP.replace('["--help"]', repr([command, "--help"]))
    assert modules_after(code) & HEAVY == set()


def test_completion_loads_nothing_of_ours_but_the_command_line() -> None:
    loaded = modules_after(RUN_COMPLETION)
    assert loaded & (HEAVY | SLOW_STANDARD_LIBRARY) == set()
    ours = {name for name in loaded if name.startswith("kubectl_llmhpa")} - ALLOWED_OF_OURS
    assert {name for name in ours if not name.startswith("kubectl_llmhpa.cli.")} == set()


@pytest.mark.parametrize("module", ["kubectl_llmhpa.kube", "kubectl_llmhpa.kube.watching"])
def test_reading_and_watching_load_no_kubernetes_client(module: str) -> None:
    assert modules_after(f"import {module}") & HEAVY == set()


RUN_TO_THE_PROXY = """
import sys
from kubectl_llmhpa.cli.main import main
from kubectl_llmhpa.kube import proxy
def stop(self, connection, *, read_only):
    sys.exit()
proxy.Proxy.__init__ = stop
try:
    main(["status", "-A"])
except SystemExit:
    pass
"""
#: What finds out how the server is reached.
CHOOSING = ("kube.connection", "kube.kubeconfig", "kube.block_yaml")
#: What each answer of `status` would wait 2 to 20 ms for.
SLOW_FOR_STATUS = {
    "asyncio", "click", "concurrent.futures", "dataclasses", "email", "encodings.idna", "http.client", "inspect",
    "logging", "pathlib", "subprocess", "tempfile", "traceback", "urllib.parse",
}  # fmt: skip
#: What `status` loads while the proxy starts.
WHILE_IT_STARTS = ("cli.status_run", "kube.transport", "status.question", "status.look", "cli.status_text")


def test_the_proxy_of_status_starts_before_anything_of_status_is_loaded() -> None:
    loaded = modules_after(RUN_TO_THE_PROXY)
    of_the_proxy = {"pathlib", "subprocess", "urllib.parse"}
    assert loaded & (HEAVY | SLOW_FOR_STATUS - of_the_proxy | {"json", "ssl"}) == set()
    ours = {name for name in loaded if name.startswith("kubectl_llmhpa")} - ALLOWED_OF_OURS
    assert ours <= {
        f"kubectl_llmhpa.{name}"
        for name in (
            "api",
            "cli.status_run",
            "kube",
            "kube.cluster",
            *CHOOSING,
            "kube.proxy",
        )
    }


RUN_TO_THE_SERVER = """
import sys
from kubectl_llmhpa.kube import Cluster, Connection, kubeconfig
kubeconfig.plain = lambda flags: kubeconfig.Endpoint("localhost", 1, b"")
Cluster._dial = lambda self, endpoint: None
with Cluster(Connection(), read_only=True) as cluster:
    cluster.namespace
"""


def test_with_a_plain_kubeconfig_no_program_is_started() -> None:
    loaded = modules_after(RUN_TO_THE_SERVER)
    assert "kubectl_llmhpa.kube.kubeconfig" in loaded
    assert loaded & (HEAVY | {"subprocess", "tempfile", "logging", "json", "yaml"}) == set()


def test_status_loads_what_it_needs_alone(nothing: set[str]) -> None:
    loaded = modules_after("".join(f"import kubectl_llmhpa.{name}\n" for name in WHILE_IT_STARTS)) - nothing
    assert loaded & (HEAVY | SLOW_FOR_STATUS | {"ssl", "yaml"}) == set()
    folders = {name.split(".")[1] for name in loaded if name.startswith("kubectl_llmhpa.")}
    assert folders <= {"api", "cli", "errors", "hpa", "kube", "names", "output", "quantities", "status"}


SIGNALS_OF_KEDA = """
from kubectl_llmhpa.hpa import scaled_objects
trigger = {"type": "prometheus", "name": "running", "metadata": {"query": "sum(vllm:num_requests_running)"}}
assert scaled_objects.signals({"spec": {"triggers": [trigger]}}) == {"s0-prometheus": "running"}
"""


def test_what_kedas_hpa_measures_is_told_without_the_engines() -> None:
    assert not {name for name in modules_after(SIGNALS_OF_KEDA) if name.startswith("kubectl_llmhpa.engines")}


RUN_LINT = """
import io, sys
from kubectl_llmhpa.cli.main import main
sys.stdin = io.TextIOWrapper(io.BytesIO(b"apiVersion: autoscaling/v2\\nkind: HorizontalPodAutoscaler\\n"))
try:
    main(["lint", "-f", "-", "-o", "json"])
except SystemExit:
    pass
"""


def test_lint_of_files_loads_no_kubernetes_client() -> None:
    loaded = modules_after(RUN_LINT)
    assert loaded & (HEAVY - {"prometheus_client"}) == set()
    assert "kubectl_llmhpa.lint.registry" in loaded
