"""No body of somebody else is taken for an engine, and no damage turns one engine into another or breaks the reader.

All of it is drawn from seeds, so a failure names the seed that brings it back.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from functools import cache

import pytest

from kubectl_llmhpa.engines import EngineFacts, Kind, NotAnEngine, identify
from kubectl_llmhpa.engines.exposition import Exposition, Sample, read
from tests.unit.bodies import BODIES, body_of

NAMES = sorted(path.stem for path in BODIES.glob("*.txt"))
MUTANTS = 10_000
STRANGERS = 400
#: Mutants are made of bodies cut down to this size, by leaving out what only makes a body long.
SHORT_BYTES = 3_500


@cache
@cache
def short(name: str) -> str:
    """The body without help, creation times, Python's own families and all but the first buckets; then thinned out."""
    dull = re.compile(
        r"# HELP|(# TYPE )?(python|process)_|\S*_created\b|\S*_bucket\{.*le=\"(?!\+Inf|0\.0?[0-9]\")"
    )
    lines = [line for line in body_of(name).splitlines(keepends=True) if not dull.match(line)]
    excess = sum(map(len, lines)) / SHORT_BYTES
    if excess > 1:
        telling = re.compile(r"# TYPE|\S*(running|waiting|queue|inflight|active|usage|in_flight)")
        lines = [
            line for number, line in enumerate(lines) if telling.match(line) or number % (2 * excess) < 1
        ]
    return "".join(lines)


@cache
def owner(name: str) -> str | None:
    return named(body_of(name))


def named(text: str) -> str | None:
    """The engine that a body is taken for."""
    facts = facts_of(text)
    return facts.engine if facts else None


def facts_of(text: str) -> EngineFacts | None:
    try:
        return identify(text)
    except NotAnEngine:
        return None


# Damage ------------------------------------------------------------------------------------------------------------

Damage = Callable[[random.Random, list[str]], list[str]]


def drop_some(chance: random.Random, lines: list[str]) -> list[str]:
    share = chance.choice([0.05, 0.3, 0.6, 0.9])
    return [line for line in lines if chance.random() > share]


def drop_block(chance: random.Random, lines: list[str]) -> list[str]:
    start, end = sorted(chance.sample(range(len(lines) + 1), 2)) if lines else (0, 0)
    return lines[:start] + lines[end:]


def drop_family(chance: random.Random, lines: list[str]) -> list[str]:
    """All lines that begin like one of them: a family, a subsystem or a whole prefix."""
    if not lines:
        return lines
    name = re.sub(r"^# \w+ ", "", chance.choice(lines))
    stem = name[: chance.randint(3, 40)].split("{")[0]
    return [line for line in lines if not re.sub(r"^# \w+ ", "", line).startswith(stem)]


def truncate(chance: random.Random, lines: list[str]) -> list[str]:
    text = "".join(lines)
    return text[: chance.randint(0, len(text))].splitlines(keepends=True)


def behead(chance: random.Random, lines: list[str]) -> list[str]:
    text = "".join(lines)
    return text[chance.randint(0, len(text)) :].splitlines(keepends=True)


def double(chance: random.Random, lines: list[str]) -> list[str]:
    return [copy for line in lines for copy in [line] * chance.choice([1, 1, 1, 2])]


def shuffle(chance: random.Random, lines: list[str]) -> list[str]:
    return chance.sample(lines, len(lines))


def revalue(chance: random.Random, lines: list[str]) -> list[str]:
    word = chance.choice(["NaN", "+Inf", "-Inf", "-1", "1e308", "0x1p-2", "", "8 1700000000000", "九"])
    return [re.sub(r" \S+$", f" {word}", line) if chance.random() < 0.5 else line for line in lines]


def retype(chance: random.Random, lines: list[str]) -> list[str]:
    types = ["counter", "gauge", "histogram", "summary", "untyped", "unknown", "info", "stateset", "nonsense"]
    return [
        re.sub(r" \w+$", f" {chance.choice(types)}", line) + line if line.startswith("# TYPE") else line
        for line in lines
    ]


def open_metrics(_chance: random.Random, lines: list[str]) -> list[str]:
    return as_open_metrics("".join(lines)).splitlines(keepends=True)


def exemplars(chance: random.Random, lines: list[str]) -> list[str]:
    tail = ' # {trace_id="abc"} 0.5 1700000000.123'
    return [
        line.rstrip("\n") + tail + "\n" if not line.startswith("#") and chance.random() < 0.3 else line
        for line in lines
    ]


