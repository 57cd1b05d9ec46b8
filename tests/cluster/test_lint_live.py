"""`lint` of a cluster's objects, with the file of the adapter that runs there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import Json, Kubectl, Plugin
from tests.cluster.recorder import refused, run
from tests.cluster.robots import clear, robot
from tests.cluster.shared_adapter import SharedAdapter

pytestmark = pytest.mark.cluster

#: The adapter takes it, and it gives every pod the sum of all.
UNSCOPED: Json = {
    "seriesQuery": 'vllm:num_requests_running{namespace!="",pod!=""}',
    "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
    "metricsQuery": "sum(<<.Series>>) by (<<.GroupBy>>)",
}


@pytest.fixture
def unscoped(kubectl: Kubectl) -> Iterator[None]:
    """Somebody's rule in the adapter's file, which the running adapter has not read."""
    adapter = SharedAdapter(kubectl)
    adapter.write([UNSCOPED])
    yield
    adapter.write_back()


@pytest.mark.usefixtures("unscoped")
def test_the_adapters_file_is_judged_where_it_may_be_read(
    kubectl: Kubectl, llm_hpa: Plugin, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = llm_hpa("lint", "-n", namespace, "--fail-on=warning")
    assert seen.code == 1, seen.stderr
    assert "ConfigMap/prometheus-adapter" in seen.stdout
    assert "adapter-query-unscoped" in seen.stdout
    try:
        user = robot(kubectl, llm_hpa, namespace, "--for", "lint", "--required")
        with refused() as requests:
            assert run("lint", "--as", user, "-n", namespace) == 0
        assert requests == []
        said = capsys.readouterr()
        assert "adapter-query-unscoped" not in said.out
        assert "the metric adapter's file may not be read, so its rules were not judged" in said.err
    finally:
        clear(kubectl)
