"""The plugin run in this process, as a user of one's choice, with every right that its requests need kept in mind."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from kubectl_llmhpa.api import Resource
from kubectl_llmhpa.cli.group import cli
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.kube import Cluster, request_log
from kubectl_llmhpa.plan.permitted import Right, needed
from tests.cluster.conftest import Json


def run(*arguments: str) -> int:
    """The exit code of a command. Raises LlmHpaError where the plugin would say one."""
    return int(cli.main(args=list(arguments), prog_name="kubectl llm-hpa", standalone_mode=False) or 0)


@contextlib.contextmanager
def refused() -> Iterator[list[str]]:
    """The requests that the API server refuses for want of a right until the end of the block, a line each."""
    lines: list[str] = []

    def note(answer: request_log.Answered) -> None:
        if answer.status in (401, 403):
            lines.append(f"{answer.method} {answer.path}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_log, "LISTENERS", [note])
        yield lines


@contextlib.contextmanager
def recording() -> Iterator[set[Right]]:
    """The rights that are used until the end of the block; questions about rights need none."""
    used: set[Right] = set()
    plain = {name: getattr(Cluster, name) for name in ("get", "get_text", "get_many", "watch", "account_may")}
    plain |= {name: getattr(Cluster, name) for name in ("create", "apply", "replace", "delete", "post")}

    def read(path: str) -> None:
        right = needed(path)
        if right is not None:
            used.add(right)

    def write(verb: str, resource: Resource, obj: Json) -> None:
        metadata = obj["metadata"]
        name = "" if verb == "create" else metadata["name"]
        used.add(Right(verb, resource.group, resource.plural, "", metadata.get("namespace", ""), name))

    def get(self: Cluster, path: str, **options: Any) -> Any:
        read(path)
        return plain["get"](self, path, **options)

    def get_text(self: Cluster, path: str, **options: Any) -> Any:
        read(path)
        return plain["get_text"](self, path, **options)

    def get_many(self: Cluster, paths: Any) -> Any:
        for path in paths:
            read(path)
        return plain["get_many"](self, paths)

    def watch(self: Cluster, resource: Resource, namespace: str, **options: Any) -> Any:
        for verb in ("list", "watch"):
            used.add(Right(verb, resource.group, resource.plural, "", namespace))
        return plain["watch"](self, resource, namespace, **options)

    def account_may(self: Cluster, account: str, verb: str, group: str, resource: str, namespace: str) -> Any:
        used.add(Right("create", "authorization.k8s.io", "localsubjectaccessreviews", "", namespace))
        return plain["account_may"](self, account, verb, group, resource, namespace)

    def create(self: Cluster, obj: Json, **options: Any) -> Any:
        write("create", self.resource_of(obj), obj)
        return plain["create"](self, obj, **options)

    def apply(self: Cluster, obj: Json, **options: Any) -> Any:
        resource, metadata = self.resource_of(obj), obj["metadata"]
        write("patch", resource, obj)
        try:
            plain["get"](self, resource.path(metadata.get("namespace"), metadata["name"]))
        except ApiError:
            write("create", resource, obj)
        return plain["apply"](self, obj, **options)

    def replace(self: Cluster, obj: Json, **options: Any) -> Any:
        write("update", self.resource_of(obj), obj)
        return plain["replace"](self, obj, **options)

    def delete(self: Cluster, resource: Resource, namespace: str, name: str, **options: Any) -> Any:
        used.add(Right("delete", resource.group, resource.plural, "", namespace, name))
        return plain["delete"](self, resource, namespace, name, **options)

    def post(self: Cluster, path: str, body: Any) -> Any:
        right = needed(path)
        if right is not None and right.resource != "selfsubjectrulesreviews":
            used.add(dataclasses.replace(right, verb="create"))
        return plain["post"](self, path, body)

    with pytest.MonkeyPatch.context() as patch:
        for wrapped in (get, get_text, get_many, watch, account_may, create, apply, replace, delete, post):
            patch.setattr(Cluster, wrapped.__name__, wrapped)
        yield used
