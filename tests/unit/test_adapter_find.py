"""Which program serves custom metrics, and where its file is: from APIServices, arguments and mounts."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kubectl_llmhpa.api import API_SERVICES, CONFIG_MAPS, DEPLOYMENTS, SERVICES, Json, Reader
from kubectl_llmhpa.backends import mounted_file, prometheus_adapter
from kubectl_llmhpa.backends.mounted_file import Source
from kubectl_llmhpa.backends.prometheus_adapter import Adapter, find
from kubectl_llmhpa.errors import ApiError, LlmHpaError

CUSTOM, RESOURCE, EXTERNAL = "custom.metrics.k8s.io", "metrics.k8s.io", "external.metrics.k8s.io"
IMAGE = "registry.k8s.io/prometheus-adapter/prometheus-adapter:v0.12.0"
ARGS = ("--config=/etc/adapter/config.yaml", "--prometheus-url=http://p.monitoring.svc:9090")


class Answers:
    """Objects by their paths; what is not there is not found."""

    def __init__(self, *bodies: tuple[str, Json]) -> None:
        self.bodies = dict(bodies)

    def get(self, path: str) -> Json:
        if path not in self.bodies:
            raise ApiError(f"read {path}", 404, "NotFound", "not found")
        return self.bodies[path]


def api_service(
    group: str, service: str, *, version: str = "v1beta1", priority: int = 100, up: bool = True
) -> Json:
    condition = {"type": "Available", "status": "True" if up else "False", "message": "endpoints are gone"}
    return {
        "metadata": {"name": f"{version}.{group}"},
        "spec": {
            "group": group, "version": version, "versionPriority": priority, "groupPriorityMinimum": 100,
            "insecureSkipTLSVerify": True, "service": {"namespace": "monitoring", "name": service, "port": 443},
        },
        "status": {"conditions": [condition]},
    }  # fmt: skip


def deployment(name: str, image: str = IMAGE, args: tuple[str, ...] = ARGS, **more: Any) -> Json:
    container = {
        "name": name, "image": image, "args": list(args),
        "volumeMounts": [{"name": "config", "mountPath": "/etc/adapter/"}],
        "readinessProbe": {}, **more.pop("container", {}),
    }  # fmt: skip
    pod = {
        "containers": [container, *more.pop("sidecars", [])],
        "volumes": [{"name": "config", "configMap": {"name": f"{name}-file"}}],
    }
    return {
        "metadata": {"namespace": "monitoring", "name": name},
        "spec": {"template": {"metadata": {"labels": {"app": name, "pod": "x"}}, "spec": pod}, **more},
    }


def cluster(api_services: list[Json], *deployments: Json) -> Reader:
    """Everything in the namespace `monitoring`, a Service in front of each Deployment."""
    names = [one["metadata"]["name"] for one in deployments]
    answers = Answers(
        (API_SERVICES.path(), {"items": api_services}),
        (DEPLOYMENTS.path("monitoring"), {"items": list(deployments)}),
        *((SERVICES.path("monitoring", name), {"spec": {"selector": {"app": name}}}) for name in names),
    )
    return cast(Reader, answers)


def test_prometheus_adapter() -> None:
    args = (*ARGS, "--metrics-relist-interval=1m30s", "--metrics-max-age", "5m")
    adapter = find(cluster([api_service(CUSTOM, "pa")], deployment("pa", args=args)))
    assert (adapter.kind, adapter.custom, adapter.reloads, adapter.others) == (
        "prometheus-adapter",
        True,
        False,
        (),
    )
    assert (adapter.config_map, adapter.key) == ("pa-file", "config.yaml")
    assert (adapter.relist, adapter.max_age) == (90.0, 300.0)
    assert adapter.root == f"/apis/{CUSTOM}/v1beta1"


def test_what_its_flags_leave_out() -> None:
    adapter = find(cluster([api_service(CUSTOM, "pa")], deployment("pa", args=ARGS[:1])))
    assert (adapter.prometheus_url, adapter.relist, adapter.max_age) == ("https://localhost", 600.0, 600.0)


ACK_IMAGE = "registry-cn-hangzhou-vpc.ack.aliyuncs.com/acs/alibaba-cloud-metrics-adapter-amd64:v0.2.7"


def test_alibabas_adapter_with_its_own_defaults_and_sidecar() -> None:
    sidecar = {"name": "r", "image": "registry.aliyuncs.com/acs/configmap-reload:v0.0.1"}
    adapter = find(
        cluster([api_service(CUSTOM, "ack")], deployment("ack", ACK_IMAGE, ARGS[:1], sidecars=[sidecar]))
    )
    assert (adapter.kind, adapter.reloads, adapter.relist, adapter.max_age) == ("ack", True, 600.0, 1200.0)
    assert adapter.prometheus_url == "http://ack-prometheus-operator-prometheus.monitoring.svc:9090"


def test_alibabas_adapter_without_its_prometheus_part() -> None:
    reader = cluster([api_service(EXTERNAL, "ack")], deployment("ack", ACK_IMAGE, ()))
    with pytest.raises(LlmHpaError, match=r"AlibabaCloudMetricsAdapter\.prometheus\.enabled to true"):
        find(reader)


def test_an_adapter_of_cpu_and_memory_could_serve_custom_metrics() -> None:
    adapter = find(cluster([api_service(RESOURCE, "pa")], deployment("pa")))
    assert (adapter.custom, adapter.version, adapter.config_map) == (False, "v1beta1", "pa-file")
    assert adapter.provider is not None
    assert adapter.provider.trust == {"insecureSkipTLSVerify": True}


def test_the_metrics_server_is_no_adapter() -> None:
    reader = cluster([api_service(RESOURCE, "ms")], deployment("ms", "metrics-server:v0.8.0", ()))
    with pytest.raises(LlmHpaError, match=f"no APIService serves {CUSTOM}"):
        find(reader)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("gcr.io/gke-release/custom-metrics-stackdriver-adapter:v0.16.9", "Cloud Monitoring"),
        ("example.com/queue-metrics:1", r"example.com/queue-metrics:1\), so nothing of it is changed"),
    ],
)
def test_other_programs_are_read_only(image: str, words: str) -> None:
    with pytest.raises(LlmHpaError, match=words):
        find(cluster([api_service(CUSTOM, "x")], deployment("x", image, ())))


SECOND = api_service(CUSTOM, "sd", version="v1beta2", priority=200)


def test_the_preferred_version_decides_and_a_second_program_is_a_finding() -> None:
    stackdriver = deployment("sd", "custom-metrics-stackdriver-adapter:1", ())
    with pytest.raises(LlmHpaError, match="deployment monitoring/sd"):
        find(cluster([api_service(CUSTOM, "pa"), SECOND], deployment("pa"), stackdriver))
    first = api_service(CUSTOM, "pa", priority=300)
    adapter = find(cluster([first, SECOND], deployment("pa"), stackdriver))
    assert adapter.others == ("v1beta2.custom.metrics.k8s.io",)
    (finding,) = prometheus_adapter.findings(adapter)
    assert finding.code == "two-metric-providers"


def test_of_equal_priorities_the_newer_version_is_asked() -> None:
    both = [api_service(CUSTOM, "pa"), api_service(CUSTOM, "pa", version="v1beta2")]
    adapter = find(cluster(both, deployment("pa")))
    assert (adapter.version, adapter.others) == ("v1beta2", ())


def test_a_version_that_is_down_is_passed_over() -> None:
    down = api_service(CUSTOM, "gone", version="v1beta2", priority=200, up=False)
    assert find(cluster([api_service(CUSTOM, "pa"), down], deployment("pa"))).version == "v1beta1"


def test_down() -> None:
    reader = cluster([api_service(CUSTOM, "pa", up=False)], deployment("pa"))
    with pytest.raises(LlmHpaError, match="not available: endpoints are gone"):
        find(reader)
    assert find(reader, even_down=True).name == "pa"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, ""),
        ({"strategy": {"type": "Recreate"}}, "all at once"),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}, "its only pod goes"),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "50%"}}, "replicas": 1}, ""),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": 1}}, "replicas": 2}, ""),
    ],
)
def test_whether_a_restart_leaves_a_gap(more: Json, words: str) -> None:
    adapter = Adapter("v1beta1", deployment("pa", **more), "c", "k", "", 60, 60)
    assert words in adapter.gap
    assert bool(adapter.gap) == bool(words)


def test_without_a_readiness_probe_there_is_a_gap() -> None:
    made = deployment("pa")
    del made["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    assert "no readiness probe" in Adapter("v1beta1", made, "c", "k", "", 60, 60).gap


def sources(path: str, mounts: list[Json], *volumes: Json) -> list[Source]:
    return mounted_file.sources({"volumes": list(volumes)}, {"volumeMounts": mounts}, path)


MAP: Json = {"name": "v", "configMap": {"name": "m"}}
ITEMS: Json = {
    "name": "v",
    "configMap": {"name": "m", "items": [{"key": "a.yaml", "path": "sub/config.yaml"}]},
}


@pytest.mark.parametrize(
    ("path", "mount", "volume", "found"),
    [
        ("/etc/a/config.yaml", {"mountPath": "/etc/a/"}, MAP, [Source("m", "config.yaml")]),
        (
            "/etc/a/config.yaml",
            {"mountPath": "/etc/a/config.yaml", "subPath": "x.yaml"},
            MAP,
            [Source("m", "x.yaml")],
        ),
        (
            "/etc/sub/config.yaml",
            {"mountPath": "/etc"},
            ITEMS,
            [Source("m", "a.yaml", certain=True)],
        ),
        (
            "/etc/config.yaml",
            {"mountPath": "/etc", "subPath": "sub"},
            ITEMS,
            [Source("m", "a.yaml", certain=True)],
        ),
        ("/etc/config.yaml", {"mountPath": "/etc"}, ITEMS, []),
        ("/etc/adapter2/config.yaml", {"mountPath": "/etc/adapter"}, MAP, []),
        ("/etc/a/config.yaml", {"mountPath": "/etc/a"}, {"name": "v", "secret": {"secretName": "s"}}, []),
        ("", {"mountPath": "/etc/a"}, MAP, []),
    ],
)
def test_where_a_file_comes_from(path: str, mount: Json, volume: Json, found: list[Source]) -> None:
    assert sources(path, [{"name": "v", **mount}], volume) == found


def test_the_deepest_mount_counts() -> None:
    mounts = [{"name": "v", "mountPath": "/etc"}, {"name": "w", "mountPath": "/etc/a"}]
    assert sources("/etc/a/b", mounts, MAP, {"name": "w", "configMap": {"name": "n"}}) == [Source("n", "b")]


def test_of_a_projected_volume_the_config_map_with_the_key_is_taken() -> None:
    volume = {
        "name": "v",
        "projected": {
            "sources": [{"secret": {}}, {"configMap": {"name": "one"}}, {"configMap": {"name": "two"}}]
        },
    }
    found = sources("/etc/a", [{"name": "v", "mountPath": "/etc"}], volume)
    assert found == [Source("two", "a"), Source("one", "a")]
    answers = Answers(
        (CONFIG_MAPS.path("ns", "one"), {"data": {"a": ""}}), (CONFIG_MAPS.path("ns", "two"), {"data": {}})
    )
    assert mounted_file.existing(cast(Reader, answers), "ns", found) == Source("one", "a")
    assert mounted_file.existing(cast(Reader, Answers()), "ns", found) is None
