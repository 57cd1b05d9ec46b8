"""The custom resource definitions of projects that run engines, without their controllers.

They come out of the projects' own modules where the Go proxy serves them, else in a reduced form of our own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.cluster.ground.layout import MODULES
from tests.cluster.ground.programs import module_folder

_FOLDER: Final = "crds"
_FILES: Final = {
    "github.com/argoproj/argo-rollouts": ("manifests/crds/rollout-crd.yaml",),
    "github.com/kserve/kserve": (
        "charts/kserve-crd-minimal/templates/serving.kserve.io_inferenceservices.yaml",
        "config/crd/full/llmisvc/serving.kserve.io_llminferenceservices.yaml",
    ),
    "github.com/ray-project/kuberay/ray-operator": ("config/crd/bases/ray.io_rayclusters.yaml",),
    "github.com/vllm-project/aibrix": (
        "config/crd/autoscaling/autoscaling.aibrix.ai_podautoscalers.yaml",
        "config/crd/orchestration/orchestration.aibrix.ai_rolesets.yaml",
        "config/crd/orchestration/orchestration.aibrix.ai_stormservices.yaml",
    ),
    "github.com/volcano-sh/kthena": (
        "charts/kthena/charts/workload/crds/workload.serving.volcano.sh_autoscalingpolicies.yaml",
        "charts/kthena/charts/workload/crds/workload.serving.volcano.sh_modelservings.yaml",
    ),
}
_LWS_FILE: Final = "config/crd/bases/leaderworkerset.x-k8s.io_leaderworkersets.yaml"


def files() -> list[Path]:
    """Return the files of all definitions; may have to download modules."""
    found = [module_folder(_FOLDER, module) / name for module, names in _FILES.items() for name in names]
    found.append(module_folder("lws", "sigs.k8s.io/lws") / _LWS_FILE)
    return found + sorted((MODULES / _FOLDER / "reduced").glob("*.yaml"))


def scraper_files() -> list[Path]:
    """Return the definitions of scrape objects: the Prometheus operator's own, and reduced ones of others."""
    operator = module_folder("prometheus-operator", "github.com/prometheus-operator/prometheus-operator")
    own = sorted((operator / "example/prometheus-operator-crd").glob("*.yaml"))
    return own + sorted((MODULES / _FOLDER / "scrapers").glob("*.yaml"))
