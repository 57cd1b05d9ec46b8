"""SGLang's own load generator, from its packages of several years, against the stub engine on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_llmhpa.bench import following, results
from tests.cluster.ground import programs
from tests.engine import vllm_runtime
from tests.engine.tiny_model import SMALL

pytestmark = [pytest.mark.engine, pytest.mark.full, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
SHIM = Path(__file__).with_name("sglang_shim")


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    """The stub's base URL."""
    programs.build(["stub-engine"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(programs.path_of("stub-engine")),
        "serve",
        "tiny",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with subprocess.Popen([*command, "--bodies", str(ROOT / "tests" / "bodies")]) as stub:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
        stub.terminate()


@pytest.mark.parametrize(
    ("version", "module"),
    [
        ("0.4.9.post6", "sglang.bench_serving"),
        ("0.5.14", "sglang.bench_serving"),
        ("0.5.23", "sglang.benchmark.serving"),
    ],
)
def test_a_sweep_by_sglangs_own_generator(engine: str, tmp_path: Path, version: str, module: str) -> None:
    runtime = vllm_runtime.ensure(SMALL)  # its Python has what the generator needs, but one package
    python = str(runtime.venv / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
    subprocess.run(
        [*pip, "--python-version", "3.11", "--only-binary", ":all:", "--target", str(tmp_path), "orjson",
         f"sglang=={version}"],
        check=True,
    )  # fmt: skip
    settings = {
        "base_url": engine, "model": "tiny", "tokenizer": str(runtime.model), "input_tokens": 96, "output_tokens": 32,
        "seed": 1, "slo": {"ttft_s": 60},
        "points": [{"concurrency": number, "seed": number, "min_requests": 8 * number} for number in (1, 4)],
    }  # fmt: skip
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(settings))
    path = os.pathsep.join(map(str, (ROOT, SHIM, tmp_path)))
    done = subprocess.run(
        [python, "-u", "-m", "kubectl_llmhpa.bench.pod.sglang_serve", str(file)],
        env={**os.environ, "PYTHONPATH": path, "SGLANG_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    facts = following.parse(done.stdout)
    assert facts[-1]["kind"] == "summary", done.stderr
    assert facts[-1]["generator"] == module, facts[-1]["tail"]
    points = [results.point("sglang", fact, 1) for fact in facts if fact["kind"] == "point"]
    assert [point.concurrency for point in points] == [1, 4], facts[-1]["tail"]
    for point in points:
        assert (point.done, point.failures) == (8 * point.concurrency, 0)
        assert point.output_tokens == 32 * point.done  # a fixed length, the ratio being the other way round
        assert point.throughput * (point.e2e.mean or 0) == pytest.approx(point.concurrency, rel=0.15)
    counted = points[0].invalid == ""
    assert counted or points[0].invalid == "the generator does not count the requests that kept the SLO"
    assert counted == (version == "0.5.23")
