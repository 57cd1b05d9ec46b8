"""The step that adds rules to a shared prometheus-adapter, and the way back.

Nobody else's metric may be lost, so: an optimistic lock on the ConfigMap; the result parsed as strictly
as the adapter does; a record of what was there, saved before the write; a rollout that keeps the old pod
until the new one is ready; and the list of served names compared before and after, since an adapter that
lost its list passes every health check.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from kubectl_llmhpa import __version__
from kubectl_llmhpa.api import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    MANAGED_BY,
    MANAGER,
    VERSION_ANNOTATION,
    Json,
    Reader,
    Writer,
)
from kubectl_llmhpa.backends import adapter_rules, ownership
from kubectl_llmhpa.backends.prometheus_adapter import Adapter, listed, rolled_out
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.plan.objects import presentable, read
from kubectl_llmhpa.plan.steps import Change, Report

RECORD = "llm-hpa-adapter-rules"
#: On the adapter's pod template while our rules are in its file: a changed value restarts it.
CONFIG_HASH = "kubectl-llm-hpa/config-hash"
_KEY = "record.json"
_TRIES = 5
_SLACK_SECONDS = 60.0


@dataclass(frozen=True)
class Record:
    """What the file was before us (`before`, `former`: its managedFields) and what we put there."""

    before: str
    former: list[Json]
    after_hash: str
    rules: dict[str, Json]


def fingerprint(text: str) -> str:
    """A short hash of a configuration file."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_record(reader: Reader, namespace: str) -> Record | None:
    """The record of the adapter in a namespace, None when we have no rules there. Raises ApiError."""
    config_map = read(reader, CONFIG_MAPS, namespace, RECORD)
    return Record(**json.loads(config_map["data"][_KEY])) if config_map else None


