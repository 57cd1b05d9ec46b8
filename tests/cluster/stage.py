"""Objects of other projects in a test's namespace, put below each other as their controllers would."""

from __future__ import annotations

import json
import time

from tests.cluster.conftest import Json, Kubectl


class Stage:
    """A namespace in which objects are put below each other, with the status that their controllers would write."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self.kubectl = kubectl
        self.namespace = namespace

    def put(self, *objects: Json) -> None:
        """Create objects, each after its controller, and write their status."""
        waiting = list(objects)
        known: dict[str, Json] = {}
        while waiting:
            ready = [one for one in waiting if not one["by"] or one["by"] in known]
            if not ready:
                coming = {f"{one['kind']}/{one['metadata']['name']}" for one in waiting}
                foreign = {one["by"] for one in waiting} - coming
                known |= {owner: self._made_by_kubernetes(owner) for owner in foreign}
                continue
            for one in self._create([self._body(one, known) for one in ready]):
                known[f"{one['kind']}/{one['metadata']['name']}"] = one
            waiting = [one for one in waiting if one not in ready]
        status = [
            {key: one[key] for key in ("apiVersion", "kind", "status")}
            | {"metadata": {"name": one["metadata"]["name"]}}
            for one in objects
            if "status" in one
        ]
        if status:
            self._run("apply", "--server-side", "--subresource=status", "--validate=false", bodies=status)

    def _made_by_kubernetes(self, reference: str) -> Json:
        """An object that a controller of Kubernetes itself makes: a pod of a StatefulSet."""
        until = time.monotonic() + 30
        while True:
            found = self.kubectl.run("get", reference, "-n", self.namespace, "-o", "json", check=False)
            if found.code == 0:
                made: Json = json.loads(found.stdout)
                return made
            assert time.monotonic() < until, found.stderr
            time.sleep(0.2)

    def _body(self, one: Json, known: dict[str, Json]) -> Json:
        body = {key: value for key, value in one.items() if key not in ("by", "status")}
        if one["by"]:
            owner = known[one["by"]]
            body["metadata"] = one["metadata"] | {"ownerReferences": [{
                "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"], "controller": True,
            }]}  # fmt: skip
        return body

    def _create(self, bodies: list[Json]) -> list[Json]:
        printed = self._run("create", "-o", "json", bodies=bodies).strip()
        created, decoder = [], json.JSONDecoder()
        while printed:
            one, end = decoder.raw_decode(printed)
            created.append(one)
            printed = printed[end:].lstrip()
        return created

    def _run(self, *arguments: str, bodies: list[Json]) -> str:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
        return self.kubectl.run(*arguments, "-n", self.namespace, "-f", "-", stdin=listed).stdout
