"""The connection of machines without unix sockets gives the same answers and the same errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_llmhpa.api import CONFIG_MAPS, Json
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.kube import Cluster, Connection, proxy
from tests.cluster.conftest import Kubectl

pytestmark = pytest.mark.control_plane


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "possible", lambda: False)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(Connection(), read_only=False) as found:
        yield found


def config_map(namespace: str, **data: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "namespace": namespace},
        "data": data,
    }


def test_reads_and_their_errors(cluster: Cluster, namespace: str) -> None:
    found, missing, unknown = cluster.get_many(
        [f"/api/v1/namespaces/{namespace}", CONFIG_MAPS.path(namespace, "none"), "/apis/nope.io/v1/things"]
    )
    assert not isinstance(found, ApiError)
    assert found["metadata"]["name"] == namespace
    assert isinstance(missing, ApiError)
    assert missing.not_found
    assert isinstance(unknown, ApiError)
    assert unknown.not_found


def test_a_missing_right_is_named(namespace: str) -> None:
    with Cluster(Connection({"as": "somebody"}), read_only=True) as cluster:
        with pytest.raises(ApiError, match='User "somebody" cannot') as raised:
            cluster.get(CONFIG_MAPS.path(namespace))
        assert raised.value.forbidden


def test_writes_and_a_watch(cluster: Cluster, namespace: str) -> None:
    changes = cluster.watch(CONFIG_MAPS, namespace, field_selector="metadata.name=x", timeout=20)
    written = cluster.apply(config_map(namespace, a="1"))
    assert next(changes).object["data"] == {"a": "1"}
    written["data"]["a"] = "2"
    cluster.replace(written)
    assert next(changes).object["data"] == {"a": "2"}
    with pytest.raises(ApiError) as stale:
        cluster.replace(written)
    assert stale.value.conflict
    assert cluster.delete(CONFIG_MAPS, namespace, "x")
    assert next(changes).type == "DELETED"
    assert not cluster.delete(CONFIG_MAPS, namespace, "x")


def test_nothing_is_written_anonymously(kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    config: Json = json.loads(
        kubectl.run("config", "view", "--raw", "--flatten", "--minify", "-o", "json").stdout
    )
    config["users"][0]["user"] = {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", "exit 3"],
        "interactiveMode": "Never",
    }}  # fmt: skip
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    with Cluster(Connection({"kubeconfig": str(path)}), read_only=False) as cluster:
        with pytest.raises(LlmHpaError, match="credentials"):
            cluster.get(CONFIG_MAPS.path(namespace))
        with pytest.raises(LlmHpaError, match="credentials"):
            cluster.apply(config_map(namespace, a="1"))


def test_flags_that_cannot_serve_writes_are_refused(namespace: str) -> None:
    with (
        Cluster(Connection({"as": "somebody"}), read_only=False) as cluster,
        pytest.raises(LlmHpaError, match="--as"),
    ):
        cluster.apply(config_map(namespace, a="1"))
