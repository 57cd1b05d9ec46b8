"""Workloads that run in the test cluster.

>>> stub_engine(namespace="demo", replicas=2, seats=4)
>>> stub_engine(engine="sglang", role="decode", kind="Deployment", port_name=None)
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from tests.cluster.ground.engine_images import STUB_IMAGE

NAME: Final = "vllm-inference"
SERVICE: Final = "inference-service"
MODEL: Final = "tiny"

Engine = Literal["vllm", "sglang", "dynamo", "llamacpp"]
Role = Literal["", "prefill", "decode"]
Kind = Literal["StatefulSet", "Deployment", "LeaderWorkerSet"]
Json = dict[str, Any]

PORTS: Final[dict[str, int]] = {"vllm": 8000, "sglang": 30000, "dynamo": 9090, "llamacpp": 8080}
REQUESTS: Final = {"requests": {"cpu": "20m", "memory": "32Mi"}}
LWS_INDEX: Final = "leaderworkerset.sigs.k8s.io/worker-index"


def render(template: Path, **values: str | int | Sequence[str]) -> str:
    """Fill a template in; a list becomes a list in YAML too."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return string.Template(template.read_text()).substitute(texts)


def stub_engine(
    *,
    engine: Engine = "vllm",
    role: Role = "",
    kind: Kind = "StatefulSet",
    name: str = NAME,
    namespace: str = "default",
    service: str = SERVICE,
    replicas: int = 1,
    seats: int = 8,
    metrics: bool = True,
    tls: bool = False,
    port_name: str | None = "http",
    declared: bool = True,
    sidecar: int | None = None,
    flags: Sequence[str] = (),
) -> str:
    """Return the manifest of the stub engine behind an engine's command line; ``flags`` come last.

    ``dynamo`` is a worker with vLLM. ``role`` is a half of SGLang's disaggregation. ``metrics`` are what
    SGLang and llama.cpp have to be asked for. The pod declares its port under ``port_name``, without a name
    (``None``), or not at all; ``sidecar`` adds a container that declares this port and has no metrics. The
    workers of a LeaderWorkerSet, one for each leader, have no port.
    """
    port = PORTS[engine]
    container: Json = {
        "name": engine,
        "image": STUB_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": [*command_line(engine, role, seats, metrics=metrics, tls=tls), *flags],
        "readinessProbe": {
            "httpGet": {"path": "/health", "port": port, "scheme": "HTTPS" if tls else "HTTP"},
            "periodSeconds": 1,
        },
        "resources": REQUESTS,
    }
    if engine == "dynamo":
        container["env"] = [{"name": "DYN_SYSTEM_PORT", "value": str(port)}]
    if declared:
        container["ports"] = [{"containerPort": port, **({"name": port_name} if port_name else {})}]
    containers = [container]
    if sidecar is not None:
        containers.append(_sidecar(sidecar))
    pod = _pod(name, engine, containers)
    workload = {
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        **_WORKLOADS[kind](pod, name, service, replicas),
    }
    leaders = {LWS_INDEX: "0"} if kind == "LeaderWorkerSet" else {}
    front: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "selector": {"app": name, **leaders},
            "ports": [{"name": "http", "port": port, "targetPort": port}],
        },
    }
    return "---\n".join(json.dumps(one, indent=2) + "\n" for one in (workload, front))


def command_line(
    engine: Engine, role: Role = "", seats: int = 8, *, metrics: bool = True, tls: bool = False
) -> list[str]:
    """Return an engine's command line as its own documentation writes it."""
    port = str(PORTS[engine])
    if engine == "vllm":
        command = ["vllm", "serve", "/models/tiny", "--max-num-seqs", str(seats)]
        command += ["--served-model-name", MODEL, "--port", port]
        certificate = ["--ssl-certfile", "/tls/tls.crt", "--ssl-keyfile", "/tls/tls.key"]
    elif engine == "sglang":
        command = ["python3", "-m", "sglang.launch_server", "--model-path", "/models/tiny"]
        command += ["--served-model-name", MODEL, "--host", "0.0.0.0", "--port", port]
        command += ["--max-running-requests", str(seats)]
        command += ["--enable-metrics"] * metrics + ["--disaggregation-mode", role] * bool(role)
        certificate = ["--ssl-certfile", "/tls/tls.crt", "--ssl-keyfile", "/tls/tls.key"]
    elif engine == "dynamo":
        command = ["python3", "-m", "dynamo.vllm", "--model", "/models/tiny"]
        command += ["--served-model-name", MODEL, "--max-num-seqs", str(seats)]
        certificate = ["--tls-cert-path", "/tls/tls.crt", "--tls-key-path", "/tls/tls.key"]
    else:
        command = ["llama-server", "-m", "/models/tiny.gguf", "--alias", MODEL]
        command += ["-np", str(seats), "--host", "0.0.0.0", "--port", port] + ["--metrics"] * metrics
        certificate = ["--ssl-cert-file", "/tls/tls.crt", "--ssl-key-file", "/tls/tls.key"]
    return [*command, *(certificate if tls else ())]


def _sidecar(port: int) -> Json:
    return {
        "name": "sidecar",
        "image": STUB_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "http.server", str(port), "--directory", "/usr/local"],
        "ports": [{"name": "side", "containerPort": port}],
        "resources": REQUESTS,
    }


def _pod(name: str, engine: str, containers: list[Json]) -> Json:
    labels = {
        "app": name,
        "alibabacloud.com/inference-workload": name,
        "alibabacloud.com/inference-backend": engine,
    }
    return {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": containers},
    }


def _stateful_set(pod: Json, name: str, service: str, replicas: int) -> Json:
    spec = {
        "replicas": replicas,
        "serviceName": service,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": name}},
        "template": pod,
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": spec}


def _deployment(pod: Json, name: str, _: str, replicas: int) -> Json:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


def _leader_worker_set(pod: Json, name: str, _: str, replicas: int) -> Json:
    worker: Json = {
        "name": "worker",
        "image": STUB_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
        "resources": REQUESTS,
    }
    workers = {
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [worker]},
    }
    template = {"size": 2, "leaderTemplate": pod, "workerTemplate": workers}
    spec = {"replicas": replicas, "leaderWorkerTemplate": template}
    return {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "spec": spec}


_WORKLOADS: Final = {
    "StatefulSet": _stateful_set,
    "Deployment": _deployment,
    "LeaderWorkerSet": _leader_worker_set,
}
