"""Rules that the running adapter has and its file has lost: said before the restart that would lose the metric."""

from __future__ import annotations

from kubectl_llmhpa.api import CONFIG_MAPS, Json, Reader
from kubectl_llmhpa.backends import helm, ownership, prometheus_adapter
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.plan.adapter.rule_record import RECORD, lost, parsed


def findings(reader: Reader) -> dict[str, Finding]:
    """By metric, a finding for each rule of ours that the adapter's next restart would lose; none where it is not seen.

    `helm upgrade` with values that have no such rule writes the file anew, and while the pod template stays the same
    the adapter runs on with what it has read.
    """
    try:
        adapter = prometheus_adapter.find(reader, even_down=True)
        external = [prometheus_adapter.EXTERNAL_ROOT] if adapter.external else []
        answers = reader.get_many(
            [adapter.config_path, CONFIG_MAPS.path(adapter.namespace, RECORD), adapter.root, *external]
        )
        return judge(adapter, *(None if isinstance(one, ApiError) else one for one in answers))
    except LlmHpaError:
        return {}


def judge(
    adapter: Adapter,
    config_map: Json | None,
    record: Json | None,
    served: Json | None,
    external: Json | None = None,
) -> dict[str, Finding]:
    """The findings by metric; each argument is None where it is not read.

    They are the adapter's ConfigMap, our record, and its lists of custom and of External metrics.
    """
    if config_map is None or record is None or served is None:
        return {}
    text = str((config_map.get("data") or {}).get(adapter.key, ""))
    names = {str(one["name"]) for one in served.get("resources") or []}
    names |= {f"external/{one['name']}" for one in (external or {}).get("resources") or []}
    owner = ownership.file_owner(config_map, adapter.deployment)
    release = helm.release_of(config_map)
    source = f"the source of {owner[0]} ({owner[1]})" if owner else "the file"
    if release is not None:
        source = f"the values of Helm release {release.name} in {release.namespace}"
    about = f"ConfigMap/{adapter.namespace}/{adapter.config_map}"
    return {
        name: found("rule-will-be-lost", about, f"the rule for {name} is gone from it", source=source)
        for name in lost(parsed(record), text, names)
    }
