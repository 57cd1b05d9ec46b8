"""Kubeconfigs of every kind: the plugin reaches the server where kubectl does, and says why not in kubectl's words."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import os
import re
import select
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.cli.connection import FLAGS
from tests.cluster.conftest import Json, Kubectl, Outcome, Plugin, assert_one_sentence, fresh_namespace

pytestmark = pytest.mark.control_plane

LIST = ("-A", "-o", "json")
#: Flags of kubectl that are not about the connection.
OF_KUBECTL_ITSELF = {
    "kuberc", "log-flush-frequency", "match-server-version", "profile", "profile-output", "vmodule",
    "warnings-as-errors",
}  # fmt: skip
#: A service account's folder in a container; made in a view of the files that only these commands have.
SERVICE_ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
IN_A_POD = f"""
mount -t tmpfs none /run && mkdir -p {SERVICE_ACCOUNT} && cp "$1"/* {SERVICE_ACCOUNT} && shift && exec "$@"
"""


@pytest.fixture(scope="module")
def place(kubectl: Kubectl) -> Iterator[str]:
    """A namespace with an HPA on an engine's queue, and a service account that may read everything."""
    with fresh_namespace(kubectl) as name:
        target = {"type": "AverageValue", "averageValue": "5"}
        kubectl.apply(
            {
                "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "vllm", "namespace": name},
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "vllm"},
                    "maxReplicas": 3,
                    "metrics": [{
                        "type": "Pods",
                        "pods": {"metric": {"name": "vllm:num_requests_waiting"}, "target": target},
                    }],
                },
            },
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": name}},
            {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": "reader", "namespace": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": name}],
            },
        )  # fmt: skip
        yield name


@pytest.fixture(scope="module")
def token(kubectl: Kubectl, place: str) -> str:
    return kubectl.run("create", "token", "reader", "-n", place).stdout.strip()


@pytest.fixture(scope="module")
def admin(kubectl: Kubectl) -> Json:
    """The administrator's kubeconfig, with its certificates as data."""
    found: Json = json.loads(
        kubectl.run("config", "view", "--raw", "--flatten", "--minify", "-o", "json").stdout
    )
    return found


class Case:
    """A kubeconfig in files, and how kubectl and the plugin do with it."""

    def __init__(self, folder: Path, place: str, admin: Json, llm_hpa: Plugin) -> None:
        self.folder = folder
        self.config = copy.deepcopy(admin)
        self.flags: list[str] = []
        self.environment: dict[str, str] = {}
        self._place = place
        self._llm_hpa = llm_hpa

    @property
    def cluster(self) -> Json:
        found: Json = self.config["clusters"][0]["cluster"]
        return found

    def user(self, **keys: Any) -> None:
        self.config["users"][0]["user"] = keys

    def write(self, **files: Json) -> None:
        """These files, or one with the whole kubeconfig."""
        paths = []
        for name, content in (files or {"config": self.config}).items():
            paths.append(self.folder / name)
            paths[-1].write_text(json.dumps(content))
        self.environment["KUBECONFIG"] = os.pathsep.join(map(str, paths))

    def kubectl(self) -> Outcome:
        words = ["kubectl", "get", "hpa", "-n", self._place, "-o", "json", *self.flags]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, check=False, env=self._variables()
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def plugin(self) -> Outcome:
        return self._llm_hpa("status", "-n", self._place, "-o", "json", *self.flags, **self.environment)

    def without_kubectl(self) -> Outcome:
        """The plugin where kubectl cannot be started."""
        words = ["kubectl-llm_hpa", "status", "-n", self._place, "-o", "json", *self.flags]
        variables = {**self._variables(), "KUBECTL_PATH": "/bin/false"}
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=variables)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def works(self, *, direct: bool) -> None:
        """Both show the HPA; `direct`: without kubectl's help."""
        for outcome in (self.kubectl(), self.plugin(), *([self.without_kubectl()] if direct else [])):
            assert outcome.code == 0, outcome.stderr
            (item,) = json.loads(outcome.stdout)["items"]
            assert "vllm" in (item.get("name"), item.get("metadata", {}).get("name"))
        if not direct:
            assert_one_sentence(self.without_kubectl(), "connect to the cluster")

    def fails(self, *words: str, kubectl: tuple[str, ...] = ()) -> None:
        """Both do, with these words; `kubectl`: what it says where it has words of its own."""
        theirs = self.kubectl()
        assert theirs.code == 1
        for word in kubectl or words:
            assert word in theirs.stderr
        assert_one_sentence(self.plugin(), *words)

    def _variables(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


@pytest.fixture
def case(tmp_path: Path, place: str, admin: Json, llm_hpa: Plugin) -> Case:
    return Case(tmp_path, place, admin, llm_hpa)


def test_client_certificate(case: Case) -> None:
    case.write()
    case.works(direct=True)


def test_token(case: Case, token: str) -> None:
    case.user(token=token)
    case.write()
    case.works(direct=True)


def test_token_in_a_file_and_the_servers_other_name(case: Case, token: str) -> None:
    (case.folder / "token").write_text(f"{token}\n")
    case.user(tokenFile="token")
    case.cluster["tls-server-name"] = "kubernetes.default.svc"
    case.write()
    case.works(direct=True)


def test_two_files_merged(case: Case) -> None:
    whole = case.config
    head = {"apiVersion": "v1", "kind": "Config"}
    case.write(
        one={**head, "users": whole["users"], "current-context": whole["current-context"]},
        two={
            **head,
            "clusters": whole["clusters"],
            "contexts": whole["contexts"],
            "current-context": "other",
        },
    )
    case.works(direct=True)


def test_credential_plugin(case: Case, token: str) -> None:
    version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": token}}
    (case.folder / "credential").write_text(json.dumps(credential))
    case.user(exec={
        "apiVersion": version, "command": "cat", "args": [str(case.folder / "credential")],
        "interactiveMode": "Never",
    })  # fmt: skip
    case.write()
    case.works(direct=False)


def test_credential_plugin_that_fails(case: Case) -> None:
    script = "echo the session has ended, please log in >&2; exit 3"
    case.user(exec={
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
        "interactiveMode": "Never",
    })  # fmt: skip
    case.write()
    case.fails("executable sh failed with exit code 3", "the session has ended, please log in")


def test_proxy(case: Case) -> None:
    with connect_proxy() as (address, asked):
        case.cluster["proxy-url"] = f"http://{address}"
        case.write()
        case.works(direct=False)
    assert set(asked) == {case.cluster["server"].removeprefix("https://")}
    # kubectl names the proxy only where it has to ask for the API's resources first, so not with a full cache.
    case.fails("proxyconnect", "connection refused", kubectl=("refused",))


def test_impersonation(case: Case, place: str) -> None:
    case.write()
    case.flags = [f"--as=system:serviceaccount:{place}:reader", "--as-group=system:authenticated"]
    case.works(direct=False)
    case.flags = ["--as=somebody"]
    case.fails('User "somebody" cannot list resource "horizontalpodautoscalers"')


def test_in_a_pod(kubectl: Kubectl, place: str, token: str, admin: Json, tmp_path: Path) -> None:
    host, port = admin["clusters"][0]["cluster"]["server"].removeprefix("https://").split(":")
    authority = base64.b64decode(admin["clusters"][0]["cluster"]["certificate-authority-data"])
    account, home = tmp_path / "account", tmp_path / "home"
    account.mkdir()
    home.mkdir()
    for name, content in (("token", token.encode()), ("ca.crt", authority), ("namespace", place.encode())):
        (account / name).write_bytes(content)
    program = Path(shutil.which("kubectl") or "").resolve()  # what is on PATH lies below /run
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": os.environ["PYTHONPATH"]}
    variables |= {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    for words in (["get", "hpa", "-o", "json"], ["llm-hpa", "status", "-o", "json"]):
        inside = ["unshare", "--mount", "sh", "-c", IN_A_POD, "sh", str(account), str(program), *words]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=60, check=False, env=variables)
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)["items"]) == 1, "the pod's own namespace is looked at"


def test_an_authority_that_did_not_sign(case: Case) -> None:
    key, certificate = case.folder / "key", case.folder / "other.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", certificate,
         "-subj", "/CN=other"],
        check=True, capture_output=True,
    )  # fmt: skip
    case.cluster["certificate-authority-data"] = base64.b64encode(certificate.read_bytes()).decode()
    case.write()
    case.fails("x509: certificate signed by unknown authority")


def test_a_name_that_the_server_does_not_have(case: Case) -> None:
    case.cluster["tls-server-name"] = "elsewhere.example"
    case.write()
    case.fails("x509: certificate is valid for", "not elsewhere.example")


def test_every_flag_of_kubectls_connection_is_offered(kubectl: Kubectl) -> None:
    theirs = set(re.findall(r"^ +(?:-\w, )?--([\w-]+)=", kubectl.run("options").stdout, re.MULTILINE))
    assert {"kubeconfig", "as-user-extra", "namespace", "v"} <= theirs
    assert theirs - OF_KUBECTL_ITSELF - {"namespace", "v"} == {name for name, *_ in FLAGS}


@contextlib.contextmanager
def connect_proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that only tunnels; its address and the addresses that it was asked for."""
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=tunnel, args=(client, asked), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def tunnel(client: socket.socket, asked: list[str]) -> None:
    """Answer one CONNECT and carry bytes both ways until one side is done."""
    with client:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += client.recv(1)
        address = request.split()[1].decode()
        asked.append(address)
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            other = {client: server, server: client}
            while True:
                for one in select.select([client, server], [], [])[0]:
                    try:
                        piece = one.recv(65536)
                        other[one].sendall(piece)
                    except OSError:
                        return
                    if not piece:
                        return
