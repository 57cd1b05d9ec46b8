"""Writes, through the `kubernetes` package's dynamic client on the same connection.

Imported only when something is written: the package costs a fifth of a second to import. Objects are
plain dicts; discovery is not needed, since `api.Resource` names the REST resource.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError
from kubernetes.dynamic.resource import Resource as DynamicResource

from kubectl_llmhpa.api import MANAGER, Json, Resource
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.kube import failures, request_log


class Writing:
    """Creates, applies, replaces and deletes under the field manager `MANAGER`."""

    def __init__(
        self, api_client: client.ApiClient, said: failures.Said, timeout: float | None = None
    ) -> None:
        """`timeout` is in seconds, None: as long as it takes."""
        self._client = DynamicClient(api_client, discoverer=lambda *_: None)
        self._said = said
        self._timeout = timeout

    def close(self) -> None:
        """Close the connections."""
        self._client.client.rest_client.pool_manager.clear()

    def create(self, resource: Resource, obj: Mapping[str, Any], *, dry_run: bool) -> Json:
        """POST."""
        return self._call("POST", resource, obj, dry_run, lambda target, options: target.create(**options))

    def apply(self, resource: Resource, obj: Mapping[str, Any], *, force: bool, dry_run: bool) -> Json:
        """Server-side apply."""
        return self._call(
            "PATCH", resource, obj, dry_run,
            lambda target, options: target.server_side_apply(force_conflicts=force or None, **options),
        )  # fmt: skip

    def replace(self, resource: Resource, obj: Mapping[str, Any], *, dry_run: bool) -> Json:
        """PUT, locked by the object's resourceVersion."""
        return self._call("PUT", resource, obj, dry_run, lambda target, options: target.replace(**options))

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str,
        version: str,
        propagation: str,
        dry_run: bool,
    ) -> bool:
        """DELETE; False when the object was not there."""  # fmt: skip
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid or version:
            body["preconditions"] = {"uid": uid or None, "resourceVersion": version or None}
        if dry_run:
            body["dryRun"] = ["All"]
        try:
            self._client.delete(
                self._target(resource), name=name, namespace=namespace or None, body=body,
                _request_timeout=self._timeout,
            )  # fmt: skip
        except DynamicApiError as error:
            if error.status == 404:
                return False
            raise self._failure("DELETE", resource.path(namespace, name), error) from error
        except urllib3.exceptions.HTTPError as error:
            raise failures.no_answer("DELETE", resource.path(namespace, name), error) from error
        return True

    def _call(self, method: str, resource: Resource, obj: Mapping[str, Any], dry_run: bool, do: Any) -> Json:
        metadata = obj["metadata"]
        namespace = metadata.get("namespace")
        options: Json = {"body": dict(obj), "field_manager": MANAGER, "_request_timeout": self._timeout}
        if method != "POST":
            options["name"] = metadata["name"]
        if namespace:
            options["namespace"] = namespace
        if dry_run:
            options["dry_run"] = "All"
        try:
            answer = do(self._target(resource), options)
        except DynamicApiError as error:
            raise self._failure(method, resource.path(namespace, metadata["name"]), error) from error
        except urllib3.exceptions.HTTPError as error:
            raise failures.no_answer(method, resource.path(namespace, metadata["name"]), error) from error
        written: Json = answer.to_dict()
        return written

    def _target(self, resource: Resource) -> DynamicResource:
        group, _, version = resource.api_version.rpartition("/")
        return DynamicResource(
            prefix="apis" if group else "api", group=group, api_version=version, kind=resource.kind,
            namespaced=resource.namespaced, verbs=[], name=resource.plural, client=self._client,
        )  # fmt: skip

    def _failure(self, method: str, path: str, error: DynamicApiError) -> ApiError:
        body = error.body if isinstance(error.body, bytes) else str(error.body or "").encode()
        return failures.from_answer(method, path, int(error.status), body, self._said)


def socket_client(path: Path) -> client.ApiClient:
    """The package's client on the unix socket of the proxy."""
    configuration = client.Configuration()
    configuration.host = "http://localhost"
    configuration.proxy = None
    api_client = client.ApiClient(configuration)
    api_client.rest_client.pool_manager.pool_classes_by_scheme = {"http": _pool_class(path)}
    return api_client


def _pool_class(path: Path) -> type[urllib3.HTTPConnectionPool]:
    """A urllib3 pool whose connections open the unix socket at `path`."""

    class SocketConnection(urllib3.connection.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.connect(str(path))

    class SocketPool(urllib3.HTTPConnectionPool):
        ConnectionCls = SocketConnection

        def urlopen(self, method: str, url: str, *args: Any, **options: Any) -> urllib3.BaseHTTPResponse:
            began = time.monotonic()
            answer = super().urlopen(method, url, *args, **options)
            request_log.answered(method, url, answer.status, len(answer.data), began)
            return answer

    return SocketPool
