"""Bodies of engines that need a GPU: the metrics code of a wheel, driven with made-up load.

A driver (``drive_vllm`` and its neighbours) runs in an environment that has what the metrics code imports, with the
Python files of the wheel unpacked beside it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.cluster.ground.commands import run
from tests.cluster.ground.layout import GROUND, cache_root
from tests.engine import installation
from tests.engine.installation import Recipe, talk

RECIPE: Final = Recipe(
    name="record",
    version="1",
    lock=Path(__file__).with_name("requirements.txt"),
    disk_gb=1,
    size="19 wheels, some seconds",
)
WHEELS: Final[Mapping[tuple[str, str], str]] = {
    ("lmdeploy", "0.10.2"): "b0b678d21e7389e46bf74b189929b41a57b7b0ff4c424e2a9a96c2847b79e72a",
    ("sglang", "0.4.10.post2"): "ca31b6d33d8b770b1e6d0271be855002c5333304fb440c412b43dbdc56be0a22",
    ("sglang", "0.5.12"): "4ed786a38655851fd055ef57380c34d29b87753b53f63457309f51e5bf48c2e6",
    ("vllm", "0.8.5"): "74bfe92953bee1269c1e1c27827bc156777751cdd6a3457ee8e27dd8ebf1e247",
    ("vllm", "0.9.2"): "f3c5da29a286f4933b480a5b4749fab226564f35c96928eeef547f88d385cd34",
    ("vllm", "0.11.2"): "ea473bd4fde06940fe3f681a00476060652f62b3279ef11aaffac5768856cfe8",
    ("vllm", "0.20.2"): "22a7dd06eb03371298e13d6100f3dedbf307352342aaf08e87c929c60aae9b4d",
}
"""What can be driven, and the SHA-256 of its wheel for CPython 3.11 on Linux."""


KNOWN: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "lmdeploy": ("idle busy", frozenset()),
    "sglang": ("fresh idle busy", frozenset({"prefill", "decode", "dp2", "pp2", "alltp2", "priority"})),
    "vllm": ("idle busy", frozenset({"dp2", "hidden", "lora", "nostats"})),
}
"""The states and options of each driver."""


def knows(engine: str, options: list[str], state: str) -> bool:
    """Return whether the engine's driver has such options and such a state."""
    states, known = KNOWN[engine]
    return state in states.split() and known.issuperset(options)


def prepare(engine: str, version: str) -> Path:
    """Return the folder with the wheel's Python files, downloading them where they are missing."""
    folder = cache_root() / f"wheel-{engine}-{version}"
    if not folder.exists():
        python = installation.ensure(RECIPE).python
        with TemporaryDirectory(prefix=".wheel-", dir=folder.parent) as name:
            scratch = Path(name)
            wanted = scratch / "requirements.txt"
            wanted.write_text(f"{engine}=={version} --hash=sha256:{WHEELS[engine, version]}\n")
            pip: list[str | Path] = [
                python,
                "-m",
                "pip",
                "download",
                "--disable-pip-version-check",
                "--no-deps",
            ]
            talk([*pip, "--require-hashes", "--only-binary", ":all:", "-d", scratch, "-r", wanted])
            [wheel] = scratch.glob("*.whl")
            with zipfile.ZipFile(wheel) as packed:
                names = [name for name in packed.namelist() if name.endswith(".py")]
                packed.extractall(scratch / "files", names)
            (scratch / "files").rename(folder)
    return folder


def drive(engine: str, version: str, options: list[str], state: str) -> str:
    """Return the body of a wheel's metrics code in ``state``; ``options`` are the parts of the name between."""
    python = installation.ensure(RECIPE).python
    driver = f"tests.engine.record.drive_{engine}"
    return run(
        python, "-m", driver, prepare(engine, version), version, state, *options, cwd=GROUND.parents[2]
    )
