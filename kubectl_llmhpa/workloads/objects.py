"""Objects and their controllers, each read once for a command."""

from __future__ import annotations

from collections.abc import Iterable

from kubectl_llmhpa.api import Json, Reader, Resource
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.workloads.discovery import Types
from kubectl_llmhpa.workloads.kinds import Found

#: More owners above each other than any controller makes: a loop.
_DEPTH = 16


class Objects:
    """Reads of one command. Implements `kinds.Lookup`. An object that changes meanwhile is seen as it was first."""

    def __init__(self, reader: Reader) -> None:
        self.types = Types(reader)
        self._reader = reader
        self._answers: dict[str, Json | ApiError] = {}

    def read_ahead(self, paths: Iterable[str]) -> None:
        """Read what was not read yet, all at once; a failure shows when the path is asked for."""
        missing = [path for path in dict.fromkeys(paths) if path not in self._answers]
        self._answers.update(zip(missing, self._reader.get_many(missing) if missing else (), strict=True))

    def get(self, path: str) -> Json:
        """The JSON body at a path. Raises ApiError."""
        self.read_ahead([path])
        answer = self._answers[path]
        if isinstance(answer, ApiError):
            raise answer
        return answer

    def read(self, resource: Resource, namespace: str, name: str) -> Found:
        """An object. Raises ApiError."""
        return Found(resource, self.get(resource.path(namespace, name)))

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Found | None:
        """See `kinds.Lookup.find`."""
        resource = self.served(api_version, kind)
        if resource is None:
            return None
        try:
            return self.read(resource, namespace, name)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def served(self, api_version: str, kind: str) -> Resource | None:
        """See `kinds.Lookup.served`."""
        known = self.types.of(api_version, kind)
        return known.resource if known else None

    def all(self, api_version: str, kind: str, namespace: str) -> list[Found]:
        """See `kinds.Lookup.all`."""
        resource = self.served(api_version, kind)
        if resource is None:
            return []
        try:
            listed = self.get(resource.path(namespace))
        except ApiError as error:
            if error.forbidden or error.not_found:
                return []
            raise
        return [Found(resource, one) for one in listed.get("items") or ()]

    def controller_path(self, found: Found) -> tuple[Resource, str] | None:
        """The resource of an object's controller and its path; None without one of a kind that is served."""
        reference = controller_reference(found)
        resource = self.served(reference["apiVersion"], reference["kind"]) if reference else None
        if reference is None or resource is None:
            return None
        return resource, resource.path(found.namespace, reference["name"])

    def controller(self, found: Found) -> Found | None:
        """The object that controls another, None when nothing does or it is gone. Raises ApiError."""
        where = self.controller_path(found)
        if where is None:
            return None
        try:
            return Found(where[0], self.get(where[1]))
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def read_controllers_ahead(self, objects: Iterable[Found]) -> None:
        """Read the controllers of many objects, theirs and so on: one round of requests for each height."""
        level = list(objects)
        for _ in range(_DEPTH):
            above = {where[1]: where[0] for one in level if (where := self.controller_path(one))}
            self.read_ahead(above)
            level = [
                Found(resource, answer)
                for path, resource in above.items()
                if not isinstance(answer := self._answers[path], ApiError)
            ]
            if not level:
                return


def controller_reference(found: Found) -> Json | None:
    """The ownerReference of the controller."""
    references: list[Json] = found.at("metadata", "ownerReferences", default=[])
    return next((one for one in references if one.get("controller")), None)
