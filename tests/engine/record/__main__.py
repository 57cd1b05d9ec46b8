"""Make recorded metrics bodies anew: ``scripts/venv python -m tests.engine.record NAME...``.

NAME is a body's file name without ``.txt``.  Servers listen on fixed ports, so everything runs in a network
namespace of its own, which takes root.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Final

from tests.cluster.ground.engine_images import BODIES
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.progress import say, step
from tests.engine import dynamo_runtime, llamacpp_runtime, vllm_runtime
from tests.engine.record import servers, wheels

INSIDE: Final = "LLM_HPA_RECORDING"
"""Set in the process that has a network of its own."""

DYNAMO: Final = re.compile(r"(frontend|worker)(?:-(\w+))?-(noworker|idle|busy)")


def body(name: str) -> str:
    """Return the body called ``name``.  Raises ``GroundError`` when it cannot be made."""
    engine, _, rest = name.partition("-")
    version, _, state = rest.partition("-")
    if (engine, version) == ("vllm", vllm_runtime.VERSION) and state in ("idle", "busy"):
        return servers.vllm(state)
    if (engine, version) == ("llamacpp", llamacpp_runtime.BUILD) and state in ("idle", "busy"):
        return servers.llamacpp(state)
    if (engine, version) == ("dynamo", dynamo_runtime.VERSION) and (found := DYNAMO.fullmatch(state)):
        part, variant, state = found.groups(default="")
        if variant in servers.DYNAMO_WORKERS:
            return servers.dynamo(part, variant, state)
    if (engine, version) in wheels.WHEELS:
        *options, state = state.split("-")
        if wheels.knows(engine, options, state):
            return wheels.drive(engine, version, options, state)
    raise GroundError(f"no way to make {name}: tests/engine/record/README.md lists the names")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.engine.record", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--into", type=Path, default=BODIES, metavar="FOLDER", help="default: tests/bodies")
    options = parser.parse_args(arguments)
    if INSIDE not in os.environ:
        again = [sys.executable, "-m", "tests.engine.record", *arguments]
        inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", *again]
        os.execvpe("unshare", ["unshare", "--net", *inside], {**os.environ, INSIDE: "1"})
    for name in options.names:
        with step(name):
            (options.into / f"{name}.txt").write_text(body(name))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except GroundError as problem:
        say(f"record: {problem}")
        sys.exit(1)
