"""What is changed in the facts of a healthy workload so that one hop breaks, for every finding of `doctor`.

`modes` are the numbers of the failure modes in docs/doctor.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kubectl_llmhpa.doctor import Facts
from kubectl_llmhpa.doctor.facts import PodFacts, Problem
from kubectl_llmhpa.findings import found
from tests.unit.doctor_changes import (
    ADAPTER,
    DOWN,
    FIRST,
    KEDA,
    RUNNING,
    SECOND,
    STACKDRIVER,
    STRANGER,
    WAITING,
    Change,
    adapter,
    both,
    condition,
    down,
    engine_is,
    external,
    finding,
    flapping,
    hpa,
    idle_zero,
    keda_gone,
    keda_says,
    monitor,
    no_number,
    no_rule,
    on,
    one_silent,
    percent_only,
    pods,
    prometheus,
    quota,
    raw,
    ready_gone,
    rename,
    renamed_body,
    scaled,
    strays,
    top,
    trigger,
    unlisted,
    unscraped,
    values,
)


@dataclass(frozen=True)
class Case:
    """`change` of `base` breaks `hop` with the finding `code`."""

    code: str
    hop: str
    change: Change
    base: Facts = ADAPTER
    modes: tuple[int, ...] = ()
    name: str = ""


CASES = (
    # target
    Case(
        "target-absent", "target", on("target", fault="absent", problem=Problem("there is none of that name"))
    ),
    Case(
        "no-scale-selector",
        "target",
        on("target", fault="no-selector", problem=Problem("its scale names no selector")),
        modes=(10,),
    ),
    Case(
        "no-scale-subresource",
        "target",
        on("target", fault="no-scale", problem=Problem("no scale")),
        modes=(10,),
    ),
    Case(
        "operator-owns-replicas",
        "target",
        on("target", rival=Problem("its operator sets them", "scale that")),
        modes=(9,),
    ),
    Case("scales-a-part", "target", on("target", asked="StatefulSet/part")),
    Case("two-scalers", "target", on("scaler", rivals=("hpa/other",)), modes=(11,)),
    Case(
        "foreign-pods",
        "target",
        lambda facts: replace(facts, pods=(*(facts.pods or ()), STRANGER)),
        modes=(12,),
    ),
    Case("no-pods", "target", top(pods=())),
    Case("quota-exceeded", "target", both(quota, top(pods=())), name="no pod at all"),
    # engine
    Case("pods-fail", "engine", both(ready_gone, pods(waiting="CrashLoopBackOff"))),
    Case(
        "pods-unschedulable",
        "engine",
        both(ready_gone, pods(unschedulable="0/1 nodes are available")),
        name="all pending",
    ),
    Case(
        "no-metrics-page",
        "engine",
        engine_is(
            engine="",
            live=False,
            signals=(),
            refusal="an empty answer",
            asked=("port 8000/metrics: an empty answer",),
        ),
        modes=(25,),
    ),
    Case(
        "metrics-off",
        "engine",
        engine_is(findings=(found("metrics-off", "", "no metrics", switch_on="add --metrics"),)),
        modes=(25,),
    ),
    Case(
        "no-engine",
        "engine",
        engine_is(engine="", live=False, signals=(), refusal="a router", instead="the vLLM router"),
        modes=(25,),
    ),
    Case(
        "not-a-number",
        "engine",
        no_number,
        name="in the body",
    ),
    # scrape object and selection
    Case("no-scrape-object", "scrape object", both(unscraped, on("scraping", monitors=()))),
    Case(
        "monitor-matches-nothing",
        "scrape object",
        both(unscraped, monitor(lambda one: one["spec"].update(selector={"matchLabels": {"app": "x"}}))),
        modes=(4,),
    ),
    Case(
        "scrape-object-rejected",
        "scrape object",
        both(
            unscraped,
            monitor(
                lambda one: one["spec"]["podMetricsEndpoints"][0].update(interval="5s", scrapeTimeout="10s")
            ),
        ),
    ),
    Case(
        "monitor-port",
        "scrape object",
        both(unscraped, monitor(lambda one: one["spec"].update(podMetricsEndpoints=[{"port": "metrics"}]))),
        modes=(3,),
    ),
    Case(
        "monitor-not-selected",
        "selection",
        both(
            unscraped,
            prometheus(lambda one: one["spec"].update(podMonitorSelector={"matchLabels": {"team": "x"}})),
        ),
        modes=(2,),
    ),
    Case(
        "namespace-not-selected",
        "selection",
        both(unscraped, prometheus(lambda one: one["spec"].pop("podMonitorNamespaceSelector", None))),
        modes=(2,),
    ),
    Case("no-prometheus-object", "selection", both(unscraped, on("scraping", prometheuses=()))),
    Case(
        "prometheus-may-not-list-pods",
        "selection",
        both(unscraped, on("scraping", may_list={"monitoring/kube-prometheus-stack-prometheus": False})),
        modes=(3,),
    ),
    # scrape target and sample
    Case("no-target", "scrape target", unscraped, modes=(3,)),
    Case("target-down", "scrape target", down("server returned HTTP status 404 Not Found"), modes=(26,)),
    Case(
        "target-scheme", "scrape target", down("http: server gave HTTP response to HTTPS client"), modes=(26,)
    ),
    Case("target-mesh", "scrape target", down("read tcp 10.0.0.1: connection reset by peer"), modes=(26,)),
    Case("target-blocked", "scrape target", down("context deadline exceeded"), modes=(26,)),
    Case("pod-label", "sample", strays, modes=(14,)),
    Case(
        "no-sample",
        "sample",
        lambda facts: replace(
            facts,
            engine=None,
            samples=replace(
                facts.samples,
                ages={},
                series=tuple(one for one in facts.samples.series if one.labels["__name__"] == "up"),
            ),
            pods=tuple(replace(one, ready=True) for one in facts.pods or ()),
        ),
    ),
    Case("metric-not-exposed", "sample", renamed_body, modes=(5,)),
    Case(
        "not-a-number",
        "sample",
        lambda facts: replace(
            facts,
            samples=replace(
                facts.samples,
                series=tuple(
                    replace(one, value="NaN") if one.labels["__name__"] != "up" else one
                    for one in facts.samples.series
                ),
            ),
        ),
        modes=(22,),
        name="in Prometheus",
    ),
    Case("stale-sample", "sample", on("samples", ages={FIRST: 200.0, SECOND: 180.0})),
    # metrics API and name
    Case("no-metrics-api", "metrics API", on("serving", custom=())),
    Case(
        "metrics-api-down",
        "metrics API",
        on("serving", custom=(DOWN,)),
        modes=(6,),
    ),
    Case(
        "two-metric-providers",
        "metrics API",
        both(adapter(others=("v1beta2.custom.metrics.k8s.io",)), unlisted),
        modes=(20,),
    ),
    Case("external-api-taken", "metrics API", keda_gone, KEDA, modes=(20,)),
    Case(
        "adapter-wrong-list",
        "metrics API",
        both(hpa(external), adapter(rules={WAITING: {"seriesQuery": WAITING}}), on("serving", external=())),
        modes=(13,),
    ),
    Case(
        "adapter-wrong-list",
        "name",
        both(
            unlisted,
            adapter(rules={RUNNING: None, WAITING: None}, external_rules=(RUNNING, WAITING)),
        ),
        modes=(13,),
        name="the reverse",
    ),
    Case(
        "adapter-wrong-address",
        "name",
        both(on("serving", listed=0, served=()), adapter(answer=Problem("no such service", code=404))),
        modes=(1,),
    ),
    Case(
        "adapter-rule-refused",
        "name",
        both(on("serving", listed=0, served=()), adapter(refused=(("x{", "bad_data"),))),
        modes=(21,),
    ),
    Case("adapter-lists-nothing", "name", on("serving", listed=0, served=())),
    Case(
        "metric-unknown",
        "name",
        both(
            rename("vllm:num_requests_runing"),
            no_rule("vllm:num_requests_runing"),
            on("samples", metrics=(WAITING,)),
        ),
        modes=(5,),
    ),
    Case(
        "renamed-metric",
        "name",
        both(rename("vllm:gpu_cache_usage_perc"), no_rule("vllm:gpu_cache_usage_perc")),
        modes=(5,),
    ),
    Case(
        "adapter-not-restarted",
        "name",
        both(unlisted, adapter(changed="2026-11-27T02:00:00Z", started="2026-11-27T01:00:00Z")),
        modes=(21,),
    ),
    Case("adapter-relist", "name", adapter(max_age=2.0), modes=(15,)),
    Case("metric-not-listed", "name", unlisted),
    Case(
        "cloud-metric-unknown",
        "name",
        both(
            unlisted,
            on(
                "serving",
                adapter=None,
                served=(),
                listed=3,
                adapter_problem=Problem("it is custom-metrics-stackdriver-adapter"),
                custom=(STACKDRIVER,),
            ),
        ),
        modes=(29,),
    ),
    # value
    Case("last-series-wins", "value", raw, modes=(23,)),
    Case(
        "not-a-number",
        "value",
        values(items=((FIRST, "-9223372036854775808m"),)),
        modes=(22,),
        name="on its way",
    ),
    Case("rule-without-pod", "value", values(items=())),
    Case("multi-node-workers", "value", one_silent, modes=(16,)),
    Case(
        "adapter-query-fails",
        "value",
        values(items=(), problem=Problem("Internal error occurred: unable to fetch metrics", code=500)),
    ),
    Case("silent-zero", "value", trigger(elements=0, values=(), ignore_null=True), KEDA, modes=(7,)),
    Case("keda-empty", "value", trigger(elements=0, values=(), ignore_null=False), KEDA, modes=(7,)),
    Case("query-many-elements", "value", trigger(elements=2, values=("1", "2")), KEDA, modes=(24,)),
    Case("query-unreadable", "value", trigger(elements=None, problem=Problem("parse error", code=400)), KEDA),
    Case("zero-hides-loss", "value", trigger(bare=0), KEDA, modes=(22,)),
    Case("query-of-everybody", "value", trigger(foreign=("other",)), KEDA, modes=(27,)),
    Case("not-a-number", "value", trigger(values=("nan",)), KEDA, name="of a query"),
    Case(
        "keda-unauthorized",
        "value",
        keda_says("prometheus query api returned error. status: 401 response"),
        KEDA,
        modes=(8,),
    ),
    Case(
        "keda-unreachable",
        "value",
        keda_says("dial tcp 10.0.0.1:9090: connect: no route to host"),
        KEDA,
        modes=(8,),
    ),
    Case(
        "keda-blocked",
        "value",
        both(
            keda_says("dial tcp 10.0.0.1:9090: i/o timeout"),
            on("keda", policies=(found("keda-blocked", "x", "it admits no pod", command="kubectl patch"),)),
        ),
        KEDA,
        modes=(8,),
    ),
    Case("keda-query-fails", "value", keda_says("something new"), KEDA),
    Case(
        "keda-fallback",
        "value",
        scaled(condition("Fallback", "True", "FallbackExists", "x")),
        KEDA,
        modes=(8,),
    ),
    Case("scaledobject-absent", "value", both(keda_says("x"), on("scaler", scaled_object=None)), KEDA),
    # autoscaler
    Case(
        "no-autoscaler",
        "autoscaler",
        both(on("scaler", hpa=None, scaled_object=None), top(values=(), arithmetic=None)),
    ),
    Case("ratio-target", "autoscaler", finding("ratio-target"), modes=(30,)),
    Case(
        "keda-paused",
        "autoscaler",
        scaled(lambda one: one["metadata"].update(annotations={"autoscaling.keda.sh/paused": "true"})),
        KEDA,
    ),
    Case(
        "scaledobject-not-ready",
        "autoscaler",
        scaled(condition("Ready", "False", "ScaledObjectCheckFailed", "no threshold")),
        KEDA,
    ),
    Case(
        "stuck-at-zero", "autoscaler", both(idle_zero, hpa(percent_only), hpa(external)), name="percentages"
    ),
    Case("nobody-counts-at-zero", "autoscaler", idle_zero, KEDA, modes=(19,)),
    Case(
        "one-metric-invalid",
        "autoscaler",
        hpa(
            lambda one: one["status"].update(
                currentMetrics=[{"type": ""}, *one["status"]["currentMetrics"][1:]]
            )
        ),
    ),
    Case(
        "hpa-cannot-compute",
        "autoscaler",
        hpa(
            condition(
                "ScalingActive", "False", "FailedGetPodsMetric", "no metrics returned from custom metrics API"
            )
        ),
    ),
    Case(
        "two-scalers",
        "autoscaler",
        hpa(
            condition(
                "ScalingActive",
                "False",
                "AmbiguousSelector",
                "pods by selector app=x are controlled by more than one HPA",
            )
        ),
        modes=(11,),
        name="told by the controller",
    ),
    # effect and drift
    Case(
        "scale-not-written",
        "effect",
        hpa(
            condition(
                "AbleToScale",
                "False",
                "FailedUpdateScale",
                "the HPA controller was unable to update the target scale: forbidden",
            )
        ),
    ),
    Case("replicas-fought", "effect", flapping, modes=(9,)),
    Case(
        "pods-unschedulable",
        "effect",
        lambda facts: replace(
            facts,
            pods=(
                *(facts.pods or ()),
                PodFacts(
                    "vllm-inference-2",
                    "Pending",
                    False,
                    "2026-11-27T00:00:00Z",
                    "StatefulSet/vllm-inference",
                    unschedulable="0/1 nodes",
                ),
            ),
        ),
        modes=(28,),
    ),
    Case("quota-exceeded", "effect", quota, modes=(28,)),
    Case(
        "pods-fail",
        "effect",
        lambda facts: replace(
            facts,
            pods=(
                *(facts.pods or ()),
                PodFacts(
                    "vllm-inference-2",
                    "Pending",
                    False,
                    "2026-11-27T00:00:00Z",
                    "StatefulSet/vllm-inference",
                    waiting="ImagePullBackOff",
                ),
            ),
        ),
        name="one of them",
    ),
    Case("rule-will-be-lost", "drift", no_rule(RUNNING), modes=(21,)),
)
