"""Workloads with real inference engines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.cluster.workloads import MODEL, NAME, SERVICE, render
from tests.engine.vllm_runtime import IMAGE, Runtime

WORKLOADS: Final = Path(__file__).resolve().parent


def vllm(
    runtime: Runtime,
    *,
    name: str = NAME,
    namespace: str = "default",
    service: str = SERVICE,
    replicas: int = 1,
    seats: int = 8,
    flags: Sequence[str] = (),
) -> str:
    """Return the manifest of a real vLLM; ``flags`` come last on its command line."""
    volumes: list[dict[str, object]] = [{"name": "shm", "emptyDir": {"medium": "Memory"}}]
    mounts: list[dict[str, object]] = [{"name": "shm", "mountPath": "/dev/shm"}]
    for number, folder in enumerate(runtime.mounts):
        volumes.append({"name": f"host-{number}", "hostPath": {"path": str(folder), "type": "Directory"}})
        mounts.append({"name": f"host-{number}", "mountPath": str(folder), "readOnly": True})
    command = runtime.serve("--max-num-seqs", str(seats), "--served-model-name", MODEL, "--port", "8000")
    return render(
        WORKLOADS / "vllm.yaml",
        name=name,
        namespace=namespace,
        service=service,
        replicas=replicas,
        image=IMAGE,
        command=[*command, *flags],
        volumes=json.dumps(volumes),
        mounts=json.dumps(mounts),
    )
