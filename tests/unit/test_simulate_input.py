"""What a simulation is given: traces, loads, durations, service curves."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate import loads, traces
from kubectl_llmhpa.simulate.requests import Requests
from kubectl_llmhpa.simulate.results import Slo, duration
from kubectl_llmhpa.simulate.service import DEFAULT, service
from kubectl_llmhpa.simulate.words import pairs, seconds

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
GOOD = "2023-11-16 18:17:03.9799600,4808,10\n"
MOONCAKE = '{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}\n'


def trace(folder: Path, text: str, *, skip_bad: bool = False) -> traces.Trace:
    path = folder / "trace"
    path.write_text(text)
    return traces.read(path, skip_bad=skip_bad)


# Traces


def test_an_azure_trace_begins_at_zero(tmp_path: Path) -> None:
    read = trace(tmp_path, AZURE + GOOD + "2023-11-16 18:17:04.0319600,3180,8\n").requests
    assert list(read.at) == pytest.approx([0.0, 0.052], abs=1e-6)
    assert list(read.prompt) == [4808, 3180]
    assert list(read.output) == [10, 8]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2023-11-17 00:00:00", 20576.02004),
        ("2023-11-16T18:17:04.5", 0.52004),
        ("2023-11-16 18:17:05.979960+00:00", 2.0),
        ("2023-11-16 18:17:05.979960Z", 2.0),
    ],
)
def test_times_of_azure_in_all_their_spellings(tmp_path: Path, time: str, expected: float) -> None:
    read = trace(tmp_path, f"{AZURE}{GOOD}{time},1,1\n").requests
    assert read.at[1] == pytest.approx(expected, abs=1e-5)


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    text = "GeneratedTokens,x,TIMESTAMP,ContextTokens\n1,,2023-11-16 18:17:03,7\n2,,2023-11-16 18:17:05,8\n"
    read = trace(tmp_path, text).requests
    assert (list(read.at), list(read.prompt), list(read.output)) == ([0.0, 2.0], [7, 8], [1, 2])


def test_a_mooncake_trace_is_in_milliseconds(tmp_path: Path) -> None:
    read = trace(tmp_path, MOONCAKE + MOONCAKE.replace("27482", "30000")).requests
    assert list(read.at) == pytest.approx([0.0, 2.518])
    assert (read.prompt[0], read.output[0]) == (6955, 52)


BAD_ROWS = [
    ("2023-11-16 18:17:01.0,5,5", "before the row above"),
    ("2023-11-16 18:17:04.0,-5,5", "prompt of -5 tokens"),
    ("2023-11-16 18:17:04.0,5,0", "answer of 0 tokens"),
    ("2023-11-16 18:17:04.0,5,99999999999", "answer of 99999999999 tokens"),
    ("2023-11-16 18:17:04.0,5", "2 columns instead of 3"),
    ("2023-11-16 18:17:04.0,,5", "no number of tokens"),
    ("2023-11-16 18:17:04.0,5.5,5", "'5.5' is not a number of tokens"),
    ("2023-13-16 18:17:04.0,5,5", "is not a time"),
    ("2023-11-16 18:17:04.x,5,5", "is not a time"),
    (",5,5", "no time"),
    ("2033-11-16 18:17:04.0,5,5", "days after the row above"),
]


@pytest.mark.parametrize(("row", "said"), BAD_ROWS)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(LlmHpaError, match="line 3: ") as error:
        trace(tmp_path, f"{AZURE}{GOOD}{row}\n")
    assert said in str(error.value)
    assert str(error.value).endswith("; mend the file")


def test_bad_rows_can_be_left_out_and_are_counted(tmp_path: Path) -> None:
    rows = "\n".join(row for row, _ in BAD_ROWS)
    read = trace(tmp_path, f"{AZURE}{GOOD}{rows}\n2023-11-16 18:17:05.0,1,1\n", skip_bad=True)
    assert (len(read.requests), read.skipped) == (2, len(BAD_ROWS))
    assert read.fault.startswith("line 3: it comes ")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("[]", "not a JSON object"),
        ("{", "not a JSON object"),
        ('{"timestamp": 1}', "no input_length, output_length"),
        ('{"timestamp": -1, "input_length": 1, "output_length": 1}', "not a number of milliseconds"),
        ('{"timestamp": NaN, "input_length": 1, "output_length": 1}', "not a number of milliseconds"),
        ('{"timestamp": 99999, "input_length": true, "output_length": 1}', "not a number of tokens"),
        ('{"timestamp": 99999, "input_length": 1e999, "output_length": 1}', "not a number of tokens"),
    ],
)
def test_a_bad_line_of_mooncake(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(LlmHpaError, match="line 2: ") as error:
        trace(tmp_path, f"{MOONCAKE}{row}\n")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        (AZURE, "no request in it"),
        ("a,b,c\n1,2,3\n", "no column TIMESTAMP, ContextTokens, GeneratedTokens"),
        (AZURE + GOOD, "at the same moment"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LlmHpaError, match=said):
        trace(tmp_path, text)


def test_a_trace_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(LlmHpaError, match="No such file"):
        traces.read(tmp_path / "absent")
    with pytest.raises(LlmHpaError, match="directory"):
        traces.read(tmp_path)
    (tmp_path / "zipped").write_bytes(b"\x1f\x8b\x08\x00\xff\xfe")
    with pytest.raises(LlmHpaError, match="not text"):
        traces.read(tmp_path / "zipped")


def test_copies_of_a_trace_keep_its_lengths_and_its_time() -> None:
    one = Requests.of([(0.0, 1, 2), (3.0, 3, 4), (10.0, 5, 6)])
    assert traces.superposed(one, 1).at == one.at
    many = traces.superposed(one, 50)
    assert (len(many), many.length) == (150, 10.0)
    assert list(many.at) == sorted(many.at)
    assert 0 <= min(many.at) <= max(many.at) <= 10.0
    assert sorted(many.prompt) == sorted([*one.prompt] * 50)
    assert len(set(many.at)) > 100, "each copy begins at another moment"
    assert many.at == traces.superposed(one, 50).at


# Loads


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constant:rate=5,duration=10m", 3000),
        ("ramp:from=0,to=10,duration=10m", 3000),
        ("step:low=0,high=10,at=1m,for=5m,duration=10m", 3000),
        ("day:peak=10,trough=0,duration=10m", 3000),
        ("bursty:base=0,peak=50,every=100s,for=10s,duration=10m", 3000),
    ],
)
def test_a_load_has_the_requests_that_it_says(text: str, expected: int) -> None:
    made = loads.load(text)
    assert len(made) == pytest.approx(expected, rel=0.1)
    assert list(made.at) == sorted(made.at)
    assert made.length == 600


def test_lengths_have_the_mean_that_was_asked_for() -> None:
    made = loads.load("constant:rate=50,duration=10m,prompt=700,output=90,spread=0.7")
    assert statistics.mean(made.prompt) == pytest.approx(700, rel=0.05)
    assert statistics.mean(made.output) == pytest.approx(90, rel=0.05)


def test_without_spread_all_lengths_are_the_same() -> None:
    made = loads.load("constant:rate=5,duration=1m,prompt=700,output=90,spread=0")
    assert (set(made.prompt), set(made.output)) == ({700}, {90})


def test_a_load_comes_out_the_same_for_the_same_seed() -> None:
    one, same, other = (loads.load("day:peak=5,duration=10m", seed=seed) for seed in (1, 1, 2))
    assert one.at == same.at
    assert one.at != other.at


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dya:peak=4", "choose one of constant, ramp"),
        ("day", "peak is missing"),
        ("day:peak", "not of the form key=value"),
        ("day:peak=4,peek=1", "day has no 'peek'"),
        ("day:peak=x", "peak=x is not a number"),
        ("day:peak=-1", "not a number of 0 or more"),
        ("day:peak=nan", "not a number of 0 or more"),
        ("day:peak=4,peak=5", "given twice"),
        ("day:peak=4,duration=4", "not a duration"),
        ("constant:rate=0", "no request ever comes"),
        ("constant:rate=1,duration=0s", "duration must be above 0"),
        ("constant:rate=1000000", "requests, more than"),
        ("constant:rate=1,prompt=0", "prompt must be at least 1 token"),
        ("constant:rate=1,spread=9", "spread is the sigma"),
        ("step:high=4,at=2h", "the step comes after the end"),
        ("bursty:peak=4,every=1m,for=2m", "a burst must be shorter"),
    ],
)
def test_a_load_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(LlmHpaError) as error:
        loads.load(text)
    assert said in str(error.value)


# Words


@pytest.mark.parametrize(
    ("text", "expected"), [("80ms", 0.08), ("2s", 2), ("1h30m", 5400), ("1.5s", 1.5), ("0s", 0)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds("", text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "5", "5 s", "s", "-5s", "1d", "9999999h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(LlmHpaError):
        seconds("--start-up", text)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.08, "80ms"), (1.5, "1.5s"), (120, "2m"), (150, "2m30s"), (0.00015, "0.15ms")]
)
def test_durations_are_shown_as_they_are_written(value: float, expected: str) -> None:
    assert duration(value) == expected


@pytest.mark.parametrize("text", ["", "ttft", "ttft=", "ttft=2", "ttft=0s", "tttf=2s"])
def test_what_is_no_slo(text: str) -> None:
    with pytest.raises(LlmHpaError):
        Slo.parse(text)


def test_a_curve_takes_what_is_given_and_says_what_is_not() -> None:
    assert service({}) == DEFAULT
    some = service({"step": "8ms"}, seats=16)
    assert (some.step, some.seats, some.prefill, some.assumed) == (0.008, 16, DEFAULT.prefill, True)
    whole = service(pairs("", "seats=8,step=8ms,per-request=0ms,prefill=2000,kv=50000"))
    assert not whole.assumed


@pytest.mark.parametrize(
    "text", ["speed=9", "step=9", "step=0ms", "prefill=0", "prefill=x", "kv=1.5", "seats=inf", "chunk=-4"]
)
def test_a_curve_that_no_pod_can_have(text: str) -> None:
    with pytest.raises(LlmHpaError, match="--service"):
        service(pairs("", text))
