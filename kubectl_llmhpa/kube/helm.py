"""The user's own `helm` (3.13 or newer), on the connection of the command.

The connection goes into its environment (`helm help` lists the variables), so that no token is seen in a list of
processes; values go through its standard input, since they may hold credentials as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube.connection import Connection

#: kubectl's flags and helm's variables.
_VARIABLES = {
    "kubeconfig": "KUBECONFIG",
    "context": "HELM_KUBECONTEXT",
    "server": "HELM_KUBEAPISERVER",
    "token": "HELM_KUBETOKEN",
    "as": "HELM_KUBEASUSER",
    "as-group": "HELM_KUBEASGROUPS",
    "certificate-authority": "HELM_KUBECAFILE",
    "insecure-skip-tls-verify": "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "tls-server-name": "HELM_KUBETLS_SERVER_NAME",
}
_HARMLESS = {"request-timeout", "cache-dir", "disable-compression"}
_SECONDS = 300.0


class Helm:
    """Runs helm. Implements `backends.helm.Runner`."""

    def __init__(self, connection: Connection) -> None:
        """Raises LlmHpaError when there is no helm, or when the connection has a flag that helm lacks."""
        self._environment = {**os.environ, **_environment(connection)}
        program = shutil.which("helm")
        if program is None:
            raise LlmHpaError("run helm", "there is none on PATH", "install it, or leave out --helm")
        self._program = program

    def run(self, *arguments: str, stdin: str = "") -> str:
        """What it prints. Raises LlmHpaError with its own words when it fails."""
        try:
            done = subprocess.run(
                [self._program, *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                env=self._environment,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LlmHpaError(
                f"run helm {arguments[0]}", str(error), "see whether it runs by itself"
            ) from error
        if done.returncode:
            said = " ".join(done.stderr.split()).removeprefix("Error: ")
            raise LlmHpaError(f"run helm {' '.join(arguments[:2])}", said or f"exit code {done.returncode}")
        return done.stdout


def _environment(connection: Connection) -> dict[str, str]:
    unknown = connection.flags.keys() - _VARIABLES.keys() - _HARMLESS
    if unknown:
        raise LlmHpaError(
            "run helm", f"it has no flag like --{min(unknown)}", "use a kubeconfig context instead"
        )
    found = {}
    for flag, value in connection.flags.items():
        if flag in _VARIABLES:
            found[_VARIABLES[flag]] = (value if isinstance(value, str) else ",".join(value)) or "true"
    return found