def relabel(chance: random.Random, lines: list[str]) -> list[str]:
    label = chance.choice(
        ["model_name", "engine", "model", "le", "dp_rank", "request_type", "dynamo_endpoint"]
    )
    word = chance.choice(['""', '"}"', '"a\\"b"', '"\\\\"', '"é"', "x", '"a", "b"'])
    return [re.sub(rf'\b{label}="[^"]*"', f"{label}={word}", line) for line in lines]


def garble(chance: random.Random, lines: list[str]) -> list[str]:
    text = list("".join(lines))
    for _ in range(chance.choice([1, 5, 50])):
        if text:
            text[chance.randrange(len(text))] = chance.choice('\0\n{}"=, #é\r\t\x7f9a')
    return "".join(text).splitlines(keepends=True)


def returns(_chance: random.Random, lines: list[str]) -> list[str]:
    return [line.replace("\n", "\r\n") for line in lines]


DAMAGES: tuple[Damage, ...] = (
    drop_some, drop_some, drop_block, drop_family, truncate, behead, double, shuffle, revalue, retype, open_metrics,
    exemplars, relabel, garble, returns,
)  # fmt: skip


def mutant(seed: int) -> tuple[str, str]:
    chance = random.Random(seed)
    name = chance.choice(NAMES)
    lines = short(name).splitlines(keepends=True)
    for damage in chance.sample(DAMAGES, chance.choice([1, 1, 2, 3])):
        lines = damage(chance, lines)
    return name, "".join(lines)


def as_open_metrics(text: str) -> str:
    """The same body as an OpenMetrics scrape has it: counters named without `_total`, units, exemplars, an end."""
    lines = []
    for line in text.splitlines():
        words = line.split()
        if words[:2] == ["#", "TYPE"] and len(words) > 3:
            name = words[2].removesuffix("_total") if words[3] == "counter" else words[2]
            lines.append(f"# TYPE {name} {words[3]}")
            if name.endswith("_seconds"):
                lines.append(f"# UNIT {name} seconds")
        elif "_bucket{" in line:
            lines.append(f'{line} # {{trace_id="4bf92f3577b34da6"}} 0.02 1700000000.000')
        elif line:
            lines.append(line)
    return "\n".join([*lines, "# EOF", ""])


def may_be(name: str, text: str) -> set[str | None]:
    """What a mutant of a body may be taken for: nothing, or its owner; a Dynamo worker of which nothing but passed on
    series is left is a body of that engine."""
    allowed = {None, owner(name)}
    if owner(name) == "dynamo" and "dynamo" not in text:
        allowed |= {"vllm", "sglang", "trtllm"}
    return allowed


