"""What the adapter lists, before a change of its rules and after it: an adapter that lost its list looks healthy.

The list is all or nothing (see rule_check), so a list that is not empty proves that no rule's query failed. What is
missing then, though its rule is in the file, had no live series; where Prometheus can be asked it is asked as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from kubectl_llmhpa.api import DEPLOYMENTS, PODS, Json, Reader
from kubectl_llmhpa.backends import adapter_rules, providers
from kubectl_llmhpa.backends.prometheus_adapter import RESOURCE_GROUP, Adapter, listed, rolled_out
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.steps import Report

_POLL_SECONDS = 2.0
#: Missing names are looked into no more often than this.
_LOOK_SECONDS = 5.0
#: For the kubelet to bring a changed ConfigMap into a running pod (its sync period and its cache), and to start a
#: process again that ends often: up to five minutes.
_READ_SECONDS = 420.0
#: What becomes of rules when the adapter fails to serve after a change of them.
TAKEN_BACK, OUT = "the rules are taken back", "the rules are out of its file"
_UNREAD = "it has not read its file again"


@dataclass(frozen=True)
class Serving:
    """One adapter's list, and the Prometheus behind it where it can be asked."""

    reader: Reader
    adapter: Adapter
    server: Server | None
    report: Report

    def names(self) -> set[str]:
        """What it lists now; nothing while it is down, or where it is not registered for custom metrics."""
        if not self.adapter.custom:
            return set()
        try:
            return listed(self.reader, self.adapter)
        except ApiError as error:
            if error.unavailable or error.not_found:
                return set()
            raise

    def processes(self) -> frozenset[str]:
        """The adapter's processes, each new with its pod and with every restart; empty where they may not be listed."""
        spec = self.adapter.deployment["spec"]
        name = providers.program(self.adapter.deployment)[1]["name"]
        selector = ",".join(f"{key}={value}" for key, value in spec["selector"]["matchLabels"].items())
        path = f"{PODS.path(self.adapter.namespace)}?{urlencode({'labelSelector': selector})}"
        try:
            pods = self.reader.get(path).get("items") or []
        except ApiError as error:
            if error.forbidden or error.unavailable:
                return frozenset()
            raise
        return frozenset(
            f"{pod['metadata']['uid']} {status.get('restartCount', 0)}"
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            for status in (pod.get("status") or {}).get("containerStatuses") or []
            if status["name"] == name
        )

    def wait(
        self,
        before: Collection[str],
        expected: Collection[str],
        rules: Callable[[], Mapping[str, Sequence[Json]]],
        *,
        limit: float,
        why: str,
        then: str,
        besides: frozenset[str] = frozenset(),
    ) -> None:
        """Wait until the new pods serve what was served `before` and what is `expected` (`pods/NAME`, `external/NAME`).

        Of what was served before, a name is not waited for when no rule of the file yields it any more (somebody took
        it out), or when nothing that yields it has live series. `rules` reads the file's lists; `limit` is in seconds,
        from when no process is left that has read an older file (`besides`); `why` says what was done, `then` what
        becomes of it in case of failure. Raises LlmHpaError naming what is missing in the end.
        """
        looked = time.monotonic()
        deadline = looked + limit + (_READ_SECONDS if besides else 0)
        wanted = {*before, *expected}
        while True:
            problem, waiting, missing, seen = self._look(wanted, besides)
            now = time.monotonic()
            if besides and problem != _UNREAD:
                besides, deadline = frozenset(), now + limit
            if not problem and not missing:
                return
            if missing and (now >= deadline or now - looked >= _LOOK_SECONDS):
                looked = now
                wanted = {*expected, *self._due(missing - set(expected), rules(), seen)}
                missing &= wanted
                if not missing:
                    return
            if now >= deadline:
                raise self._failure(problem, missing, set(expected), why, then)
            self.report(f"{self.adapter.name} reads its rules anew; waiting for {waiting}")
            time.sleep(_POLL_SECONDS)

    def _look(self, wanted: set[str], besides: frozenset[str]) -> tuple[str, str, set[str], bool]:
        """What is wrong, what to say is waited for, which names are missing, and whether any is listed."""
        try:
            if besides and besides & self.processes():
                return _UNREAD, "its sidecar to see the file", set(), False
            deployment = self.reader.get(DEPLOYMENTS.path(self.adapter.namespace, self.adapter.name))
            if not rolled_out(deployment):
                return "its new pod does not become ready", "its new pod", set(), False
            if not self.adapter.custom:
                self.reader.get(f"/apis/{RESOURCE_GROUP}/v1beta1")
                return "", "", set(), True
            names = listed(self.reader, self.adapter)
        except ApiError as error:
            if not error.unavailable:
                raise
            return str(error), "its API", set(), False
        missing = wanted - names
        return "", f"its list ({len(missing)} names missing)", missing, bool(names)

    def _due(self, missing: set[str], rules: Mapping[str, Sequence[Json]], seen: bool) -> set[str]:
        """The missing names that have to come back. `seen`: something is listed."""
        live: dict[str, set[str] | None] = {}
        due = set()
        for name in missing:
            of, _, metric = name.partition("/")
            listing = rules[adapter_rules.EXTERNAL if of == "external" else adapter_rules.CUSTOM]
            for rule in [one for one in listing if adapter_rules.serves(one, metric)]:
                query = str(rule["seriesQuery"])
                if query not in live:
                    live[query] = self._live(query)
                found = live[query]
                if not seen if found is None else _yields(rule, metric, found):
                    due.add(name)
        return due

    def _live(self, selector: str) -> set[str] | None:
        """The metrics with live series, None where Prometheus cannot be asked."""
        if self.server is None:
            return None
        try:
            return prometheus.names(self.reader, self.server, selector, seconds=self.adapter.max_age)
        except ApiError:
            return None

    def _failure(
        self, problem: str, missing: set[str], expected: set[str], why: str, then: str
    ) -> LlmHpaError:
        gone = sorted(missing - expected)
        if not problem and gone:
            problem = f"it no longer serves {', '.join(gone[:5])}"
        elif not problem:
            problem = f"it does not serve {', '.join(sorted(missing)[:5])}"
        return LlmHpaError(
            f"{why} deployment {self.adapter.namespace}/{self.adapter.name}", problem,
            f"{then}; see: kubectl -n {self.adapter.namespace} logs deploy/{self.adapter.name}",
        )  # fmt: skip


def _yields(rule: Json, metric: str, series: Collection[str]) -> bool:
    """Whether a rule lists the metric from one of these series, of which only the names are known."""
    return any(adapter_rules.named(rule, one) == metric for one in series)
