"""Install a real vLLM that runs without a GPU, once, into the cache.

Runs on the standard library alone.  ``python3 -m tests.engine.vllm_runtime``
installs it and prints where it lies; ``ensure()`` does the same for tests and
for the image ``docker.io/library/vllm-cpu-host``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.oci import Image
from tests.engine import installation, tiny_model
from tests.engine.installation import Environment, Recipe, talk
from tests.engine.tiny_model import Size

VERSION: Final = "0.32.0"
IMAGE: Final = f"docker.io/library/vllm-cpu-host:{VERSION}"

ENVIRONMENT: Final = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
SERVE_FLAGS: Final = (
    *("--load-format", "dummy"),
    *("--dtype", "float32"),  # bfloat16, the default, is 100 times slower where the CPU lacks AVX-512
    *("--max-model-len", "2048"),
    "--enforce-eager",
    "--no-enable-prefix-caching",
)
"""What a weightless model on a CPU needs behind ``vllm serve MODEL``."""


@dataclass(frozen=True)
class Runtime(Environment):
    """Where everything lies.  All paths are the same on the host and in a pod."""

    model: Path

    @property
    def mounts(self) -> tuple[Path, ...]:
        return (*super().mounts, self.model)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables to start ``vllm`` with, on the host or in an image."""
        return {**ENVIRONMENT, "PATH": self.path}

    def serve(self, *flags: str) -> list[str]:
        """Return the command that serves the tiny model."""
        return ["vllm", "serve", str(self.model), *SERVE_FLAGS, *flags]


def ensure(size: Size | None = None) -> Runtime:
    """Return the installed runtime, installing it and writing the model where they are missing."""
    installed = installation.ensure(RECIPE)
    return Runtime(installed.venv, installed.base_prefix, model=tiny_model.ensure(size))


def image(runtime: Runtime) -> Image:
    """Return the image that pods with the runtime's mounts start from."""
    return installation.image(IMAGE, runtime.environment, runtime.serve())


def _name_it_vllm(venv: Path) -> None:
    """Add the metadata of a distribution called ``vllm``: the ``vllm`` command looks its version up by that."""
    [packages] = venv.glob("lib/python*/site-packages")
    metadata = packages / f"vllm-{VERSION}.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")
    (metadata / "INSTALLER").write_text("tests.engine.vllm_runtime\n")
    talk([venv / "bin" / "vllm", "--version"], ENVIRONMENT)


RECIPE: Final = Recipe(
    name="vllm",
    version=VERSION,
    lock=Path(__file__).with_name("vllm-requirements.txt"),
    disk_gb=10,  # 6.2 GB installed, the rest is pip's own cache of the downloads
    size="166 wheels, 6.2 GB, some minutes",
    finish=_name_it_vllm,
)


if __name__ == "__main__":
    try:
        found = ensure()
    except GroundError as problem:
        sys.exit(f"vllm: {problem}")
    sys.stdout.write(f"{found.venv}\n{found.model}\n")
