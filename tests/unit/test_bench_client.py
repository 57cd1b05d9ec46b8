"""The load client against a small OpenAI-like server on loopback."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from kubectl_llmhpa.bench.pod import client, meeting, request
from kubectl_llmhpa.bench.pod.arrivals import arrivals
from kubectl_llmhpa.bench.pod.measure import Histogram, Sample, Tally
from tests.unit.bench_engine import Engine, Handler, error_500, good, in_turn, load, reply, stream


def test_a_closed_loop_holds_its_concurrency_and_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TICK_S", 0.05)
    facts, lines, _ = load(good)
    assert facts["failed"] == {}
    assert facts["done"] == facts["sent"] > 8
    assert max(line["in_flight"] for line in lines if line["kind"] == "tick") == 4
    assert facts["output_tokens"] == facts["done"] * 8  # usage, not the number of chunks
    assert facts["tokens_exact"] is True
    assert facts["ttft_ms"]["p50"] < facts["e2e_ms"]["p50"]
    assert facts["itl_ms"]["p50"] > 1
    assert facts["ended"] == "time"
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0]["kind"] == "start"
    assert lines[-1]["kind"] == "summary"


def test_every_request_has_its_own_connection_and_its_own_prompt() -> None:
    facts, _, engine = load(good, num_prompts=12)
    assert facts["ended"] == "prompts"
    assert facts["done"] == 12
    assert engine.connections == 13  # the probe came first
    assert len({json.dumps(body["prompt"]) for body in engine.bodies}) == 13
    body = engine.bodies[-1]
    assert len(body["prompt"]) == 16
    assert all(isinstance(token, int) for token in body["prompt"])
    assert (body["max_tokens"], body["ignore_eos"], body["stream"], body["temperature"]) == (4, True, True, 0)
    assert body["stream_options"] == {"include_usage": True}
    assert all("connection: close" in head.lower() for head in engine.heads)


def test_stages_change_the_concurrency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TICK_S", 0.05)
    facts, lines, _ = load(good, stages=[[0.4, 2], [0.4, 6]])
    in_flight = [line["in_flight"] for line in lines if line["kind"] == "tick"]
    assert (in_flight[1], max(in_flight)) == (2, 6)
    assert facts["asked_concurrency"] == 6


def test_the_key_comes_from_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    _, lines, engine = load(good, num_prompts=1)
    assert "authorization: bearer sk-secret" in engine.heads[0].lower()
    assert "sk-secret" not in json.dumps(lines)


@pytest.mark.parametrize(
    ("accepts", "mode"),
    [
        (lambda path, body: isinstance(body.get("prompt"), str), "/v1/completions, text"),
        (
            lambda path, body: isinstance(body.get("prompt"), str) and "ignore_eos" not in body,
            "/v1/completions, text, output length not forced",
        ),
        (lambda path, body: "chat" in path, "/v1/chat/completions, text"),
    ],
    ids=["text only", "no extras", "chat only"],
)
def test_it_finds_a_way_of_asking_that_the_engine_accepts(
    accepts: Callable[[str, dict[str, Any]], bool], mode: str
) -> None:
    async def picky(path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if accepts(path, body):
            await stream(writer, 2)
        else:
            await reply(writer, "400 Bad Request", {"error": "no"})

    facts, _, _ = load(picky, num_prompts=3)
    assert facts["done"] == 3
    assert facts["mode"] == mode


def test_without_usage_the_chunks_are_counted_and_that_is_said() -> None:
    async def plain(_path: str, _body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await stream(writer, 3, usage=False)

    facts, _, _ = load(plain, num_prompts=2)
    assert facts["output_tokens"] == 6
    assert facts["tokens_exact"] is False


def test_an_engine_that_does_not_stream_still_counts() -> None:
    async def whole(_path: str, _body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await reply(writer, "200 OK", {"choices": [{"text": "x"}], "usage": {"completion_tokens": 4}})

    facts, _, _ = load(whole, num_prompts=2)
    assert (facts["done"], facts["output_tokens"]) == (2, 8)
    assert facts["ttft_ms"]["p50"] is None
    assert facts["e2e_ms"]["p50"] > 0


async def broken_off(_path: str, _body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    await stream(writer, 2, usage=False, end=False)


async def error_in_stream(_path: str, _body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    writer.write(
        b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {"error": {"message": "boom"}}\n\n'
    )


async def nonsense(_path: str, _body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: [1]\n\n")


async def bad_chunk(_path: str, _body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")


async def hang(_path: str, _body: dict[str, Any], _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(2)


async def close_at_once(_path: str, _body: dict[str, Any], _writer: asyncio.StreamWriter) -> None:
    return


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (error_500, "http 500"),
        (broken_off, "disconnected"),
        (close_at_once, "disconnected"),
        (error_in_stream, "stream error"),
        (nonsense, "protocol"),
        (bad_chunk, "protocol"),
        (hang, "timeout"),
    ],
)
def test_failures_are_counted_by_reason(bad: Handler, reason: str) -> None:
    every_second = in_turn(itertools.cycle([good, bad]))
    facts, _, _ = load(every_second, num_prompts=4, stages=[[1, 1]], request_timeout_s=1)
    assert facts["failed"] == {reason: 2}
    assert facts["done"] == 2
    assert facts["examples"][reason]


def test_an_engine_that_refuses_from_the_start_ends_it_with_the_engines_words() -> None:
    async def unknown(_path: str, _body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await reply(writer, "404 Not Found", {"message": "The model `m` does not exist."})

    facts, lines, _ = load(unknown)
    assert facts["ended"] == "refused"
    assert facts["failed"] == {"http 404": 1}
    assert "does not exist" in facts["examples"]["http 404"]
    assert facts["done"] == 0
    assert lines[-1]["kind"] == "summary"


def test_a_first_request_that_fails_on_one_of_several_pods_is_asked_again() -> None:
    second = in_turn(itertools.chain([error_500], itertools.repeat(good)))
    facts, _, _ = load(second, num_prompts=4)
    assert (facts["done"], facts["failed"]) == (4, {})


def test_nobody_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "PATIENCE_S", 0.1)
    facts, _, _ = load(good, base_url="http://127.0.0.1:1")
    assert facts["failed"] == {"connect": 1}


def test_without_any_success_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "GIVE_UP_S", 0.1)
    monkeypatch.setattr(client, "TICK_S", 0.1)
    only_the_probe = in_turn(itertools.chain([good], itertools.repeat(error_500)))
    facts, _, _ = load(only_the_probe, stages=[[10, 8]])
    assert facts["ended"] == "gave up"
    assert facts["done"] == 0


def test_a_request_still_open_at_the_end_is_cut_not_failed() -> None:
    slow = in_turn(itertools.chain([good], itertools.repeat(hang)))
    facts, _, _ = load(slow, stages=[[0.1, 3]], drain_s=0.1)
    assert (facts["sent"], facts["cut"], facts["failed"]) == (3, 3, {})


def test_a_signal_ends_it_with_the_summary() -> None:
    out = io.StringIO()

    async def go() -> dict[str, Any]:
        engine = Engine(good)
        server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "m", "stages": [[60, 2]],
                    "input_tokens": 4, "output_tokens": 2}  # fmt: skip
        runner = client.Client(settings, out)
        asyncio.get_running_loop().call_later(0.3, runner.end, "signal")
        facts = await runner.run()
        server.close()
        return facts

    facts = asyncio.run(go())
    assert facts["ended"] == "signal"
    assert facts["done"] > 2


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_the_dechunker_takes_any_split(size: int) -> None:
    raw = b"5\r\nhello\r\n1;x=y\r\n \r\n6\r\nworld!\r\n0\r\n\r\n"
    chunks = request.Dechunker()
    assert b"".join(chunks.feed(raw[i : i + size]) for i in range(0, len(raw), size)) == b"hello world!"
    assert chunks.ended


def test_throughput_times_latency_is_what_was_in_flight() -> None:
    tally = Tally(0.0)
    tally.change(0.0, 4)
    for second in (2.0, 4.0, 6.0, 8.0, 10.0):
        for _ in range(4):
            tally.succeed(Sample(0.5, [], 2.0, 8, True, 16), second)
    facts = tally.summary(10.0)
    assert (facts["request_rate"], facts["concurrency"], facts["output_token_rate"]) == (2.0, 4.0, 16.0)
    assert facts["rate_times_latency"] == pytest.approx(4, rel=0.01)


def test_histograms_merge_and_stay_within_one_percent() -> None:
    one, two, both = Histogram(), Histogram(), Histogram()
    for value in range(1, 1001):
        (one if value % 2 else two).add(float(value))
        both.add(float(value))
    merged = Histogram()
    for part in (one, two):
        merged.merge(json.loads(json.dumps(part.to_json())))
    assert merged.summary() == both.summary()
    for share in (0.5, 0.95, 0.99):
        found = merged.percentile(share)
        assert found == pytest.approx(share * 1000, rel=0.012)
    assert merged.summary()["mean"] == pytest.approx(500.5)
    assert merged.summary()["max"] == 1000
    assert set(Histogram().summary().values()) == {None}


def test_an_open_loop_sends_what_is_due_and_counts_what_it_may_not_send() -> None:
    facts, _, _ = load(good, rates=[[0.5, 40, 40], [0.5, 40, 80]], slo={"e2e_s": 5})
    assert facts["arrivals"] == facts["sent"] == len(list(arrivals([[0.5, 40, 40], [0.5, 40, 80]], 1)))
    assert (facts["shed"], facts["good"]) == (0, facts["done"])


def test_an_open_loop_sheds_above_its_limit() -> None:
    stuck = in_turn(itertools.chain([good], itertools.repeat(hang)))
    facts, _, _ = load(stuck, rates=[[0.5, 60, 60]], in_flight_limit=3, drain_s=0.1)
    assert facts["sent"] == facts["cut"] == 3
    assert facts["arrivals"] == facts["sent"] + facts["shed"] > 10


def test_models_are_chosen_by_weight() -> None:
    _, _, engine = load(good, num_prompts=200, models=[["base", 1], ["lora", 3]])
    names = [body["model"] for body in engine.bodies]
    assert set(names) == {"base", "lora"}
    assert names.count("lora") / len(names) == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize(
    ("sample", "slo", "keeps"),
    [
        (Sample(0.1, [], 1.0, 10, True, 1), {}, True),
        (Sample(0.1, [], 1.0, 10, True, 1), {"ttft_s": 0.1, "tpot_s": 0.1, "e2e_s": 1.0}, True),
        (Sample(0.2, [], 1.0, 10, True, 1), {"ttft_s": 0.1}, False),
        (Sample(None, [], 1.0, 10, True, 1), {"ttft_s": 0.1}, False),
        (Sample(0.1, [], 1.0, 10, True, 1), {"tpot_s": 0.09}, False),
        (Sample(0.1, [], 1.0, 1, True, 1), {"tpot_s": 0.09}, True),
        (Sample(0.1, [], 1.0, 10, True, 1), {"e2e_s": 0.9}, False),
    ],
)
def test_what_keeps_an_slo(sample: Sample, slo: dict[str, float | None], keeps: bool) -> None:
    assert sample.keeps(slo) is keeps


def test_clients_wait_for_the_one_who_starts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "PORT", 0)
    outs = [io.StringIO(), io.StringIO()]

    async def tell(out: io.StringIO, path: str) -> bytes:
        while "ready" not in out.getvalue():
            await asyncio.sleep(0.01)
        port = json.loads(out.getvalue().partition(" ")[2].splitlines()[0])["port"]
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except (
            ConnectionRefusedError
        ):  # any free port is another one for each family, and it told that of IPv6
            reader, writer = await asyncio.open_connection("::1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer

    async def go() -> tuple[bytes, list[dict[str, Any]]]:
        engine = Engine(good)
        server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = {"base_url": f"http://127.0.0.1:{port}", "model": "m", "stages": [[0.3, 2]],
                    "input_tokens": 4, "output_tokens": 2, "clients": 2, "drain_s": 1}  # fmt: skip
        both = [asyncio.ensure_future(client.run(settings, out)) for out in outs]
        wrong = await tell(outs[0], "/stop")
        await asyncio.sleep(0.1)
        assert not any("start" in out.getvalue() for out in outs)
        await asyncio.gather(*(tell(out, "/start?in=0.2") for out in outs))
        facts = await asyncio.gather(*both)
        server.close()
        await asyncio.sleep(0.1)  # its connections end
        return wrong, facts

    wrong, facts = asyncio.run(go())
    assert wrong.startswith(b"HTTP/1.1 404")
    assert [one["ended"] for one in facts] == ["time", "time"]
    assert all(one["done"] > 2 for one in facts)


def test_a_client_that_nobody_starts_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "PORT", 0)
    monkeypatch.setattr(client, "MEETING_S", 0.1)
    facts, _, _ = load(good, clients=2)
    assert (facts["ended"], facts["sent"]) == ("never started", 0)
