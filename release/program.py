"""What the archive's program runs: the command line, or completion where it is started by that name.

`kubectl_complete-llm_hpa` may be a copy in the same folder, or a link to the program anywhere on PATH, also through
Krew's own link: so it follows when Krew upgrades the plugin.
"""

from __future__ import annotations

import os
import sys

_BEFORE = "_ORIG"
#: Where the program's own libraries are looked for: Linux, and the BSDs that PyInstaller knows.
_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "LIBPATH")


def restore_environment() -> None:
    """Take away what PyInstaller's start-up code put into the environment.

    Its libraries are loaded by now. kubectl, helm and credential plugins, which inherit the environment, want those of
    the system, and one that PyInstaller made as well must not take us for its parent.
    """
    for name in _LIBRARY_PATHS:
        before = os.environ.pop(name + _BEFORE, None)
        if before is not None:
            os.environ[name] = before
        else:
            os.environ.pop(name, None)
    for name in [name for name in os.environ if name.startswith("_PYI_")]:
        del os.environ[name]


restore_environment()
if os.path.basename(sys.argv[0]).startswith("kubectl_complete-"):
    from kubectl_llmhpa.cli.complete import main
else:
    from kubectl_llmhpa.cli.main import main
main()
