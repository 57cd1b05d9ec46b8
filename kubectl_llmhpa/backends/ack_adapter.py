"""Alibaba's ack-alibaba-cloud-metrics-adapter: prometheus-adapter's code inside, another life around it.

Sources: AliyunContainerService/alibaba-cloud-metrics-adapter main.go (`/reload` exits the process) and
pkg/provider/prometheusProvider (flags and their defaults; a file that does not parse is a warning, and then there are
no rules); the values of its chart 1.3.3 and the vendor's document on LLM autoscaling. The chart watches the ConfigMap
with a sidecar (`ConfigReloader`), so a changed file needs no restart by hand, and with one replica the API is away for
a moment: a second at the first change, and longer each time, since the kubelet takes a process that ends for one that
crashes and waits 10 s before the second restart within ten minutes, 20 s before the third, up to five minutes (minutes
were seen on a stand-in after four changes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubectl_llmhpa.api import Json

#: Where its chart takes things from, as paths in its values.
VALUES = ("AlibabaCloudMetricsAdapter", "prometheus")
RULES = (*VALUES, "adapter", "rules")
#: Why its API is away when one replica reads a changed file.
RELOAD_GAP = (
    "its sidecar ends its only process for that (with every end within ten minutes it is away for longer)"
)
#: What the program takes where the command line says nothing.
DEFAULTS = {
    "prometheus-url": "http://ack-prometheus-operator-prometheus.monitoring.svc:9090",
    "metrics-relist-interval": "10m",
    "metrics-max-age": "20m",
}


def reloads(pod_spec: Json) -> bool:
    """Whether a sidecar makes the adapter read a changed file."""
    containers = pod_spec["containers"]
    return len(containers) > 1 and any("reload" in str(one.get("image", "")) for one in containers)


def unset(values: Mapping[str, Any]) -> list[str]:
    """What of its values keeps it from asking Prometheus, as `path: problem`; empty when nothing does.

    `values` are all values of the release (`helm get values --all`). The chart's `url` is `{}` until somebody sets it.
    """
    prometheus: Any = values
    for key in VALUES:
        prometheus = prometheus.get(key) if isinstance(prometheus, Mapping) else None
    prometheus = prometheus if isinstance(prometheus, Mapping) else {}
    path = ".".join(VALUES)
    url = prometheus.get("url")
    problems = [] if prometheus.get("enabled") is True else [f"{path}.enabled is not true"]
    return problems + ([] if isinstance(url, str) and url.strip() else [f"{path}.url is not set"])
