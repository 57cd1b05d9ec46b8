"""The images of each part, written from built programs and kept as archives in the cache.

Names and paths inside are those of the upstream images, so that manifests
need no change.  Other images come in with ``load-image``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground.layout import cache_root
from tests.cluster.ground.locks import held
from tests.cluster.ground.oci import Image, write_archive
from tests.cluster.ground.programs import (
    KEDA_VERSION,
    LWS_VERSION,
    OPERATOR_VERSION,
    PROMETHEUS_VERSION,
    path_of,
)

PAUSE_IMAGE: Final = "registry.k8s.io/pause:3.6"
COREDNS_IMAGE: Final = "registry.k8s.io/coredns/coredns:v1.15.0"
PROMETHEUS_IMAGE: Final = f"quay.io/prometheus/prometheus:v{PROMETHEUS_VERSION}"
OPERATOR_IMAGE: Final = f"quay.io/prometheus-operator/prometheus-operator:v{OPERATOR_VERSION}"
RELOADER_IMAGE: Final = f"quay.io/prometheus-operator/prometheus-config-reloader:v{OPERATOR_VERSION}"
ADAPTER_IMAGE: Final = "registry.k8s.io/prometheus-adapter/prometheus-adapter:v0.12.0"
KEDA_IMAGE: Final = f"ghcr.io/kedacore/keda:{KEDA_VERSION}"
KEDA_ADAPTER_IMAGE: Final = f"ghcr.io/kedacore/keda-metrics-apiserver:{KEDA_VERSION}"
KEDA_WEBHOOKS_IMAGE: Final = f"ghcr.io/kedacore/keda-admission-webhooks:{KEDA_VERSION}"
LWS_IMAGE: Final = f"registry.k8s.io/lws/lws:{LWS_VERSION}"

DISTROLESS_USER: Final = "65532:65532"
"""A number on purpose: kubelet cannot tell of a name that it is not root."""


@dataclass(frozen=True)
class ProgramImage:
    """An image that holds one built program."""

    image: str
    program: str
    path: str
    user: str = ""


IMAGES: Final[dict[str, tuple[ProgramImage, ...]]] = {
    "node": (ProgramImage(PAUSE_IMAGE, "pause", "/pause", "65535:65535"),),
    "dns": (ProgramImage(COREDNS_IMAGE, "coredns", "/coredns"),),
    "prometheus": (
        ProgramImage(PROMETHEUS_IMAGE, "prometheus", "/bin/prometheus", "65534"),
        ProgramImage(OPERATOR_IMAGE, "prometheus-operator", "/bin/operator", "65534"),
        ProgramImage(
            RELOADER_IMAGE, "prometheus-config-reloader", "/bin/prometheus-config-reloader", "65534"
        ),
    ),
    "adapter": (ProgramImage(ADAPTER_IMAGE, "prometheus-adapter", "/adapter", "65534"),),
    "keda": (
        ProgramImage(KEDA_IMAGE, "keda", "/keda", DISTROLESS_USER),
        ProgramImage(KEDA_ADAPTER_IMAGE, "keda-adapter", "/keda-adapter", DISTROLESS_USER),
        ProgramImage(
            KEDA_WEBHOOKS_IMAGE, "keda-admission-webhooks", "/keda-admission-webhooks", DISTROLESS_USER
        ),
    ),
    "lws": (ProgramImage(LWS_IMAGE, "lws-manager", "/manager", DISTROLESS_USER),),
}


@dataclass(frozen=True)
class Archive:
    """An image archive in the cache; ``key`` changes with the image's content."""

    image: str
    key: str
    path: Path


def archives(parts: Iterable[str]) -> list[Archive]:
    """Return the archives of ``parts``, writing those that the cache does not hold."""
    entries = [entry for part in parts for entry in IMAGES.get(part, ())]
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(archive, map(_image, entries)))


def _image(entry: ProgramImage) -> Image:
    return Image(
        name=entry.image,
        files=((path_of(entry.program), entry.path),),
        entrypoint=(entry.path,),
        user=entry.user,
    )


def archive(image: Image) -> Archive:
    """Return the archive of ``image``, writing it if the cache does not hold it."""
    key = _key(image)
    name = image.name.replace("/", "_").replace(":", "_")
    path = cache_root() / "images" / f"{name}-{key}.tar"
    if not path.exists():
        with held(cache_root() / "locks" / f"image-{name}", f"writing image {image.name}"):
            if not path.exists():
                write_archive(image, path)
    return Archive(image.name, key, path)


def _key(image: Image) -> str:
    """Return what decides the image's bytes, judging host files by place, size and time."""
    digest = hashlib.sha256(
        repr((image.name, image.entrypoint, image.cmd, image.user, image.workdir)).encode()
    )
    digest.update(repr(sorted(image.env.items())).encode())
    for source, target in image.files:
        digest.update(f"{target}\0".encode())
        for path in [source, *(sorted(source.rglob("*")) if source.is_dir() else ())]:
            status = os.lstat(path)
            digest.update(f"{path}\0{status.st_mode}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
