"""Which steps put the rules where the adapter reads them: into its file, or into the values of its Helm release."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from kubectl_llmhpa.api import Json, Reader, Writer
from kubectl_llmhpa.backends import adapter_rules, helm, prometheus_adapter
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.adapter import metrics_api, rule_users
from kubectl_llmhpa.plan.adapter.helm_rules import HelmRules
from kubectl_llmhpa.plan.adapter.rule_users import Leaving
from kubectl_llmhpa.plan.adapter.rules import AdapterRules
from kubectl_llmhpa.plan.permitted import Permitted
from kubectl_llmhpa.plan.steps import Change, Report, Step


@dataclass(frozen=True)
class Helm:
    """The user's helm and the chart to upgrade with."""

    runner: helm.Runner
    chart: str


def adding(
    writer: Writer,
    adapter: Adapter,
    rules: Mapping[str, Json],
    *,
    expected: Collection[str],
    server: Server | None,
    report: Report,
    helm_release: Helm | None = None,
    register: bool = False,
    looked: Reader | None = None,
) -> list[Step]:
    """The steps that have the adapter serve rules by name; `register` also gives it the metrics APIs that it lacks.

    `expected` are the names that must be listed afterwards, `server` the Prometheus that the adapter asks, `looked`
    see AdapterRules.
    """
    names = frozenset(expected)
    steps: list[Step] = [
        _rules(
            writer, adapter, rules, expected=names, server=server, report=report, helm_release=helm_release,
            looked=looked,
        )
    ]  # fmt: skip
    listed = {adapter_rules.listed_as(name, rules[name]) for name in names}
    for group in metrics_api.missing(adapter, rules.values()) if register else ():
        steps.append(metrics_api.MetricsApi(writer, adapter, group, expected=listed, report=report))
    return steps


def values(writer: Writer, adapter: Adapter, rules: Mapping[str, Json], helm_release: Helm) -> Json:
    """All the custom rules of the adapter's release with these, as values of its chart. Raises LlmHpaError."""
    return HelmRules(writer, adapter, rules, runner=helm_release.runner, chart=helm_release.chart).values()


@dataclass(frozen=True)
class Unused:
    """Rules of ours that go, but for those that anybody else uses."""

    adapter: Adapter
    _step_for: Callable[[Adapter], AdapterRules | HelmRules]
    _reader: Reader
    _leaving: Leaving
    _say: Report

    def unregistered(self, group: str) -> Unused:
        """The same once an API leads nowhere, so that nothing can be listed there any more."""
        gone = {"external_at": ""} if group == prometheus_adapter.EXTERNAL_GROUP else {"custom": False}
        return replace(self, adapter=replace(self.adapter, **gone))

    def remove(self) -> list[Change]:
        """Take out those that nobody uses now. Raises LlmHpaError."""
        kept, gone = self._look()
        return self._step.remove(kept) if gone else []

    def removal(self) -> list[Change]:
        """What `remove` would change. Raises LlmHpaError where it would be refused."""
        kept, gone = self._look()
        return self._step.removal(kept) if gone else []

    def idle(self) -> list[str]:
        """The metrics APIs for which no rule of ours is left when `remove` is done."""
        gone = self._look()[1]
        left = [rule for name, rule in self._step.rules_in_place().items() if name not in gone]
        return [one for one in metrics_api.GROUPS if not metrics_api.read_from(one, left)]

    @property
    def _step(self) -> AdapterRules | HelmRules:
        return self._step_for(self.adapter)

    def _look(self) -> tuple[frozenset[str], frozenset[str]]:
        """The names of the rules that stay and of those that go; who uses them is said."""
        present = frozenset(self._step.rules_in_place())
        leaving = present if self._leaving.names is None else present & frozenset(self._leaving.names)
        users = rule_users.of(self._reader, leaving, self._leaving)
        used = frozenset(name for names in users.values() for name in names)
        if users:
            use = "uses" if len(users) == 1 else "use"
            self._say(f"{len(used)} adapter rules stay: {', '.join(list(users)[:5])} {use} them")
        return present - leaving | used, leaving - used


def unused(writer: Writer, leaving: Leaving, say: Report, helm_release: Helm | None = None) -> Unused | None:
    """The rules of ours that may go; None, with the reason said, where no adapter can be found."""
    reader = Permitted(writer)
    try:
        adapter = prometheus_adapter.find(reader, even_down=True)
    except ApiError:
        raise
    except LlmHpaError as error:
        say(f"the adapter's rules could not be looked at: {error}")
        return None
    server = _server(reader, adapter)

    def step_for(adapter: Adapter) -> AdapterRules | HelmRules:
        return _rules(
            writer, adapter, {}, expected=frozenset(), server=server, report=say, helm_release=helm_release
        )

    return Unused(adapter, step_for, reader, leaving, say)


def _server(reader: Reader, adapter: Adapter) -> Server | None:
    """The Prometheus that the adapter asks, where it can be asked too."""
    server = prometheus.server_of(adapter.prometheus_url, adapter.namespace)
    return server if server is not None and prometheus.reachable(reader, server) is None else None


def _rules(
    writer: Writer,
    adapter: Adapter,
    rules: Mapping[str, Json],
    *,
    expected: frozenset[str],
    server: Server | None,
    report: Report,
    helm_release: Helm | None,
    looked: Reader | None = None,
) -> AdapterRules | HelmRules:
    if helm_release is None:
        return AdapterRules(
            writer, adapter, rules, expected=expected, server=server, report=report, looked=looked
        )
    return HelmRules(
        writer, adapter, rules, runner=helm_release.runner, chart=helm_release.chart,
        expected=expected, server=server, report=report,
    )  # fmt: skip
