"""The step for one object that is wholly ours: applied by the server, deleted to undo."""

from __future__ import annotations

from kubectl_llmhpa.api import Json, Reader, Resource, Writer
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.hpa import is_ours
from kubectl_llmhpa.plan.steps import Change

#: Set by the server, and so no part of a comparison or of a shown object.
_SERVER_FIELDS = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")


def presentable(obj: Json | None) -> Json | None:
    """An object without status and without what the server sets by itself."""
    if obj is None:
        return None
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _SERVER_FIELDS}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def read(reader: Reader, resource: Resource, namespace: str, name: str) -> Json | None:
    """An object, None when it does not exist."""
    try:
        return reader.get(resource.path(namespace, name))
    except ApiError as error:
        if error.not_found:
            return None
        raise


class OwnObject:
    """Applies one object under our field manager."""

    def __init__(self, writer: Writer, resource: Resource, wanted: Json, *, adopt: bool = False) -> None:
        """`adopt` takes over an object that is not ours."""
        self._writer = writer
        self._resource = resource
        self._wanted = wanted
        self._adopt = adopt
        self._created_uid = ""

    @property
    def _place(self) -> tuple[str, str]:
        return self._wanted["metadata"]["namespace"], self._wanted["metadata"]["name"]

    def changes(self) -> list[Change]:
        """See `Step.changes`; the server's dry run fills in its defaults."""
        before = self._checked()
        after = self._apply(dry_run=True)
        return [Change(self._resource, *self._place, presentable(before), presentable(after))]

    def validate(self) -> None:
        """See `Step.validate`."""
        self._checked()
        self._apply(dry_run=True)

    def do(self) -> list[Change]:
        """See `Step.do`."""
        before = self._checked()
        after = self._apply(dry_run=False)
        if before is None:
            self._created_uid = after["metadata"]["uid"]
        return [Change(self._resource, *self._place, presentable(before), presentable(after))]

    def undo(self) -> None:
        """Delete the object if this run created it."""
        if self._created_uid:
            self._writer.delete(self._resource, *self._place, uid=self._created_uid)

    def _checked(self) -> Json | None:
        live = read(self._writer, self._resource, *self._place)
        if live is not None and not is_ours(live) and not self._adopt:
            namespace, name = self._place
            raise LlmHpaError(
                f"write {self._resource.full_name} {namespace}/{name}",
                "an object of that name exists and was not made by kubectl-llm-hpa",
                "rename it, or choose another name with --name",
            )
        return live

    def _apply(self, *, dry_run: bool) -> Json:
        return self._writer.apply(self._wanted, force=self._adopt, dry_run=dry_run)
