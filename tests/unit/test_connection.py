"""What is made of kubectl's connection flags before kubectl gets them."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.kube import Connection


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(None, None), ("0", None), ("0s", None), ("5", 5), ("500ms", 0.5), ("1m30s", 90), ("1.5h", 5400), ("soon", None)],
)  # fmt: skip
def test_how_long_a_request_may_take(said: str | None, seconds: float | None) -> None:
    flags = {} if said is None else {"request-timeout": said}
    assert Connection(flags).request_timeout == seconds
