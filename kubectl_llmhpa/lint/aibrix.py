"""Rules about AIBrix' PodAutoscaler, which makes an HPA itself or scales by its own loop (KPA, APA).

Facts: aibrix pkg/controller/podautoscaler: `targetValue` is a string; with scalingStrategy HPA it is cut to an integer
for the HPA that is made.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubectl_llmhpa.engines import Kind
from kubectl_llmhpa.lint import names, scalers
from kubectl_llmhpa.lint.documents import Document
from kubectl_llmhpa.lint.model import Bundle, Check, Located, located
from kubectl_llmhpa.lint.scale_targets import POD_AUTOSCALER


def judge(_: Bundle, autoscaler: Document) -> Iterator[Located]:
    """Targets of the metric sources. AIBrix writes names without the engine's prefix (`gpu_cache_usage_perc`)."""
    makes_hpa = autoscaler.at("spec", "scalingStrategy") == "HPA"
    for path, source in autoscaler.items("spec", "metricsSources"):
        name = str(source.get("targetMetric") or "")
        target = scalers.number(source.get("targetValue"))
        place = (*path, "targetValue")
        if target is None:
            continue
        if target <= 0:
            yield located(
                autoscaler, place, "target-refused", f"{name} has the target {source['targetValue']}",
                fix="write a positive number",
            )  # fmt: skip
        elif target < 1 and makes_hpa:
            seen = f"{name} is compared with {source['targetValue']}, which the HPA strategy cuts to 0"
            yield located(
                autoscaler,
                place,
                "target-refused",
                seen,
                fix="use scalingStrategy KPA, or scale by waiting requests",
            )
        elif target >= 1 and _kind(name) is Kind.RATIO:
            seen = f"{name} is compared with {source['targetValue']}"
            yield located(autoscaler, place, "ratio-target", seen)


def _kind(name: str) -> Kind | None:
    return names.kind_of(name) or names.kind_of(f"vllm:{name}")


CHECKS = (Check((POD_AUTOSCALER,), judge, lambda one: one.group == "autoscaling.aibrix.ai"),)
