"""When a kubeconfig is plain enough to be read without kubectl, and what is read then."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from kubectl_llmhpa.kube import block_yaml
from kubectl_llmhpa.kube.kubeconfig import Endpoint, plain

CA, CERTIFICATE, KEY = (f"-----BEGIN {what}-----\n".encode() for what in ("CA", "CERTIFICATE", "KEY"))

#: As `kubectl config` writes it, with a second context that needs kubectl and a note of minikube's.
WRITTEN = f"""
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {base64.b64encode(CA).decode()}
    extensions:
    - extension:
        last-update: Fri, 27 Nov 2026 10:00:00 CET
        provider: minikube.sigs.k8s.io
        version: v1.38.0
      name: cluster_info
    server: https://192.168.49.2:8443
  name: mini
- cluster:
    server: https://ABC.gr7.eu-west-1.eks.amazonaws.com
  name: arn:aws:eks:eu-west-1:111122223333:cluster/llm
contexts:
- context:
    cluster: arn:aws:eks:eu-west-1:111122223333:cluster/llm
    user: aws
  name: aws
- context:
    cluster: mini
    namespace: models
    user: mini
  name: mini
current-context: mini
kind: Config
preferences: {{}}
users:
- name: aws
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args:
      - --region
      - eu-west-1
      - eks
      - get-token
      command: aws
      env: null
      interactiveMode: IfAvailable
      provideClusterInfo: false
- name: mini
  user:
    client-certificate: client.crt
    client-key-data: {base64.b64encode(KEY).decode()}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "client.crt").write_bytes(CERTIFICATE)
    (tmp_path / "config").write_text(WRITTEN)
    return tmp_path


def found(folder: Path, flags: dict[str, str] | None = None, **environment: str) -> Endpoint | None:
    return plain(flags or {}, {"KUBECONFIG": str(folder / "config"), **environment})


def test_what_kubectl_writes_is_read(folder: Path) -> None:
    expected = Endpoint("192.168.49.2", 8443, CA, certificate=CERTIFICATE, key=KEY, namespace="models")
    assert found(folder) == expected
    assert found(folder, {"context": "mini", "user": "mini"}) == expected
    assert plain({"kubeconfig": str(folder / "config")}, {}) == expected
    (folder / ".kube").mkdir()
    (folder / "config").rename(folder / ".kube" / "config")
    (folder / "client.crt").rename(folder / ".kube" / "client.crt")
    assert plain({}, {"HOME": str(folder)}) == expected


@pytest.mark.parametrize(
    "flags",
    [{"context": "aws"}, {"user": "aws"}, {"context": "nope"}, {"cluster": "nope"}, {"kubeconfig": "/nope"},
     {"as": "somebody"}, {"token": "x"}, {"request-timeout": "5s"}, {"insecure-skip-tls-verify": ""}],
    ids=str,
)  # fmt: skip
def test_flags_that_are_for_kubectl(folder: Path, flags: dict[str, str]) -> None:
    assert found(folder, flags) is None


def test_where_a_proxy_may_be_in_between_it_is_for_kubectl(folder: Path) -> None:
    assert found(folder, HTTPS_PROXY="http://proxy:3128") is None


def config(cluster: dict[str, Any], user: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], **more,
    }  # fmt: skip


CLUSTER = {"server": "https://h", "certificate-authority-data": base64.b64encode(CA).decode()}
TOKEN = {"token": "abc"}


def read(folder: Path, content: dict[str, Any]) -> Endpoint | None:
    (folder / "config").write_text(json.dumps(content))
    return found(folder)


@pytest.mark.parametrize(
    ("server", "host", "port", "prefix"),
    [
        ("https://h", "h", 443, ""),
        ("https://h:6443/", "h", 6443, ""),
        ("https://rancher.example/k8s/clusters/c-1", "rancher.example", 443, "/k8s/clusters/c-1"),
        ("https://[::1]:6443", "::1", 6443, ""),
        ("https://[fd00::1]", "fd00::1", 443, ""),
    ],
)
def test_addresses(folder: Path, server: str, host: str, port: int, prefix: str) -> None:
    expected = Endpoint(host, port, CA, prefix, token="abc")
    assert read(folder, config({**CLUSTER, "server": server}, TOKEN)) == expected