class AdapterRules:
    """Adds rules for metrics that the adapter does not serve yet."""

    def __init__(
        self,
        writer: Writer,
        adapter: Adapter,
        rules: Mapping[str, Json],
        *,
        expected: frozenset[str] = frozenset(),
        report: Report = lambda _: None,
    ) -> None:
        """`rules` maps API names to rules; `expected` are those that must be listed afterwards."""  # fmt: skip
        self._writer = writer
        self._adapter = adapter
        self._rules = dict(rules)
        self._expected = expected
        self._report = report
        self._wrote = False
        self._served: set[str] = set()
        self._added: set[str] = set()
        self._record_version = ""

    def changes(self) -> list[Change]:
        """See `Step.changes`."""
        if not self._rules:
            return []
        live = self._config_map()
        text = self._with_rules(live)
        if text == self._text(live):
            return []
        return [self._config_change(live, self._edited(live, text)), self._restarted()]

    def validate(self) -> None:
        """See `Step.validate`."""
        if not self._rules:
            return
        for _ in range(_TRIES):
            live = self._config_map()
            try:
                self._writer.replace(self._edited(live, self._with_rules(live)), dry_run=True)
                break
            except ApiError as error:  # a dry run meets the optimistic lock too
                if not error.conflict:
                    raise
        else:
            raise self._busy()
        self._restart("checked", dry_run=True)

    def do(self) -> list[Change]:
        """Write, restart, and see every name again; a no-op when the running file has the rules."""
        if not self._rules:
            return []
        live = self._config_map()
        wanted = self._with_rules(live)
        if wanted == self._text(live) and self._running_hash() == self._hash_of(live):
            return []
        self._served = listed(self._writer, self._adapter)
        self._wrote = True
        change = self._write(live)
        self._restart(self._hash_of(self._config_map()))
        self._verify(self._served | {f"pods/{name}" for name in self._expected})
        return [*([change] if change else []), self._restarted()]

    def undo(self) -> None:
        """Take the rules of this run out again; those of other workloads stay."""
        if not self._wrote:
            return
        for _ in range(_TRIES):
            record = self._record()
            names = self._added or self._rules.keys()
            kept = {name: rule for name, rule in record.rules.items() if name not in names} if record else {}
            if not record or not kept:
                self.remove()
                return
            live = self._config_map()
            gone = [rule for name, rule in record.rules.items() if name not in kept]
            text = adapter_rules.remove(self._text(live), gone)
            try:
                if text != self._text(live):
                    self._writer.replace(self._edited(live, text))
                self._save_record(replace(record, after_hash=fingerprint(text), rules=kept))
            except ApiError as error:
                if not error.conflict:
                    raise
                continue
            self._restart(self._hash_of(self._config_map()))
            self._verify(self._served)
            return
        raise self._busy()

    def remove(self) -> list[Change]:
        """Give the file, its ownership and the pod template back as they were; nothing when we never wrote.

        Others' edits since then stay.
        """
        record = self._record()
        if record is None:
            return []
        served = self._served or self._served_now()
        changes: list[Change] = []
        for _ in range(_TRIES):
            try:
                changes += self._restore(record)
                break
            except ApiError as error:
                if not error.conflict:
                    raise
                record = self._record() or record
        else:
            raise self._busy()
        if self._running_hash():
            self._restart(None)
            ours = {kind + name for name in record.rules for kind in ("pods/", "namespaces/")}
            self._verify(served - ours)
            changes.append(self._restarted())
        try:
            self._writer.delete(CONFIG_MAPS, self._adapter.namespace, RECORD, version=self._record_version)
        except ApiError as error:
            if not error.conflict:  # another `enable` has put rules of its own there meanwhile
                raise
        return changes

    def removal(self) -> list[Change]:
        """What `remove` would change."""
        record = self._record()
        if record is None:
            return []
        live = self._config_map()
        wanted = self._without(record, self._text(live))
        changes = (
            [self._config_change(live, self._edited(live, wanted))] if wanted != self._text(live) else []
        )
        return [*changes, *([self._restarted()] if self._running_hash() else [])]

    def rules_in_place(self) -> frozenset[str]:
        """The names of the rules that are ours in this adapter's file."""
        record = self._record()
        return frozenset(record.rules) if record else frozenset()

    def _write(self, live: Json) -> Change | None:
        """Add the rules under the optimistic lock; somebody else's write in between starts it anew."""
        for _ in range(_TRIES):
            text, wanted = self._text(live), self._with_rules(live)
            if wanted == text:
                return None
            try:
                self._save_record(self._next_record(live, wanted))
                after = self._writer.replace(self._edited(live, wanted))
            except ApiError as error:
                if not error.conflict:
                    raise
                live = self._config_map()
                continue
            return self._config_change(live, after)
        raise self._busy()

    def _next_record(self, live: Json, wanted: str) -> Record:
        text = self._text(live)
        record = self._record()
        added = {name: rule for name, rule in self._rules.items() if rule not in self._present(text)}
        self._added |= added.keys()
        if record is None:
            return Record(text, live["metadata"].get("managedFields") or [], fingerprint(wanted), added)
        rules = {**record.rules, **added}
        if fingerprint(text) == record.after_hash or text == record.before:
            return replace(record, after_hash=fingerprint(wanted), rules=rules)
        before = adapter_rules.remove(text, record.rules.values())  # somebody edited the file since
        former = record.former if self._is_ours(live) else live["metadata"].get("managedFields") or []
        return Record(before, former, fingerprint(wanted), rules)

    @staticmethod
    def _without(record: Record, text: str) -> str:
        """The file as it was before us; where others have edited it since, theirs without our rules."""
        if fingerprint(text) == record.after_hash:
            return record.before
        return adapter_rules.remove(text, record.rules.values())

    def _restore(self, record: Record) -> list[Change]:
        live = self._config_map()
        text = self._text(live)
        wanted = self._without(record, text)
        changes: list[Change] = []
        if wanted != text:
            if not self._is_ours(live):
                record = replace(record, former=live["metadata"].get("managedFields") or [])
                self._save_record(record)
            after = self._writer.replace(self._edited(live, wanted))
            changes.append(self._config_change(live, after))
            live = after
        returned = ownership.give_back(live, record.former, self._field)
        if returned is not None:
            self._writer.replace(returned)
        return changes

    def _restart(self, value: str | None, *, dry_run: bool = False) -> None:
        """Set (or with None drop) our annotation on the pod template, which rolls the adapter over."""
        wanted: Json = {
            "apiVersion": DEPLOYMENTS.api_version,
            "kind": DEPLOYMENTS.kind,
            "metadata": {"name": self._adapter.name, "namespace": self._adapter.namespace},
        }
        if value is not None:
            wanted["spec"] = {"template": {"metadata": {"annotations": {CONFIG_HASH: value}}}}
        self._writer.apply(wanted, dry_run=dry_run)

    def _verify(self, names: set[str]) -> None:
        """Wait until the new pod serves every one of `names`.

        Raises LlmHpaError naming what is missing after one relist and a minute.
        """
        began = time.monotonic()
        limit = self._adapter.relist + _SLACK_SECONDS
        missing, problem, waiting = names, "", "its new pod"
        while time.monotonic() - began < limit:
            try:
                if rolled_out(self._deployment()):
                    missing = names - listed(self._writer, self._adapter)
                    problem = f"it no longer serves {', '.join(sorted(missing)[:5])}"
                    waiting = f"its list ({len(missing)} names missing)"
                    if not missing:
                        return
                else:
                    problem = "its new pod does not become ready"
            except ApiError as error:
                if not error.unavailable:
                    raise
                problem = str(error)
            self._report(f"{self._adapter.name} restarts to read its rules anew; waiting for {waiting}")
            time.sleep(1.0)
        raise LlmHpaError(
            f"restart deployment {self._adapter.namespace}/{self._adapter.name} with changed rules", problem,
            f"the rules are taken back; see: kubectl -n {self._adapter.namespace} logs deploy/{self._adapter.name}",
        )  # fmt: skip

    def _served_now(self) -> set[str]:
        """What is served, nothing while the adapter is down: its rules are taken back all the same."""
        try:
            return listed(self._writer, self._adapter)
        except ApiError as error:
            if error.unavailable or error.not_found:
                return set()
            raise

    def _edited(self, live: Json, text: str) -> Json:
        return {**live, "data": {**(live.get("data") or {}), self._adapter.key: text}}

    @property
    def _field(self) -> tuple[str, str]:
        """The adapter's file as managedFields write it."""
        return "f:data", f"f:{self._adapter.key}"

    def _is_ours(self, live: Json) -> bool:
        """Whether a run of the plugin wrote the file last, so that giving it back is up to us."""
        return ownership.give_back(live, [], self._field) is not None

    def _with_rules(self, live: Json) -> str:
        text = self._text(live)
        present = self._present(text)
        missing = [rule for rule in self._rules.values() if rule not in present]
        return adapter_rules.add(text, missing) if missing else text

    @staticmethod
    def _present(text: str) -> list[Json]:
        return adapter_rules.parse(text).get("rules") or []

    def _text(self, config_map: Json) -> str:
        return str((config_map.get("data") or {}).get(self._adapter.key, ""))

    def _config_map(self) -> Json:
        return self._writer.get(self._adapter.config_path)

    def _deployment(self) -> Json:
        return self._writer.get(DEPLOYMENTS.path(self._adapter.namespace, self._adapter.name))

    def _hash_of(self, config_map: Json) -> str:
        """New with every write, so that a text that comes back after others dropped it is loaded too."""
        return f"{fingerprint(self._text(config_map))}-{config_map['metadata']['resourceVersion']}"

    def _running_hash(self) -> str:
        annotations = self._deployment()["spec"]["template"]["metadata"].get("annotations") or {}
        return str(annotations.get(CONFIG_HASH, ""))

    def _record(self) -> Record | None:
        config_map = read(self._writer, CONFIG_MAPS, self._adapter.namespace, RECORD)
        self._record_version = config_map["metadata"]["resourceVersion"] if config_map else ""
        return Record(**json.loads(config_map["data"][_KEY])) if config_map else None

    def _save_record(self, record: Record) -> None:
        """Write the record unless another run has written it since `_record` (ApiError.conflict)."""
        metadata: Json = {
            "name": RECORD,
            "namespace": self._adapter.namespace,
            "labels": {MANAGED_BY: MANAGER},
            "annotations": {VERSION_ANNOTATION: __version__},
        }
        config_map = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": metadata,
            "data": {_KEY: json.dumps(asdict(record), sort_keys=True)},
        }
        if self._record_version:
            metadata["resourceVersion"] = self._record_version
            after = self._writer.replace(config_map)
        else:
            after = self._writer.create(config_map)
        self._record_version = after["metadata"]["resourceVersion"]

    def _config_change(self, before: Json, after: Json) -> Change:
        return Change(
            CONFIG_MAPS,
            self._adapter.namespace,
            self._adapter.config_map,
            presentable(before),
            presentable(after),
        )

    def _restarted(self) -> Change:
        name = {"metadata": {"name": self._adapter.name}}
        return Restart(DEPLOYMENTS, self._adapter.namespace, self._adapter.name, name, name)

    def _busy(self) -> LlmHpaError:
        return LlmHpaError(
            f"change configmap {self._adapter.namespace}/{self._adapter.config_map}",
            f"somebody else wrote it between our read and our write, {_TRIES} times", "try again later",
        )  # fmt: skip


class Restart(Change):
    """A rollout restart."""

    @property
    def verb(self) -> str:
        """As kubectl says it."""
        return "restarted"
