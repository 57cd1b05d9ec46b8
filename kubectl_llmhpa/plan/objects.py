"""The step for one object that is wholly ours: applied by the server, deleted to undo."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kubectl_llmhpa.api import Json, Reader, Resource, Writer
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.hpa import is_ours
from kubectl_llmhpa.plan.steps import Change

_TRIES = 20
_PAUSE_SECONDS = 0.25
#: What was listed less than so long ago is not read again before it is written: a fresh read narrows the race with
#: others and does not end it, and the server refuses fields of theirs either way.
_FRESH_SECONDS = 5.0
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


def restore(writer: Writer, resource: Resource, before: Json) -> None:
    """Make an object again what it was, with the owners that its fields had; the status stays.

    Raises ApiError, and LlmHpaError when somebody else writes it all the time.
    """
    namespace, name = before["metadata"]["namespace"], before["metadata"]["name"]
    path = resource.path(namespace, name)
    for _ in range(_TRIES):
        live = writer.get(path)
        metadata = {**before["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
        try:
            writer.replace({**before, "metadata": metadata, "status": live.get("status", {})})
            after = writer.get(path)
            entries = [
                one for one in after["metadata"]["managedFields"] if one.get("subresource") == "status"
            ]
            entries += [
                one for one in before["metadata"]["managedFields"] if one.get("subresource") != "status"
            ]
            after["metadata"]["managedFields"] = entries
            writer.replace(after)
            return
        except ApiError as error:
            if not error.conflict:
                raise
            time.sleep(_PAUSE_SECONDS)  # an operator writes an object that it just got in bursts
    raise LlmHpaError(
        f"give {resource.full_name} {namespace}/{name} back as it was",
        f"somebody else wrote it between our read and our write, {_TRIES} times", "try again",
    )  # fmt: skip


class OwnObject:
    """Applies one object under our field manager."""

    #: `do` is one write, see `steps.run`.
    single_write = True

    def __init__(
        self,
        writer: Writer,
        resource: Resource,
        wanted: Json,
        *,
        adopt: bool = False,
        force: bool = False,
        seen: Sequence[Json] | None = None,
    ) -> None:
        """`adopt` takes over an object that is not ours, `force` fields of ours that others changed.

        `seen` are the objects of its kind in its namespace, where they have just been listed.
        """
        self._writer = writer
        self._resource = resource
        self._wanted = wanted
        self._adopt = adopt
        self._force = adopt or force
        self._seen = seen
        self._made = time.monotonic()
        self._before: Json | None = None
        self._after: Json | None = None

    @property
    def _place(self) -> tuple[str, str]:
        return self._wanted["metadata"]["namespace"], self._wanted["metadata"]["name"]

    def changes(self) -> list[Change]:
        """See `Step.changes`; the server's dry run fills in its defaults."""
        before = self._checked()
        after = self._apply(dry_run=True)
        return [Change(self._resource, *self._place, presentable(before), presentable(after))]

    def planned(self) -> Change:
        """The change as it is planned, without the server's defaults. Reads only."""
        live = read(self._writer, self._resource, *self._place)
        return Change(self._resource, *self._place, presentable(live), self._wanted)

    def validate(self) -> None:
        """See `Step.validate`."""
        self._checked()
        self._apply(dry_run=True)

    def do(self) -> list[Change]:
        """See `Step.do`."""
        before = self._checked()
        after = self._apply(dry_run=False)
        self._before, self._after = before, after
        return [Change(self._resource, *self._place, presentable(before), presentable(after))]

    def undo(self) -> None:
        """Delete the object if this run created it, else make it what it was."""
        if self._after is None:
            return
        if self._before is None:
            self._writer.delete(self._resource, *self._place, uid=self._after["metadata"]["uid"])
        elif presentable(self._before) != presentable(self._after):
            restore(self._writer, self._resource, self._before)

    def _checked(self) -> Json | None:
        if self._seen is not None and time.monotonic() - self._made < _FRESH_SECONDS:
            name = self._wanted["metadata"]["name"]
            live = next((one for one in self._seen if one["metadata"]["name"] == name), None)
        else:
            live = read(self._writer, self._resource, *self._place)
        if live is not None and not is_ours(live) and not self._adopt:
            namespace, name = self._place
            raise LlmHpaError(
                f"write {self._resource.full_name} {namespace}/{name}",
                "an object of that name exists and was not made by kubectl-llm-hpa",
                "rename it, or choose another name with --name",
            )
        return live

    def _apply(self, *, dry_run: bool, wanted: Json | None = None) -> Json:
        try:
            return self._writer.apply(wanted or self._wanted, force=self._force, dry_run=dry_run)
        except ApiError as error:
            if not error.conflict:
                raise
            remedy = "--adopt overrules them; flags left out keep what they wrote"
            raise LlmHpaError(error.attempted, error.message, remedy) from error
