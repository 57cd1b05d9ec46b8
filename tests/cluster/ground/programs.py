"""The programs of the cluster: where each comes from, and how it is built.

A built program is kept in the cache under a key made of everything that
decides its bytes: the module files, the flags and the machine's architecture.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground.commands import run
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import MODULES, cache_root
from tests.cluster.ground.locks import held
from tests.cluster.ground.progress import say, step

KUBERNETES_VERSION: Final = "v1.37.2"

_STRIP: Final = "-s -w"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.lstrip("v").split(".")
_KUBERNETES_LDFLAGS: Final = (
    f"{_STRIP} -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"
    f" -X k8s.io/component-base/version.gitMajor={_MAJOR}"
    f" -X k8s.io/component-base/version.gitMinor={_MINOR}"
    f" -X k8s.io/client-go/pkg/version.gitVersion={KUBERNETES_VERSION}"
)
"""Without these the server calls itself v0.0.0; likewise for the versions below."""

PROMETHEUS_VERSION: Final = "3.16.0"
OPERATOR_VERSION: Final = "0.93.0"
KEDA_VERSION: Final = "2.21.0"
LWS_VERSION: Final = "v0.9.0"
KREW_VERSION: Final = "v0.5.0"
_PROMETHEUS_COMMON: Final = f"{_STRIP} -X github.com/prometheus/common/version.Version"
_OPERATOR_LDFLAGS: Final = f"{_PROMETHEUS_COMMON}={OPERATOR_VERSION}"
_KEDA_LDFLAGS: Final = f"{_STRIP} -X github.com/kedacore/keda/v2/version.Version={KEDA_VERSION}"
_KREW_LDFLAGS: Final = f"{_STRIP} -X sigs.k8s.io/krew/internal/version.gitTag={KREW_VERSION}"
_LWS_LDFLAGS: Final = f"{_STRIP} -X sigs.k8s.io/lws/pkg/version.GitVersion={LWS_VERSION}"

GO_BUILD_SPACE_GB: Final = 12
"""What a first build of everything takes in Go's own caches and in ours."""


@dataclass(frozen=True)
class Program:
    """One Go program: ``package`` of the module in ``modules/<module>``."""

    name: str
    module: str
    package: str
    tags: str = ""
    ldflags: str = _STRIP

    @property
    def flags(self) -> tuple[str, ...]:
        tags = ("-tags", self.tags) if self.tags else ()
        return ("-trimpath", *tags, "-ldflags", self.ldflags)

    @property
    def folder(self) -> Path:
        return MODULES / self.module

    @property
    def sources(self) -> Path:
        """Return the folder of a package of our own; a package of others is pinned by the module files."""
        return self.folder / self.package if self.package.startswith(".") else self.folder

    @property
    def path(self) -> Path:
        """Return where the built program is, or will be."""
        return cache_root() / "programs" / f"{self.name}-{key(self)}" / self.name


@functools.cache
def key(program: Program) -> str:
    """Return a hash of everything that decides the bytes of ``program``."""
    folder = program.folder
    digest = hashlib.sha256()
    sources = sorted([*program.sources.glob("*.go"), *program.sources.glob("*.json")])
    for path in (folder / "go.mod", folder / "go.sum", *sources):
        if path.exists():
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    digest.update("\0".join([program.package, *program.flags, platform.machine()]).encode())
    return digest.hexdigest()[:16]


def _kubernetes(name: str) -> Program:
    return Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", ldflags=_KUBERNETES_LDFLAGS)


def _operator(name: str, command: str) -> Program:
    package = f"github.com/prometheus-operator/prometheus-operator/cmd/{command}"
    return Program(name, "prometheus-operator", package, ldflags=_OPERATOR_LDFLAGS)


def _keda(name: str, command: str) -> Program:
    return Program(name, "keda", f"github.com/kedacore/keda/v2/cmd/{command}", ldflags=_KEDA_LDFLAGS)


