"""Rules about how far and how fast an autoscaler may go, and whether the pods can follow: limits, behaviour, quotas."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.hpa.go import ceil32, wrap32
from kubectl_llmhpa.lint import scalers
from kubectl_llmhpa.lint.documents import Document, FieldPath
from kubectl_llmhpa.lint.model import HPA, SCALED_OBJECT, Bundle, Check, Located, PodEngine, located

#: A window of scale-up from which on bursts of a minute are missed (seen: 60 s missed a load of 42 s).
_SLOW_UP = 60
#: A window of scale-down that no engine starts within.
_HASTY_DOWN = 60
_USUAL_DOWN = 300
#: The grace that Kubernetes gives a pod unless it says otherwise.
_USUAL_GRACE = 30
#: The API server's default policies of scale-up (pkg/apis/autoscaling/v2/defaults.go).
_UP: tuple[Json, ...] = ({"type": "Pods", "value": 4}, {"type": "Percent", "value": 100})
_PROBES = ("startupProbe", "readinessProbe")


def judge(bundle: Bundle, scaler: Document) -> Iterator[Located]:
    """The rules for one HPA or ScaledObject and the workload that it scales."""
    workload = bundle.workload(scaler)
    engine = bundle.engine(workload)
    of_engine = engine is not None or any(one.engine is not None for one in scalers.metrics(scaler))
    yield from _range(scaler)
    yield from _up(scaler)
    if of_engine:
        yield from _down(scaler, workload, engine)
    if workload is not None:
        yield from _quota(bundle, scaler, workload)
        if engine is not None:
            yield from _grace(scaler, workload, engine)
            yield from _metrics_off(scaler, workload, engine)


def _range(scaler: Document) -> Iterator[Located]:
    low, high = scalers.least(scaler), scalers.most(scaler)
    field = "maxReplicas" if scaler.kind == HPA else "maxReplicaCount"
    if scaler.at("spec", field) is None:
        if scaler.kind == HPA:
            yield located(scaler, ("spec",), "limits", "maxReplicas is not set")
    elif high < max(low, 1):
        yield located(scaler, ("spec", field), "limits", f"at least {low} and at most {high} replicas")
    elif high == low:
        yield located(scaler, ("spec", field), "pinned", f"at least and at most {high} replicas")


def _up(scaler: Document) -> Iterator[Located]:
    """The window and the policies of scale-up."""
    path = (*scalers.behavior_path(scaler), "scaleUp")
    rules = scaler.mapping(*path)
    window = rules.get("stabilizationWindowSeconds")
    if isinstance(window, int) and window >= _SLOW_UP:
        seen = f"the window of scale-up is {window} s"
        yield located(scaler, (*path, "stabilizationWindowSeconds"), "scale-up-window", seen)
    if rules.get("selectPolicy") == "Disabled":
        seen = "scale-up is disabled"
        yield located(
            scaler, (*path, "selectPolicy"), "stuck-policy", seen, fix="remove selectPolicy: Disabled"
        )
        return
    low, high = scalers.least(scaler), scalers.most(scaler)
    if scaler.kind == SCALED_OBJECT:
        low = max(1, low)  # KEDA itself takes the first step from zero
    for current in sorted({low, high - 1}):
        if current < low or current >= high or _allowed(rules, current) > current:
            continue
        if current == 0:
            fix = "add a policy of type Pods and leave selectPolicy at Max"
        else:
            fix = "write values that fit the limits, such as 100 per cent and 4 pods"
        yield located(
            scaler,
            (*path, "policies"),
            "stuck-policy",
            f"at {current} replicas no policy allows more",
            fix=fix,
        )
        return


def _allowed(rules: Json, current: int) -> int:
    """How many replicas the policies of scale-up allow at most, with the controller's 32-bit numbers."""
    given = rules.get("policies")
    policies = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    numbers = []
    for policy in policies or _UP:
        value = int(policy.get("value") or 0)
        if policy.get("type") == "Percent":
            numbers.append(ceil32(float(current) * (1 + value / 100)))
        else:
            numbers.append(wrap32(current + value))
    return min(numbers) if rules.get("selectPolicy") == "Min" else max(numbers)


