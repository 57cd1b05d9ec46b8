"""Where a pod's metrics may be, what other places tell of it, and what a read needs: on plain data."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import Json, Resource
from kubectl_llmhpa.cli import detect_documents, detect_text
from kubectl_llmhpa.engines import Endpoint, NotAnEngine, Source
from kubectl_llmhpa.engines.model import Clues
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.monitoring.prometheus import Sample
from kubectl_llmhpa.plan.looking import detecting, elsewhere, places
from kubectl_llmhpa.plan.looking.sight import EngineSight, PodLook
from kubectl_llmhpa.plan.permitted import Right, needed
from kubectl_llmhpa.workloads import Rival, Workload


def pod(*containers: Json, labels: Json | None = None, annotations: Json | None = None) -> Json:
    metadata = {"name": "p", "namespace": "ml", "labels": labels or {}, "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"containers": list(containers)}}


def container(*command: str, name: str = "main", image: str = "x:1", ports: Any = (), **more: Any) -> Json:
    declared = [{"containerPort": port} if isinstance(port, int) else port for port in ports]
    return {"name": name, "image": image, "command": list(command), "ports": declared, **more}


VLLM = ("vllm", "serve", "m")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (pod(container(*VLLM)), [(8000, "/metrics", "http")]),
        (pod(container(*VLLM, "--port", "8001", ports=[8001, 9000])),
         [(8001, "/metrics", "http"), (9000, "/metrics", "http")]),
        (pod(container("sh", "-c", "exec vllm serve m --port 8001")), [(8001, "/metrics", "http")]),
        (pod(container(*VLLM, "--ssl-certfile", "c", "--ssl-keyfile", "k", ports=[8000, 9000])),
         [(8000, "/metrics", "https"), (9000, "/metrics", "https")]),
        # the llm-d sidecar declares 8000 and forwards to the engine
        (pod(container("/app/pd-sidecar", "--port=8000", name="proxy", ports=[8000]),
             container(*VLLM, "--port", "8200", name="vllm", ports=[8200])),
         [(8200, "/metrics", "http"), (8000, "/metrics", "http")]),
        (pod(container("trtllm-serve", "m", ports=[8000])), [(8000, "/prometheus/metrics", "http")]),
        (pod(container(ports=[{"containerPort": 5353, "protocol": "UDP"}])), [places.NOWHERE]),
        (pod(container(ports=[7000]), annotations={"prometheus.io/port": "9000", "prometheus.io/path": "m"}),
         [(9000, "/m", "http"), (7000, "/prometheus/metrics", "http"), (7000, "/metrics", "http")]),
        *((pod(container(*VLLM), annotations={"prometheus.io/port": port}), [(8000, "/metrics", "http")])
          for port in ("http", "²", "0", "65536", "99999999999999999999")),
        # NIM 1 has its own path, NIM 2 runs vLLM
        (pod(container(image="nvcr.io/nim/meta/llama3-8b-instruct:2.0.0", ports=[8000])),
         [(8000, "/v1/metrics", "http"), (8000, "/metrics", "http")]),
        # a wrapper script may start trtllm-serve
        (pod(container("bash", "/start.sh", ports=[8000])),
         [(8000, "/prometheus/metrics", "http"), (8000, "/metrics", "http")]),
        (pod(container("python3", "-m", "vllm_router.app", ports=[8000])), [(8000, "/metrics", "http")]),
        # but not where the engine is known
        (pod(container("run.sh", name="side", ports=[9000]), container(*VLLM)),
         [(8000, "/metrics", "http"), (9000, "/metrics", "http")]),
    ],
)  # fmt: skip
def test_where_metrics_may_be(one: Json, expected: list[Endpoint]) -> None:
    assert [place.endpoint for place in places.of(one)] == expected


def test_an_annotation_never_leads_to_the_json_page_of_trtllm() -> None:
    annotations = {"prometheus.io/port": "8000", "prometheus.io/path": "/metrics"}
    one = pod(container("trtllm-serve", "m", ports=[8000]), annotations=annotations)
    assert {place.endpoint.path for place in places.of(one)} == {"/prometheus/metrics"}


def test_the_users_word_counts_where_nothing_contradicts_it() -> None:
    (opaque,) = places.of(pod(container("run.sh")), "vllm@0.20")
    assert (opaque.endpoint.port, opaque.hint) == (8000, "vllm@0.20")
    (known,) = places.of(pod(container("python3", "-m", "sglang.launch_server")), "vllm@0.20")
    assert (known.endpoint.port, known.hint) == (30000, "")
    with pytest.raises(LlmHpaError, match="there is no engine 'vlm'"):
        places.of(pod(container("run.sh")), "vlm")


def test_a_variable_from_elsewhere_is_unknown_and_not_empty() -> None:
    environment = [
        {"name": "SEATS", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "PORT", "value": "8005"},
    ]
    one = pod(container(*VLLM, "--port", "$(PORT)", "--max-num-seqs", "$(SEATS)", env=environment))
    ((_, clues),) = places.clues_of(one)
    assert clues.words == (*VLLM, "--port", "8005", "--max-num-seqs", "$(SEATS)")
    assert dict(clues.env) == {"PORT": "8005"}


@pytest.mark.parametrize(
    ("one", "worth"),
    [
        (pod(container(*VLLM)), True),
        (pod(container("nginx", ports=[81])), False),
        (pod(container("run.sh", ports=[8000])), True),
        # everybody's ports, and those of TGI and of Dynamo's workers too
        (pod(container("nginx", ports=[80])), False),
        (pod(container("prometheus", ports=[9090])), False),
        (pod(container("text-generation-launcher", ports=[80])), True),
        (pod(container("run.sh", resources={"limits": {"nvidia.com/gpu": "1"}})), True),
        (pod(container("run.sh"), labels={"llm-d.ai/engine-type": "vllm"}), True),
        (pod(container("run.sh", image="vllm/vllm-openai:v0.20.2")), True),
        (pod(container("python3", "-m", "vllm_router.app")), True),
        (pod(container("sleep", name="side"), container(*VLLM)), True),
    ],
)
def test_which_pods_are_worth_asking(one: Json, worth: bool) -> None:
    assert detecting.worth_asking(one) is worth


def test_samples_read_like_the_body_they_came_from() -> None:
    scraped = {"namespace": "ml", "pod": "p", "endpoint": "http", "container": "main"}
    own = {"engine": "0", "model_name": "m"}

    def sample(name: str, value: float, **labels: str) -> Sample:
        return Sample({"__name__": name, **scraped, **own, **labels}, value)

    body = elsewhere.exposition(
        [
            sample("vllm:num_requests_running", 8, job="a"),
            sample("vllm:num_requests_running", 8, job="b"),  # a second scrape of the same pod
            sample("vllm:num_requests_waiting", 5, job="a"),
            sample("vllm:time_to_first_token_seconds_count", 3, job="a"),
        ]
    )
    facts = engines.identify(body, source=Source.SERIES)
    assert (facts.engine, facts.models, facts.source) == ("vllm", ("m",), Source.SERIES)
    assert (facts.signals["running"].value, facts.signals["running"].series) == (8, 1)
    assert facts.signals["ttft"].metric == "vllm:time_to_first_token_seconds"


def test_names_of_the_metrics_api_give_signals_with_values() -> None:
    values = {"vllm_num_requests_waiting": 5.0, "vllm:gpu_cache_usage_perc": None, "http_requests": 3.0}
    facts = elsewhere.facts_of_served(values, engines.clues(["run.sh"]))
    assert facts is not None
    assert (facts.engine, facts.source, facts.live) == ("vllm", Source.METRICS_API, True)
    assert {name: (one.metric, one.value) for name, one in facts.signals.items()} == {
        "waiting": ("vllm:num_requests_waiting", 5.0),
        "kv-cache": ("vllm:gpu_cache_usage_perc", None),
    }
    assert elsewhere.facts_of_served({"http_requests": 3.0}, engines.clues(VLLM)) is None


@pytest.mark.parametrize(
    ("values", "clues"),
    [
        ({"vllm:num_requests_running": 12.0}, engines.clues(["python3", "-m", "vllm_router.app"])),
        ({"vllm_num_requests_running": 12.0}, engines.clues(image="registry/vllm-router:1")),
        # an application of one's own may well count so
        ({"num_requests_running": 3.0}, engines.clues()),
        ({"num_requests_running": 3.0}, engines.clues(["nginx"])),
    ],
)
def test_names_of_the_metrics_api_that_prove_no_engine(values: dict[str, float], clues: Clues) -> None:
    assert elsewhere.facts_of_served({**values}, clues) is None


def test_names_without_a_prefix_count_where_something_else_speaks_for_the_engine() -> None:
    nim = engines.clues(image="nvcr.io/nim/meta/llama3-8b-instruct:1.0.0")
    facts = elsewhere.facts_of_served({"num_requests_running": 3.0}, nim)
    assert facts is not None
    assert (facts.engine, facts.signals["running"].value) == ("nim", 3)


@pytest.mark.parametrize(
    ("name", "signals"),
    [
        ("vllm:num_requests_waiting", {"waiting": "vllm:num_requests_waiting"}),
        ("vllm:num_requests_waiting_for_capacity", {"waiting": "vllm:num_requests_waiting_for_capacity"}),
        ("vllm_num_requests_in_flight", {"in-flight": "vllm:num_requests_in_flight"}),
    ],
)
def test_a_signal_of_the_metrics_api_is_the_one_of_its_name(name: str, signals: dict[str, str]) -> None:
    decode = engines.clues(VLLM, labels={"llm-d.ai/role": "decode"})
    facts = elsewhere.facts_of_served({name: 4.0}, decode)
    assert facts is not None
    assert facts.role == "decode"
    assert {key: one.api_name for key, one in facts.signals.items()} == signals


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/api/v1/namespaces/ml/pods", Right("list", "", "pods", "", "ml")),
        ("/api/v1/namespaces/ml/pods?labelSelector=a", Right("list", "", "pods", "", "ml")),
        ("/api/v1/namespaces/ml/pods/https:p:8000/proxy/metrics",
         Right("get", "", "pods", "proxy", "ml", "https:p:8000")),
        ("/apis/apps/v1/namespaces/ml/deployments/d/scale", Right("get", "apps", "deployments", "scale", "ml", "d")),
        ("/apis/apps/v1/deployments", Right("list", "apps", "deployments", "", "")),
        ("/api/v1/namespaces", Right("list", "", "namespaces", "", "")),
        ("/api/v1/namespaces/ml", Right("get", "", "namespaces", "", "ml", "ml")),
        ("/apis/custom.metrics.k8s.io/v1beta2/namespaces/ml/pods/*/vllm:num_requests_running",
         Right("get", "custom.metrics.k8s.io", "pods", "vllm:num_requests_running", "ml", "*")),
        ("/apis/custom.metrics.k8s.io/v1beta2", None),
        ("/apis", None),
        ("/version", None),
    ],
)  # fmt: skip
def test_the_right_that_a_read_needs(path: str, right: Right | None) -> None:
    assert needed(path) == right


def detection(
    rival: Rival | None = None,
    *,
    ready: int = 0,
    look: PodLook | None = None,
    found: tuple[Finding, ...] = (),
) -> detecting.Detection:
    target = Workload(
        Resource("apps/v1", "deployments", "Deployment"), "ml", "d", {}, 1, "app=d", rival=rival
    )
    one = pod(container(*VLLM))
    facts = engines.assume(engines.clues(VLLM))
    look = look or PodLook(one, EngineSight(one, one["spec"]["containers"][0], 8000, "/metrics", "", facts))
    up = {**one, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    template = detecting.Template("a", (one, *[up] * ready), look)
    return detecting.Detection("ml", target.reference, target, None, (template,), findings=found)


def test_who_scales_a_workload_already_is_shown() -> None:
    seen = detection(Rival("NIMService/n sets its replicas", "let it make the HPA", "kubectl patch\n  more"))
    assert detect_text.scaled_by(seen) == "see below"
    assert detect_text.to_copy([seen]) == ["  kubectl patch", "    more"]
    assert detect_documents.workload(seen)["rival"] == {
        "problem": "NIMService/n sets its replicas", "remedy": "let it make the HPA",
        "detail": "kubectl patch\n  more",
    }  # fmt: skip
    free = detection()
    assert (detect_text.scaled_by(free), detect_text.to_copy([free])) == ("", [])
    assert detect_documents.workload(free)["rival"] is None


def test_what_the_table_cannot_say_is_below_it_worst_first() -> None:
    broken, armed = found("ratio-target", "Deployment/d", "x"), found("armed", "Deployment/d", "y")
    lines = detect_text.lines_below([detection(ready=2, found=(armed, broken))])
    assert [line.partition(":")[0] for line in lines] == ["error", "note", "info"]
    assert lines[1] == "note: waiting, running and kv are those of one ready pod (-o wide names it)"
    assert detect_text.lines_below([detection(ready=1)]) == []
    assert detect_text.lines_below([detection()]) == [
        "note: Deployment/d: no pod is ready; what is shown comes from its command line"
    ]


@pytest.mark.parametrize(
    ("seen", "cell", "lookalike"),
    [
        ("the SGLang router", "none: the SGLang router", "the SGLang router"),
        ("vllm", "none: vllm expected", None),
        ("", "none", None),
    ],
)
def test_an_engine_that_was_expected_is_no_lookalike(seen: str, cell: str, lookalike: str | None) -> None:
    refusal = NotAnEngine("nothing there", seen=seen)
    one = detection(look=PodLook(pod(container(*VLLM)), None, refusal))
    assert detect_text.row(one, one.main, wide=False)[1] == cell
    assert detect_documents.workload(one)["lookalike"] == lookalike


def test_a_number_of_several_metrics_shows_that_there_are_more() -> None:
    signals = engines.assume(engines.clues(VLLM)).signals
    assert detect_text.metric(signals["running"]) == "vllm:num_requests_running"
    assert detect_text.metric(signals["in-flight"]) == "vllm:num_requests_running, ..."
