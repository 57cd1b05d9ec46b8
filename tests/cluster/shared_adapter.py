"""The cluster's prometheus-adapter as somebody sets it up wrongly, and as it was again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence

import yaml

from tests.cluster.conftest import Json, Kubectl
from tests.cluster.waiting import until

NAME, NAMESPACE = "prometheus-adapter", "monitoring"
_PLACE = ("-n", NAMESPACE)
_BY = ("--field-manager=helm",)


class SharedAdapter:
    """What it is when this is made is what `restore` brings back. Writes are helm's, so that its owner stays."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._file = self.file()
        self._arguments = self._container()["args"]

    def file(self) -> str:
        """Its rules as they stand in the file."""
        found: str = self._kubectl.get("configmap", NAME, *_PLACE)["data"]["config.yaml"]
        return found

    def write(self, rules: Sequence[Json], external: Sequence[Json] = ()) -> None:
        """Rules beside those that it had at first; it reads them at its next start."""
        parsed = yaml.safe_load(self._file)
        parsed["rules"] = [*parsed["rules"], *rules]
        if external:
            parsed["externalRules"] = list(external)
        self._write(yaml.safe_dump(parsed))

    def restart(self, **flags: str) -> None:
        """Start it anew, with these flags beside its own (`max_age` is --metrics-max-age), and wait for that."""
        names = {
            "url": "prometheus-url",
            "max_age": "metrics-max-age",
            "relist": "metrics-relist-interval",
        }
        given = {names[key]: value for key, value in flags.items()}
        kept = [one for one in self._arguments if one.lstrip("-").partition("=")[0] not in given]
        self._patch([*kept, *(f"--{key}={value}" for key, value in given.items())])
        self._kubectl.run("rollout", "status", f"deploy/{NAME}", *_PLACE, "--timeout=90s")

    def scale(self, replicas: int) -> None:
        """Give it so many pods, and wait for that."""
        self._kubectl.run("scale", f"deploy/{NAME}", *_PLACE, f"--replicas={replicas}")
        until(
            lambda: self._kubectl.get("deploy", NAME, *_PLACE)["status"].get("replicas", 0) == replicas,
            60,
            f"the adapter has {replicas} pods",
        )

    def lists(self, metric: str) -> bool:
        """Whether the custom metrics API lists a metric of pods now."""
        answer = self._kubectl.run("get", "--raw", "/apis/custom.metrics.k8s.io/v1beta1", check=False)
        return f'"pods/{metric}"' in answer.stdout

    def write_back(self) -> None:
        """Bring back its file."""
        self._write(self._file)

    def restore(self) -> None:
        """Bring back its file, its flags and its pod."""
        self.write_back()
        if self._kubectl.get("deploy", NAME, *_PLACE)["spec"]["replicas"] != 1:
            self.scale(1)
        self.restart()

    @contextlib.contextmanager
    def beside(self, api_service: str, version: str) -> Iterator[None]:
        """A second one that finds no series serves a version of the API until the end of the block; HPAs prefer it."""
        name, labels = "second-adapter", {"app": "second-adapter"}
        meta = {"name": name, "namespace": NAMESPACE}
        template = self._kubectl.get("deploy", NAME, *_PLACE)["spec"]["template"]
        template["metadata"] = {"labels": labels}
        container = template["spec"]["containers"][0]
        url = "--prometheus-url="
        container["args"] = [
            *(one for one in container["args"] if not one.startswith(url)),
            f"{url}http://nobody",
        ]
        objects: list[Json] = [
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
             "spec": {"selector": {"matchLabels": labels}, "template": template}},
            {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {
                "selector": labels, "ports": self._kubectl.get("service", NAME, *_PLACE)["spec"]["ports"]}},
            {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": api_service},
             "spec": {
                 "group": "custom.metrics.k8s.io", "version": version, "insecureSkipTLSVerify": True,
                 "groupPriorityMinimum": 100, "versionPriority": 200,
                 "service": {"name": name, "namespace": NAMESPACE}}},
        ]  # fmt: skip
        try:
            self._kubectl.apply(*objects[:2])
            self._kubectl.run("rollout", "status", f"deploy/{name}", *_PLACE, "--timeout=90s")
            self._kubectl.apply(objects[2])
            yield
        finally:
            listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects[::-1]})
            self._kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=listed)

    def _container(self) -> Json:
        found: Json = self._kubectl.get("deploy", NAME, *_PLACE)["spec"]["template"]["spec"]["containers"][0]
        return found

    def _write(self, text: str) -> None:
        patch = json.dumps({"data": {"config.yaml": text}})
        self._kubectl.run("patch", "configmap", NAME, *_PLACE, "--type=merge", "-p", patch, *_BY)

    def _patch(self, arguments: list[str]) -> None:
        where = "/spec/template/spec/containers/0/args"
        operations = [{"op": "replace", "path": where, "value": arguments}]
        changed = self._kubectl.run(
            "patch", "deploy", NAME, *_PLACE, "--type=json", "-p", json.dumps(operations), *_BY
        )
        if "no change" in changed.stdout:
            self._kubectl.run("rollout", "restart", f"deploy/{NAME}", *_PLACE)
