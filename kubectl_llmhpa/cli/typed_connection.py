"""The connection that the parameters of a command speak of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Connection

#: Before the name of kubectl's flag, in the name of a parameter.
PREFIX = "connection_"


def connection_of(parameters: Mapping[str, Any]) -> Connection:
    """What the user said of the connection: flags that were given, with "" for a switch, and the namespace."""
    from kubectl_llmhpa.kube import Connection

    given = {
        name.removeprefix(PREFIX).replace("_", "-"): "" if value is True else value
        for name, value in parameters.items()
        if name.startswith(PREFIX) and value
    }
    namespace = given.pop("namespace", None)
    return Connection(given, namespace)
