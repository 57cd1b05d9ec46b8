"""Writes the archive that Krew installs: the same bytes for the same files.

Krew refuses whatever is neither a folder nor a regular file, and every name with `..` in it. So links are followed,
and what was built on one day cannot be told from what was built on another: files in the order of their names, one
time, one owner, two modes.
"""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

#: The time of every file, and of what PyInstaller stamps: 1 January 2020 in UTC. A zip knows none before 1980.
MOMENT = 1577836800


def pack(folder: Path, archive: Path) -> None:
    """Write what is in the folder to a new `.tar.gz` or `.zip`, as its name asks for.

    Raises ValueError for a name that Krew refuses.
    """
    write = _zip if archive.suffix == ".zip" else _tar
    write(list(_files(folder)), archive)


def _files(folder: Path) -> Iterator[tuple[str, bytes, int]]:
    """Name in the archive, content and mode of each file, in the order of the names."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name, path in sorted(found.items()):
        if ".." in name:
            raise ValueError(f"{name}: Krew refuses names with two dots")
        runs = path.suffix == ".exe" or path.stat().st_mode & stat.S_IXUSR
        yield name, path.read_bytes(), 0o755 if runs else 0o644


def _tar(files: list[tuple[str, bytes, int]], archive: Path) -> None:
    with (
        archive.open("wb") as raw,
        # No name and no time in the head of the compressed stream.
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content, mode in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), mode, MOMENT
            tar.addfile(entry, io.BytesIO(content))


def _zip(files: list[tuple[str, bytes, int]], archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, content, mode in files:
            entry = zipfile.ZipInfo(name, time.gmtime(MOMENT)[:6])
            entry.create_system = 3  # Unix, wherever it is written: the mode is read from there
            entry.external_attr = (stat.S_IFREG | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, content, compresslevel=9)
