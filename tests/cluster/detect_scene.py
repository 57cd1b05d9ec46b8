"""Deployments for `detect` to look at, their pods written by hand, and users with few rights."""

from __future__ import annotations

import json
import re

from tests.cluster.conftest import Json, Kubectl, Outcome, Plugin
from tests.cluster.handmade_pods import make_ready

VIEWER = "viewer"


class Scene:
    """Deployments in one namespace whose pods are written by hand."""

    def __init__(self, kubectl: Kubectl, llm_hpa: Plugin, namespace: str) -> None:
        self.kubectl = kubectl
        self.namespace = namespace
        self._llm_hpa = llm_hpa

    def deploy(
        self, name: str, *containers: Json, labels: Json | None = None, selector: Json | None = None
    ) -> None:
        """Apply a Deployment; its pods stay where they are, since nobody schedules them."""
        labels = labels or {"app": name}
        self.kubectl.apply(
            {
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {
                    "replicas": 1, "minReadySeconds": 599, "selector": {"matchLabels": selector or labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"schedulerName": "nobody", "containers": list(containers)},
                    },
                },
            }
        )  # fmt: skip

    def start(self, count: int, *, seconds: float = 3600) -> None:
        """Wait for so many pods that are not ready yet, and make them so, for so many seconds."""
        found = self.kubectl.get("pods", "-n", self.namespace)["items"]
        fresh = [pod for pod in found if pod["status"]["phase"] == "Pending"]
        if len(fresh) < count:
            return self.start(count, seconds=seconds)
        make_ready(fresh, seconds=seconds)
        return None

    def detect(self, *arguments: str) -> Outcome:
        where = () if "-A" in arguments else ("-n", self.namespace)
        outcome = self._llm_hpa("detect", *where, *arguments)
        assert outcome.code == 0, outcome.stderr
        return outcome

    def items(self, *arguments: str) -> dict[str, Json]:
        """The workloads by reference."""
        document = json.loads(self.detect("-o", "json", *arguments).stdout)
        assert document["schemaVersion"] == "llm-hpa/v1alpha1"
        return {item["reference"]: item for item in document["items"]}

    def viewer(self, *rules: Json) -> tuple[str, str]:
        """A user with a view of the namespace's objects and these rules besides; the flags to be it."""
        view = {
            "apiGroups": ["", "apps", "autoscaling"], "verbs": ["get", "list"],
            "resources": ["pods", "deployments", "deployments/scale", "replicasets", "horizontalpodautoscalers"],
        }  # fmt: skip
        meta = {"name": VIEWER, "namespace": self.namespace}
        group = "rbac.authorization.k8s.io"
        user = f"{VIEWER}-{self.namespace}"
        self.kubectl.apply(
            {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": [view, *rules]},
            {
                "apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": meta,
                "roleRef": {"apiGroup": group, "kind": "Role", "name": VIEWER},
                "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
            },
        )  # fmt: skip
        return "--as", user

    def refused(self) -> int:
        """How many requests the API server has not authorized so far."""
        text = self.kubectl.run("get", "--raw", "/metrics").stdout
        lines = re.findall(r'authorization_attempts_total\{result="(denied|no-opinion)"\} (\d+)', text)
        return sum(int(count) for _, count in lines)
