"""What the archive's program runs: the command line, or completion where it is started by that name.

`kubectl_complete-llm_hpa` may be a copy in the same folder, or a link to the program anywhere on PATH, also through
Krew's own link: so it follows when Krew upgrades the plugin.
"""

from __future__ import annotations

import os
import sys

#: Where a program's libraries are looked for on Linux; elsewhere PyInstaller needs no variable.
_LIBRARIES = "LD_LIBRARY_PATH"


def restore_environment() -> None:
    """Take away what PyInstaller's start-up code put into the environment.

    Its libraries are loaded by now. kubectl, helm and credential plugins, which inherit the environment, want those of
    the system, and one that PyInstaller made as well must not take us for its parent.
    """
    before = os.environ.pop(f"{_LIBRARIES}_ORIG", None)
    if before is not None:
        os.environ[_LIBRARIES] = before
    elif sys.platform.startswith("linux"):
        os.environ.pop(_LIBRARIES, None)
    for name in [name for name in os.environ if name.startswith("_PYI_")]:
        del os.environ[name]


restore_environment()
if os.path.basename(sys.argv[0]).startswith("kubectl_complete-"):
    from kubectl_llmhpa.cli.complete import main
else:
    from kubectl_llmhpa.cli.main import main
main()
