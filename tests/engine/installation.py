"""Put a real engine into the cache, once: a virtual environment of locked wheels, and the image to run it in.

Runs on the standard library alone.  An environment does not go into an image: pods mount it from the host, at the
very path it has there, together with the interpreter it was made with.
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground import rootfs
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import cache_root
from tests.cluster.ground.locks import held
from tests.cluster.ground.oci import Image
from tests.cluster.ground.progress import say, step

PYTHON_VERSION: Final = (3, 11)
MACHINE: Final = "x86_64"
COMPLETE: Final = "complete"
"""The file that is written last; it names the prefix of the interpreter."""

_FORMAT: Final = "1"
_SEED_INTERPRETERS: Final = ("python3.11", "/usr/bin/python3.11", "python3")


@dataclass(frozen=True)
class Environment:
    """A virtual environment and its interpreter.  Both paths are the same on the host and in a pod."""

    venv: Path
    base_prefix: Path

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def mounts(self) -> tuple[Path, ...]:
        """Return the host folders that a pod mounts, read-only, under their own names."""
        return (self.base_prefix, self.venv)

    @property
    def path(self) -> str:
        """Return PATH with the environment's programs first."""
        return ":".join([str(self.venv / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])


def no_finish(venv: Path) -> None:
    """Change nothing in a fresh environment."""


@dataclass(frozen=True)
class Recipe:
    """What to install: ``lock`` is a requirements file with one hash for each wheel; ``finish`` has the last word."""

    name: str
    version: str
    lock: Path
    disk_gb: float
    size: str
    finish: Callable[[Path], None] = no_finish

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}"


def ensure(recipe: Recipe) -> Environment:
    """Return the environment of ``recipe``, making it where it is missing.

    Raises ``GroundError`` on another platform than the lock's, on a full disk, and where pip fails.
    """
    if platform.system() != "Linux" or platform.machine() != MACHINE:
        raise GroundError(f"{recipe.name} is pinned for Linux on {MACHINE}, this is {platform.machine()}")
    wheels = [line for line in recipe.lock.read_text().splitlines() if not line.startswith("#")]
    root = cache_root() / f"{recipe.name}-{recipe.version}-{key(_FORMAT, *wheels)}"
    base_prefix = _installed(root)
    if base_prefix is None:
        with held(cache_root() / "locks" / recipe.name, f"installing {recipe.name}"):
            base_prefix = _installed(root) or _install(recipe, root)
    return Environment(venv=root / "venv", base_prefix=base_prefix)


def image(name: str, environment: Mapping[str, str], command: Sequence[str]) -> Image:
    """Return an image with what compiled Python wheels want, for pods that mount an environment."""
    tree = rootfs.ensure((*rootfs.PYTHON_PACKAGES, *rootfs.NATIVE_PACKAGES))
    return Image(name=name, files=((tree, "/"),), cmd=tuple(command), env={**environment, "HOME": "/tmp"})


def interpreter() -> tuple[Path, Path]:
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
    raise GroundError(f"the engines are pinned for Python {wanted}, which is not on PATH")


def talk(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run ``command`` and show what it is at, a line every few seconds, with the time so far."""
    started = shown = time.monotonic()
    last: deque[str] = deque(maxlen=5)
    with subprocess.Popen(
        command,
        cwd=cwd,
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
    if process.returncode:
        raise GroundError(f"`{command[0]}` failed with {process.returncode}: {' | '.join(last)}")


def key(*parts: str) -> str:
    """Return a short name for what was made of ``parts``."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _installed(root: Path) -> Path | None:
    """Return the prefix of the interpreter behind a complete installation that still works, or None."""
    try:
        base_prefix = Path((root / COMPLETE).read_text())
    except FileNotFoundError:
        return None
    return base_prefix if (root / "venv" / "bin" / "python").exists() else None


def _install(recipe: Recipe, root: Path) -> Path:
    """Make the virtual environment at its final place: its scripts name it by that."""
    python, base_prefix = interpreter()
    root.parent.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(root.parent).free / 1e9
    if free_gb < recipe.disk_gb:
        raise GroundError(
            f"{root.parent} has {free_gb:.1f} GB free and {recipe.name} takes {recipe.disk_gb} GB to install:"
            " free some space or set XDG_CACHE_HOME"
        )
    shutil.rmtree(root, ignore_errors=True)
    venv = root / "venv"
    say(f"installing {recipe.title} into {root}: {recipe.size}")
    with step(f"installed {recipe.title}"):
        talk([python, "-m", "venv", venv])
        pip: list[str | Path] = [
            venv / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
        ]
        talk([*pip, "--no-deps", "--require-hashes", "--progress-bar", "off", "-r", recipe.lock])
        recipe.finish(venv)
        (root / COMPLETE).write_text(str(base_prefix))
    return base_prefix
