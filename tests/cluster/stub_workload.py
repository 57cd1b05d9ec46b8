"""A workload of stub engines in a test's namespace, driven through the API server's pod proxy."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from tests.cluster.conftest import Json, Kubectl, load_image
from tests.cluster.workloads import PORTS, Engine, Kind, Role, stub_engine

KINDS = {"StatefulSet": "sts", "Deployment": "deploy", "LeaderWorkerSet": "lws"}


@dataclass(frozen=True)
class Stub:
    """A workload of stub engines and its Service."""

    kubectl: Kubectl
    namespace: str
    name: str = "vllm-inference"
    engine: Engine = "vllm"
    role: Role = ""
    kind: Kind = "StatefulSet"
    tls: bool = False

    def start(
        self,
        *,
        replicas: int = 1,
        seats: int = 8,
        arguments: tuple[str, ...] = (),
        wait: bool = True,
        **shape: Any,
    ) -> None:
        """Create both and wait until the pods are ready; `shape` is what `stub_engine` takes besides."""
        load_image("stub-engine")
        manifest = stub_engine(
            engine=self.engine, role=self.role, kind=self.kind, tls=self.tls, name=self.name,
            namespace=self.namespace, service=f"{self.name}-service", replicas=replicas, seats=seats,
            flags=arguments, **shape,
        )  # fmt: skip
        self.kubectl.run("apply", "-f", "-", stdin=manifest)
        if wait:
            ready = ("rollout", "status", self._object)
            if self.kind == "LeaderWorkerSet":
                ready = ("wait", self._object, f"--for=jsonpath={{.status.readyReplicas}}={replicas}")
            self.kubectl.run(*ready, "-n", self.namespace, "--timeout=120s", timeout=150)

    @property
    def reference(self) -> tuple[str, str, str]:
        """What the plugin's commands get."""
        return self._object, "-n", self.namespace

    def load(self, pod: int = 0, *, absent: Sequence[str] = (), **values: float | None) -> None:
        """Make a pod show `running`, `waiting`, `kv`, NaN and infinities too, and no series of those that are `absent`.

        Nothing given: the real values.
        """
        shown = {
            name: value if value is None or math.isfinite(value) else str(value)
            for name, value in values.items()
        }
        self._admin(pod, "load", {**shown, "absent": list(absent)})

    def fail(self, pod: int = 0, **values: Any) -> None:
        """Make a pod fail, see the stub's admin API."""
        self._admin(pod, "fail", values)

    def speak(self, body: str, pod: int = 0) -> None:
        """Make a pod speak another recorded body."""
        self._admin(pod, "body", {"name": body})

    def replicas(self) -> int:
        """`spec.replicas` now."""
        return int(self.kubectl.get(self._object, "-n", self.namespace)["spec"]["replicas"])

    def ready(self) -> int:
        """How many replicas are ready."""
        return int(self.kubectl.get(self._object, "-n", self.namespace)["status"].get("readyReplicas", 0))

    def pods(self) -> int:
        """How many pods it has."""
        return len(self.kubectl.get("pods", "-n", self.namespace, "-l", f"app={self.name}")["items"])

    def pod(self, number: int) -> str:
        """The name of a pod that serves: by its number, in a Deployment by its age."""
        if self.kind != "Deployment":
            return f"{self.name}-{number}"
        found = self.kubectl.get("pods", "-n", self.namespace, "-l", f"app={self.name}")["items"]
        alive = [pod["metadata"] for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return str(sorted((pod["creationTimestamp"], pod["name"]) for pod in alive)[number][1])

    def hpa(self) -> Json:
        """The HPA of the same name."""
        return self.kubectl.get("hpa", self.name, "-n", self.namespace)

    @property
    def _object(self) -> str:
        return f"{KINDS[self.kind]}/{self.name}"

    def _admin(self, pod: int, what: str, body: Json) -> None:
        target = f"{'https:' * self.tls}{self.pod(pod)}:{PORTS[self.engine]}"
        path = f"/api/v1/namespaces/{self.namespace}/pods/{target}/proxy/admin/{what}"
        self.kubectl.run("create", "--raw", path, "-f", "-", stdin=json.dumps(body))


def vendor_recipe(namespace: str, *, scrape_label: bool = True) -> list[Json]:
    """The PodMonitor and HPA of the vendor's guide, as a user applies them by hand (README of the recipe)."""
    import yaml

    text = (Path(__file__).parent / "vendor_recipe.yaml").read_text()
    objects: list[Json] = list(yaml.safe_load_all(Template(text).substitute(namespace=namespace)))
    if not scrape_label:
        objects[0]["metadata"].pop("labels")
    return objects
