"""The images of inference engines, by the names that ``load-image`` takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.cluster.ground import programs, rootfs
from tests.cluster.ground.images import Archive, archive
from tests.cluster.ground.layout import GROUND
from tests.cluster.ground.oci import Image

STUB_IMAGE: Final = "ghcr.io/kubectl-llm-hpa/stub-engine:dev"
STUB: Final = GROUND.parent / "stub"
BODIES: Final = GROUND.parent.parent / "bodies"


def stub_engine() -> Image:
    """Return the stub engine's image: the engine, Python beside it, and the bodies that it speaks."""
    programs.build(["stub-engine"])
    return Image(
        name=STUB_IMAGE,
        files=(
            (rootfs.ensure(), "/"),
            (STUB / "image", "/"),
            (programs.path_of("stub-engine"), "/usr/local/bin/stub-engine"),
            *((body, f"/bodies/{body.name}") for body in sorted(BODIES.glob("*.txt"))),
        ),
        cmd=("vllm", "serve", "tiny"),
    )


def vllm() -> Image:
    """Return the image that real vLLM pods start from, installing vLLM where that is missing."""
    from tests.engine import vllm_runtime

    return vllm_runtime.image(vllm_runtime.ensure())


def dynamo() -> Image:
    """Return the image that real Dynamo pods start from, installing Dynamo where that is missing."""
    from tests.engine import dynamo_runtime

    return dynamo_runtime.image(dynamo_runtime.ensure())


ENGINE_IMAGES: Final[dict[str, Callable[[], Image]]] = {
    "stub-engine": stub_engine,
    "vllm": vllm,
    "dynamo": dynamo,
}


def archive_of(name: str | Path) -> Archive:
    """Return the archive of the engine image called ``name``."""
    return archive(ENGINE_IMAGES[str(name)]())
