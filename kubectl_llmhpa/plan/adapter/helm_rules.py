"""The step that adds rules to an adapter through its Helm release, and the way back.

What Helm renders is changed where it is rendered from: `helm upgrade` to the same chart with the user's own values and
our rules in them. Nothing else may change by that: the rendered objects are compared before, and the list of served
names afterwards. Alibaba's chart needs this: its sidecar makes the adapter read the changed file by ending the process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import yaml

from kubectl_llmhpa.api import DEPLOYMENTS, Json, Resource, Writer
from kubectl_llmhpa.backends import ack_adapter, adapter_rules, helm
from kubectl_llmhpa.backends.model import ACK
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.adapter import rule_check
from kubectl_llmhpa.plan.adapter.rule_record import Book, Record
from kubectl_llmhpa.plan.adapter.serving import OUT, TAKEN_BACK, Serving
from kubectl_llmhpa.plan.steps import Change, Report

RELEASES = Resource("helm.sh/v3", "releases", "Release")
_SLACK_SECONDS = 60.0


class Upgrade(Change):
    """A `helm upgrade`."""

    @property
    def verb(self) -> str:
        """Helm's word for it."""
        return "unchanged" if self.before == self.after else "upgraded"


class HelmRules:
    """Adds rules to the values of the adapter's release."""

    def __init__(
        self,
        writer: Writer,
        adapter: Adapter,
        rules: Mapping[str, Json],
        *,
        runner: helm.Runner,
        chart: str,
        expected: frozenset[str] = frozenset(),
        server: Server | None = None,
        report: Report = lambda _: None,
    ) -> None:
        """`chart` is what `helm upgrade` gets: a folder, an archive or `repository/name`; the rest as AdapterRules.

        Raises LlmHpaError when the adapter is not of a Helm release.
        """
        release = helm.release_of(adapter.deployment)
        if release is None:
            raise LlmHpaError(
                f"upgrade the Helm release of {adapter.namespace}/{adapter.name}",
                "nothing on its Deployment says that Helm made it",
                "leave out --helm",
            )
        self._writer = writer
        self._adapter = adapter
        self._rules = dict(rules)
        self._helm = runner
        self._chart = chart
        self._release = release
        self._expected = expected
        self._server = server
        self._report = report
        self._serving = Serving(writer, adapter, server, report)
        self._book = Book(writer, adapter.namespace)
        self._checked = ""
        self._revision = ""
        self._made = ""
        self._sent: Json = {}
        self._runs: frozenset[str] = frozenset()
        self._added: set[str] = set()
        self._served: set[str] = set()
        self._before: Record | None = None

    def changes(self) -> list[Change]:
        """See `Step.changes`."""
        if not self._rules:
            return []
        present, wanted = self._present(), self._wanted()
        return [self._change(present, wanted)] if wanted != present else []

    def validate(self) -> None:
        """See `Step.validate`: the chart is the one that runs, and the upgrade changes nothing but the rules."""
        if not self._rules:
            return
        self._check_record()
        if self._adapter.kind == ACK and (unset := ack_adapter.unset(self._values(every=True))):
            raise LlmHpaError(
                self._attempt, f"the adapter asks no Prometheus ({' and '.join(unset)})",
                "set both in its values and run enable again",
            )  # fmt: skip
        self._ask_prometheus(frozenset())
        self._checked = self._check_upgrade(self._with(self._wanted()))

    def do(self) -> list[Change]:
        """Upgrade, and see every name again; a no-op when the release has the rules."""
        if not self._rules:
            return []
        present, wanted = self._present(), self._wanted()
        if wanted == present:
            return []
        self._ask_prometheus(self._expected)
        self._sent = self._with(wanted)
        before = self._check_upgrade(self._sent)
        if before != (self._checked or before):
            raise self._upgraded_by_others()
        self._served = self._serving.names()
        self._warn()
        self._before = record = self._book.load()
        mine = {name: rule for name, rule in self._rules.items() if rule not in present[helm.key_of(rule)]}
        if record is None:
            former = helm.as_given(self._adapter.kind, self._values())
            record = Record("", [], "", mine, {"chart": self._chart, **former})
        else:
            record = Record(
                record.before, record.former, record.after_hash, {**record.rules, **mine}, record.helm
            )
        self._book.save(record)
        self._added, self._revision, self._runs = set(mine), before, self._serving.processes()
        runs = self._changed(self._make)
        if self._made != following(before):
            self._revision = str(int(self._made) - 1)  # theirs, to which undo goes back
            raise self._upgraded_by_others()
        due = {adapter_rules.listed_as(name, self._rules[name]) for name in self._expected}
        self._verify(self._served, set(filter(self._adapter.lists, due)), runs)
        return [self._change(present, wanted)]

    def undo(self) -> None:
        """`helm rollback` to the revision before this run; where somebody else has made one since, as `remove`.

        Processes that ran before the upgrade have never read our rules, so they are not waited for.
        """
        if not self._revision:
            return
        now = self._status()["revision"]
        runs: frozenset[str] = frozenset()
        if now != self._revision:
            sent = not self._made and self._values() == self._sent
            if not made_by_us(now, before=self._revision, made=self._made, sent=sent):
                self._take_out(self._added)
                return
            runs = self._changed(self._roll_back) - self._runs
        self._book.load()
        if self._before is not None:
            self._book.save(self._before)
        else:
            self._book.delete()
        self._verify(self._served, set(), runs, then=OUT)

    def remove(self, keep: Collection[str] = ()) -> list[Change]:
        """Take our rules out of the values, but those of the names in `keep`; what others put there since stays."""
        record = self._book.load()
        return self._take_out(record.rules.keys() - set(keep)) if record else []

    def _take_out(self, names: Collection[str]) -> list[Change]:
        record = self._book.load()
        if record is None or record.helm is None:
            return []
        kept = {name: rule for name, rule in record.rules.items() if name not in names}
        served = self._served or self._serving.names()
        present, wanted = self._present(), self._without(record, kept)
        changes: list[Change] = []
        if wanted != present:
            values = self._with(wanted)
            for key, rules in self._default().items():
                if record.helm.get(key) is None and wanted[key] == rules:
                    values = helm.with_list(self._adapter.kind, values, key, None)
            self._check_upgrade(values)
            self._warn()
            runs = self._changed(lambda: self._upgrade(values))
            gone = record.rules.keys() - kept.keys()
            ours = {kind + name for name in gone for kind in ("pods/", "namespaces/", "external/")}
            self._verify(served - ours, set(), runs, then=OUT)
            changes.append(self._change(present, wanted))
        if kept:
            self._book.save(replace(record, rules=kept))
        else:
            self._book.delete()
        return changes

    def removal(self, keep: Collection[str] = ()) -> list[Change]:
        """What `remove` would change."""
        record = self._book.load()
        if record is None or record.helm is None:
            return []
        present = self._present()
        wanted = self._without(record, {name: rule for name, rule in record.rules.items() if name in keep})
        return [self._change(present, wanted)] if wanted != present else []

    def rules_in_place(self) -> Mapping[str, Json]:
        """By the names that they serve, the rules that are ours in this release."""
        record = self._book.load()
        return record.rules if record else {}

    def values(self) -> Json:
        """All the rules with ours, as values of the chart. Raises LlmHpaError where another serves the name."""
        return helm.with_lists(self._adapter.kind, {}, self._wanted())

    def _check_record(self) -> None:
        record = self._book.load()
        if record is not None and record.helm is None:
            raise LlmHpaError(
                self._attempt, "rules of kubectl-llm-hpa are in the adapter's file already, beside Helm",
                "leave out --helm, or disable what uses them first",
            )  # fmt: skip

    def _make(self) -> None:
        """The upgrade of `do`, and the revision that it makes."""
        self._made = str(json.loads(self._upgrade(self._sent, "--output=json"))["version"])

    def _roll_back(self) -> None:
        self._helm.run("rollback", self._release.name, self._revision, *self._where)

    def _changed(self, act: Callable[[], object]) -> frozenset[str]:
        """The processes before an act that has them replaced; none where file and pod template stay as they are."""
        runs, before = self._serving.processes(), self._rendered()
        act()
        return runs if self._rendered() != before else frozenset()

    def _rendered(self) -> tuple[str, Json]:
        """The adapter's file and its pod template."""
        deployment = self._writer.get(DEPLOYMENTS.path(self._adapter.namespace, self._adapter.name))
        return self._file(), deployment["spec"]["template"]

    def _check_upgrade(self, values: Json) -> str:
        """The revision that runs, of which the upgrade would change nothing but the adapter's file.

        Raises LlmHpaError when it would do more than change that and restart the adapter.
        """
        status = self._status()
        if status["status"] != "deployed":
            raise LlmHpaError(
                self._attempt, f"the release is {status['status']}", f"see: helm history {self._release.name}"
            )
        about = yaml.safe_load(self._helm.run("show", "chart", *self._source()))
        found, runs = f"{about['name']} {about['version']}", f"{status['chart']} {status['version']}"
        if found != runs:
            raise LlmHpaError(
                self._attempt, f"--helm {self._chart} is {found}, and the release was made from {runs}",
                "give the chart of that version: an upgrade to another one is not for this command to make",
            )  # fmt: skip
        now = _objects(self._helm.run("get", "manifest", self._release.name, *self._where))
        dry = json.loads(self._upgrade(values, "--dry-run=server", "--output=json"))
        then = _objects(dry["manifest"])
        adapter = {("ConfigMap", self._adapter.config_map), ("Deployment", self._adapter.name)}
        others = sorted(
            key for key in now.keys() | then.keys() if key not in adapter and now.get(key) != then.get(key)
        )
        if others:
            kind, name = others[0]
            raise LlmHpaError(
                self._attempt, f"it would change {kind} {name} too ({len(others)} objects besides the rules)",
                f"apply the values yourself: {helm.upgrade_line(self._release)}",
                detail=helm.fragment(self._adapter.kind, list(self._rules.values()), self._present()["custom"]),
            )  # fmt: skip
        return status["revision"]

    def _upgrade(self, values: Json, *more: str) -> str:
        """`--reset-values` with the user's values as a whole: the chart's own for the rest, as they are now."""
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        return self._helm.run(
            "upgrade", self._release.name, *self._source(), *self._where, "--reset-values", "--values=-", *more,
            stdin=text,
        )  # fmt: skip

    def _source(self) -> tuple[str, str]:
        """The chart in the version that runs; of a folder or an archive Helm does not heed the version."""
        return self._chart, f"--version={self._status()['version']}"

    def _status(self) -> dict[str, str]:
        """`chart`, `version`, `revision` and `status` of the release as it is now."""
        found: Json = json.loads(
            self._helm.run("get", "metadata", self._release.name, *self._where, "--output=json")
        )
        return {key: str(found[key]) for key in ("chart", "version", "revision", "status")}

    def _values(self, *, every: bool = False) -> Json:
        """The user's values, or with `every` all values with the chart's own."""
        more = ("--all",) if every else ()
        found = json.loads(
            self._helm.run("get", "values", self._release.name, *self._where, "--output=json", *more)
        )
        return found or {}

    def _default(self) -> helm.Lists:
        """The rules that the chart has by itself."""
        values = yaml.safe_load(self._helm.run("show", "values", *self._source())) or {}
        return helm.lists(self._adapter.kind, values)

    def _present(self) -> helm.Lists:
        return helm.lists(self._adapter.kind, self._values(every=True))

    def _wanted(self) -> helm.Lists:
        """All the rules that shall be there. Raises LlmHpaError when another one yields the same name."""
        known = self.rules_in_place()
        outdated = [known[name] for name, rule in self._rules.items() if known.get(name, rule) != rule]
        rest = helm.without(self._present(), outdated)
        for name, rule in self._rules.items():
            rival = adapter_rules.rival(name, list(self._rules.values()), rest[helm.key_of(rule)])
            if rival is not None:
                raise LlmHpaError(
                    self._attempt, f"{name} is served by the rule for {rival.get('seriesQuery')} already",
                    "change that rule, or use the metric as it serves it",
                )  # fmt: skip
        return helm.joined(rest, self._rules.values())

    def _without(self, record: Record, kept: Mapping[str, Json]) -> helm.Lists:
        """What is there but our rules; those that are kept stay."""
        return helm.without(
            self._present(), [rule for name, rule in record.rules.items() if name not in kept]
        )

    def _with(self, lists: helm.Lists) -> Json:
        return helm.with_lists(self._adapter.kind, self._values(), lists)

    def _warn(self) -> None:
        gap = self._adapter.gap
        if self._adapter.reloads and int(self._adapter.deployment["spec"].get("replicas", 1)) == 1:
            gap = ack_adapter.RELOAD_GAP
        if gap:
            self._report(
                f"{self._adapter.name} reads its rules anew, and {gap}: for a moment no HPA can read custom metrics"
            )

    def _verify(
        self, before: set[str], expected: set[str], runs: frozenset[str], then: str = TAKEN_BACK
    ) -> None:
        """Wait for the list of processes that have read the new file: none of those that ran at its writing."""
        self._serving.wait(
            before, expected, self._rules_in_file, besides=runs,
            limit=self._adapter.relist + _SLACK_SECONDS, why="upgrade the Helm release of", then=then,
        )  # fmt: skip

    def _rules_in_file(self) -> Mapping[str, list[Json]]:
        return adapter_rules.lists(adapter_rules.parse(self._file()))

    def _file(self) -> str:
        data = self._writer.get(self._adapter.config_path).get("data") or {}
        return str(data.get(self._adapter.key, ""))

    def _ask_prometheus(self, expected: frozenset[str]) -> None:
        if self._server is not None:
            seconds = self._adapter.max_age
            rule_check.check(self._writer, self._server, self._rules, expected=expected, seconds=seconds)

    def _change(self, before: helm.Lists, after: helm.Lists) -> Upgrade:
        """The rules only: other values may hold credentials."""
        where = self._release.namespace, self._release.name
        return Upgrade(RELEASES, *where, self._shown(before), self._shown(after))

    def _shown(self, lists: helm.Lists) -> Json:
        return {
            "apiVersion": RELEASES.api_version,
            "kind": RELEASES.kind,
            "metadata": {"name": self._release.name, "namespace": self._release.namespace},
            "values": helm.with_lists(self._adapter.kind, {}, lists),
        }

    def _upgraded_by_others(self) -> LlmHpaError:
        return LlmHpaError(self._attempt, "somebody else has upgraded it meanwhile", "run this again")

    @property
    def _where(self) -> tuple[str, ...]:
        return ("--namespace", self._release.namespace)

    @property
    def _attempt(self) -> str:
        return f"upgrade Helm release {self._release.namespace}/{self._release.name}"


def following(revision: str) -> str:
    """The revision after one."""
    return str(int(revision) + 1)


def made_by_us(now: str, *, before: str, made: str, sent: bool) -> bool:
    """Whether revision `now` is the one that our upgrade from `before` has made.

    `made` is what Helm said, empty when the upgrade failed: then it is the next one if its values are those that were
    `sent`.
    """
    return now == made if made else sent and now == following(before)


def _objects(manifest: str) -> dict[tuple[str, str], Json]:
    """The rendered objects by kind and name."""
    documents = [one for one in yaml.load_all(manifest, Loader=yaml.CSafeLoader) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in documents}
