"""Workloads that run in the test cluster: templates in YAML and what fills them in.

>>> stub_engine(namespace="demo", replicas=2, seats=4)
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from tests.cluster.ground.engine_images import STUB_IMAGE

WORKLOADS: Final = Path(__file__).resolve().parent
NAME: Final = "vllm-inference"
SERVICE: Final = "inference-service"
MODEL: Final = "tiny"


def render(template: Path, **values: str | int | Sequence[str]) -> str:
    """Fill a template in; a list becomes a list in YAML too."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return string.Template(template.read_text()).substitute(texts)


def stub_engine(
    *,
    kind: Literal["StatefulSet", "Deployment"] = "StatefulSet",
    name: str = NAME,
    namespace: str = "default",
    service: str = SERVICE,
    replicas: int = 1,
    seats: int = 8,
    flags: Sequence[str] = (),
) -> str:
    """Return the manifest of the stub engine behind vLLM's command line; ``flags`` come last."""
    template = {"StatefulSet": "stub.yaml", "Deployment": "stub-deployment.yaml"}[kind]
    command = ["vllm", "serve", "/models/tiny", "--max-num-seqs", str(seats), "--served-model-name", MODEL]
    return render(
        WORKLOADS / template,
        name=name,
        namespace=namespace,
        service=service,
        replicas=replicas,
        backend="vllm",
        image=STUB_IMAGE,
        command=[*command, "--port", "8000", *flags],
    )
