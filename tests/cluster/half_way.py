"""An API server that refuses one kind of object, though its dry run took it: an admission policy, as a platform has."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.cluster.conftest import Json, Kubectl

_GROUP = "admissionregistration.k8s.io"
_NAME = "no-such-thing-here"
_PROBE = "probe"
#: What the server says with it.
MESSAGE = "the platform team does not allow this"


@dataclass(frozen=True)
class Refusal:
    """Writes of one resource, in all names or in one."""

    group: str
    resource: str
    name: str = ""


@contextlib.contextmanager
def refused(kubectl: Kubectl, namespace: str, what: Refusal) -> Iterator[None]:
    """Real writes of `what` in a namespace are refused until the end of the block, dry runs are not."""
    meant = f"request.resource.resource == '{what.resource}'"
    if what.name:
        meant += f" && object.metadata.name == '{what.name}'"
    dry = "has(request.dryRun) && request.dryRun"
    policy: Json = {
        "apiVersion": f"{_GROUP}/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": _NAME},
        "spec": {
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
                 "resources": [resource]}
                for group, resource in {(what.group, what.resource), ("", "configmaps")}
            ]},
            "validations": [{
                "expression": f"({dry}) || !(({meant}) || object.metadata.name == '{_PROBE}')", "message": MESSAGE,
            }],
        },
    }  # fmt: skip
    binding: Json = {
        "apiVersion": f"{_GROUP}/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": _NAME},
        "spec": {"policyName": _NAME, "validationActions": ["Deny"], "matchResources": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}},
    }  # fmt: skip
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": [policy, binding]})
    try:
        kubectl.run("create", "-f", "-", stdin=listed)
        _until_it_works(kubectl, namespace)
        yield
    finally:
        kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=listed)


def _until_it_works(kubectl: Kubectl, namespace: str) -> None:
    probe = ("configmap", _PROBE, "-n", namespace)
    limit = time.monotonic() + 30
    while MESSAGE not in kubectl.run("create", *probe, check=False).stderr:
        assert time.monotonic() < limit, "the API server does not know the policy yet"
        kubectl.run("delete", *probe, "--ignore-not-found")
        time.sleep(0.5)
