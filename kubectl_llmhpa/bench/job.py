"""From the engine's pod to the benchmark's Job and ConfigMap. Pure: dicts in, dicts out.

The pod runs the engine container's own image, which the node has pulled already, so nothing has to be
downloaded. It asks for no GPU, is matched by no selector of the workload or its Service, and ends by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from kubectl_llmhpa.api import MANAGED_BY, MANAGER, WORKLOAD_LABEL, Json
from kubectl_llmhpa.engines import commands
from kubectl_llmhpa.workloads import engine_container

BENCH_LABEL = "kubectl-llm-hpa/bench"
INDEX = "batch.kubernetes.io/job-completion-index"  # annotation of an Indexed Job's pod
CONTAINER = "bench"
FOLDER = "/llm-hpa"
TTL_S = 600
_CODE = "kubectl_llmhpa.bench.pod"
_KEY_NAMES = ("VLLM_API_KEY", "OPENAI_API_KEY", "API_KEY", "SGLANG_API_KEY")
#: What an engine's own generator needs to find its tokenizer the way the engine did.
_ENGINE_ENV = re.compile(
    r"(HF|HUGGING_FACE|TRANSFORMERS|MODELSCOPE|TOKENIZERS)_.*|VLLM_(ROOT_DIR|USE_MODELSCOPE|CACHE_ROOT)|PYTHONPATH"
    r"|LD_LIBRARY_PATH|PATH|(HTTPS?|NO|ALL)_PROXY",
    re.IGNORECASE,
)
_OUR_TOLERATIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


@dataclass(frozen=True)
class Run:
    """One benchmark run: names and limits.

    `workload` is the label value of the workload, `module` the module of `bench/pod` to start, `settings` its JSON,
    `deadline_s` after which Kubernetes ends it, `image` replaces the engine's (then nothing of the engine's volumes
    is mounted), `like_engine` says that the engine's mounts and environment are needed. `clients` pods share the load.
    """

    run: str
    name: str
    namespace: str
    workload: str
    module: str
    settings: Mapping[str, Any]
    deadline_s: int
    image: str = ""
    like_engine: bool = False
    clients: int = 1
    requests: Mapping[str, str] = field(default_factory=lambda: {"cpu": "500m", "memory": "256Mi"})
    limits: Mapping[str, str] = field(default_factory=lambda: {"cpu": "2", "memory": "1Gi"})


def job_name(workload: str, run: str) -> str:
    """`llm-hpa-bench-WORKLOAD-RUN`, short enough for the pod's suffix."""
    return f"llm-hpa-bench-{workload[:30].strip('-.')}-{run}".replace(".", "-")


def interpreter(container: Json) -> str:
    """The Python of the engine's container: the absolute path in its command if there is one, else `python3`."""
    words = commands.words([*(container.get("command") or []), *(container.get("args") or [])])
    for word in words:
        path = PurePosixPath(word)
        if re.fullmatch(r"python[0-9.]*", path.name) and path.is_absolute():
            return word
        if path.name == "vllm" and path.is_absolute() and path.parent.name == "bin":
            return str(path.parent / "python3")
    return "python3"


def config_map(run: Run, job: Json) -> Json:
    """The program and its settings; owned by the Job, so that they go together. `job` is as the server stored it."""
    settings = {**run.settings, "clients": run.clients} if run.clients > 1 else dict(run.settings)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": run.name,
            "namespace": run.namespace,
            "labels": labels(run),
            "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "Job", "name": run.name, "uid": job["metadata"]["uid"]}
            ],
        },
        "immutable": True,
        "data": {**_sources(), "settings.json": json.dumps(settings, indent=1)},
    }


def labels(run: Run) -> dict[str, str]:
    """What marks every object of a run as ours."""
    return {MANAGED_BY: MANAGER, WORKLOAD_LABEL: run.workload, BENCH_LABEL: run.run}


def render(run: Run, pod: Json) -> Json:
    """The Job. `pod` is a live pod of the engine."""
    engine = engine_container(pod)
    mounts, volumes = _mounts(run, pod, engine)
    items = [{"key": key, "path": _path(key)} for key in sorted(_sources())]
    items.append({"key": "settings.json", "path": "settings.json"})
    container: Json = {
        "name": CONTAINER,
        "image": run.image or engine["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "python3" if run.image else interpreter(engine),
            "-u",
            "-m",
            f"{_CODE}.{run.module}",
            f"{FOLDER}/settings.json",
        ],
        "workingDir": FOLDER,
        "env": _env(run, engine),
        "resources": {"requests": dict(run.requests), "limits": dict(run.limits)},
        "volumeMounts": [
            {"name": "llm-hpa", "mountPath": FOLDER, "readOnly": True},
            {"name": "llm-hpa-tmp", "mountPath": "/tmp"},
            *mounts,
        ],
        "securityContext": _container_security(engine, bool(mounts)),
    }
    spec: Json = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 5,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [container],
        "volumes": [
            {"name": "llm-hpa", "configMap": {"name": run.name, "items": items}},
            {"name": "llm-hpa-tmp", "emptyDir": {}},
            *volumes,
        ],
    }
    if pod["spec"].get("securityContext"):
        spec["securityContext"] = pod["spec"]["securityContext"]
    if pod["spec"].get("imagePullSecrets"):
        spec["imagePullSecrets"] = pod["spec"]["imagePullSecrets"]
    if not run.image:
        _stay_near(spec, pod, must=any("hostPath" in volume for volume in volumes))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": run.name, "namespace": run.namespace, "labels": labels(run)},
        "spec": {
            **_completions(run.clients),
            "activeDeadlineSeconds": run.deadline_s,
            "ttlSecondsAfterFinished": TTL_S,
            "template": {"metadata": {"labels": labels(run)}, "spec": spec},
        },
    }


