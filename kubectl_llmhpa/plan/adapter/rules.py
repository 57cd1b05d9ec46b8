"""The step that adds rules to the file of a shared adapter, and the way back.

Nobody else's metric may be lost, so: the queries are asked of Prometheus first; an optimistic lock on the ConfigMap;
the result parsed as strictly as the adapter does; a record of what was there, saved before the write; a rollout that
keeps the old pod until the new one is ready; and the list of served names compared before and after, since an adapter
that lost its list passes every health check.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from kubectl_llmhpa.api import CONFIG_MAPS, DEPLOYMENTS, Json, Reader, Writer
from kubectl_llmhpa.backends import adapter_rules, helm, ownership
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.adapter import rule_check
from kubectl_llmhpa.plan.adapter.rule_record import Book, Record, fingerprint
from kubectl_llmhpa.plan.adapter.serving import OUT, TAKEN_BACK, Serving
from kubectl_llmhpa.plan.objects import presentable
from kubectl_llmhpa.plan.steps import Change, Report

#: On the adapter's pod template while our rules are in its file: a changed value restarts it.
CONFIG_HASH = "kubectl-llm-hpa/config-hash"
_TRIES = 5
_SLACK_SECONDS = 60.0


class AdapterRules:
    """Adds rules for metrics that the adapter does not serve yet."""

    def __init__(
        self,
        writer: Writer,
        adapter: Adapter,
        rules: Mapping[str, Json],
        *,
        expected: frozenset[str] = frozenset(),
        server: Server | None = None,
        report: Report = lambda _: None,
        looked: Reader | None = None,
    ) -> None:
        """`rules` maps API names to rules; `expected` are those that must be listed afterwards.

        `server` is the Prometheus that the adapter asks, where the caller may ask it too; `looked` what has just read
        the file, our record and the list, which are then not read again unless somebody else has written meanwhile.
        """
        self._writer = writer
        self._adapter = adapter
        self._rules = dict(rules)
        self._expected = expected
        self._server = server
        self._report = report
        self._serving = Serving(writer, adapter, server, report)
        self._book = Book(writer, adapter.namespace)
        self._wrote = False
        self._looked = looked or writer
        self._checked: tuple[Json, Record | None] | None = None
        self._served: set[str] = set()
        self._added: set[str] = set()
        self._replaced: dict[str, Json] = {}

    def changes(self) -> list[Change]:
        """See `Step.changes`."""
        if not self._rules:
            return []
        live = self._config_map()
        text = self._with_rules(live, self._book.load())
        if text == self._text(live):
            return []
        return [self._config_change(live, self._edited(live, text)), self._restarted()]

    def validate(self) -> None:
        """See `Step.validate`."""
        if not self._rules:
            return
        self._ask_prometheus(frozenset())
        live, record = self._looked.get(self._adapter.config_path), self._book.load(self._looked)
        for _ in range(_TRIES):
            try:
                self._writer.replace(self._edited(live, self._with_rules(live, record)), dry_run=True)
                break
            except ApiError as error:  # a dry run meets the optimistic lock too
                if not error.conflict:
                    raise
                live, record = self._config_map(), self._book.load()
        else:
            raise self._busy()
        self._checked = live, record
        if self._restart("checked", dry_run=True)["spec"].get("paused"):
            raise LlmHpaError(
                self._attempt, f"deployment {self._adapter.name} is paused, so it would not read them",
                f"resume it: kubectl -n {self._adapter.namespace} rollout resume deploy/{self._adapter.name}",
            )  # fmt: skip

    def do(self) -> list[Change]:
        """Write, restart, and see every name again; a no-op when the running file has the rules."""
        if not self._rules:
            return []
        live, record = self._checked or (self._config_map(), self._book.load())
        wanted = self._with_rules(live, record)
        if wanted == self._text(live) and self._running_hash() == self._hash_of(live):
            return []
        self._ask_prometheus(self._expected)
        self._served = replace(self._serving, reader=self._looked).names() or self._serving.names()
        if self._adapter.gap:
            self._report(
                f"{self._adapter.name} restarts, and {self._adapter.gap}: for a moment no HPA can read custom metrics"
            )
        self._wrote = True
        live, after = self._write(live, record)
        self._restart(self._hash_of(after))
        self._verify(
            self._served, {adapter_rules.listed_as(name, self._rules[name]) for name in self._expected}
        )
        return [*([self._config_change(live, after)] if after != live else []), self._restarted()]

    def undo(self) -> None:
        """Take the rules of this run out again; those of other workloads stay."""
        if self._wrote:
            self._take_out(self._added or self._rules.keys())

    def remove(self, keep: Collection[str] = ()) -> list[Change]:
        """Take our rules out, but those of the names in `keep`; nothing when we never wrote.

        With the last one the file, its ownership and the pod template are given back as they were; others' edits since
        then stay. Raises LlmHpaError when the rules are in the values of a Helm release.
        """
        record = self._record_to_remove()
        gone = record.rules.keys() - set(keep) if record else ()
        return self._take_out(gone) if gone else []

    def _take_out(self, names: Collection[str]) -> list[Change]:
        """Take the rules of these names out; an older text that this run replaced comes back."""
        served = self._served or self._serving.names()
        for _ in range(_TRIES):
            record = self._book.load()
            if record is None:
                return []
            kept = {name: rule for name, rule in record.rules.items() if name not in names} | self._replaced
            try:
                changes = self._shorten(record, names, kept) if kept else self._restore(record)
                break
            except ApiError as error:
                if not error.conflict:
                    raise
        else:
            raise self._busy()
        if kept or self._running_hash():
            self._restart(self._hash_of(self._config_map()) if kept else None)
            changes.append(self._restarted())
            ours = {kind + name for name in names for kind in ("pods/", "namespaces/", "external/")}
            self._verify(served - ours if not self._wrote else self._served, set(), then=OUT)
        if not kept:
            self._book.delete()
        return changes

    def _shorten(self, record: Record, names: Collection[str], kept: dict[str, Json]) -> list[Change]:
        """Write the file without the rules of these names, and the record of those that stay. Raises ApiError."""
        live = self._config_map()
        text = adapter_rules.remove(
            self._text(live), [rule for name, rule in record.rules.items() if name in names]
        )
        text = adapter_rules.add(text, list(self._replaced.values())) if self._replaced else text
        changes = []
        if text != self._text(live):
            after = self._writer.replace(self._edited(live, text))
            changes = [self._config_change(live, after)]
        self._book.save(replace(record, after_hash=fingerprint(text), rules=kept))
        return changes

    def removal(self, keep: Collection[str] = ()) -> list[Change]:
        """What `remove` would change."""
        record = self._record_to_remove()
        gone = record.rules.keys() - set(keep) if record else set()
        if record is None or not gone:
            return []
        live = self._config_map()
        if gone == record.rules.keys():
            wanted = self._without(record, live)
        else:
            wanted = adapter_rules.remove(self._text(live), [record.rules[name] for name in gone])
        changes = (
            [self._config_change(live, self._edited(live, wanted))] if wanted != self._text(live) else []
        )
        return [*changes, *([self._restarted()] if self._running_hash() else [])]

    def rules_in_place(self) -> Mapping[str, Json]:
        """By the names that they serve, the rules that are ours in this adapter's file."""
        record = self._book.load()
        return record.rules if record else {}

    def _write(self, live: Json, record: Record | None) -> tuple[Json, Json]:
        """Add the rules under the optimistic lock; somebody else's write in between starts it anew.

        Returns the ConfigMap before and after, the same when it has them.
        """
        for _ in range(_TRIES):
            wanted = self._with_rules(live, record)
            if wanted == self._text(live):
                return live, live
            try:
                self._book.save(self._next_record(live, wanted, record))
                return live, self._writer.replace(self._edited(live, wanted))
            except ApiError as error:
                if not error.conflict:
                    raise
                live, record = self._config_map(), self._book.load()
        raise self._busy()

    def _next_record(self, live: Json, wanted: str, record: Record | None) -> Record:
        text = self._text(live)
        present = self._lists(text)
        added = {name: rule for name, rule in self._rules.items() if not adapter_rules.holds(present, rule)}
        self._added |= added.keys()
        if record is None:
            return Record(text, live["metadata"].get("managedFields") or [], fingerprint(wanted), added)
        self._replaced |= {name: record.rules[name] for name in added if name in record.rules}
        rules = {**record.rules, **added}
        if fingerprint(text) == record.after_hash or text == record.before:
            return replace(record, after_hash=fingerprint(wanted), rules=rules)
        before = adapter_rules.remove(text, record.rules.values())  # somebody edited the file since
        former = record.former if self._is_ours(live) else live["metadata"].get("managedFields") or []
        return Record(before, former, fingerprint(wanted), rules)

    def _without(self, record: Record, live: Json) -> str:
        """The file as it was before us; where others have edited it since, theirs without our rules.

        What a tool has rendered since is all its own: a rule of ours in it stands in the tool's source by now.
        """
        text = self._text(live)
        if fingerprint(text) == record.after_hash:
            return record.before
        if ownership.automation(live, self._field):
            return text
        return adapter_rules.remove(text, record.rules.values())

    def _restore(self, record: Record) -> list[Change]:
        live = self._config_map()
        text = self._text(live)
        wanted = self._without(record, live)
        changes: list[Change] = []
        if wanted != text:
            if not self._is_ours(live):
                record = replace(record, former=live["metadata"].get("managedFields") or [])
                self._book.save(record)
            after = self._writer.replace(self._edited(live, wanted))
            changes.append(self._config_change(live, after))
            live = after
        returned = ownership.give_back(live, record.former, self._field)
        if returned is not None:
            self._writer.replace(returned)
        return changes

    def _restart(self, value: str | None, *, dry_run: bool = False) -> Json:
        """Set (or with None drop) our annotation on the pod template, which rolls the adapter over."""
        wanted: Json = {
            "apiVersion": DEPLOYMENTS.api_version,
            "kind": DEPLOYMENTS.kind,
            "metadata": {"name": self._adapter.name, "namespace": self._adapter.namespace},
        }
        if value is not None:
            wanted["spec"] = {"template": {"metadata": {"annotations": {CONFIG_HASH: value}}}}
        return self._writer.apply(wanted, dry_run=dry_run)

    def _verify(self, before: set[str], expected: set[str], then: str = TAKEN_BACK) -> None:
        """Wait until the new pods serve what they did before and what is expected, one relist and a minute at most."""
        self._serving.wait(
            before,
            {one for one in expected if self._adapter.lists(one)},
            lambda: self._lists(self._text(self._config_map())),
            limit=self._adapter.relist + _SLACK_SECONDS,
            why="change the rules of",
            then=then,
        )

    def _ask_prometheus(self, expected: frozenset[str]) -> None:
        if self._server is not None:
            seconds = self._adapter.max_age
            check = rule_check.check if self._checked is None else rule_check.check_series
            check(self._writer, self._server, self._rules, expected=expected, seconds=seconds)

    def _with_rules(self, live: Json, record: Record | None) -> str:
        """The file with our rules; an older text of one of them is replaced.

        Raises LlmHpaError when another rule yields the same name, or ours of that name goes by other labels.
        """
        self._check_place(record, adding=True)
        text = self._text(live)
        known = record.rules if record else {}
        outdated = [known[name] for name, rule in self._rules.items() if known.get(name, rule) != rule]
        rest = adapter_rules.remove(text, outdated)
        present = self._lists(rest)
        ours = [*self._rules.values(), *known.values()]
        for name, rule in self._rules.items():
            if adapter_rules.pod_label(known.get(name, rule)) != adapter_rules.pod_label(rule):
                raise self._refused(name, f"takes pods from label {adapter_rules.pod_label(known[name])!r}")
            rival = adapter_rules.rival(name, ours, present[adapter_rules.list_of(rule)])
            if rival is not None:
                raise self._refused(name, f"is served by the rule for {rival.get('seriesQuery')}")
        missing = [rule for rule in self._rules.values() if not adapter_rules.holds(present, rule)]
        return adapter_rules.add(rest, missing) if missing else text

    def _record_to_remove(self) -> Record | None:
        """The record; one of rules in Helm values only counts while the file has any of them."""
        record = self._book.load()
        if record is not None and record.helm is not None:
            present = self._lists(self._text(self._config_map()))
            if any(adapter_rules.holds(present, rule) for rule in record.rules.values()):
                self._check_place(record)
        return record

    def _check_place(self, record: Record | None, *, adding: bool = False) -> None:
        """Refuse the file while our rules are in the values of a Helm release, from which it is rendered."""
        if record is None or record.helm is None:
            return
        release = helm.release_of(self._adapter.deployment) or helm.UNKNOWN
        does = "add rules to" if adding else "take our rules out of"
        raise LlmHpaError(
            f"{does} configmap {self._adapter.namespace}/{self._adapter.config_map}",
            f"those of kubectl-llm-hpa are in the values of Helm release {release.name}",
            f"use --helm {record.helm['chart']}",
            detail=helm.fragment(self._adapter.kind, list(record.rules.values())),
        )

    def _refused(self, name: str, problem: str) -> LlmHpaError:
        return LlmHpaError(
            self._attempt, f"{name} {problem} already, and of two rules for one name the adapter uses the last only",
            "let the scrape set the labels that the other rule goes by, or change that rule",
        )  # fmt: skip

    @property
    def _attempt(self) -> str:
        return f"add rules to {self._adapter.namespace}/{self._adapter.name}"

    def _edited(self, live: Json, text: str) -> Json:
        return {**live, "data": {**(live.get("data") or {}), self._adapter.key: text}}

    @property
    def _field(self) -> tuple[str, str]:
        """The adapter's file as managedFields write it."""
        return "f:data", f"f:{self._adapter.key}"

    def _is_ours(self, live: Json) -> bool:
        """Whether a run of the plugin wrote the file last, so that giving it back is up to us."""
        return ownership.give_back(live, [], self._field) is not None

    @staticmethod
    def _lists(text: str) -> dict[str, list[Json]]:
        return adapter_rules.lists(adapter_rules.parse(text))

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
