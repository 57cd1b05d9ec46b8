"""`kubectl proxy` on a private unix socket: contexts, credentials, TLS and proxies solved by kubectl itself.

The proxy lives exactly as long as we do, even when we are killed: a small shell holds it, waits for
the end of a pipe that only we keep open, and then ends it. It runs in its own session, so that Ctrl-C
reaches us alone and clean-up still has a connection.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.kube.connection import Connection

_KEEPER = 'folder=$1; shift; "$@" & pid=$!; exec >&- 2>&-; read -r _; kill $pid; rm -rf "$folder"'
_START_SECONDS = 30.0
#: What a credential plugin writes is there before the answer that it spoils, and read a moment later.
_HEAR_SECONDS = 0.5
_KLOG = re.compile(r"^[EWIF]\d{4} [\d:.]+\s+\d+ \S+\] ?")


def possible() -> bool:
    """Whether this machine has unix sockets that kubectl and Python both open."""
    return os.name != "nt"


def kubectl() -> str:
    """The kubectl to call: `KUBECTL_PATH` (set by kubectl 1.37 and later for plugins), else PATH.

    Raises LlmHpaError when there is none.
    """
    path = os.environ.get("KUBECTL_PATH")
    if not path:
        import shutil  # with its archive formats, a hundredth of a second that kubectl 1.37 makes needless

        path = shutil.which("kubectl")
    if not path:
        raise LlmHpaError("connect to the cluster", "no kubectl found on PATH", "install kubectl")
    return path


def private_folder() -> Path:
    """A new folder that only this user may enter. Not by `tempfile`, which takes 5 ms to load.

    Raises LlmHpaError when there is no place for one.
    """
    places = [os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")]
    for place in (*filter(None, places), "/tmp", "/var/tmp"):
        folder = Path(place).absolute() / f"llm-hpa-{os.urandom(6).hex()}"
        with contextlib.suppress(OSError):
            folder.mkdir(0o700)
            return folder
    raise LlmHpaError(
        "connect to the cluster", "no folder for temporary files can be written to", "set TMPDIR to one"
    )


class Proxy:
    """A running `kubectl proxy` and what it said on stderr."""

    def __init__(self, connection: Connection, *, read_only: bool) -> None:
        """Start the proxy; `ready` waits for it."""
        self._folder = private_folder()
        self.socket = self._folder / "api.sock"
        self._said: list[str] = []
        self._up = threading.Event()
        self._heard = threading.Event()
        command = [
            "sh", "-c", _KEEPER, "sh", str(self._folder), kubectl(), *connection.arguments(),
            "proxy", f"--unix-socket={self.socket}",
        ]  # fmt: skip
        if read_only:  # POST stays: access reviews
            command.append("--reject-methods=^(PUT|PATCH|DELETE)$")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        self._readers = [
            threading.Thread(target=self._wait_until_serving, daemon=True),
            threading.Thread(target=self._keep_stderr, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def ready(self) -> None:
        """Wait until the socket answers.

        Raises LlmHpaError with kubectl's own sentence when it could not start.
        """
        if not self._up.wait(_START_SECONDS) or not self.socket.exists():
            self._readers[1].join(1.0)
            raise LlmHpaError(
                "connect to the cluster",
                self.said() or "kubectl proxy did not start",
                "check with: kubectl version",
            )

    def said(self) -> str:
        """What kubectl (or a credential plugin through it) wrote on stderr, log prefixes removed."""
        self._heard.wait(_HEAR_SECONDS)
        lines: list[str] = []
        for line in self._said:
            text = _KLOG.sub("", line).removeprefix("error: ").strip()
            if text and text not in lines and not text.startswith("Error while proxying request:"):
                lines.append(text)
        return "; ".join(lines)

    def stop(self) -> None:
        """End the proxy and remove its socket."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(1.0)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None and not any(reader.is_alive() for reader in self._readers):
                stream.close()
        if self._folder.exists():  # the shell was killed before it could
            import shutil

            shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_until_serving(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("Starting to serve"):
                break
        self._up.set()

    def _keep_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line.rstrip("\n"))
            del self._said[:-50]
            self._heard.set()


def config_view(connection: Connection, path: str) -> subprocess.Popen[str]:
    """Start `kubectl config view --minify` with a jsonpath; its stdout is the answer."""
    words: Sequence[str] = [
        kubectl(),
        *connection.arguments(),
        "config",
        "view",
        "--minify",
        "-o",
        f"jsonpath={path}",
    ]
    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


@contextlib.contextmanager
def running(connection: Connection, *, read_only: bool) -> Iterator[Proxy]:
    """A proxy for the length of a `with` block."""
    proxy = Proxy(connection, read_only=read_only)
    try:
        yield proxy
    finally:
        proxy.stop()
