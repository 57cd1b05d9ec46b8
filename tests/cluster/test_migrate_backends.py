"""`migrate` to and from what is harder than the plain adapter: a Helm release, a Prometheus that wants a token, and an
HPA with marks of others. The replicas stay, and there and back leaves nothing behind.
"""

from __future__ import annotations

import pytest

from tests.cluster import ack
from tests.cluster.conftest import ADAPTER, Kubectl, Plugin
from tests.cluster.dump import differences
from tests.cluster.guarded import guarded_prometheus
from tests.cluster.stub_workload import Stub
from tests.cluster.test_migrate import (
    REPLICAS,
    TO_ADAPTER,
    TO_KEDA,
    Watched,
    by_keda,
    enabled,
    moved,
    scene,
    stub,
)

__all__ = ["stub"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

CHART = f"--helm={ack.CHART}"


@pytest.mark.full
def test_there_and_back_with_a_release_of_helm(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """Rules that are values of the adapter's release: a move to KEDA takes them out, the other puts them back."""
    with ack.stand_in(kubectl):
        untouched = ack.without_history(scene(kubectl, stub))
        values = ack.values()
        enabled(llm_hpa, stub, "--backend=ack", CHART)
        before = ack.without_history(scene(kubectl, stub))
        uid, ours = stub.hpa()["metadata"]["uid"], ack.values()
        assert ours != values
        with Watched(stub) as watched:
            moved(llm_hpa, stub, *TO_KEDA, CHART)
            assert by_keda(stub)
            assert stub.hpa()["metadata"]["uid"] == uid
            assert ack.values() == values
            refused = llm_hpa("migrate", *stub.reference, "--to", "ack")
            assert refused.code == 1
            assert "belongs to Helm" in refused.stderr
            assert by_keda(stub)
            moved(llm_hpa, stub, "--to", "ack", CHART)
            assert stub.hpa()["metadata"]["uid"] == uid
            assert ack.values() == ours
        assert set(watched.seen) == {REPLICAS}
        assert differences(before, ack.without_history(scene(kubectl, stub))) == []
        assert llm_hpa("disable", *stub.reference, CHART).code == 0
        assert ack.values() == values
        assert differences(untouched, ack.without_history(scene(kubectl, stub))) == []


@pytest.mark.full
def test_there_and_back_with_a_token(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """KEDA asks a Prometheus that wants a token; the move away forgets the login, which is said before."""
    with guarded_prometheus(kubectl, stub.namespace) as guarded:
        access = (
            f"--prometheus-url={guarded.url}", f"--prometheus-token-secret={guarded.secret}:{guarded.key}",
        )  # fmt: skip
        enabled(llm_hpa, stub, *ADAPTER)
        before = scene(kubectl, stub)
        with Watched(stub) as watched:
            without = llm_hpa(
                "migrate", *stub.reference, *TO_KEDA, f"--prometheus-url={guarded.url}", "--timeout=20s"
            )
            assert without.code == 1
            assert "401" in without.stderr
            assert "--prometheus-token-secret" in without.stderr
            assert differences(before, scene(kubectl, stub)) == []
            moved(llm_hpa, stub, *TO_KEDA, *access)
            assert by_keda(stub)
            login = kubectl.get("triggerauthentication", stub.name, "-n", stub.namespace)
            assert login["spec"]["secretTargetRef"][0]["name"] == guarded.secret
            back = moved(llm_hpa, stub, *TO_ADAPTER)
            assert "the login of KEDA to Prometheus goes" in back.stderr
            assert differences(before, scene(kubectl, stub)) == []
        assert set(watched.seen) == {REPLICAS}


def test_marks_of_others_come_along(llm_hpa: Plugin, kubectl: Kubectl, stub: Stub) -> None:
    """On the HPA before, on the ScaledObject and on KEDA's HPA, and on the HPA again."""
    enabled(llm_hpa, stub, *ADAPTER)
    where = ("-n", stub.namespace, "hpa", stub.name)
    kubectl.run("label", *where, "team=search", "app.kubernetes.io/instance=theirs")
    kubectl.run("annotate", *where, "example.com/cost=7")

    def marks(kind: str) -> tuple[str | None, str | None]:
        metadata = kubectl.get(kind, stub.name, "-n", stub.namespace)["metadata"]
        return metadata["labels"].get("team"), metadata["annotations"].get("example.com/cost")

    to_keda = moved(llm_hpa, stub, *TO_KEDA)
    assert "app.kubernetes.io/instance" in to_keda.stderr.partition(" 1. ")[0], "said before the first write"
    assert marks("scaledobject") == marks("hpa") == ("search", "7")
    assert llm_hpa("enable", *stub.reference, "--no-wait").code == 0
    assert marks("scaledobject") == ("search", "7")
    moved(llm_hpa, stub, *TO_ADAPTER)
    assert marks("hpa") == ("search", "7")
