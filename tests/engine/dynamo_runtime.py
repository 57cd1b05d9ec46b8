"""Install the real NVIDIA Dynamo frontend and its mocker, once, into the cache.

The frontend is the one of production; the mocker is Dynamo's own worker with a simulated engine, so neither needs a
GPU.  ``python3 -m tests.engine.dynamo_runtime`` installs them and prints where they lie; ``ensure()`` does the same
for tests and for the image ``docker.io/library/dynamo-cpu-host``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.oci import Image
from tests.engine import installation, tiny_model
from tests.engine.installation import Environment, Recipe
from tests.engine.tiny_model import SMALL

VERSION: Final = "1.6.1"
IMAGE: Final = f"docker.io/library/dynamo-cpu-host:{VERSION}"

ENVIRONMENT: Final = {
    "HF_HUB_OFFLINE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    # Without etcd and NATS: the processes find each other through files, and talk without a broker.
    "DYN_DISCOVERY_BACKEND": "file",
    "DYN_REQUEST_PLANE": "tcp",
    "DYN_EVENT_PLANE": "zmq",
}
DISCOVERY_FOLDER: Final = "DYN_FILE_KV"
"""The variable with the folder that the frontend and its workers share."""

SYSTEM_PORT: Final = 9090
"""A worker's metrics, where the Dynamo operator puts them (component_worker.go)."""

MOCK_FLAGS: Final = ("--block-size", "16", "--num-gpu-blocks-override", "128")


@dataclass(frozen=True)
class Runtime(Environment):
    """Where everything lies.  All paths are the same on the host and in a pod."""

    model: Path

    @property
    def mounts(self) -> tuple[Path, ...]:
        return (*super().mounts, self.model)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables to start either process with, on the host or in an image."""
        return {**ENVIRONMENT, "PATH": self.path}

    @staticmethod
    def system(port: int = SYSTEM_PORT) -> dict[str, str]:
        """Return the variables that give a worker its metrics, and a /health that follows its endpoint.

        1.6.1 heeds the second one, although it logs that it does not.
        """
        return {"DYN_SYSTEM_PORT": str(port), "DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS": '["generate"]'}

    def frontend(self, *flags: str) -> list[str]:
        """Return the command of the frontend."""
        return ["python3", "-m", "dynamo.frontend", *flags]

    def mocker(self, *flags: str) -> list[str]:
        """Return the command of a worker with the tiny model's tokenizer and a cache of 2048 tokens."""
        return ["python3", "-m", "dynamo.mocker", "--model-path", str(self.model), *MOCK_FLAGS, *flags]


RECIPE: Final = Recipe(
    name="dynamo",
    version=VERSION,
    lock=Path(__file__).with_name("dynamo-requirements.txt"),
    disk_gb=2,
    size="65 wheels, 0.7 GB, some minutes",
)


def ensure() -> Runtime:
    """Return the installed runtime, installing it and writing the model where they are missing."""
    installed = installation.ensure(RECIPE)
    return Runtime(installed.venv, installed.base_prefix, model=tiny_model.ensure(SMALL))


def image(runtime: Runtime) -> Image:
    """Return the image that pods with the runtime's mounts start from."""
    return installation.image(IMAGE, runtime.environment, runtime.frontend())


if __name__ == "__main__":
    try:
        found = ensure()
    except GroundError as problem:
        sys.exit(f"dynamo: {problem}")
    sys.stdout.write(f"{found.venv}\n{found.model}\n")
