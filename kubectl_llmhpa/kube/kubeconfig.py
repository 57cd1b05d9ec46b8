"""The kubeconfig, where it is so plain that kubectl is not needed to understand it.

What is read is a list of what is known: a server with its authority, a client certificate or a token. Whatever else is
there (a credential plugin, a proxy, impersonation, a key that this file does not know) makes the answer None, and then
the connection is kubectl's own. https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ names all keys;
https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ says how files are merged.
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from kubectl_llmhpa.kube import block_yaml

#: The flags that choose an entry; any other changes one, which is kubectl's to do.
_CHOICES = {"kubeconfig", "context", "cluster", "user"}
#: Keys that are allowed in what is chosen.
_CLUSTER = {"server", "certificate-authority", "certificate-authority-data", "tls-server-name", "extensions"}
_USER = {
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
}
_CONTEXT = {"cluster", "user", "namespace", "extensions"}
_FILE = {
    "apiVersion",
    "kind",
    "preferences",
    "extensions",
    "current-context",
    "clusters",
    "users",
    "contexts",
}
#: With one of these Go may take a proxy.
_PROXIES = ("HTTPS_PROXY", "https_proxy")


class Endpoint(NamedTuple):
    """An API server, and who is asking. `certificate` and `key` are PEM, both or none; `token_file` is read anew."""

    host: str
    port: int
    authority: bytes
    prefix: str = ""
    server_name: str = ""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    token_file: str = ""
    namespace: str = ""

    def __repr__(self) -> str:
        """Nothing secret."""
        return f"Endpoint({self.host!r}, {self.port})"


class _NotPlain(Exception):
    """Something that is not on the list."""


def plain(flags: Mapping[str, object], environment: Mapping[str, str] = os.environ) -> Endpoint | None:
    """Where these flags of kubectl's lead; None where that is for kubectl to find out, mistakes included."""
    if not flags.keys() <= _CHOICES or any(environment.get(name) for name in _PROXIES):
        return None
    try:
        return _endpoint(flags, _merged(_files(flags, environment)))
    except (_NotPlain, OSError, ValueError, RecursionError):
        return None


def _files(flags: Mapping[str, object], environment: Mapping[str, str]) -> list[str]:
    """The files there are, in kubectl's order."""
    if named := flags.get("kubeconfig"):
        return [str(named)]
    if listed := environment.get("KUBECONFIG"):
        return [path for path in listed.split(os.pathsep) if path and os.path.exists(path)]
    home = environment.get("HOME")
    return [os.path.join(home, ".kube", "config")] if home else []


def _merged(files: list[str]) -> dict[str, Any]:
    """All entries by list and name; the first `current-context` counts. A name given twice is kubectl's matter."""
    merged: dict[str, Any] = {"current-context": "", "clusters": {}, "users": {}, "contexts": {}}
    for path in files:
        text = _read(path).decode()
        content = _json(text) if text.startswith("{") else block_yaml.load(text)
        if not isinstance(content, dict) or not content.keys() <= _FILE:
            raise _NotPlain
        if (content.get("apiVersion", "v1"), content.get("kind", "Config")) != ("v1", "Config"):
            raise _NotPlain
        merged["current-context"] = merged["current-context"] or content.get("current-context")
        for kind in ("clusters", "users", "contexts"):
            for entry in _entries(content.get(kind)):
                if entry.keys() != {"name", kind[:-1]} or entry["name"] in merged[kind]:
                    raise _NotPlain
                merged[kind][entry["name"]] = os.path.dirname(path), entry[kind[:-1]]
    return merged


def _read(path: str) -> bytes:
    """A file's content. Not by `pathlib`, which takes 3 ms to load. Raises OSError."""
    with open(path, "rb") as file:
        return file.read()


def _json(text: str) -> Any:
    import json

    return json.loads(text)


def _entries(found: Any) -> list[dict[str, Any]]:
    """A list of named entries; empty where there is none."""
    entries = [] if found is None else found
    if not isinstance(entries, list):
        raise _NotPlain
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in entries):
        raise _NotPlain
    return entries


def _endpoint(flags: Mapping[str, object], merged: Mapping[str, Any]) -> Endpoint:
    _, context = _entry(merged, "contexts", flags.get("context") or merged["current-context"], _CONTEXT)
    home, cluster = _entry(merged, "clusters", flags.get("cluster") or context.get("cluster"), _CLUSTER)
    authority = _pem(home, cluster, "certificate-authority")
    home, user = _entry(merged, "users", flags.get("user") or context.get("user"), _USER)
    certificate, key = _pem(home, user, "client-certificate"), _pem(home, user, "client-key")
    token, token_file = user.get("token", ""), user.get("tokenFile", "")
    if not authority or bool(certificate) != bool(key) or not (certificate or token or token_file):
        raise _NotPlain
    if (token and token_file) or not (token.isascii() and token.isprintable()):
        raise _NotPlain
    host, port, prefix = _address(cluster.get("server", ""))
    return Endpoint(
        host, port, authority, prefix, cluster.get("tls-server-name", ""), certificate, key, token,
        os.path.join(home, token_file) if token_file else "", context.get("namespace", ""),
    )  # fmt: skip


def _entry(
    merged: Mapping[str, Any], kind: str, name: object, allowed: set[str]
) -> tuple[str, dict[str, str]]:
    """The folder of an entry's file, and its keys, all of them strings."""
    if not isinstance(name, str) or name not in merged[kind]:
        raise _NotPlain
    folder, entry = merged[kind][name]
    if not isinstance(entry, dict) or not entry.keys() <= allowed:
        raise _NotPlain
    keys = {key: value for key, value in entry.items() if key != "extensions"}
    if not all(isinstance(value, str) for value in keys.values()):
        raise _NotPlain
    return folder, keys


def _pem(folder: str, entry: Mapping[str, str], key: str) -> bytes:
    """The content of a certificate or a key that is given as data or as a file; empty where it is not given."""
    if data := entry.get(f"{key}-data"):
        return binascii.a2b_base64(data)
    return _read(os.path.join(folder, entry[key])) if entry.get(key) else b""


def _address(server: str) -> tuple[str, int, str]:
    """Host, port and the path in front of all others of `https://host:port/path`."""
    scheme, _, rest = server.partition("://")
    place, _, path = rest.rstrip("/").partition("/")
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    if not colon:
        host, port = place, "443"
    host = host.removeprefix("[").removesuffix("]")
    if scheme != "https" or not host or not port.isdecimal() or set("@?#% \t\\") & set(rest):
        raise _NotPlain
    return host, int(port), f"/{path}" if path else ""
