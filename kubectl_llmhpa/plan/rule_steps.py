"""Which steps put the rules where the adapter reads them: into its file, or into the values of its Helm release."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kubectl_llmhpa.api import HPAS, Json, Reader, Writer
from kubectl_llmhpa.backends import helm, prometheus_adapter
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan import scalers
from kubectl_llmhpa.plan.custom_metrics_api import CustomMetricsApi
from kubectl_llmhpa.plan.helm_rules import HelmRules
from kubectl_llmhpa.plan.rules import AdapterRules
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
) -> list[Step]:
    """The steps that have the adapter serve rules by name; `register` also gives it the custom metrics API.

    `expected` are the names that must be listed afterwards, `server` the Prometheus that the adapter asks.
    """
    names = frozenset(expected)
    steps: list[Step] = [
        _rules(
            writer, adapter, rules, expected=names, server=server, report=report, helm_release=helm_release
        )
    ]
    if register and not adapter.custom:
        steps.append(CustomMetricsApi(writer, adapter, expected=names, report=report))
    return steps


@dataclass(frozen=True)
class Unused:
    """Our rules that no HPA uses any more; `kept` are the names of those that one does."""

    adapter: Adapter
    step: AdapterRules | HelmRules
    kept: frozenset[str]

    def remove(self) -> list[Change]:
        """Take them out. Raises LlmHpaError."""
        return self.step.remove(self.kept)

    def removal(self) -> list[Change]:
        """What `remove` would change."""
        return self.step.removal(self.kept)


def unused(
    writer: Writer, leaving: Collection[tuple[str, str]], say: Report, helm_release: Helm | None = None
) -> Unused | None:
    """Our rules but for those that an HPA anywhere uses, with the reason said; None where no adapter can be found.

    `leaving` are namespace and name of HPAs that do not count, since they go.
    """
    try:
        adapter = prometheus_adapter.find(writer, even_down=True)
    except ApiError:
        raise
    except LlmHpaError as error:
        say(f"the adapter's rules could not be looked at: {error}")
        return None
    rules = _rules(
        writer, adapter, {}, expected=frozenset(), server=_server(writer, adapter), report=say,
        helm_release=helm_release,
    )  # fmt: skip
    names = rules.rules_in_place()
    users = {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}": used
        for one in (writer.get(HPAS.path()).get("items") or [] if names else [])
        if (one["metadata"]["namespace"], one["metadata"]["name"]) not in leaving
        and (used := names & set(scalers.pod_metrics(one)))
    }
    kept = frozenset(name for used in users.values() for name in used)
    if users:
        use = "uses" if len(users) == 1 else "use"
        say(f"{len(kept)} adapter rules stay: {', '.join(list(users)[:5])} {use} them")
    return Unused(adapter, rules, kept)


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
) -> AdapterRules | HelmRules:
    if helm_release is None:
        return AdapterRules(writer, adapter, rules, expected=expected, server=server, report=report)
    return HelmRules(
        writer, adapter, rules, runner=helm_release.runner, chart=helm_release.chart,
        expected=expected, server=server, report=report,
    )  # fmt: skip
