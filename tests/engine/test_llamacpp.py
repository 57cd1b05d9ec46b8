"""The real llama.cpp server, built from source: it still speaks as its recorded bodies do."""

from __future__ import annotations

import pytest

from kubectl_llmhpa.engines import identify
from tests.cluster.ground.engine_images import BODIES
from tests.engine import llamacpp_runtime
from tests.engine.record import servers
from tests.engine.shape import shape

pytestmark = [pytest.mark.engine, pytest.mark.full, pytest.mark.timeout(5400)]


@pytest.mark.parametrize(("state", "running", "waiting"), [("idle", 0, 0), ("busy", 8, 5)])
def test_the_server_speaks_as_recorded(state: str, running: int, waiting: int) -> None:
    live = servers.llamacpp(state)
    recorded = (BODIES / f"llamacpp-{llamacpp_runtime.BUILD}-{state}.txt").read_text()
    assert shape(live) == shape(recorded)
    for body in (live, recorded):
        facts = identify(body)
        assert facts.engine == "llamacpp"
        assert (facts.signals["running"].value, facts.signals["waiting"].value) == (running, waiting)
