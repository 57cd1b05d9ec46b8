"""kubectl's connection flags in one place, and the cluster that they lead to."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kubectl_llmhpa.cli import candidates
from kubectl_llmhpa.cli.typed_connection import PREFIX, connection_of

if TYPE_CHECKING:
    from kubectl_llmhpa.kube import Cluster, Connection

F = TypeVar("F", bound=Callable[..., Any])

#: All that `kubectl options` lists about the connection: (flag, kind, help); kinds: "value", "values" (may be
#: repeated), "switch".
FLAGS = [
    ("kubeconfig", "value", "Path to the kubeconfig file to use"),
    ("context", "value", "Name of the kubeconfig context to use"),
    ("cluster", "value", "Name of the kubeconfig cluster to use"),
    ("user", "value", "Name of the kubeconfig user to use"),
    ("server", "value", "Address and port of the API server"),
    ("token", "value", "Bearer token for the API server"),
    ("as", "value", "User to impersonate"),
    ("as-group", "values", "Group to impersonate; may be repeated"),
    ("as-uid", "value", "UID to impersonate"),
    ("as-user-extra", "values", "Extra field to impersonate, KEY=VALUE; may be repeated"),
    ("username", "value", "Name for basic authentication to the API server"),
    ("password", "value", "Password for basic authentication to the API server"),
    ("certificate-authority", "value", "Path to a certificate file of the authority"),
    ("client-certificate", "value", "Path to a client certificate file"),
    ("client-key", "value", "Path to a client key file"),
    ("insecure-skip-tls-verify", "switch", "Do not check the server's certificate"),
    ("tls-server-name", "value", "Name to check the server's certificate against"),
    ("proxy-url", "value", "Proxy between here and the API server"),
    ("disable-compression", "switch", "Ask the server not to compress its answers"),
    ("request-timeout", "value", "How long one request may take, for example 30s"),
    ("cache-dir", "value", "kubectl's cache folder"),
]
_SHORT = {"server": "-s"}
#: The verbosity from which requests are shown, as kubectl's.
_REQUESTS = 6


def connection_options(command: F) -> F:
    """Add kubectl's connection flags to a command; it receives them as `connection`."""

    @functools.wraps(command)
    def collect(*args: Any, **kwargs: Any) -> Any:
        connection = connection_of(kwargs)
        if connection.namespace and kwargs.get("all_namespaces"):
            raise click.UsageError("-A and -n exclude each other")
        for name in [name for name in kwargs if name.startswith(PREFIX)]:
            del kwargs[name]
        if (kwargs.pop("verbosity") or 0) >= _REQUESTS:  # of 8 and more cli.main reads the rest
            from kubectl_llmhpa.kube import request_log

            request_log.show()
        return command(*args, connection=connection, **kwargs)

    decorated: Any = collect
    for name, kind, text in reversed(FLAGS):
        names = [f"--{name}", PREFIX + name.replace("-", "_")]
        if name in _SHORT:
            names.insert(0, _SHORT[name])
        if kind == "switch":
            decorated = click.option(*names, is_flag=True, help=text)(decorated)
        else:
            complete = candidates.contexts if name == "context" else None
            decorated = click.option(*names, multiple=kind == "values", help=text, shell_complete=complete)(
                decorated
            )
    decorated = click.option("-v", "--v", "verbosity", type=int, help="6: show requests, 8: and tracebacks")(
        decorated
    )
    decorated = click.option(
        "-n", "--namespace", f"{PREFIX}namespace", help="Namespace of the workload",
        shell_complete=candidates.namespaces,
    )(decorated)  # fmt: skip
    result: F = decorated
    return result


@contextlib.contextmanager
def connect(connection: Connection, *, read_only: bool) -> Iterator[Cluster]:
    """The cluster for the length of a `with` block."""
    from kubectl_llmhpa.kube import Cluster

    with Cluster(connection, read_only=read_only) as cluster:
        yield cluster