PROGRAMS: Final = {
    program.name: program
    for program in (
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kubectl"),
        _kubernetes("kubelet"),
        _kubernetes("kube-proxy"),
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
        Program("pause", "pause", "."),
        Program("coredns", "coredns", "github.com/coredns/coredns"),
        Program(
            "prometheus",
            "prometheus",
            "github.com/prometheus/prometheus/cmd/prometheus",
            tags="remove_all_sd enable_kubernetes_sd netgo",
            ldflags=f"{_PROMETHEUS_COMMON}={PROMETHEUS_VERSION}",
        ),
        _operator("prometheus-operator", "operator"),
        _operator("prometheus-config-reloader", "prometheus-config-reloader"),
        Program("prometheus-adapter", "prometheus-adapter", "sigs.k8s.io/prometheus-adapter/cmd/adapter"),
        Program("helm", "helm", "helm.sh/helm/v3/cmd/helm"),
        _keda("keda", "operator"),
        _keda("keda-adapter", "adapter"),
        _keda("keda-admission-webhooks", "webhooks"),
        Program("lws-manager", "lws", "sigs.k8s.io/lws/cmd", ldflags=_LWS_LDFLAGS),
        Program("krew", "krew", "sigs.k8s.io/krew/cmd/krew", ldflags=_KREW_LDFLAGS),
        Program("validate-krew-manifest", "krew", "sigs.k8s.io/krew/cmd/validate-krew-manifest"),
        Program("actionlint", "actionlint", "github.com/rhysd/actionlint/cmd/actionlint"),
        Program("stub-engine", "../stub", "."),
        Program("adapter-oracle", "prometheus-adapter", "./oracle"),
        Program("prometheus-oracle", "prometheus", "./oracle"),
        Program("hpa-oracle", "kubernetes", "./oracle"),
        Program("hpa-oracle-1.34", "kubernetes-1.34", "./oracle"),
    )
}


def path_of(name: str) -> Path:
    """Return the path of a built program."""
    return PROGRAMS[name].path


def build(names: Iterable[str]) -> None:
    """Build those of ``names`` that the cache does not hold."""
    missing = [program for name in names if not (program := PROGRAMS[name]).path.exists()]
    if not missing:
        return
    if shutil.which("go") is None:
        raise GroundError(
            "`go` is not on PATH: install Go 1.26 or newer, the cluster's programs are built from source"
        )
    with held(cache_root() / "locks" / "build", "building the programs"):
        missing = [program for program in missing if not program.path.exists()]
        _check_space(missing)
        for program in missing:
            _build(program)


def module_folder(module: str, path: str) -> Path:
    """Return the folder of Go module ``path`` as pinned by ``modules/<module>``."""
    where = MODULES / module

    def look() -> str:
        return run("go", "list", "-m", "-f", "{{.Dir}}", path, cwd=where, env=_environment()).strip()

    folder = look()
    if not folder or not Path(folder).is_dir():
        run("go", "mod", "download", path, cwd=where, env=_environment())
        folder = look()
    return Path(folder)


def _build(program: Program) -> None:
    """Build one program beside its place and move it there whole."""
    target = program.path
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent.parent) as scratch:
        output = Path(scratch) / program.name
        with step(f"built {program.name}"):
            command = ["go", "build", *program.flags, "-o", str(output), program.package]
            done = subprocess.run(
                command,
                cwd=program.folder,
                env=_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                for line in done.stderr.strip().splitlines()[-20:]:
                    say(f"  {line}")
                raise GroundError(f"`go build` of {program.name} failed, its last words are above")
        target.parent.mkdir(exist_ok=True)
        os.replace(output, target)


def _environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0"}


def _check_space(missing: list[Program]) -> None:
    """Refuse to begin a long build that the disk cannot hold."""
    cache_root().mkdir(parents=True, exist_ok=True)
    wanted_gb = GO_BUILD_SPACE_GB * len(missing) / len(PROGRAMS)
    free_gb = shutil.disk_usage(cache_root()).free / 1e9
    if free_gb < wanted_gb:
        raise GroundError(
            f"{cache_root()} has {free_gb:.1f} GB free and building {len(missing)} programs"
            f" takes about {wanted_gb:.0f} GB: free some space or set XDG_CACHE_HOME"
        )
