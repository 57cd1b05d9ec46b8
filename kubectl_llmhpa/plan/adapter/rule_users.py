"""Who uses rules of ours: HPAs that read the names, and workloads whose journal says that an HPA is about to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from kubectl_llmhpa.api import CONFIG_MAPS, HPAS, MANAGED_BY, MANAGER, Json, Reader, place
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan import journal
from kubectl_llmhpa.workloads import Workload

_JOURNALS = f"{CONFIG_MAPS.path()}?{urlencode({'labelSelector': f'{MANAGED_BY}={MANAGER}'})}"


@dataclass(frozen=True)
class Leaving:
    """What goes: rules of these names (None: of every name), and whoever does not count as a user of them any more."""

    names: Collection[str] | None = None
    scalers: Collection[tuple[str, str]] = ()
    """Namespace and name of HPAs."""
    journal: tuple[str, str] = ("", "")
    """Namespace and name of a journal."""

    @classmethod
    def of(
        cls, workload: Workload, names: Collection[str], scalers: Collection[tuple[str, str]] = ()
    ) -> Leaving:
        """A workload that leaves the rules which its journal names."""
        return cls(frozenset(names), scalers, (workload.namespace, journal.name_for(workload)))


def of(reader: Reader, names: Collection[str], leaving: Leaving) -> dict[str, frozenset[str]]:
    """The users of rules by `namespace/name`, each with the names that it uses.

    The journals are read first: an HPA comes after its journal, and its journal goes after it. Raises ApiError where
    HPAs and journals of the whole cluster may not be listed.
    """
    if not names:
        return {}
    journals = reader.get(_JOURNALS).get("items") or []
    return judge(reader.get(HPAS.path()).get("items") or [], journals, names, leaving)


def judge(
    hpas: Iterable[Json], journals: Iterable[Json], names: Collection[str], leaving: Leaving
) -> dict[str, frozenset[str]]:
    """See `of`. A journal is a user by what no HPA reads; other ConfigMaps of ours are none."""
    users: dict[str, frozenset[str]] = {}
    for one in hpas:
        used = metrics(one) & frozenset(names)
        if used and place(one) not in leaving.scalers:
            users["/".join(place(one))] = used
    read = {name for used in users.values() for name in used}
    for one in journals:
        if journal.is_journal(one) and place(one) != leaving.journal:
            used = _planned(one, names) - read
            if used:
                users["configmap " + "/".join(place(one))] = used
    return users


def metrics(hpa: Json) -> frozenset[str]:
    """The names that an HPA reads from the custom and external metrics APIs."""
    found = (
        (one.get("pods") or one.get("object") or one.get("external") or {}).get("metric") or {}
        for one in hpa["spec"].get("metrics") or ()
    )
    return frozenset(str(one["name"]).removeprefix("namespaces/") for one in found if one)


def _planned(config_map: Json, names: Collection[str]) -> frozenset[str]:
    """Those of the names that a journal has, none where it is on its way out; all where it is of another version."""
    try:
        book = journal.read(config_map)
        return frozenset() if book.leaving else frozenset(book.metrics) & frozenset(names)
    except LlmHpaError:
        return frozenset(names)
