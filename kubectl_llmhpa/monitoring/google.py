"""Google Cloud Managed Service for Prometheus: a PodMonitoring. Not run against the service itself.

Source: GoogleCloudPlatform/prometheus-engine pkg/operator/apis/monitoring/v1/{pod_types,pod_config}.go. A port given by
its number need not be declared: every target of the pod is sent there and they become one. Labels `namespace`, `pod`
and `job` (the object's name) cannot be relabelled.
"""

from __future__ import annotations

from kubectl_llmhpa.api import GOOGLE_POD_MONITORINGS, Json
from kubectl_llmhpa.monitoring.model import Scraper, Wanted
from kubectl_llmhpa.monitoring.scene import Scene


def pod_monitoring(wanted: Wanted) -> Json:
    """A PodMonitoring for the pods that a label selector matches."""
    port = wanted.port
    endpoint: Json = {"port": port.declared or port.number, "path": port.path, "interval": wanted.interval}
    if port.scheme == "https":
        endpoint |= {"scheme": "https", "tls": {"insecureSkipVerify": True}}
    if wanted.timeout:
        endpoint["timeout"] = wanted.timeout
    return {
        "apiVersion": GOOGLE_POD_MONITORINGS.api_version,
        "kind": GOOGLE_POD_MONITORINGS.kind,
        "metadata": wanted.metadata,
        "spec": {"selector": wanted.selector, "endpoints": [endpoint]},
    }


def _seen(scene: Scene) -> str:
    group = GOOGLE_POD_MONITORINGS.group
    return f"the API server has {group}" if group in scene.groups else ""


SCRAPER = Scraper(
    name="google",
    title="Google Cloud Managed Service for Prometheus",
    resource=GOOGLE_POD_MONITORINGS,
    seen=_seen,
    render=pod_monitoring,
    job=lambda _, name: name,
    host=r"monitoring\.googleapis\.com",
    endpoints="endpoints",
    timing=("interval", "timeout"),
    notes=("a metric that is new to the project can take 10 minutes until it can be queried there",),
)
