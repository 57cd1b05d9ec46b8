"""Ask the API server as its administrator, from inside the network namespace."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cluster.ground import programs
from tests.cluster.ground.commands import run
from tests.cluster.ground.errors import GroundError
from tests.cluster.ground.layout import API_PORT, NODE_IP, Layout


class Api:
    """Plain requests for waiting and probing; ``kubectl`` for everything that changes objects."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._tls = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        self._tls.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")

    def request(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Return status and body; status 0 and the reason when nobody answers."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            with self.connection() as connection:
                connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as problem:
            return 0, str(problem).encode()

    @contextlib.contextmanager
    def connection(self, timeout_s: float = 10) -> Iterator[http.client.HTTPSConnection]:
        """One connection for any number of requests, one after the other."""
        connection = http.client.HTTPSConnection(NODE_IP, API_PORT, context=self._tls, timeout=timeout_s)
        try:
            yield connection
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """Return the object at ``path``, or None when it is not there or nobody answers."""
        status, body = self.request("GET", path)
        return json.loads(body) if status == 200 else None

    def answers(self, path: str) -> str:
        """Return "" when ``path`` answers 200, else what it answers."""
        status, body = self.request("GET", path)
        return "" if status == 200 else f"GET {path}: {status} {_first_line(body)}"

    def condition(self, path: str, wanted: str) -> str:
        """Return "" when the object at ``path`` has condition ``wanted`` True, else why not."""
        found = self.get(path)
        if found is None:
            return f"{path} is not there"
        for condition in found.get("status", {}).get("conditions") or []:
            if condition["type"] == wanted:
                if condition["status"] == "True":
                    return ""
                return f"{wanted} is {condition['status']}: {condition.get('message', '')}"
        return f"{path} has no condition {wanted} yet"

    def rolled_out(self, kind: str, namespace: str, name: str) -> str:
        """Return "" when every replica of a Deployment or StatefulSet is new and ready."""
        found = self.get(f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}")
        if found is None:
            return f"{kind}/{name} is not there"
        wanted, status = found["spec"].get("replicas", 1), found.get("status", {})
        current = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
        if current and ready == updated == status.get("replicas", 0) == wanted:
            return ""
        return f"{ready} of {wanted} pods of {kind}/{name} are ready"

    def kubectl(self, *arguments: str | Path, text: str | None = None) -> str:
        """Run kubectl to its end and return what it prints."""
        kubectl = programs.path_of("kubectl")
        return run(kubectl, f"--kubeconfig={self._layout.kubeconfig}", *arguments, text=text)

    def apply(self, text: str) -> None:
        """Apply manifests on the server, where large CRDs need no annotation.

        Again where the server took too long: it does when several clusters start at once.
        """
        for last in (False, False, True):
            try:
                self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)
                return
            except GroundError as problem:
                if last or "(Timeout)" not in str(problem):
                    raise


def _first_line(body: bytes) -> str:
    text = body.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.splitlines()[0][:200] if text else ""