def _completions(clients: int) -> Json:
    """How often pods are made. Each client runs once, and one that fails does not take the others with it.

    Without `backoffLimitPerIndex` (before Kubernetes 1.29) `backoffLimit` has that effect, but a failed client is made
    anew; it then finds nobody who starts it.
    """
    if clients == 1:
        return {"backoffLimit": 0}
    return {
        "completionMode": "Indexed", "completions": clients, "parallelism": clients,
        "backoffLimit": clients, "backoffLimitPerIndex": 0,
    }  # fmt: skip


def _sources() -> dict[str, str]:
    """ConfigMap key -> text of a file of `bench/pod`."""
    folder = resources.files(_CODE)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".py"))
    return {name: folder.joinpath(name).read_text(encoding="utf-8") for name in names}


def _path(key: str) -> str:
    return f"{_CODE.replace('.', '/')}/{key}"


def _env(run: Run, engine: Json) -> list[Json]:
    """Our own settings, the API key by the engine's own reference, and what an engine's generator needs."""
    env: list[Json] = [
        {"name": "HOME", "value": "/tmp"},
        {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"},
    ]
    theirs: dict[str, Json] = {entry["name"]: entry for entry in engine.get("env") or []}
    key = api_key_variable(engine)
    if key:
        env.append({**theirs[key], "name": "OPENAI_API_KEY"})
    if run.like_engine and not run.image:
        ours = {entry["name"] for entry in env}
        env += [entry for name, entry in theirs.items() if _ENGINE_ENV.fullmatch(name) and name not in ours]
    return env


def api_key_variable(engine: Json) -> str:
    """The name of the variable in the engine's container that holds its API key; empty when there is none."""
    theirs = {entry["name"] for entry in engine.get("env") or []}
    raw = [*(engine.get("command") or []), *(engine.get("args") or [])]
    given = commands.flag(commands.words(raw), "--api-key") or ""
    named = re.fullmatch(r"\$[({]?(\w+)[)}]?", given)
    names: Sequence[str] = (named[1],) if named else _KEY_NAMES
    return next((name for name in names if name in theirs), "")


def _mounts(run: Run, pod: Json, engine: Json) -> tuple[list[Json], list[Json]]:
    """The engine's volumes, read-only, where they are needed: for its own generator, or for its own Python."""
    if run.image or not (run.like_engine or interpreter(engine) != "python3"):
        return [], []
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    mounts = []
    for mount in engine.get("volumeMounts") or []:
        volume = volumes.get(mount["name"])
        inside = PurePosixPath(mount["mountPath"])
        if volume is None or "emptyDir" in volume or str(inside) in ("/tmp", "/dev/shm", FOLDER):
            continue
        if inside.is_relative_to("/var/run/secrets"):
            continue
        mounts.append({**mount, "readOnly": True})
    used = {mount["name"] for mount in mounts}
    return mounts, [volume for name, volume in volumes.items() if name in used]


def _container_security(engine: Json, has_mounts: bool) -> Json:
    """What the engine was admitted with, less its privileges.

    Root without capabilities cannot read other users' files, so they are dropped only where nothing of the engine's
    is mounted or the engine drops them itself.
    """
    theirs: Json = engine.get("securityContext") or {}
    kept: Json = {
        key: theirs[key]
        for key in ("runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "seLinuxOptions")
        if key in theirs
    }
    drops = (theirs.get("capabilities") or {}).get("drop") or []
    if not has_mounts or drops:
        kept["capabilities"] = {"drop": ["ALL"] if not has_mounts else drops}
    return {**kept, "allowPrivilegeEscalation": False}


def _stay_near(spec: Json, pod: Json, *, must: bool) -> None:
    """Prefer the engine's node: the image is there, and volumes that attach to one node only. hostPath: require it."""
    node = pod["spec"].get("nodeName")
    if not node:
        return
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    if must:
        affinity: Json = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    else:
        affinity = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}
    spec["affinity"] = {"nodeAffinity": affinity}
    tolerations = [
        one for one in pod["spec"].get("tolerations") or [] if one.get("key") not in _OUR_TOLERATIONS
    ]
    if tolerations:
        spec["tolerations"] = tolerations
