"""The step that registers the custom or the external metrics API for an adapter that has none, and the way back.

kube-prometheus installs prometheus-adapter with `resourceRules` only: it serves `kubectl top` and no APIService leads
custom.metrics.k8s.io to it. Once its file has `rules` it serves that group too, and with `externalRules` the external
one (cmd/adapter/adapter.go), so this step comes after the rules: an APIService that answers 404 would disturb discovery
for everybody.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

from kubectl_llmhpa import __version__
from kubectl_llmhpa.api import (
    API_SERVICES,
    HPAS,
    MANAGED_BY,
    MANAGER,
    VERSION_ANNOTATION,
    Json,
    Reader,
    Writer,
)
from kubectl_llmhpa.backends import adapter_rules
from kubectl_llmhpa.backends.prometheus_adapter import (
    DEFAULT_VERSION,
    EXTERNAL_GROUP,
    GROUP,
    Adapter,
    listed,
    listed_external,
)
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.hpa import is_ours
from kubectl_llmhpa.plan.objects import presentable, read
from kubectl_llmhpa.plan.steps import Change, Report

#: The groups that an adapter can be given, and the HPA metric types that are read from each.
_READ: Mapping[str, tuple[str, ...]] = {GROUP: ("Pods", "Object"), EXTERNAL_GROUP: ("External",)}
GROUPS = tuple(_READ)
_PRIORITY = 100
_POLL_SECONDS = 1.0
_SLACK_SECONDS = 60.0


def name_of(group: str) -> str:
    """The name of a group's APIService."""
    return f"{DEFAULT_VERSION}.{group}"


def read_from(group: str, rules: Iterable[Json]) -> bool:
    """Whether one of the rules serves names of a group."""
    wanted = adapter_rules.EXTERNAL if group == EXTERNAL_GROUP else adapter_rules.CUSTOM
    return any(adapter_rules.list_of(one) == wanted for one in rules)


def needed(rules: Iterable[Json]) -> list[str]:
    """The groups that an adapter with these rules is to serve."""
    return [GROUP, EXTERNAL_GROUP] if read_from(EXTERNAL_GROUP, rules) else [GROUP]


def missing(adapter: Adapter, rules: Iterable[Json]) -> list[str]:
    """Those of them that nothing serves."""
    there = {GROUP: adapter.custom, EXTERNAL_GROUP: bool(adapter.external_at)}
    return [one for one in needed(rules) if not there[one]]


def render(adapter: Adapter, group: str) -> Json:
    """The APIService that leads a group where the adapter's other API leads, trusted as that one is."""
    provider = adapter.provider
    assert provider is not None, "found by an APIService"
    return {
        "apiVersion": API_SERVICES.api_version,
        "kind": API_SERVICES.kind,
        "metadata": {
            "name": name_of(group),
            "labels": {MANAGED_BY: MANAGER},
            "annotations": {VERSION_ANNOTATION: __version__},
        },
        "spec": {
            "group": group,
            "version": DEFAULT_VERSION,
            "groupPriorityMinimum": _PRIORITY,
            "versionPriority": _PRIORITY,
            "service": {
                "namespace": provider.namespace,
                "name": provider.service,
                "port": provider.port,
            },
            **provider.trust,
        },
    }


def free(reader: Reader, group: str) -> bool:
    """Whether there is no such APIService, or one of an export, which an export may write again. Raises ApiError."""
    live = read(reader, API_SERVICES, "", name_of(group))
    return live is None or (live["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER


class MetricsApi:
    """Creates the APIService and waits until it lists what it should."""

    def __init__(
        self,
        writer: Writer,
        adapter: Adapter,
        group: str,
        *,
        expected: Collection[str] = (),
        report: Report = lambda _: None,
    ) -> None:
        """`expected` are the names that must be listed once it is there (`pods/NAME`, `external/NAME`)."""
        external = group == EXTERNAL_GROUP
        self._writer = writer
        self._group, self._name = group, name_of(group)
        self._adapter = adapter.registered
        self._listed = listed_external if external else listed
        self._expected = {one for one in expected if one.startswith("external/") == external}
        self._report = report
        self._created = ""

    def changes(self) -> list[Change]:
        """See `Step.changes`."""
        if read(self._writer, API_SERVICES, "", self._name) is not None:
            return []
        return [Change(API_SERVICES, "", self._name, None, render(self._adapter, self._group))]

    def validate(self) -> None:
        """See `Step.validate`."""
        if read(self._writer, API_SERVICES, "", self._name) is None:
            self._writer.apply(render(self._adapter, self._group), dry_run=True)

    def do(self) -> list[Change]:
        """See `Step.do`; one that is there already is left as it is."""
        live = read(self._writer, API_SERVICES, "", self._name)
        if live is not None:
            self._wait()
            return []
        after = self._writer.apply(render(self._adapter, self._group))
        self._created = after["metadata"]["uid"]
        self._wait()
        return [Change(API_SERVICES, "", self._name, None, presentable(after))]

    def undo(self) -> None:
        """Delete it if this run created it."""
        if self._created:
            self._writer.delete(API_SERVICES, "", self._name, uid=self._created)

    def _wait(self) -> None:
        """Wait until it is available and lists what is expected: one relist and a minute at most."""
        began = time.monotonic()
        limit = self._adapter.relist + _SLACK_SECONDS
        problem = "it is not available"
        while time.monotonic() - began < limit:
            try:
                missing = self._expected - self._listed(self._writer, self._adapter)
                if not missing:
                    return
                problem = f"it does not serve {', '.join(sorted(missing)[:5])}"
            except ApiError as error:
                if not (error.unavailable or error.not_found):
                    raise
                problem = error.message
            self._report(f"APIService {self._name} is registered; waiting for its list ({problem})")
            time.sleep(_POLL_SECONDS)
        raise LlmHpaError(
            f"register {self._group} for {self._adapter.namespace}/{self._adapter.name}", problem,
            f"it is taken back; see: kubectl -n {self._adapter.namespace} logs deploy/{self._adapter.name}",
        )  # fmt: skip


def removal(
    reader: Reader, group: str, leaving: Collection[tuple[str, str]] = ()
) -> tuple[Json | None, list[str]]:
    """Our APIService of a group if there is one, and the HPAs that need it (`namespace/name`).

    `leaving` are namespace and name of HPAs that do not count, since they go.
    """
    live = read(reader, API_SERVICES, "", name_of(group))
    if live is None or not is_ours(live):
        return None, []
    users = [
        f"{one['metadata']['namespace']}/{one['metadata']['name']}"
        for one in reader.get(HPAS.path()).get("items") or []
        if (one["metadata"]["namespace"], one["metadata"]["name"]) not in leaving
        and any(metric.get("type") in _READ[group] for metric in one["spec"].get("metrics") or [])
    ]
    return live, users


def remove(
    writer: Writer, group: str, say: Report, leaving: Collection[tuple[str, str]] = ()
) -> list[Change]:
    """Delete our APIService of a group, before the rules go.

    It stays, with the reason said, while an HPA anywhere needs it.
    """
    live, users = removal(writer, group, leaving)
    name = name_of(group)
    if live is None:
        return []
    if users:
        use = "reads" if len(users) == 1 else "read"
        say(f"APIService {name} stays: {', '.join(users[:5])} {use} {group.partition('.')[0]} metrics")
        return []
    writer.delete(API_SERVICES, "", name, uid=live["metadata"]["uid"])
    return [Change(API_SERVICES, "", name, presentable(live), None)]
