"""A stand-in for ack-alibaba-cloud-metrics-adapter, by Helm, in the layout of Alibaba's chart.

The real prometheus-adapter under the vendor's image name, in release `ack-alibaba-cloud-metrics-adapter` in
`kube-system`, with a sidecar that ends it when its file changes.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.cluster.conftest import ROOT, Json, Kubectl
from tests.cluster.ground import images, rootfs
from tests.cluster.ground.oci import Image
from tests.cluster.ground.programs import path_of
from tests.cluster.plain_adapter import CUSTOM, PROMETHEUS, api_service_away

NAME = "ack-alibaba-cloud-metrics-adapter"
NAMESPACE = "kube-system"
CHART = Path(__file__).parent / "charts" / NAME
#: A rule of another team, which must be served whatever we do.
THEIRS: Json = {
    "seriesQuery": 'prometheus_tsdb_head_series{namespace!="",pod!=""}',
    "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
    "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)",
}
VALUES: Json = {
    "AlibabaCloudMetricsAdapter": {
        "prometheus": {
            "enabled": True,
            "url": PROMETHEUS,
            "metricsRelistInterval": "10s",
            "prometheusHeader": [{"Authorization": "not-to-be-shown"}],
            "adapter": {"rules": {"default": False, "custom": [THEIRS]}},
        }
    }
}


def helm(*arguments: str, stdin: str = "") -> str:
    """Run helm, which a test cluster has on PATH."""
    done = subprocess.run(
        ["helm", *arguments], input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def values() -> Json:
    """The values that users gave to the release."""
    found: Json = json.loads(helm("get", "values", NAME, "--namespace", NAMESPACE, "--output=json"))
    return found


def fresh(kubectl: Kubectl) -> None:
    """Have a pod without restarts: for each of the last ten minutes the kubelet waits twice as long with the next."""
    where = ("-n", NAMESPACE, "-l", f"app={NAME}")
    rolled_out = ("rollout", "status", f"deploy/{NAME}", "-n", NAMESPACE, "--timeout=90s")
    kubectl.run(*rolled_out)
    pods = kubectl.get("pods", *where)["items"]
    if any(one["restartCount"] for pod in pods for one in pod["status"]["containerStatuses"]):
        kubectl.run("delete", "pod", *where)
        kubectl.run(*rolled_out)
    kubectl.run("wait", f"apiservice/{CUSTOM}", "--for=condition=Available", "--timeout=60s")


def without_history(found: dict[str, Json]) -> dict[str, Json]:
    """A dump of the cluster without what every upgrade leaves: Helm's revisions, and the times of its writes."""
    kept = {key: one for key, one in found.items() if one.get("type") != "helm.sh/release.v1"}
    for one in kept.values():
        for entry in one.get("metadata", {}).get("managedFields") or ():
            if entry["manager"] == "helm":
                entry.pop("time", None)
    return kept


@contextlib.contextmanager
def stand_in(kubectl: Kubectl) -> Iterator[None]:
    """It runs and serves custom metrics until the end of the block; the cluster's own adapter waits aside."""
    _load_images()
    where = ("--namespace", NAMESPACE)
    with api_service_away(kubectl, CUSTOM):
        try:
            text = yaml.safe_dump(VALUES)
            helm("upgrade", "--install", NAME, str(CHART), *where, "--values=-", stdin=text)
            kubectl.run("rollout", "status", f"deploy/{NAME}", *where, "--timeout=90s")
            kubectl.run("wait", f"apiservice/{CUSTOM}", "--for=condition=Available", "--timeout=60s")
            yield
        finally:
            helm("uninstall", NAME, *where, "--ignore-not-found", "--wait")


def _load_images() -> None:
    chart: Json = yaml.safe_load((CHART / "values.yaml").read_text())
    adapter = Image(
        name=_name(chart["AlibabaCloudMetricsAdapter"]["image"]),
        files=((path_of("prometheus-adapter"), "/adapter"),),
        entrypoint=("/adapter",),
    )
    reloader = Image(
        name=_name(chart["ConfigReloader"]["image"]),
        files=((rootfs.ensure(), "/"), (CHART / "reload.py", "/reload.py")),
        entrypoint=("python3", "/reload.py"),
    )
    for image in (adapter, reloader):
        path = images.archive(image).path
        subprocess.run([ROOT / "scripts/cluster", "load-image", path], check=True, stdout=subprocess.DEVNULL)


def _name(image: Json) -> str:
    return f"{image['repository']}:{image['tag']}"
