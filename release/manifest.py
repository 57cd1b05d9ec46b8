"""Krew's manifest, from one template: with zeros, with the sums of archives, and as the release bot's template.

The rules are Krew's own: internal/index/validation and cmd/validate-krew-manifest in its repository.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from string import Template

PROGRAM = "kubectl-llm_hpa"
HOMEPAGE = "https://github.com/kubectl-llm-hpa/kubectl-llm-hpa"
#: Operating system and architecture, as Krew names them.
PLATFORMS = (
    ("linux", "amd64"),
    ("linux", "arm64"),
    ("darwin", "amd64"),
    ("darwin", "arm64"),
    ("windows", "amd64"),
)
NO_SUM = "0" * 64
_GENERATED = "Written by scripts/manifest from release/krew.yaml.tmpl. Do not edit."
_HERE = Path(__file__).resolve().parent
_PLATFORM = """\
    - selector:
        matchLabels:
          os: {system}
          arch: {machine}
      {source}
      bin: {program}
"""


def version() -> str:
    """Of this checkout, as a tag: `v0.1.0`."""
    text = (_HERE.parent / "kubectl_llmhpa" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert found
    return f"v{found[1]}"


def archive_name(tag: str, system: str, machine: str) -> str:
    """`kubectl-llm_hpa_v0.1.0_linux_amd64.tar.gz`."""
    return f"{PROGRAM}_{tag}_{system}_{machine}.{'zip' if system == 'windows' else 'tar.gz'}"


def without_archives() -> str:
    """The manifest of the checkout: its sums are zeros, since no archive was released."""
    tag = version()
    note = f"{_GENERATED}\n# A release fills in each sha256; as it stands, this file installs nothing."
    return _manifest(tag, note, lambda name: f"uri: {_released(tag, name)}\n      sha256: '{NO_SUM}'")


def of_archives(folder: Path, at: str = "") -> str:
    """The manifest of the archives in a folder, at their release or at another address.

    Raises FileNotFoundError when one of the platforms has none.
    """
    tag = version()

    def source(name: str) -> str:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        return f"uri: {f'{at}/{name}' if at else _released(tag, name)}\n      sha256: '{digest}'"

    return _manifest(tag, _GENERATED, source)


def for_the_bot() -> str:
    """`.krew.yaml`: krew-release-bot renders it with the tag, and with the sums of what it downloads."""
    tag = "{{ .TagName }}"
    return _manifest(
        tag, _GENERATED, lambda name: f'{{{{addURIAndSha "{_released(tag, name)}" .TagName | indent 6}}}}'
    )


def _released(tag: str, name: str) -> str:
    return f"{HOMEPAGE}/releases/download/{tag}/{name}"


def _manifest(tag: str, note: str, source: Callable[[str], str]) -> str:
    platforms = [
        _PLATFORM.format(
            system=system,
            machine=machine,
            source=source(archive_name(tag, system, machine)),
            program=f"{PROGRAM}.exe" if system == "windows" else PROGRAM,
        )
        for system, machine in PLATFORMS
    ]
    template = Template((_HERE / "krew.yaml.tmpl").read_text(encoding="utf-8"))
    return template.substitute(
        note=note, version=tag, homepage=HOMEPAGE, platforms="".join(platforms).rstrip("\n")
    )
