"""The licences of everything that the archive holds, found by where each file came from.

A file belongs to an installed distribution, to Python itself, or to a package of the system. One that belongs to none
ends the build: nothing is shipped without its licence.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: Not collected but part of every program that it makes: its bootloader.
BUILDER = "pyinstaller"
_NAME = re.compile(r"^(licen[cs]e|copying|notice|copyright|authors)", re.IGNORECASE)
_COPYRIGHTS = Path("/usr/share/doc")  # Debian, Ubuntu
_RPM_LICENCES = Path("/usr/share/licenses")  # Red Hat and its kin


@dataclass(frozen=True, order=True)
class Component:
    """A part that others wrote, and the files that say under which terms."""

    name: str
    version: str
    terms: str  # as its metadata says, or nothing
    files: tuple[Path, ...]


def components(sources: Iterable[str], ours: Path) -> list[Component]:
    """What the collected files belong to, and the bootloader's maker; without those below our own folder.

    Raises LookupError for a file without an owner, or an owner without a licence.
    """
    paths = {Path(source).absolute() for source in sources}
    found = {_owner(path) for path in paths if not path.is_relative_to(ours)}
    found |= {_python(), _distribution(importlib.metadata.distribution(BUILDER))}
    for component in found:
        if not component.files:
            raise LookupError(f"{component.name} {component.version} comes without a licence text")
    return sorted(found)


def write(found: Iterable[Component], folder: Path) -> None:
    """`THIRD-PARTY.txt` with a line for each component, and their texts below `licenses/`."""
    lines = []
    for component in found:
        lines.append(f"{component.name} {component.version}: {component.terms or 'see its text'}")
        target = folder / "licenses" / component.name
        target.mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(component.files, start=1):
            plain = target / path.name  # a vendored part of it may have one of the same name
            shutil.copyfile(path, target / f"{number}-{path.name}" if plain.exists() else plain)
    head = "kubectl-llm-hpa is under the Apache License 2.0, see LICENSE. This archive also holds parts of:\n"
    tail = "Their texts are in licenses/."
    (folder / "THIRD-PARTY.txt").write_text("\n".join([head, *lines, "", tail, ""]), encoding="utf-8")


def _owner(path: Path) -> Component:
    distribution = _distributions().get(path) or _distributions().get(path.resolve())
    if distribution is not None:
        return _distribution(distribution)
    if path.name.startswith("libpython") or any(path.is_relative_to(place) for place in _places_of_python()):
        return _python()
    return _system(path.resolve())


def _places_of_python() -> set[Path]:
    """Where there is nothing but Python: its whole folder, unless that is the system's own."""
    places = [Path(sysconfig.get_path("stdlib"))]
    if Path(sys.base_prefix) not in (Path("/usr"), Path("/usr/local")):
        places.append(Path(sys.base_prefix))
    return {*places, *(place.resolve() for place in places)}


@functools.cache
def _distributions() -> dict[Path, importlib.metadata.Distribution]:
    """Every installed file and what it was installed with."""
    return {
        Path(str(distribution.locate_file(file))): distribution
        for distribution in importlib.metadata.distributions()
        for file in distribution.files or ()
    }


@functools.cache
def _distribution(distribution: importlib.metadata.Distribution) -> Component:
    metadata = distribution.metadata
    terms = next((metadata[key] for key in ("License-Expression", "License") if key in metadata), "")
    files = [
        Path(str(distribution.locate_file(file)))
        for file in distribution.files or ()
        if ".dist-info" in file.parts[0] and _NAME.match(file.name)
    ]
    return Component(metadata["Name"], distribution.version, terms.partition("\n")[0], tuple(sorted(files)))


@functools.cache
def _python() -> Component:
    files = [path for place in _places_of_python() for path in place.glob("LICENSE*")]
    if not files:  # a package of the system, which keeps it elsewhere
        return _system(Path(os.__file__).resolve())
    return Component("CPython", platform.python_version(), "PSF-2.0", (files[0],))


@functools.cache
def _system(path: Path) -> Component:
    """The package of Debian's or Red Hat's kin that installed a file."""
    if shutil.which("dpkg-query"):
        for name in (str(path), str(path).removeprefix("/usr")):  # the database may know the place of old
            found = _said("dpkg-query", "--search", name)
            if found:
                package = found.partition(": ")[0].partition(",")[0]
                version = _said("dpkg-query", "--show", "--showformat=${Version}", package)
                name = package.partition(":")[0]
                return Component(name, version, "", tuple((_COPYRIGHTS / name).glob("copyright")))
    elif shutil.which("rpm"):
        found = _said(
            "rpm", "--query", "--file", "--queryformat", "%{NAME}\t%{VERSION}\t%{LICENSE}", str(path)
        )
        if found:
            name, version, terms = found.split("\t")
            return Component(name, version, terms, tuple(sorted((_RPM_LICENCES / name).glob("*"))))
    raise LookupError(f"{path} belongs to no distribution and to no package of the system")


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
