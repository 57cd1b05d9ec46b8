"""Annotation scraping (`prometheus.io/scrape`): recognised on pods, never applied, since that restarts them.

Nothing built in reads these annotations: a job of somebody's Prometheus configuration does (`kubernetes-pods` in the
prometheus chart, the default discovery of some managed services), often once a minute.
"""

from __future__ import annotations

from kubectl_llmhpa.api import Json

_SCRAPE = "prometheus.io/scrape"


def wants_scraping(pod: Json) -> bool:
    """Whether a pod asks for it."""
    return (pod["metadata"].get("annotations") or {}).get(_SCRAPE) == "true"


def note(pod: Json) -> str:
    """What a user should know of a pod's annotation, "" when it has none."""
    if not wants_scraping(pod):
        return ""
    port = (pod["metadata"].get("annotations") or {}).get("prometheus.io/port")
    on = f" on port {port}" if port else ""
    return (
        f"the pods carry the annotation {_SCRAPE}{on}: a Prometheus with a job for it (often kubernetes-pods, often "
        "once a minute) scrapes them too, and its annotations are left as they are"
    )