@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_damaged_bodies_stay_what_they_were_or_are_refused(part: int) -> None:
    survivors = 0
    for seed in range(part * MUTANTS // 10, (part + 1) * MUTANTS // 10):
        name, text = mutant(seed)
        facts = facts_of(text)
        found = facts.engine if facts else None
        assert found in may_be(name, text), f"seed {seed}: {name} is taken for {found}"
        survivors += facts is not None
        for signal in (facts.signals if facts else {}).values():
            assert signal.value is None or abs(signal.value) < float("inf"), f"seed {seed}"
    assert survivors > 200  # the damage is not so heavy that nothing was tested


def test_a_body_of_five_megabytes_is_read() -> None:
    line = 'vllm:request_success_total{{finished_reason="r{}",model_name="m"}} {}\n'
    text = body_of("vllm-0.20.2-busy") + "".join(line.format(number, number) for number in range(82_000))
    assert len(text) > 5_000_000
    facts = facts_of(text)
    assert facts is not None
    assert (facts.engine, facts.signals["running"].value) == ("vllm", 8)


@pytest.mark.parametrize(
    "name", ["vllm-0.20.2-busy", "vllm-0.8.5-v0-busy", "lmdeploy-0.10.2-busy", "nim-1-busy", "tgi-3.3.7-busy"]
)
def test_open_metrics_gives_the_same_numbers(name: str) -> None:
    plain, other = facts_of(body_of(name)), facts_of(as_open_metrics(body_of(name)))
    assert plain is not None
    assert other is not None
    assert other.signals == plain.signals
    assert (other.dialect, other.models, other.seats) == (plain.dialect, plain.models, plain.seats)


# Strangers ---------------------------------------------------------------------------------------------------------

#: Families as others expose them: node_exporter, Go, web servers, kube-state-metrics, GPU exporters, and near misses.
STRANGERS_FAMILIES = (
    "node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_disk_io_now", "node_load1",
    "go_goroutines", "go_memstats_alloc_bytes", "go_gc_duration_seconds", "process_open_fds", "python_info",
    "http_requests_total", "http_request_duration_seconds", "http_requests_in_flight", "nginx_connections_waiting",
    "kube_pod_info", "kube_pod_status_phase", "kube_deployment_status_replicas", "apiserver_current_inflight_requests",
    "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "envoy_cluster_upstream_rq_active", "istio_requests_total",
    "te_queue_size", "te_request_count", "fastdeploy:num_requests_running", "fastdeploy:num_requests_waiting",
    "ray_serve_num_router_requests", "ray_node_gpus_utilization", "nv_inference_pending_request_count",
    "nv_gpu_utilization", "tensorflow_serving_request_count", "torchserve_queue_latency_microseconds",
    "num_requests_running", "num_requests_waiting", "num_requests", "num_request_max_seen", "gpu_cache_usage",
    "e2e_request_latency_seconds", "time_to_first_token_seconds", "request_queue_time_seconds",
    "prompt_tokens_total", "generation_tokens_total", "request_success_total", "queue_size", "requests_processing",
    "vllm", "vllm_num_requests_running", "vllm_exporter_up", "my_vllm:num_requests_running", "xvllm:kv_cache",
    "sglangs:num_running_reqs", "llama_cpp_requests_processing", "llamacpp", "lmdeployer:num_requests_running",
    "tgif_queue_size", "mytgi_queue_size", "trtllmx_num_requests_running", "nv_trt_llmx_request_metrics",
    "dynamodb_requests_total", "dynamo_db_frontend_requests", "inference_requests_total", "inference_model_loaded",
    "model_inference_latency_seconds", "worker_queue_depth", "router_requests_total", "cache_usage_ratio",
)  # fmt: skip
STRANGERS_LABELS = (
    "instance", "job", "method", "code", "pod", "namespace", "model", "version", "engine", "device", "handler",
)  # fmt: skip


def stranger(seed: int) -> str:
    """An exposition of none of our engines. `model_name` comes with one half of NIM's names at the most."""
    chance = random.Random(seed)
    families = chance.sample(STRANGERS_FAMILIES, chance.randint(1, 25))
    families += ["".join(chance.choices("abcdefgh_:", k=chance.randint(1, 20))) for _ in range(3)]
    lines = []
    for family in families:
        kind = chance.choice(["counter", "gauge", "histogram", "summary", "untyped"])
        if chance.random() < 0.8:
            lines += [f"# HELP {family} Of {family}.", f"# TYPE {family} {kind}"]
        chosen = chance.sample(STRANGERS_LABELS, chance.randint(0, 3))
        if chance.random() < 0.1:
            chosen.append("model_name")
        labels = ",".join(f'{label}="{chance.choice(["a", "0", "/v1", "GET"])}"' for label in chosen)
        if kind == "histogram":
            comma = "," if labels else ""
            lines += [f'{family}_bucket{{{labels}{comma}le="{bound}"}} 1' for bound in ("0.1", "1", "+Inf")]
            lines += [f"{family}_sum{{{labels}}} 0.3", f"{family}_count{{{labels}}} 1"]
        elif chance.random() < 0.9:
            lines.append(f"{family}{{{labels}}} {chance.choice([0, 1, 8, 0.42, 'NaN', 1e12])}")
    return "\n".join([*lines, ""])


def test_hundreds_of_strangers_are_no_engine() -> None:
    taken = {seed: found for seed in range(STRANGERS) if (found := named(stranger(seed)))}
    assert taken == {}


def test_strangers_are_whole_expositions() -> None:
    """They are refused for what they are, not because they cannot be read."""
    assert all(read(stranger(seed)).families for seed in range(0, STRANGERS, 10))


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.startswith(("vllm", "sglang", "lmdeploy", "nim"))]
)
def test_names_alone_do_not_make_an_engine(name: str) -> None:
    """The same numbers under a prefix that is nobody's."""
    renamed = re.sub(r"(?m)^(# \w+ )?(vllm:|sglang:|lmdeploy:|(?=\w))", r"\1acme_", body_of(name))
    assert named(renamed) is None


def _expositions(names: Sequence[str]) -> dict[str, Exposition]:
    return {name: read(short(name)) for name in names}


def test_two_bodies_in_one_answer_are_never_a_third_engine() -> None:
    """What an agent gives that merges the metrics of two containers."""
    chance = random.Random(0)
    read_bodies = _expositions(NAMES)
    for _ in range(300):
        first, second = chance.sample(NAMES, 2)
        one, two = read_bodies[first], read_bodies[second]
        samples: dict[str, tuple[Sample, ...]] = dict(one.samples)
        for name, found in two.samples.items():
            samples[name] = samples.get(name, ()) + found
        try:
            facts = identify(Exposition(one.families | two.families, samples))
        except NotAnEngine:
            continue
        assert facts.engine in (owner(first), owner(second)), (first, second)
        assert all(
            source.value is None
            for source in facts.signals.values()
            if source.kind in (Kind.LATENCY, Kind.RATE)
        )
