"""Write OCI image archives without a container engine or a registry.

An archive is one tar file in the OCI image layout: ``oci-layout``,
``index.json`` and three blobs (config, manifest, one layer).  containerd's
``ctr image import`` takes it as it is and names the image by the annotation
``io.containerd.image.name``.

The same image gives the same bytes: entries are sorted, owners are root and
every modification time is zero.  Symbolic links are kept as links.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Final

INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar"

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASE_DIRECTORIES: Final = {"dev": 0o755, "etc": 0o755, "proc": 0o755, "sys": 0o755, "tmp": 0o1777}
ARCHITECTURES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}

_COPY_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Image:
    """What an image holds and how a container made of it starts.

    ``files`` pairs a file, directory or symbolic link on this host with its
    absolute path in the image.  A directory stands for its whole content.
    Where two pairs give the same path, the later one wins.
    """

    name: str
    files: tuple[tuple[Path, str], ...]
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    user: str = ""
    workdir: str = ""


def image_architecture(machine: str | None = None) -> str:
    """Return the OCI name of this machine's architecture (``amd64``, ``arm64``)."""
    found = (machine or platform.machine()).lower()
    return ARCHITECTURES.get(found, found)


def write_archive(image: Image, out: Path) -> None:
    """Write ``image`` as an OCI layout tar to ``out``, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        layer = Path(scratch) / "layer.tar"
        with layer.open("wb") as stream:
            _write_layer(image, stream)
        layer_digest = _file_digest(layer)

        config = _json_bytes(_config(image, layer_digest))
        manifest = _json_bytes(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": _descriptor(CONFIG_TYPE, config),
                "layers": [
                    {
                        "mediaType": LAYER_TYPE,
                        "digest": layer_digest,
                        "size": layer.stat().st_size,
                    }
                ],
            }
        )
        reference = {
            "io.containerd.image.name": image.name,
            "org.opencontainers.image.ref.name": image.name,
        }
        index = _json_bytes(
            {
                "schemaVersion": 2,
                "mediaType": INDEX_TYPE,
                "manifests": [
                    {
                        **_descriptor(MANIFEST_TYPE, manifest),
                        "platform": {"architecture": image_architecture(), "os": "linux"},
                        "annotations": reference,
                    }
                ],
            }
        )

        archive = Path(scratch) / "archive.tar"
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
            _add_bytes(tar, "oci-layout", _json_bytes({"imageLayoutVersion": "1.0.0"}))
            _add_bytes(tar, "index.json", index)
            for blob in (config, manifest):
                _add_bytes(tar, _blob_path(_digest(blob)), blob)
            _add_file(tar, _blob_path(layer_digest), layer, mode=0o644)
        os.replace(archive, out)


def _config(image: Image, layer_digest: str) -> dict[str, object]:
    """Return the image configuration document."""
    environment = {"PATH": DEFAULT_PATH, **image.env}
    runtime: dict[str, object] = {"Env": [f"{key}={value}" for key, value in sorted(environment.items())]}
    if image.entrypoint:
        runtime["Entrypoint"] = list(image.entrypoint)
    if image.cmd:
        runtime["Cmd"] = list(image.cmd)
    if image.user:
        runtime["User"] = image.user
    if image.workdir:
        runtime["WorkingDir"] = image.workdir
    return {
        "architecture": image_architecture(),
        "os": "linux",
        "config": runtime,
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
    }


def _write_layer(image: Image, stream: IO[bytes]) -> None:
    """Write every file of ``image`` and the directories above it as one tar."""
    entries: dict[str, Path | None] = dict.fromkeys(BASE_DIRECTORIES)
    for source, target in image.files:
        for host_path, image_path in _walk(source, target):
            for parent in PurePosixPath(image_path).parents:
                if str(parent) != ".":
                    entries.setdefault(str(parent), None)
            if image_path != ".":
                entries[image_path] = host_path

    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for image_path in sorted(entries):
            found = entries[image_path]
            if found is None:
                member = _member(image_path, BASE_DIRECTORIES.get(image_path, 0o755))
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                _add_path(tar, image_path, found)


def _walk(source: Path, target: str) -> Iterator[tuple[Path, str]]:
    """Yield ``source`` and, for a directory, all below it with image paths."""
    if not target.startswith("/"):
        raise ValueError(f"path in an image must be absolute: {target!r}")
    root = PurePosixPath(target.strip("/") or ".")
    if not source.exists() and not source.is_symlink():
        raise FileNotFoundError(f"no such file for the image: {source}")
    yield source, str(root)
    if source.is_symlink() or not source.is_dir():
        return
    for folder, directories, files in os.walk(source):
        below = root / PurePosixPath(Path(folder).relative_to(source))
        for name in (*directories, *files):
            yield Path(folder) / name, str(below / name)


def _add_path(tar: tarfile.TarFile, image_path: str, source: Path) -> None:
    """Add one host file, directory or symbolic link, without descending."""
    status = source.lstat()
    if stat.S_ISLNK(status.st_mode):
        member = _member(image_path, 0o777)
        member.type = tarfile.SYMTYPE
        member.linkname = str(source.readlink())
        tar.addfile(member)
    elif stat.S_ISDIR(status.st_mode):
        member = _member(image_path, BASE_DIRECTORIES.get(image_path, stat.S_IMODE(status.st_mode)))
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif stat.S_ISREG(status.st_mode):
        _add_file(tar, image_path, source, mode=stat.S_IMODE(status.st_mode))
    else:
        raise ValueError(f"neither a file, a directory nor a link: {source}")


def _add_file(tar: tarfile.TarFile, name: str, source: Path, mode: int) -> None:
    member = _member(name, mode)
    with source.open("rb") as stream:
        member.size = os.fstat(stream.fileno()).st_size
        tar.addfile(member, stream)


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = _member(name, 0o644)
    member.size = len(data)
    tar.addfile(member, BytesIO(data))


def _member(name: str, mode: int) -> tarfile.TarInfo:
    """Return a tar header owned by root with a fixed time."""
    member = tarfile.TarInfo(name)
    member.mode = mode
    member.mtime = 0
    return member


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_COPY_CHUNK):
            digest.update(chunk)
    return "sha256:" + digest.hexdigest()


def _json_bytes(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
