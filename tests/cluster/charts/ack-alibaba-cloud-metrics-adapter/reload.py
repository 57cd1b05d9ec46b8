"""The stand-in's sidecar: ends the adapter's process whenever the file in the ConfigMap has changed.

Arguments: the file, and the beginning of the process' command line.
"""

import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    file, program = Path(sys.argv[1]), sys.argv[2].encode()
    seen = file.read_bytes()
    while True:
        time.sleep(1)
        now = file.read_bytes()
        if now == seen:
            continue
        seen = now
        for process in Path("/proc").glob("[0-9]*"):
            if (process / "cmdline").read_bytes().startswith(program):
                os.kill(int(process.name), signal.SIGTERM)
                print(f"{file} has changed: ended {process.name}", flush=True)


if __name__ == "__main__":
    main()
