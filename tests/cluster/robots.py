"""Users that may do what `rbac` prints for a command, and nothing else."""

from __future__ import annotations

from tests.cluster.conftest import Kubectl, Plugin


def robot(kubectl: Kubectl, llm_hpa: Plugin, namespace: str, *options: str, name: str = "robot") -> str:
    """A ServiceAccount bound to what `rbac` prints, as the user that it is."""
    if kubectl.run("get", "serviceaccount", name, "-n", namespace, check=False).code:
        kubectl.run("create", "serviceaccount", name, "-n", namespace)
    printed = llm_hpa("rbac", "-n", namespace, "--to", f"serviceaccount:{namespace}:{name}", *options)
    assert printed.code == 0, printed.stderr
    kubectl.run("apply", "-f", "-", stdin=printed.stdout)
    return f"system:serviceaccount:{namespace}:{name}"


def clear(kubectl: Kubectl) -> None:
    """Take the roles outside the tests' namespaces away."""
    for kind in ("rolebindings", "roles", "clusterrolebindings", "clusterroles"):
        found = kubectl.get(kind, *(() if "cluster" in kind else ("-n", "monitoring")))["items"]
        names = [one["metadata"]["name"] for one in found if one["metadata"]["name"].startswith("llm-hpa-")]
        if names:
            kubectl.run("delete", kind, *names, *(() if "cluster" in kind else ("-n", "monitoring")))
