"""The plugin as users get it: an archive, unpacked by hand or installed by the real Krew, or a checkout by pipx."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
import venv
from pathlib import Path

import pytest
import yaml

from release import manifest, pack

ROOT = Path(__file__).resolve().parents[2]
COMPLETION = "kubectl_complete-llm_hpa"
#: For what runs a program of scripts/cluster; in CI it has to be there.
needs_go = pytest.mark.skipif(
    not shutil.which("go") and os.environ.get("CI") != "true",
    reason="kubectl, Krew and actionlint are built from source: needs Go",
)
#: The folder with the archives of a release, which are then tested instead of that of the checkout.
ARCHIVES = "LLM_HPA_ARCHIVES"


@functools.cache
def archive() -> Path:
    """The archive for this machine."""
    if ARCHIVES not in os.environ:
        return Path(said(str(ROOT / "scripts" / "build")))
    name = said(str(ROOT / "scripts" / "build"), "--name")
    return Path(os.environ[ARCHIVES], name).absolute()


@functools.cache
def program(name: str) -> str:
    """A program of scripts/cluster, built from source: krew, kubectl, actionlint."""
    return said(str(ROOT / "scripts" / "cluster"), "build", name)


@functools.cache
def offline() -> dict[str, str]:
    """Variables with which pip, and pipx, install from a folder of wheels and ask nobody else."""
    wheels = said(str(ROOT / "scripts" / "wheels"))
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "PYTHONPATH": ""}


def said(*command: str, **variables: str) -> str:
    """What a command printed; the test fails with its words where it does."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=500, env={**os.environ, **variables}
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def archives_of_all_platforms(folder: Path) -> None:
    """Those that there are and, for each other platform, a stand-in with what Krew looks for."""
    for system, machine in manifest.PLATFORMS:
        name = manifest.archive_name(manifest.version(), system, machine)
        if archive().with_name(name).exists():
            shutil.copy(archive().with_name(name), folder)
            continue
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copy(ROOT / "LICENSE", scratch)
            command = Path(scratch, manifest.PROGRAM + (".exe" if system == "windows" else ""))
            command.write_text("#!/bin/sh\n")
            command.chmod(0o755)
            pack.pack(Path(scratch), folder / name)


def variables(folder: Path) -> dict[str, str]:
    """Where kubectl finds Krew, and what Krew installs below a folder, and no plugin of the tests' environment."""
    root, programs = folder / "krew", folder / "programs"
    programs.mkdir()
    (programs / "kubectl").symlink_to(program("kubectl"))
    (programs / "kubectl-krew").symlink_to(program("krew"))
    others = [
        place for place in os.environ["PATH"].split(os.pathsep) if not Path(place, manifest.PROGRAM).exists()
    ]
    path = os.pathsep.join([str(root / "bin"), str(programs), *others])
    return {"PATH": path, "KREW_ROOT": str(root), "KREW_NO_UPGRADE_CHECK": "1"}


def install_by_krew(folder: Path) -> dict[str, str]:
    """`kubectl krew install` into a new KREW_ROOT; the variables with which kubectl finds the plugin."""
    found = variables(folder)
    archives = folder / "archives"
    archives.mkdir()
    archives_of_all_platforms(archives)
    written = folder / "llm-hpa.yaml"
    written.write_text(manifest.of_archives(archives))
    ours = archives / archive().name
    said("kubectl", "krew", "install", f"--manifest={written}", f"--archive={ours}", **found)
    return found


def link_completion(found: dict[str, str]) -> None:
    """Link the program of completion, by the command in the caveats that Krew shows."""
    caveats = yaml.safe_load((ROOT / "plugin.yaml").read_text())["spec"]["caveats"]
    (command,) = [line.strip() for line in caveats.splitlines() if line.strip().startswith("ln -s")]
    said("sh", "-c", command, **found)


def install_by_pipx(folder: Path) -> dict[str, str]:
    """The README's lines, by the real pipx without a network; the variables with which kubectl finds the plugin."""
    lines = re.search(r"(?ms)^```\n(pipx install .*?)^```$", (ROOT / "README.md").read_text())
    assert lines
    venv.create(folder / "pipx-itself", with_pip=True, symlinks=True)
    said(str(folder / "pipx-itself" / "bin" / "pip"), "install", "--quiet", "pipx", **offline())
    (folder / "home").mkdir()
    found = {**variables(folder), **offline(), "PIPX_DEFAULT_BACKEND": "pip", "HOME": str(folder / "home")}
    found |= {"PIPX_HOME": str(folder / "pipx"), "PIPX_BIN_DIR": str(folder / "bin")}
    found["PATH"] = os.pathsep.join([found["PIPX_BIN_DIR"], found["PATH"]])
    (folder / "programs" / "pipx").symlink_to(folder / "pipx-itself" / "bin" / "pipx")
    output = said("sh", "-c", f"set -eu; cd {ROOT}\n{lines[1]}", **found)
    assert output.endswith(f"kubectl-llm-hpa {manifest.version()[1:]}"), output
    return found