def _down(scaler: Document, workload: Document | None, engine: PodEngine | None) -> Iterator[Located]:
    """The window of scale-down against the time that a pod takes to start, as far as its probes tell."""
    path = (*scalers.behavior_path(scaler), "scaleDown")
    rules = scaler.mapping(*path)
    if rules.get("selectPolicy") == "Disabled":
        return
    window = rules.get("stabilizationWindowSeconds", _USUAL_DOWN)
    if not isinstance(window, int):
        return
    start = _start(workload, engine)
    if window >= _HASTY_DOWN and window >= start:
        return
    seen = f"the window of scale-down is {window} s"
    if start > window:
        seen += f", and a pod is not asked whether it is ready before {start} s"
    place = (*path, "stabilizationWindowSeconds") if "stabilizationWindowSeconds" in rules else path
    yield located(scaler, place, "scale-down-window", seen, better=max(_USUAL_DOWN, start))


def _start(workload: Document | None, engine: PodEngine | None) -> int:
    """Seconds that a pod certainly takes: before them its probes do not ask."""
    if workload is None or engine is None:
        return 0
    delays = [(engine.container.get(probe) or {}).get("initialDelaySeconds") for probe in _PROBES]
    return max((one for one in delays if isinstance(one, int)), default=0)


def _quota(bundle: Bundle, scaler: Document, workload: Document) -> Iterator[Located]:
    """What a quota of the namespace leaves room for. Other pods of the namespace need some of it too."""
    most = scalers.most(scaler)
    template = workload.mapping("spec", "template")
    if not template or most <= 0:
        return
    field = "maxReplicas" if scaler.kind == HPA else "maxReplicaCount"
    for quota in bundle.of_kind("ResourceQuota"):
        if quota.namespace != workload.namespace or not (quota.namespace or quota.path == workload.path):
            continue
        for name, text in quota.mapping("spec", "hard").items():
            hard, each = scalers.number(text), _each(template, str(name))
            if hard is None or not each or each * most <= hard:
                continue
            seen = f"{quota.reference} allows {name} {text}, and {most} replicas need {each * most:f}"
            yield located(scaler, ("spec", field), "quota", seen, room=int(hard // each))


def _each(template: Json, resource: str) -> Decimal:
    """What one pod takes of a quota's resource (`requests.nvidia.com/gpu`, `limits.cpu`, `pods`); 0: none."""
    if resource in ("pods", "count/pods"):
        return Decimal(1)
    kind, _, name = (
        resource.partition(".")
        if resource.startswith(("requests.", "limits."))
        else ("requests", "", resource)
    )
    total = Decimal(0)
    for container in (template.get("spec") or {}).get("containers") or ():
        resources = container.get("resources") or {}
        found = (resources.get(kind) or {}).get(name)
        if found is None and kind == "requests":  # a limit alone is the request too
            found = (resources.get("limits") or {}).get(name)
        total += scalers.number(found) or Decimal(0)
    return total


def _grace(scaler: Document, workload: Document, engine: PodEngine) -> Iterator[Located]:
    """The time that a pod has to end its generations when it is scaled in."""
    down = scaler.mapping(*scalers.behavior_path(scaler), "scaleDown")
    path: FieldPath = (*engine.template, "spec")
    grace = workload.at(*path, "terminationGracePeriodSeconds", default=_USUAL_GRACE)
    if down.get("selectPolicy") == "Disabled" or not isinstance(grace, int) or grace > _USUAL_GRACE:
        return
    seen = f"{scaler.reference} scales it in, and a pod has {grace} s to end its generations"
    yield located(workload, (*path, "terminationGracePeriodSeconds"), "grace-period", seen)


def _metrics_off(scaler: Document, workload: Document, engine: PodEngine) -> Iterator[Located]:
    """An engine whose flags leave its autoscaler without a metric."""
    if not any(one.engine and one.engine.name == engine.facts.engine for one in scalers.metrics(scaler)):
        return
    row = engines.expect(engine.clues)
    if row is None:
        return
    name = engine.container.get("name")
    path = (*engine.template, "spec", "containers")
    title = f"container {name}: {row.engine.title}"
    if flag := engines.hidden_by(row.engine, engine.clues):
        yield located(workload, path, "metrics-hidden", f"{title} runs with {flag}", flag=flag)
    elif flag := engines.missing_switch(row.engine, engine.clues):
        how = f"add {flag} to its command line" if flag.startswith("-") else f"set {flag} in its environment"
        yield located(workload, path, "metrics-off", f"{title} is started without {flag}", switch_on=how)


CHECKS = (Check((HPA, SCALED_OBJECT), judge),)
