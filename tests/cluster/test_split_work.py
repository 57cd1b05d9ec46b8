"""Rules are of engines, not of workloads: several teams use one, and somebody else may be the one who writes it.

`--only`: the namespace's team writes scrape object and HPA, who owns the adapter writes the rules; in any order.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.bystander import Bystander
from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, fresh_namespace
from tests.cluster.dump import differences, dump
from tests.cluster.robots import clear, robot
from tests.cluster.shared_adapter import SharedAdapter
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster


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


@pytest.fixture
def neighbour(kubectl: Kubectl, llm_hpa: Plugin) -> Iterator[Stub]:
    """The same engine in the namespace of another team."""
    with fresh_namespace(kubectl) as other:
        workload = Stub(kubectl, other)
        workload.start()
        yield workload
        llm_hpa("disable", *workload.reference)


def test_a_rule_goes_with_the_last_team_that_uses_it(
    llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, neighbour: Stub
) -> None:
    adapter, before = SharedAdapter(kubectl), dump(kubectl, stub.namespace)
    for team in (stub, neighbour):
        outcome = llm_hpa("enable", *ADAPTER, *team.reference, "--max", "3")
        assert outcome.code == 0, outcome.stderr
    both = adapter.file()
    theirs = Bystander(kubectl, neighbour.namespace, neighbour.name)
    try:
        left = llm_hpa("disable", *stub.reference)
        assert left.code == 0, left.stderr
        assert f"rules stay: {neighbour.namespace}/{neighbour.name} uses them" in left.stderr
        assert adapter.file() == both
    finally:
        theirs.end()
    assert theirs.lost == []
    assert llm_hpa("disable", *neighbour.reference).code == 0
    assert differences(before, dump(kubectl, stub.namespace)) == []


def test_rules_of_a_platform_team_stay_until_it_takes_them_out(
    llm_hpa: Plugin, kubectl: Kubectl, stub: Stub, neighbour: Stub
) -> None:
    """Each with the rights that `rbac` prints for the part of it, and no other."""
    adapter = SharedAdapter(kubectl)
    for_both, parts = (
        ("--for", "enable", "--for", "disable", "--backend", ADAPTER[0].partition("=")[2]),
        "scrape,hpa",
    )
    try:
        platform = robot(kubectl, llm_hpa, stub.namespace, *for_both, "--only", "rules", name="platform")
        users = {
            team: robot(kubectl, llm_hpa, team.namespace, *for_both, "--only", parts)
            for team in (stub, neighbour)
        }
        before = dump(kubectl, stub.namespace)
        enable = ("enable", *ADAPTER, *stub.reference, "--max", "3")
        outcome = llm_hpa(*enable, "--only", "rules", "--as", platform)
        assert outcome.code == 0, outcome.stderr
        written = adapter.file()
        for team, user in users.items():
            outcome = llm_hpa("enable", *ADAPTER, *team.reference, "--max=3", "--only", parts, "--as", user)
            assert outcome.code == 0, outcome.stderr
        theirs = Bystander(kubectl, neighbour.namespace, neighbour.name)
        try:
            outcome = llm_hpa("disable", *stub.reference, "--as", users[stub])
            assert outcome.code == 0, outcome.stderr
            assert "who owns the adapter takes them out" in outcome.stderr
            early = llm_hpa("disable", *stub.reference, "--only", "rules", "--as", platform)
            assert early.code == 0, early.stderr
            assert "no rule is without a user" in early.stderr
        finally:
            theirs.end()
        assert theirs.lost == []
        assert llm_hpa("disable", *neighbour.reference, "--as", users[neighbour]).code == 0
        assert adapter.file() == written
        outcome = llm_hpa("disable", *stub.reference, "--only", "rules", "--as", platform)
        assert outcome.code == 0, outcome.stderr
        assert differences(before, dump(kubectl, stub.namespace)) == []
    finally:
        clear(kubectl)


def _about(before: dict[str, Json], after: dict[str, Json]) -> list[str]:
    """The namespaces of the objects that differ."""
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return [key.split(" ")[2].partition("/")[0] for key in changed]
