"""The rest of `doctor_cases`: from the metrics API to drift.

`modes` are the numbers of docs/failure-modes.md.
"""

from __future__ import annotations

from dataclasses import replace

from kubectl_llmhpa.doctor.facts import PodFacts, Problem
from kubectl_llmhpa.findings import found
from tests.unit.doctor_changes import (
    DOWN,
    FIRST,
    KEDA,
    RUNNING,
    STACKDRIVER,
    WAITING,
    Case,
    adapter,
    as_value,
    both,
    condition,
    external,
    finding,
    flapping,
    hpa,
    idle_zero,
    keda_gone,
    keda_says,
    no_rule,
    of_namespace,
    on,
    one_pending,
    one_silent,
    percent_only,
    quota,
    raw,
    rename,
    scaled,
    top,
    trigger,
    unlisted,
    values,
)

SERVING = (
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
    Case(
        "sum-as-value",
        "autoscaler",
        both(hpa(of_namespace), values(type="Object", metric=RUNNING)),
        name="of a namespace",
        modes=(17,),
    ),
    Case("sum-as-value", "autoscaler", scaled(as_value), KEDA, modes=(17,)),
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
        both(on("target", replicas=3), one_pending),
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
