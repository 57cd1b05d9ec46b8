"""`--only`: the namespace's team writes scrape object and HPA, who owns the adapter writes the rules; in any order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin
from tests.cluster.dump import differences, dump
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster


@pytest.fixture
def stub(kubectl: Kubectl, namespace: str, llm_hpa: Plugin) -> Iterator[Stub]:
    workload = Stub(kubectl, namespace)
    workload.start()
    yield workload
    llm_hpa("disable", *workload.reference)


@pytest.mark.parametrize("order", [("scrape,hpa", "rules"), ("rules", "scrape,hpa")])
def test_two_teams(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, order: tuple[str, str]) -> None:
    before = dump(kubectl, stub.namespace)
    for number, parts in enumerate(order):
        written = dump(kubectl, stub.namespace)
        outcome = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3", "--only", parts)
        assert outcome.code == 0, outcome.stderr
        changed = {
            line.partition(":")[0].partition(" ")[0]
            for line in _about(written, dump(kubectl, stub.namespace))
        }
        assert changed == ({"monitoring"} if parts == "rules" else {stub.namespace})
        if number == 0 and parts == "scrape,hpa":
            assert "waits for rules" in outcome.stderr
            assert "--only rules" in outcome.stderr
    finished = llm_hpa("enable", *ADAPTER, *stub.reference, "--max", "3")
    assert finished.code == 0, finished.stderr
    assert all(line.endswith("unchanged") for line in finished.stdout.splitlines()), finished.stdout
    assert llm_hpa("disable", *stub.reference).code == 0
    assert differences(before, dump(kubectl, stub.namespace)) == []


def _about(before: dict[str, Json], after: dict[str, Json]) -> list[str]:
    """The namespaces of the objects that differ."""
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return [key.split(" ")[2].partition("/")[0] for key in changed]
