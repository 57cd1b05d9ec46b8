"""`Cluster`: everything the commands ask of the API server, behind one small class."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubectl_llmhpa import api
from kubectl_llmhpa.api import Json, Resource, WatchEvent
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.kube import kubeconfig
from kubectl_llmhpa.kube.connection import Connection

if TYPE_CHECKING:
    import subprocess

    from kubectl_llmhpa.kube.proxy import Proxy
    from kubectl_llmhpa.kube.transport import Transport
    from kubectl_llmhpa.kube.writing import Writing

_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_REVIEW_KIND = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
_LOCAL_REVIEWS = "/apis/authorization.k8s.io/v1/namespaces/{}/localsubjectaccessreviews"

_KNOWN = {
    (resource.api_version, resource.kind): resource
    for resource in vars(api).values()
    if isinstance(resource, Resource)
}


class Cluster:
    """One API server, as the user's kubectl reaches it. Implements `api.Reader` and `api.Writer`.

    Reads go to the server itself where kubectl's part in that is known; everything else goes through `kubectl proxy`.
    What speaks to either is loaded while the connection is made, so nothing of it is imported at the head of this
    module.
    """

    def __init__(self, connection: Connection, *, read_only: bool) -> None:
        """Start the connection; nothing is waited for until the first request.

        Raises LlmHpaError for a namespace that there cannot be.
        """
        if not api.may_be_name(connection.namespace or ""):
            problem = f"no namespace can have the name {connection.namespace!r}"
            raise LlmHpaError("", problem, "name another with -n")
        self.connection = connection
        self._read_only = read_only
        self._namespace = connection.namespace or ""
        self._view: subprocess.Popen[str] | None = None
        self._proxy: Proxy | None = None
        self._transport: Transport | None = None
        self._dialling: threading.Thread | None = None
        self._writing: Writing | None = None
        self._making = threading.Lock()
        self._closed = False
        endpoint = kubeconfig.plain(connection.flags)
        if endpoint is not None:
            self._namespace = self._namespace or endpoint.namespace or _default_namespace()
        elif not self._namespace:
            from kubectl_llmhpa.kube import proxy

            self._view = proxy.config_view(connection, "{..namespace}")
        if endpoint is not None and read_only:
            self._dialling = threading.Thread(target=self._dial, args=(endpoint,), daemon=True)
            self._dialling.start()
        else:
            self._start_proxy()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection. One that is still being made, since nothing was asked yet, ends with the process."""
        self._closed = True
        if self._view is not None and self._view.poll() is None:
            self._view.kill()
        if self._view is not None:
            self._view.communicate()
        for connections in (self._transport, self._writing):
            if connections is not None:
                connections.close()
        if self._proxy is not None:
            self._proxy.stop()

    @property
    def namespace(self) -> str:
        """The namespace of the command: `-n`, else the context's, else the pod's own, else `default`."""
        if not self._namespace:
            found = ""
            if self._view is not None:
                from subprocess import TimeoutExpired

                try:
                    found = self._view.communicate(timeout=20)[0].strip()
                except TimeoutExpired:
                    self._view.kill()
            self._namespace = found or _default_namespace()
        return self._namespace

    @property
    def context(self) -> str:
        """The name of the kubeconfig's context that is used; empty where there is none, as in a pod."""
        from subprocess import TimeoutExpired

        from kubectl_llmhpa.kube import proxy

        view = proxy.config_view(self.connection, "{.current-context}")
        try:
            return view.communicate(timeout=20)[0].strip()
        except TimeoutExpired:
            view.kill()
            return ""

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        """See `api.Reader.get`."""
        return self._open().get_json(path, accept)

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        """See `api.Reader.get_text`."""
        return self._open().request("GET", path, accept="*/*", timeout=timeout).decode("utf-8", "replace")

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        """See `api.Reader.may`."""
        asked = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        review = {**_REVIEW_KIND, "spec": {"resourceAttributes": asked}}
        answer = self._open().post_json(_REVIEWS, review)
        return bool((answer.get("status") or {}).get("allowed"))

    def account_may(self, account: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        """See `api.Reader.account_may`."""
        home, _, name = account.partition("/")
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated"]
        asked = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        review = {
            **_REVIEW_KIND,
            "kind": "LocalSubjectAccessReview",
            "metadata": {"namespace": namespace},
            "spec": {
                "user": f"system:serviceaccount:{home}:{name}", "groups": groups, "resourceAttributes": asked,
            },
        }  # fmt: skip
        answer = self._open().post_json(_LOCAL_REVIEWS.format(namespace), review)
        return bool((answer.get("status") or {}).get("allowed"))

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """See `api.Reader.get_many`."""
        return self._open().get_many(paths)

    def watch(
        self,
        resource: Resource,
        namespace: str,
        *,
        field_selector: str = "",
        label_selector: str = "",
        timeout: float | None = None,
    ) -> Iterator[WatchEvent]:
        """See `api.Reader.watch`."""  # fmt: skip
        from kubectl_llmhpa.kube import watching

        return watching.watch(
            self._open(), resource, namespace,
            field_selector=field_selector, label_selector=label_selector, timeout=timeout,
            closed=lambda: self._closed,
        )  # fmt: skip

    def create(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        """See `api.Writer.create`."""
        return self._writer().create(self.resource_of(obj), obj, dry_run=dry_run)

    def apply(self, obj: Mapping[str, Any], *, force: bool = False, dry_run: bool = False) -> Json:
        """See `api.Writer.apply`."""
        return self._writer().apply(self.resource_of(obj), obj, force=force, dry_run=dry_run)

    def replace(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        """See `api.Writer.replace`."""
        return self._writer().replace(self.resource_of(obj), obj, dry_run=dry_run)

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        version: str = "",
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """See `api.Writer.delete`."""  # fmt: skip
        return self._writer().delete(
            resource, namespace, name, uid=uid, version=version, propagation=propagation, dry_run=dry_run
        )

    def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """See `api.Writer.post`."""
        return self._open().post_json(path, body)

    @staticmethod
    def resource_of(obj: Mapping[str, Any]) -> Resource:
        """The REST resource of an object of a kind that this tool writes.

        Raises LlmHpaError for any other kind: nothing is guessed on the way to a write.
        """
        key = (str(obj.get("apiVersion")), str(obj.get("kind")))
        if key not in _KNOWN:
            raise LlmHpaError(f"write {key[1]} ({key[0]})", "this is not a kind that kubectl-llm-hpa writes")
        return _KNOWN[key]

    def _dial(self, endpoint: kubeconfig.Endpoint) -> None:
        """Connect to the server itself; without success it is left to kubectl, which says why."""
        from kubectl_llmhpa.kube import direct

        with contextlib.suppress(OSError, ValueError):
            self._transport = direct.transport(endpoint)

    def _start_proxy(self) -> None:
        """Start `kubectl proxy`, once, where there are unix sockets."""
        from kubectl_llmhpa.kube import proxy

        if self._proxy is None and proxy.possible():
            self._proxy = proxy.Proxy(self.connection, read_only=self._read_only)

    def _open(self) -> Transport:
        if self._dialling is not None:
            self._dialling.join()
        if self._transport is None:
            with self._making:
                self._start_proxy()
            if self._proxy is not None:
                self._proxy.ready()  # by every thread that comes so early, all at once
        with self._making:
            if self._transport is None and self._proxy is None:
                from kubectl_llmhpa.kube import without_socket

                self._transport = without_socket.KubectlTransport(self.connection)
            elif self._transport is None:
                from kubectl_llmhpa.kube.http import UnixServer
                from kubectl_llmhpa.kube.transport import SECONDS, SocketTransport

                assert self._proxy is not None
                limit = self.connection.request_timeout  # of which kubectl's proxy makes nothing
                self._transport = SocketTransport(
                    UnixServer(self._proxy.socket), self._proxy.said, timeout=limit or SECONDS
                )
            assert self._transport is not None
            return self._transport

    def _writer(self) -> Writing:
        if self._writing is None:
            from kubectl_llmhpa.kube import without_socket
            from kubectl_llmhpa.kube.writing import Writing, socket_client

            with self._making:
                self._start_proxy()
            limit = self.connection.request_timeout
            if self._proxy is None:
                self._writing = Writing(without_socket.configured_client(self.connection), str, limit)
            else:
                self._proxy.ready()
                self._writing = Writing(socket_client(self._proxy.socket), self._proxy.said, limit)
        return self._writing


def _default_namespace() -> str:
    """Where the kubeconfig names none: that of the pod in which this runs, else `default`; as kubectl does it."""
    inside = os.environ.get("KUBERNETES_SERVICE_HOST") and os.environ.get("KUBERNETES_SERVICE_PORT")
    if not (inside and os.path.isfile(f"{_SERVICE_ACCOUNT}/token")):
        return "default"
    if named := os.environ.get("POD_NAMESPACE"):
        return named
    try:
        with open(f"{_SERVICE_ACCOUNT}/namespace", encoding="utf-8") as file:
            return file.read().strip() or "default"
    except FileNotFoundError:
        return "default"
