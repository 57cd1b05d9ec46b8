"""Make a small root file system with Python, from Debian packages.

Images for the test cluster are written without a container engine, so the
user land in them comes from ``apt-get download`` and ``dpkg-deb``: an
interpreter, a shell, coreutils and the libraries they depend on.  Package
scripts are not run.  The result lies in the cache, keyed by the names and
versions of the packages, and is made once.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.cluster.ground.commands import run
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import cache_root
from tests.cluster.ground.locks import held
from tests.cluster.ground.progress import step

PYTHON_PACKAGES: Final = ("python3", "dash", "coreutils")
NATIVE_PACKAGES: Final = ("libstdc++6", "libgomp1", "libnuma1", "util-linux")
"""What compiled Python wheels want beside Python: libraries, and lscpu."""

LEFT_OUT: Final = frozenset(
    {
        "debconf",
        "debianutils",
        "dpkg",
        "init-system-helpers",
        "install-info",
        "mailcap",
        "media-types",
        "mime-support",
        "readline-common",
        "tzdata",
    }
)
"""Dependencies that only package scripts need, or that an image can do without."""

MERGED_DIRECTORIES: Final = ("bin", "lib", "lib32", "lib64", "sbin")
UNUSED_DIRECTORIES: Final = (
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
)
PASSWD: Final = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
GROUP: Final = "root:x:0:\nnogroup:x:65534:\n"
NSSWITCH: Final = "passwd: files\ngroup: files\nhosts: files dns\n"

_FORMAT: Final = "3"
_DEPENDS = re.compile(r"^[ |]+(?:Pre)?Depends: (?P<name>[^<\s]+)$")


def ensure(roots: Sequence[str] = PYTHON_PACKAGES) -> Path:
    """Return the root file system that holds ``roots``, making it if it is not there."""
    for program in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(program) is None:
            raise GroundError(f"{program} is not on this machine: the images need a Debian or Ubuntu host")
    packages = _with_versions(closure(roots))
    key = hashlib.sha256("\n".join([_FORMAT, *packages]).encode()).hexdigest()[:16]
    target = cache_root() / f"rootfs-{key}"
    if not target.is_dir():
        with held(cache_root() / "locks" / "rootfs", "making a root file system"):
            if not target.is_dir():
                with step(f"unpacked {len(packages)} packages"):
                    _make(packages, target)
    return target


def closure(roots: Iterable[str]) -> list[str]:
    """Return ``roots`` and all they depend on, less ``LEFT_OUT``, sorted."""
    wanted = list(roots)
    kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    output = _apt_cache("depends", "--recurse", *(f"--no-{kind}" for kind in kinds), *wanted)
    graph: dict[str, list[str]] = {}
    current: list[str] = []
    for line in output.splitlines():
        if not line.startswith(" "):
            current = graph.setdefault(line.strip(), [])
        elif found := _DEPENDS.match(line):
            current.append(found["name"])
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in seen or name in LEFT_OUT or name.startswith("<") or ":" in name:
            continue
        seen.add(name)
        wanted.extend(graph.get(name, ()))
    return sorted(seen)


def _with_versions(names: Sequence[str]) -> list[str]:
    """Return ``name=version`` for each name, at the version that apt would install."""
    versions: dict[str, str] = {}
    current = ""
    for line in _apt_cache("policy", *names).splitlines():
        if line and not line.startswith(" "):
            current = line.rstrip(":")
        elif line.startswith("  Candidate:"):
            versions[current] = line.partition(":")[2].strip()
    missing = [name for name in names if versions.get(name, "(none)") == "(none)"]
    if missing:
        raise GroundError(f"apt knows no package {', '.join(missing)}: run `apt-get update` and try again")
    return [f"{name}={versions[name]}" for name in names]


def _apt_cache(*arguments: str) -> str:
    """Ask apt, in the one language that can be parsed."""
    return run("apt-cache", *arguments, env={**os.environ, "LC_ALL": "C"})


def _make(packages: Sequence[str], target: Path) -> None:
    """Download and unpack ``packages`` and put the result at ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".rootfs-", dir=target.parent) as name:
        scratch = Path(name)
        downloads, tree = scratch / "debs", scratch / "tree"
        downloads.mkdir()
        for directory in MERGED_DIRECTORIES:
            (tree / "usr" / directory).mkdir(parents=True)
            (tree / directory).symlink_to(f"usr/{directory}")
        try:
            run("apt-get", "-o", "APT::Sandbox::User=root", "download", *packages, cwd=downloads)
        except GroundError as problem:
            raise GroundError(f"{problem} (old package lists? run `apt-get update`)") from problem
        for archive in sorted(downloads.glob("*.deb")):
            _unpack(archive, tree)
        _finish(tree)
        tree.rename(target)


def _unpack(archive: Path, tree: Path) -> None:
    """Unpack one package, through the links that merge /bin, /lib and /sbin into /usr."""
    command = ["tar", "--extract", "--keep-directory-symlink", "--directory", str(tree)]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as reader:
        done = subprocess.run(command, stdin=reader.stdout, check=False)
    if done.returncode != 0 or reader.returncode != 0:
        raise GroundError(f"cannot unpack {archive.name}")


def _finish(tree: Path) -> None:
    """Drop what no container reads and add what package scripts would have written."""
    for directory in UNUSED_DIRECTORIES:
        shutil.rmtree(tree / directory, ignore_errors=True)
    for conversions in tree.glob("usr/lib/*/gconv"):
        shutil.rmtree(conversions)
    for link, destination in {"sh": "dash", "python": "python3"}.items():
        path = tree / "usr/bin" / link
        if not path.is_symlink():
            path.symlink_to(destination)
    etc = tree / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text(PASSWD)
    (etc / "group").write_text(GROUP)
    (etc / "nsswitch.conf").write_text(NSSWITCH)
    (tree / "root").mkdir(exist_ok=True)
