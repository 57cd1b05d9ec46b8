"""Azure Monitor managed service for Prometheus: a PodMonitor in a group of its own. Not run against the service itself.

Source: Azure/prometheus-collector internal/docs/Operator-CRD.md and the CRD of its add-on. The add-on ignores
PodMonitors of monitoring.coreos.com; its template sets the three limits below, without which a job may be dropped, and
names ports.
"""

from __future__ import annotations

from kubectl_llmhpa.api import AZURE_POD_MONITORS, Json
from kubectl_llmhpa.monitoring import prometheus_operator
from kubectl_llmhpa.monitoring.model import Scraper, Wanted, job_of_monitor
from kubectl_llmhpa.monitoring.scene import Scene

LIMITS = {"labelLimit": 63, "labelNameLengthLimit": 511, "labelValueLengthLimit": 1023}


def pod_monitor(wanted: Wanted) -> Json:
    """The PodMonitor of the add-on for the pods that a label selector matches."""
    result = prometheus_operator.pod_monitor(wanted)
    result["apiVersion"] = AZURE_POD_MONITORS.api_version
    result["spec"] = {**LIMITS, **result["spec"]}
    return result


def _seen(scene: Scene) -> str:
    group = AZURE_POD_MONITORS.group
    return f"the API server has {group}" if group in scene.groups else ""


SCRAPER = Scraper(
    name="azure",
    title="Azure Monitor managed service for Prometheus",
    resource=AZURE_POD_MONITORS,
    seen=_seen,
    render=pod_monitor,
    job=job_of_monitor,
    host=r".*\.prometheus\.monitor\.azure\.(com|cn|us)",
)
