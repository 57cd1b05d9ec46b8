"""`simulate` on the command line, without a cluster: what is compared, what is said, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate import Question, Slo, World, compare, scalers
from kubectl_llmhpa.simulate.loads import load
from kubectl_llmhpa.simulate.service import DEFAULT
from tests.unit.command_line import ended

LOAD = "--load=step:low=1,high=10,at=2m,for=4m,duration=10m"
HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: "<b>mine</b>"}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: vllm}
  minReplicas: 1
  maxReplicas: 6
  metrics:
  - type: Pods
    pods: {metric: {name: "METRIC"}, target: {type: AverageValue, averageValue: "5"}}
"""


def simulate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    return ended(capsys, "simulate", *arguments)


def manifest(folder: Path, metric: str = "vllm:num_requests_waiting") -> str:
    path = folder / "hpa.yaml"
    path.write_text(HPA.replace("METRIC", metric))
    return str(path)


def test_a_file_beside_policies_as_a_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = simulate(capsys, "-f", manifest(tmp_path), LOAD, "-o", "json", "--start-up", "30s")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    assert found["kind"] == "Simulation"
    names = [one["name"] for one in found["items"]]
    assert names[:3] == ["hpa/<b>mine</b>", "load", "vendor"]
    assert all(name.startswith("fixed at ") for name in names[3:])
    assert {one["maxReplicas"] for one in found["items"][:3]} == {6}, "policies get the HPA's own limits"
    assert all(0 <= one["attainment"] <= 1 for one in found["items"])
    assert found["items"][0]["firstExtra"] > 30
    assert found["items"][0]["timeline"][0] == {"at": 0, "replicas": 1, "ready": 1}
    assert any("default" in note for note in found["notes"]), "nobody gave a service curve"


def test_the_same_seed_prints_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    first, same, other = (simulate(capsys, LOAD, "--max=4", "--seed", seed)[1] for seed in ("1", "1", "2"))
    assert first == same
    assert first != other


def test_the_text_has_a_table_and_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = simulate(capsys, LOAD, "--max=4", "--policy=load")
    assert code == 0
    lines = out.splitlines()
    assert any(line.lstrip().startswith("POLICY") and line.endswith("FIRST EXTRA") for line in lines)
    assert any(line.startswith("Recommended: ") for line in lines)
    assert any(line.startswith("Frontier: ") for line in lines)


def test_a_curve_from_benchmark_results(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    results = [
        {
            "max_concurrency": clients, "completed": 10, "total_input_tokens": 5000, "total_output_tokens": 1000,
            "request_throughput": throughput, "mean_ttft_ms": ttft,
        }
        for clients, throughput, ttft in ((1, 0.9, 60.0), (8, 5.0, 200.0))
    ]  # fmt: skip
    path.write_text("\n".join(json.dumps(one) for one in results))
    code, out, err = simulate(
        capsys,
        LOAD,
        "--max=4",
        "--policy=load",
        "--from-bench",
        str(path),
        "--service",
        "kv=99000",
        "-o",
        "json",
    )
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["service"]["origin"].startswith("fitted to 2 runs of a sweep")
    assert found["service"]["kvTokens"] == 99_000, "what is given goes over what is fitted"
    assert not found["service"]["assumed"]
    assert any("throughput within" in note for note in found["notes"])


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_stands_alone_and_escapes_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, _, _ = simulate(capsys, "-f", manifest(tmp_path), LOAD, "--html", str(page))
    assert code == 0
    text = page.read_text()
    tags = _Tags()
    tags.feed(text)
    names = [tag for tag, _ in tags.seen]
    assert not {"script", "link", "img", "b"} & {*names}
    assert not [
        value for _, attributes in tags.seen for key, value in attributes.items() if key in ("src", "href")
    ]
    assert names.count("svg") >= 5, "arrivals, the frontier, and a timeline for each row"
    assert "&lt;b&gt;mine&lt;/b&gt;" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give one of --trace FILE, --load SHAPE and --history"),
        ([LOAD, "--history=1h"], "give one of --trace FILE, --load SHAPE and --history"),
        (["--history=1h"], "--history is that of a workload"),
        (["sts/vllm", "--history=9m"], "--history must be between 10m and 168h"),
        (["sts/vllm", "--history=200h"], "--history must be between 10m and 168h"),
        ([LOAD, "--trace=x.csv"], "give one of --trace FILE, --load SHAPE and --history"),
        ([LOAD, "--skip-bad"], "--skip-bad and --times are for --trace"),
        ([LOAD, "--times=2"], "--skip-bad and --times are for --trace"),
        ([LOAD, "-f", "x.yaml", "sts/x"], "-f reads no cluster"),
        ([LOAD, "--min=5", "--max=2"], "--max 2 is below --min 5"),
        ([LOAD, "--policy="], "nothing to simulate"),
        ([LOAD, "--policy=lod"], "there is no such policy"),
        ([LOAD, "--slo=ttft=1ms"], "miss it even with an idle pod for each"),
        ([LOAD, "--slo=ttft"], "not of the form key=value"),
        ([LOAD, "--start-up=soon"], "'soon' is not a duration"),
        ([LOAD, "--service=speed=9"], "there is no such number"),
        ([LOAD, "--sync-period=1ms"], "--sync-period must be at least 100ms"),
        (["--trace=/nowhere/x.csv"], "No such file"),
        ([LOAD, "--html=/nowhere/x.html", "--max=2"], "there is no folder"),
    ],
)
def test_what_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    code, out, err = simulate(capsys, *arguments)
    assert code == 1
    assert said in err
    assert out == ""


