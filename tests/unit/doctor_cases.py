"""What is changed in the facts of a healthy workload so that one hop breaks, for every finding of `doctor`.

`modes` are the numbers of docs/failure-modes.md.
"""

from __future__ import annotations

from dataclasses import replace

from kubectl_llmhpa.doctor.facts import Problem
from kubectl_llmhpa.findings import found
from tests.unit.doctor_changes import (
    FIRST,
    SECOND,
    STRANGER,
    Case,
    both,
    down,
    engine_is,
    monitor,
    no_number,
    on,
    pods,
    prometheus,
    quota,
    ready_gone,
    renamed_body,
    strays,
    top,
    unscraped,
)
from tests.unit.doctor_serving_cases import SERVING

CHAIN = (
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
)

CASES = (*CHAIN, *SERVING)
