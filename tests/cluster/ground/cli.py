"""What is typed: ``scripts/cluster COMMAND``.  Run it without one to see them all."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from tests.cluster.ground import (
    containerd,
    lifecycle,
    machine,
    network,
    parts,
    processes,
    programs,
    record,
)
from tests.cluster.ground.engine_images import ENGINE_IMAGES, archive_of
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import DEFAULT_NAME, NAME_VARIABLE, Layout

DESCRIPTION: Final = (
    "A real Kubernetes cluster on this machine, for the tests. Its programs are built from source."
)
PASSED_ON: Final = ("exec", "kubectl")
"""Commands whose arguments belong to another program."""


def main(argv: Sequence[str]) -> int:
    """Run one command; a problem becomes one sentence on stderr and status 1."""
    try:
        arguments = _parser().parse_args(_without_passed_on(argv))
        layout = Layout(arguments.name or os.environ.get(NAME_VARIABLE) or DEFAULT_NAME)
        if arguments.command in PASSED_ON:
            _exec(layout, arguments.command, argv[_end_of_own(argv) :])
        status = int(arguments.run(layout, arguments) or 0)
        sys.stdout.flush()
        return status
    except GroundError as problem:
        print(f"cluster: {problem}", file=sys.stderr)
    except BrokenPipeError:  # the reader has seen enough; Python's own flush at exit must not complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("cluster: interrupted; `up` goes on from here and `down` clears it away", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/cluster", description=DESCRIPTION)
    parser.add_argument("--name", help=f"the cluster (default: ${NAME_VARIABLE} or {DEFAULT_NAME})")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, run: object) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=text, description=text)
        found.add_argument("--name", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        found.set_defaults(run=run)
        return found

    up = command("up", "start the cluster, or add parts to a running one", _up)
    up.add_argument(
        "--with",
        dest="parts",
        action="append",
        metavar="PART,...",
        help=f"parts to run, with what they need: {', '.join(parts.NEEDS)} (default: all)",
    )
    up.add_argument("--hpa-sync", metavar="15s", help="how often the HPA controller looks")
    up.add_argument("--hpa-downscale", metavar="5m", help="its default downscale stabilization")
    up.add_argument("--adapter-relist", metavar="1m", help="how often prometheus-adapter lists series")
    command("down", "end the cluster and remove all of it but the cache", _down)
    command("status", "say what runs; status 1 when the cluster is not whole", _status)
    command("kubectl", "run kubectl against the cluster", None)
    command("exec", "run a command in the cluster's network with KUBECONFIG set", None)
    logs = command("logs", "show the last lines that a part or a daemon wrote", _logs)
    logs.add_argument("part", metavar="PART")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("--tail", default="100", metavar="LINES")
    load = command("load-image", "import images into the node", _load_image)
    load.add_argument(
        "images", nargs="+", metavar="IMAGE", help=f"an OCI archive, or one of {', '.join(ENGINE_IMAGES)}"
    )
    build = command("build", "build programs that the cache lacks and print their paths", _build)
    build.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(programs.PROGRAMS))
    return parser


def _end_of_own(argv: Sequence[str]) -> int:
    """Return the index of the first argument that is not ours, for commands passed on."""
    index, command = 0, ""
    while index < len(argv):
        word = argv[index]
        if word == "--name":
            index += 2
        elif word.startswith("--name="):
            index += 1
        elif word == "--" and command:
            return index + 1
        elif command or word.startswith("-"):
            return index
        elif word in PASSED_ON:
            command, index = word, index + 1
        else:
            return len(argv)
    return len(argv)


def _without_passed_on(argv: Sequence[str]) -> Sequence[str]:
    end = _end_of_own(argv)
    return [word for word in argv[:end] if word != "--"] if set(PASSED_ON) & set(argv[:end]) else argv


def _exec(layout: Layout, command: str, rest: Sequence[str]) -> NoReturn:
    """Become the command, inside the cluster's network."""
    machine.check_root()
    network.enter(layout)
    argv = ["kubectl", *rest] if command == "kubectl" else list(rest)
    if not argv:
        raise GroundError("exec needs a command to run")
    try:
        os.execvpe(argv[0], argv, {**os.environ, **layout.client_environment})
    except OSError as problem:
        raise GroundError(f"cannot run {argv[0]}: {problem.strerror}") from problem


def _up(layout: Layout, arguments: argparse.Namespace) -> None:
    wanted = [part for text in arguments.parts or [] for part in text.split(",") if part]
    given = {name: getattr(arguments, name) for name in ("hpa_sync", "hpa_downscale", "adapter_relist")}
    lifecycle.up(layout, wanted or list(parts.NEEDS), given)


def _down(layout: Layout, arguments: argparse.Namespace) -> None:
    lifecycle.down(layout)


def _status(layout: Layout, arguments: argparse.Namespace) -> int:
    found = record.load(layout)
    if found is None:
        raise GroundError(f"cluster {layout.name} is not up")
    print(f"cluster     {layout.name}")
    print(f"parts       {' '.join(found.parts) or 'none'}")
    print(f"kubeconfig  {layout.kubeconfig}")
    print(f"network     {layout.netns}")
    for daemon in parts.daemons_of(found.parts):
        pid = processes.pid_of(layout, daemon)
        print(f"{daemon:<24} " + (f"pid {pid}, up {processes.uptime_s(pid):.0f} s" if pid else "NOT RUNNING"))
    if dead := lifecycle.dead_daemons(layout, found):
        raise GroundError(f"{', '.join(dead)} ended: run `up` to start the cluster afresh")
    return 0


def _logs(layout: Layout, arguments: argparse.Namespace) -> NoReturn:
    follow = ["-f"] if arguments.follow else []
    part = arguments.part
    if part in parts.NAMESPACES:
        namespace, selector = parts.NAMESPACES[part]
        selected = ["-l", selector] if selector else ["--all-pods"]
        command = ["logs", "-n", namespace, *selected, "--all-containers", "--prefix", *follow]
        _exec(layout, "kubectl", [*command, f"--tail={arguments.tail}", "--max-log-requests=20"])
    daemons = parts.daemons_of([part]) or [part]
    files = [str(path) for daemon in daemons if (path := layout.logs / f"{daemon}.log").exists()]
    if not files:
        known = ", ".join([*parts.NEEDS, *parts.daemons_of(parts.NEEDS)])
        raise GroundError(f"cluster {layout.name} has no log of {part!r}: choose from {known}")
    os.execvp("tail", ["tail", "-n", arguments.tail, *follow, *files])


def _load_image(layout: Layout, arguments: argparse.Namespace) -> None:
    machine.check_root()
    if processes.pid_of(layout, containerd.DAEMON) is None:
        raise GroundError(f"cluster {layout.name} has no node to load images into: run `up --with node`")
    for name in arguments.images:
        archive = archive_of(name).path if name in ENGINE_IMAGES else Path(name)
        if not archive.is_file():
            raise GroundError(f"there is no archive {archive}")
        sys.stdout.write(containerd.ctr(layout, "images", "import", str(archive)))


def _build(layout: Layout, arguments: argparse.Namespace) -> None:
    names = arguments.programs or list(programs.PROGRAMS)
    if unknown := [name for name in names if name not in programs.PROGRAMS]:
        raise GroundError(f"there is no program {unknown[0]!r}: choose from {', '.join(programs.PROGRAMS)}")
    programs.build(names)
    for name in names:
        print(programs.path_of(name))