def test_a_bad_row_of_a_trace_can_be_left_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\nsoon,1,1\n")
    code, _, err = simulate(capsys, f"--trace={trace}", "--max=2")
    assert code == 1
    assert "line 2: 'soon' is not a time; mend the file, or leave such rows out with --skip-bad" in err


def test_a_metric_that_the_model_cannot_know_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = simulate(capsys, "-f", manifest(tmp_path, "DCGM_FI_DEV_GPU_UTIL"), LOAD)
    assert (code, out) == (1, "")
    assert "metric 'DCGM_FI_DEV_GPU_UTIL' cannot be simulated" in err
    assert len(err.splitlines()) == 1


# The comparison


def question(text: str, **changes: Any) -> Question:
    service = replace(DEFAULT, seats=8, assumed=False)
    whole = Question(load(text), service, World(start_up=(120.0,)), Slo(ttft=2.0))
    return replace(whole, **changes)


def candidates(*policies: str, most: int = 8) -> list[scalers.Candidate]:
    facts = scalers.facts_for([], 8, "given")
    return [scalers.of_policy(one, facts, least=1, most=most, external=False) for one in policies]


def test_the_fewest_fixed_replicas_are_enough_and_one_less_is_not() -> None:
    asked = question("constant:rate=6,duration=10m")
    found = compare(asked, candidates("load"))
    assert found.fixed is not None
    rows = {one.least: one.figures.attainment for one in found.rows if one.fixed}
    assert rows[found.fixed] >= asked.goal
    from kubectl_llmhpa.simulate.compare import fixed_at

    assert fixed_at(asked, found.fixed - 1).figures.attainment < asked.goal


def test_the_cheapest_that_does_it_is_recommended() -> None:
    found = compare(question("constant:rate=1,duration=30m", replicas=4), candidates("vendor", "load"))
    good = [one for one in found.rows if not one.fixed and one.figures.attainment >= 0.99]
    assert found.recommended == min(good, key=lambda one: one.figures.gpu_hours).name
    assert found.recommended in [one.name for one in found.frontier]


def test_where_no_policy_does_it_the_replicas_to_keep_are_told() -> None:
    found = compare(question("step:low=1,high=8,at=5m,for=5m,duration=20m"), candidates("load"))
    assert found.rows[0].figures.attainment < 0.99
    assert found.recommended == "load"
    assert "replicas kept (--min " in found.reason


def test_where_even_the_most_do_not_nothing_is_recommended() -> None:
    found = compare(question("constant:rate=30,duration=5m"), candidates("load", most=2))
    assert (found.fixed, found.recommended) == (None, "")
    assert "even 2 fixed replicas" in found.reason


def test_a_policy_that_is_worse_in_both_is_off_the_frontier() -> None:
    found = compare(
        question("bursty:base=1,peak=6,every=5m,for=1m,duration=30m"), candidates("load", "vendor")
    )
    for one in found.rows:
        if not one.fixed and one.dominated:
            assert one not in found.frontier
            assert any(
                other.figures.attainment >= one.figures.attainment
                and other.figures.gpu_hours <= one.figures.gpu_hours
                for other in found.frontier
            )
    assert found.frontier


def test_an_slo_that_an_idle_pod_misses_is_refused_before_anything_runs() -> None:
    with pytest.raises(LlmHpaError, match="miss it even with an idle pod"):
        compare(question("constant:rate=1,duration=5m", slo=Slo(tpot=0.001)), candidates("load"))


def test_requests_that_no_pod_can_hold_are_counted() -> None:
    asked = question("constant:rate=1,duration=20m,prompt=2000,spread=1")
    found = compare(
        replace(asked, service=replace(asked.service, kv_tokens=8000), goal=0.5), candidates("load")
    )
    refused = found.rows[0].figures.refused
    assert refused > 0
    assert any(note.startswith(f"{refused} requests are longer than the KV cache") for note in found.notes)