@pytest.mark.parametrize(
    "server",
    [
        "",
        "h",
        "http://h",
        "https://",
        "https://u@h",
        "https://h:x",
        "https://h:",
        "https://h?a",
        "https://h\\x",
    ],
)
def test_addresses_that_are_for_kubectl(folder: Path, server: str) -> None:
    assert read(folder, config({**CLUSTER, "server": server}, TOKEN)) is None


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({"insecure-skip-tls-verify": True}, {}),
        ({"proxy-url": "http://p"}, {}),
        ({"certificate-authority-data": ""}, {}),
        ({"certificate-authority-data": "%"}, {}),
        ({"tls-server-name": 5}, {}),
        ({}, {"token": ""}),
        ({}, {"token": "a\r\nX: y"}),
        ({}, {"tokenFile": "/t"}),
        ({}, {"username": "u", "password": "p"}),
        ({}, {"as": "somebody"}),
        ({}, {"exec": {"command": "aws"}}),
        ({}, {"auth-provider": {"name": "gcp"}}),
        ({}, {"client-certificate-data": CLUSTER["certificate-authority-data"]}),
        ({}, {"client-key": "/absent"}),
        ({}, {"a-key-of-tomorrow": "x"}),
    ],
)
def test_keys_that_are_for_kubectl(folder: Path, cluster: dict[str, Any], user: dict[str, Any]) -> None:
    assert read(folder, config({**CLUSTER, **cluster}, {**TOKEN, **user})) is None


@pytest.mark.parametrize(
    "more",
    [{"kind": "List"}, {"apiVersion": "v2"}, {"users": {}}, {"users": ["u"]}, {"users": [{"name": {}, "user": {}}]},
     {"contexts": None}, {"current-context": ""}, {"current-context": ["c"]}, {"a-list-of-tomorrow": []},
     {"clusters": 2 * [{"name": "c", "cluster": CLUSTER}]}],
    ids=str,
)  # fmt: skip
def test_files_that_are_for_kubectl(folder: Path, more: dict[str, Any]) -> None:
    assert read(folder, config(CLUSTER, TOKEN)) is not None
    assert read(folder, {**config(CLUSTER, TOKEN), **more}) is None


def test_files_are_merged(folder: Path) -> None:
    whole = config({**CLUSTER, "tls-server-name": "n"}, {"tokenFile": "t"})
    one, two = folder / "one", folder / "sub" / "two"
    two.parent.mkdir()
    one.write_text(json.dumps({key: whole[key] for key in ("current-context", "clusters")}))
    two.write_text(json.dumps({key: whole[key] for key in ("users", "contexts")} | {"current-context": "x"}))
    environment = {"KUBECONFIG": f"{one}:{folder / 'absent'}::{two}"}
    assert plain({}, environment) == Endpoint(
        "h", 443, CA, server_name="n", token_file=str(folder / "sub" / "t")
    )
    two.write_text(json.dumps(whole))
    assert plain({}, environment) is None, "a name in two files"


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_./-]{0,8}", fullmatch=True)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.text("0123456789abcdefxoTZ.:-_+eE yn~", max_size=8),
)
NESTED = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3), max_leaves=12
)  # fmt: skip


def agree(read_here: Any, value: Any) -> bool:
    """Whether YAML has the same; None stands for any scalar that is not surely a text."""
    if isinstance(value, dict) and isinstance(read_here, dict):
        return read_here.keys() == value.keys() and all(agree(read_here[key], value[key]) for key in value)
    if isinstance(value, list) and isinstance(read_here, list):
        return len(read_here) == len(value) and all(map(agree, read_here, value))
    return (read_here is None and not isinstance(value, dict | list)) or read_here == value


@given(st.dictionaries(NAMES, NESTED, min_size=1, max_size=4), st.booleans())
@example({"A": -math.inf}, False)
@example({"A": math.inf}, True)
def test_yaml_is_read_as_yaml_or_not_at_all(value: dict[str, Any], indented: bool) -> None:
    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, indentless and not indented)

    text = yaml.dump(value, Dumper=Dumper, default_flow_style=False)
    try:
        read_here = block_yaml.load(text)
    except ValueError:
        return
    assert agree(read_here, yaml.safe_load(text))


@given(st.text("ab:- #'\"{}[]&*!|>%@~\n\t.1", max_size=40))
def test_hostile_yaml_is_read_as_yaml_or_not_at_all(text: str) -> None:
    try:
        read_here = block_yaml.load(text)
    except ValueError:
        return
    assert agree(read_here, yaml.safe_load(text))
