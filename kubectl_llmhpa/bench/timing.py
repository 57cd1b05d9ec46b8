"""How long each part of the way from a load to more replicas takes at most, and where each number comes from."""

from __future__ import annotations

from collections.abc import Mapping

from kubectl_llmhpa.api import POD_MONITORS, Json, Reader
from kubectl_llmhpa.bench.preparing import Scene
from kubectl_llmhpa.bench.sizing.prove import Timing
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.monitoring import durations
from kubectl_llmhpa.plan.setting_up.scalers import counts_peaks
from kubectl_llmhpa.policy import PEAK
from kubectl_llmhpa.workloads.pods import start_times

#: Prometheus' own default, for a target whose interval is not to be seen.
_SCRAPE_S = 60.0
#: A new pod may take longer than those before it by this factor, and so many seconds until its first sample.
_SLOWER, _FIRST_SAMPLE_S = 1.5, 5.0
_READY_S = 300.0


def of(reader: Reader, scene: Scene) -> tuple[Timing, Mapping[str, str]]:
    """The times for a workload, and their origins by name."""
    scrape, scraped = _scrape(reader, scene)
    times = start_times(scene.own)
    ready = _SLOWER * times[-1] + _FIRST_SAMPLE_S if times else _READY_S
    started = f"1.5 x {times[-1]:.0f} s, the slowest of {len(times)} pods, + 5 s" if times else "assumed"
    sync = scene.options.sync_s
    peak = float(PEAK.window) if scene.scaled_object and counts_peaks(scene.scaled_object) else 0.0
    timing = Timing(scrape=scrape, sync=sync, ready=ready, peak=peak)
    origins = {
        "scrape": f"{scrape:g} s ({scraped})",
        "HPA sync": f"{sync:g} s (--sync-period)",
        "new pod": f"{ready:.0f} s ({started})",
    }
    if peak:
        origins["peak"] = f"{peak:.0f} s (the queries of its ScaledObject)"
    return timing, origins


def _scrape(reader: Reader, scene: Scene) -> tuple[float, str]:
    """The longest interval of the PodMonitors that select the engine's pod."""
    labels = scene.sight.pod["metadata"].get("labels") or {}
    try:
        found = reader.get(POD_MONITORS.path(scene.workload.namespace)).get("items") or []
    except ApiError:
        found = []
    intervals = [
        (durations.seconds(str(endpoint["interval"])), str(one["metadata"]["name"]))
        for one in found
        if _selects(one, labels)
        for endpoint in one["spec"].get("podMetricsEndpoints") or ()
        if endpoint.get("interval")
    ]
    if not intervals:
        return _SCRAPE_S, "assumed: no PodMonitor of it says how often"
    seconds, name = max(intervals)
    return seconds, f"podmonitor/{name}"


def _selects(monitor: Json, labels: Mapping[str, str]) -> bool:
    wanted = (monitor["spec"].get("selector") or {}).get("matchLabels") or {}
    return all(labels.get(name) == value for name, value in wanted.items())
