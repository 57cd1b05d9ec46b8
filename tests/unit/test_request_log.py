"""`-v 6`: one line for each request, also for one that was refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.kube import request_log
from kubectl_llmhpa.kube.transport import Transport

BODY = b'{"items": []}'


class Answering(Transport):
    """Answers every path but one."""

    def _request(
        self, method: str, path: str, *, accept: str, content: bytes | None, timeout: float | None
    ) -> bytes:
        if path == "/secret":
            raise ApiError("read secret", 403, "Forbidden", "forbidden")
        return BODY

    def lines(self, path: str, timeout: float) -> Iterator[Any]:
        yield from ()

    def close(self) -> None:
        pass


def test_every_request_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(request_log, "LISTENERS", [])
    request_log.show()
    transport = Answering()
    transport.get_json("/api")
    with pytest.raises(ApiError):
        transport.post_json("/secret", {"token": "s3cr3t"})
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" milliseconds")[0] for line in lines] == [
        '"Response" verb="GET" url="/api" status=200',
        '"Response" verb="POST" url="/secret" status=403',
    ]
    assert lines[0].endswith(f" bytes={len(BODY)}")
    assert "s3cr3t" not in "".join(lines)
