"""Workloads with real inference engines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.cluster.workloads import MODEL, NAME, SERVICE, render
from tests.engine import dynamo_runtime, vllm_runtime

WORKLOADS: Final = Path(__file__).resolve().parent
Json = dict[str, object]

DYNAMO_FRONTEND: Final = "dynamo-frontend"
DYNAMO_WORKER: Final = "dynamo-worker"


def vllm(
    runtime: vllm_runtime.Runtime,
    *,
    name: str = NAME,
    namespace: str = "default",
    service: str = SERVICE,
    replicas: int = 1,
    seats: int = 8,
    flags: Sequence[str] = (),
) -> str:
    """Return the manifest of a real vLLM; ``flags`` come last on its command line."""
    volumes, mounts = host_folders(runtime.mounts)
    volumes.append({"name": "shm", "emptyDir": {"medium": "Memory"}})
    mounts.append({"name": "shm", "mountPath": "/dev/shm"})
    command = runtime.serve("--max-num-seqs", str(seats), "--served-model-name", MODEL, "--port", "8000")
    return render(
        WORKLOADS / "vllm.yaml",
        name=name,
        namespace=namespace,
        service=service,
        replicas=replicas,
        image=vllm_runtime.IMAGE,
        command=[*command, *flags],
        volumes=json.dumps(volumes),
        mounts=json.dumps(mounts),
    )


def dynamo(
    runtime: dynamo_runtime.Runtime,
    *,
    discovery: Path,
    namespace: str = "default",
    seats: int = 8,
    flags: Sequence[str] = (),
) -> str:
    """Return the manifest of a real Dynamo frontend and of one worker with a simulated engine.

    ``discovery`` is a folder of the node, new for each deployment: the pods find each other through files in it.
    ``flags`` come last on the worker's command line.
    """
    volumes, mounts = host_folders(runtime.mounts)
    volumes.append({"name": "discovery", "hostPath": {"path": str(discovery), "type": "DirectoryOrCreate"}})
    mounts.append({"name": "discovery", "mountPath": str(discovery)})
    env: list[Json] = [
        {"name": dynamo_runtime.DISCOVERY_FOLDER, "value": str(discovery)},
        {"name": "DYN_NAMESPACE", "value": "dynamo"},
    ]
    system: list[Json] = [{"name": name, "value": value} for name, value in runtime.system().items()]
    shared = {
        "namespace": namespace,
        "image": dynamo_runtime.IMAGE,
        "volumes": json.dumps(volumes),
        "mounts": json.dumps(mounts),
    }
    frontend = render(
        WORKLOADS / "dynamo.yaml",
        name=DYNAMO_FRONTEND,
        component="Frontend",
        type="frontend",
        command=runtime.frontend("--http-port", "8000"),
        env=json.dumps(env),
        port_name="http",
        port=8000,
        **shared,
    )
    worker = render(
        WORKLOADS / "dynamo.yaml",
        name=DYNAMO_WORKER,
        component="Worker",
        type="worker",
        command=[*runtime.mocker("--model-name", MODEL, "--max-num-seqs", str(seats)), *flags],
        env=json.dumps([*env, *system]),
        port_name="system",
        port=dynamo_runtime.SYSTEM_PORT,
        **shared,
    )
    return f"{frontend}---\n{worker}"


def host_folders(folders: Iterable[Path]) -> tuple[list[Json], list[Json]]:
    """Return the volumes and mounts that show a pod ``folders`` of the node, read-only, at their own paths."""
    volumes: list[Json] = []
    mounts: list[Json] = []
    for number, folder in enumerate(folders):
        volumes.append({"name": f"host-{number}", "hostPath": {"path": str(folder), "type": "Directory"}})
        mounts.append({"name": f"host-{number}", "mountPath": str(folder), "readOnly": True})
    return volumes, mounts
