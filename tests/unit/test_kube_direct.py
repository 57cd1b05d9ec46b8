"""The API server without kubectl in between: real TLS, no API server."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.kube import direct
from kubectl_llmhpa.kube.kubeconfig import Endpoint


class Handler(BaseHTTPRequestHandler):
    """Answers with the method, the path, the token and the client certificate's name."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert isinstance(self.connection, ssl.SSLSocket)
        peer = (self.connection.getpeercert() or {}).get("subject", ())
        body = f"{self.command} {self.path} {self.headers.get('Authorization')} {peer}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_GET  # noqa: N815 names of the base class

    def log_message(self, *_: object) -> None:
        pass


def certificate(folder: Path, name: str, *more: str) -> tuple[bytes, bytes]:
    """A self-signed certificate of that common name, and its key."""
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-out", paths[0], "-keyout", paths[1], "-subj", f"/CN={name}", *more],
        check=True, capture_output=True,
    )  # fmt: skip
    return paths[0].read_bytes(), paths[1].read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def client(folder: Path) -> tuple[bytes, bytes]:
    return certificate(folder, "me")


@pytest.fixture(scope="module")
def server(folder: Path, client: tuple[bytes, bytes]) -> Iterator[Endpoint]:
    """A server that asks for a client certificate, by the names of its own `127.0.0.1` and `api.example`."""
    authority, _ = certificate(folder, "localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:api.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "localhost.crt", folder / "localhost.key")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=client[0].decode())
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving.socket = context.wrap_socket(serving.socket, server_side=True)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield Endpoint("127.0.0.1", serving.server_port, authority, prefix="/k8s")
    serving.shutdown()
    serving.server_close()


def changed(endpoint: Endpoint, **fields: object) -> Endpoint:
    return Endpoint(**{**endpoint._asdict(), **fields})


def test_a_certificate_and_a_token_are_presented(
    server: Endpoint, client: tuple[bytes, bytes], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    transport = direct.transport(
        changed(server, certificate=client[0], key=client[1], token_file=str(file), server_name="api.example")
    )
    asked = [transport.request("GET", "/api"), file.write_text("second"), transport.request("GET", "/api")]
    transport.close()
    assert asked[0] == b"GET /k8s/api Bearer first ((('commonName', 'me'),),)"
    assert asked[2] == b"GET /k8s/api Bearer second ((('commonName', 'me'),),)"


def test_without_memory_files_the_certificate_is_in_a_file_for_a_moment(
    server: Endpoint, client: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.memfd_create", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    transport = direct.transport(changed(server, certificate=client[0], key=client[1]))
    assert b"'me'" in transport.request("GET", "/api")
    transport.close()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written(server: Endpoint) -> None:
    transport = direct.transport(server)
    review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert transport.request("POST", review, content=b"{}").startswith(b"POST /k8s/apis/authorization")
    for method, path in (
        ("POST", "/api/v1/namespaces"),
        ("PATCH", review),
        ("DELETE", "/api/v1/namespaces/x"),
    ):
        with pytest.raises(ApiError, match="only reads"):
            transport.request(method, path, content=b"{}")
    transport.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"server_name": "localhost"},  # the common name, which counts no more
        {"server_name": "other.example"},
        {"authority": b""},
        {"authority": b"\xff"},
        {"authority": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"certificate": b"no certificate", "key": b"no key"},
        {"port": 1},
    ],
    ids=str,
)
def test_what_cannot_be_trusted_or_reached_is_left_to_kubectl(
    server: Endpoint, wrong: dict[str, object]
) -> None:
    with pytest.raises((OSError, ValueError)):
        direct.transport(changed(server, **wrong))


def test_another_authority_is_not_trusted(server: Endpoint, client: tuple[bytes, bytes]) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        direct.transport(changed(server, authority=client[0]))


@pytest.mark.parametrize("content", [None, "", "a\nb"])
def test_a_file_without_a_token_is_left_to_kubectl(
    server: Endpoint, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(OSError, match="token"):
        direct.transport(changed(server, token_file=str(file)))


def test_a_key_with_a_password_asks_nobody(server: Endpoint, folder: Path) -> None:
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", "me.key", "-out", "locked.key", "-passout", "pass:secret"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    wrong = changed(
        server, certificate=(folder / "me.crt").read_bytes(), key=(folder / "locked.key").read_bytes()
    )
    with pytest.raises((OSError, ValueError)):
        direct.transport(wrong)


@pytest.mark.parametrize(
    ("paths", "in_turn"),
    [
        (["/api/v1/pods", "/apis/custom.metrics.k8s.io"], True),
        (["/api/v1/pods"] * 16, True),
        (["/api/v1/pods"] * 17, False),
        (["/api/v1/pods"], False),
        (["/api/v1/pods", "/api/v1/namespaces/x/pods/y:80/proxy/metrics"], False),
        (["/api/v1/pods", "/apis/custom.metrics.k8s.io/v1beta2/namespaces/x"], False),
    ],
)
def test_a_connection_is_for_all_where_the_server_itself_answers(
    server: Endpoint, monkeypatch: pytest.MonkeyPatch, paths: list[str], in_turn: bool
) -> None:
    transport = direct.transport(server)
    chosen: list[object] = []
    monkeypatch.setattr(transport, "get_in_turn", chosen.append)
    transport.get_many(paths)
    transport.close()
    assert chosen == ([paths] if in_turn else [])
