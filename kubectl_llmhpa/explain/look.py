"""The look: which HPA is meant, and everything that its controller reads, in three rounds of requests.

Paths and queries of the metrics APIs: k8s.io/metrics, pkg/client/custom_metrics/versioned_client.go and
pkg/client/external_metrics/client.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from urllib.parse import quote, urlencode

from kubectl_llmhpa.api import (
    HPAS,
    LAST_APPLIED,
    PODS,
    SCALED_OBJECTS,
    Json,
    Reader,
    Resource,
    events_path,
    scaler_named,
    type_and_name,
)
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.explain.facts import Answer, Facts, Scale
from kubectl_llmhpa.hpa import arithmetic, scaled_objects
from kubectl_llmhpa.hpa.arithmetic import reading as readings
from kubectl_llmhpa.hpa.go import milli
from kubectl_llmhpa.workloads import Workload, identify, missing, unscaled
from kubectl_llmhpa.workloads.discovery import Types

CUSTOM = "/apis/custom.metrics.k8s.io"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"
#: The version that is asked where the group does not tell which it prefers.
_USUAL = "v1beta1"


def find(reader: Reader, words: tuple[str, ...], namespace: str) -> list[Json]:
    """The HPAs that `TYPE/NAME`, `hpa/NAME` or `scaledobject/NAME` means: one, unless two scale the same workload.

    Raises LlmHpaError when there is none, with the command that makes one.
    """
    word, name = type_and_name(words)
    scaler = scaler_named(word)
    if scaler is None:
        return _of_workload(reader, identify(reader, words, namespace))
    found = missing.read(reader, scaler, namespace, name)
    return [found if scaler is HPAS else _of_scaled_object(reader, found, namespace)]


def _of_workload(reader: Reader, workload: Workload) -> list[Json]:
    namespace = workload.namespace
    everything = reader.get(HPAS.path(namespace)).get("items") or []
    found = [hpa for hpa in everything if _scales(hpa, workload.resource, workload.name)]
    if not found:
        for one in _scaled_objects(reader, namespace):
            if workload.is_target_of(scaled_objects.scale_target(one)):
                return [_of_scaled_object(reader, one, namespace)]
        raise unscaled(reader, workload.resource.kind, namespace, workload.name)
    return found


def _scaled_objects(reader: Reader, namespace: str) -> list[Json]:
    """Those of the namespace; none where KEDA is not there or they may not be listed."""
    try:
        return list(reader.get(SCALED_OBJECTS.path(namespace)).get("items") or [])
    except ApiError as error:
        if error.unavailable:
            raise
        return []


def look(reader: Reader, about: Json | Workload, *, now: datetime | None = None) -> Facts:
    """Everything that the controller reads for one HPA, or the first of a workload's, as it stands now.

    What cannot be read is noted, not raised. Raises LlmHpaError for a workload without an HPA.
    """
    hpa = _of_workload(reader, about)[0] if isinstance(about, Workload) else about
    namespace = str((hpa.get("metadata") or {}).get("namespace") or reader.namespace)
    types = Types(reader)
    metrics = (hpa.get("spec") or {}).get("metrics") or ()
    asked = _about(hpa, namespace, types)
    if any(one.get("type") in ("Pods", "Object") for one in metrics):
        asked["custom"] = CUSTOM
    answers = dict(zip(asked, reader.get_many(list(asked.values())), strict=True))
    unread = {
        name: _why(answer)
        for name, answer in answers.items()
        if isinstance(answer, ApiError) and name not in ("custom", "scaledobject")
    }
    if "scale" not in asked:
        unread["scale"] = "the API server has no resource of the kind that is scaled"
    scale = _scale(answers.get("scale"))
    found = Facts(
        hpa=_bare(hpa),
        now=(now or datetime.now(timezone.utc)).isoformat(),
        scale=scale,
        minor=_minor(answers.get("version")),
        events=tuple(map(_bare, _items(answers.get("events")))),
        scaled_object=_object(answers.get("scaledobject")),
        unread=unread,
    )
    return _with_numbers(reader, found, metrics, namespace, answers.get("custom"), types)


def _about(hpa: Json, namespace: str, types: Types) -> dict[str, str]:
    """What is asked first: by name, the path."""
    reference = (hpa.get("spec") or {}).get("scaleTargetRef") or {}
    name = str((hpa.get("metadata") or {}).get("name") or "")
    asked = {"version": "/version", "events": events_path(namespace, HPAS.kind, name=name)}
    try:
        known = types.of(str(reference.get("apiVersion") or ""), str(reference.get("kind") or ""))
    except ApiError:
        known = None
    if known is not None:
        asked["scale"] = known.resource.path(namespace, str(reference.get("name") or ""), "scale")
    if scaled := scaled_objects.of_hpa(hpa):
        asked["scaledobject"] = SCALED_OBJECTS.path(namespace, scaled)
    return asked


def _with_numbers(
    reader: Reader,
    found: Facts,
    metrics: Sequence[Json],
    namespace: str,
    custom: Json | ApiError | None,
    types: Types,
) -> Facts:
    """The facts with the pods and each metric's answer, all read at once."""
    selector = found.scale.selector if found.scale else ""
    version = _preferred(custom)
    paths = [metric_path(one, namespace, selector, version, types) for one in metrics]
    if found.scale:
        paths.append(f"{PODS.path(namespace)}?{urlencode({'labelSelector': selector})}")
    wanted = [path for path in paths if path]
    answers: Mapping[str, Json | ApiError] = dict(zip(wanted, reader.get_many(wanted), strict=True))
    unread = dict(found.unread)
    pods: tuple[arithmetic.Pod, ...] = ()
    if found.scale:
        answer = answers[paths.pop()]
        if isinstance(answer, ApiError):
            unread["pods"] = _why(answer)
        else:
            pods = readings.pods(answer.get("items") or ())
    read = tuple(
        _answer(one, answers.get(path), custom) if path else Answer("none")
        for one, path in zip(metrics, paths, strict=True)
    )
    return replace(found, pods=pods, answers=read, unread=unread)


def metric_path(entry: Json, namespace: str, selector: str, version: str, types: Types) -> str:
    """The path from which the controller reads one metric of a spec; empty for CPU and memory."""
    kind = str(entry.get("type") or "")
    body = entry.get(kind.lower()) or {}
    identity = body.get("metric") or {}
    name, own = quote(str(identity.get("name") or ""), safe=""), selector_text(identity.get("selector"))
    if kind == "External":
        query = urlencode({"labelSelector": own}) if own else ""
        return f"{EXTERNAL}/namespaces/{namespace}/{name}" + (f"?{query}" if query else "")
    query = urlencode({"metricLabelSelector": own}) if own else ""
    base = f"{CUSTOM}/{version}/namespaces/{namespace}"
    if kind == "Pods":
        pods = urlencode({"labelSelector": selector})
        return f"{base}/pods/*/{name}?{pods}" + (f"&{query}" if query else "")
    if kind != "Object":
        return ""
    described = body.get("describedObject") or {}
    if described.get("kind") == "Namespace":
        where = f"{base}/metrics/{name}"
    else:
        resource = _plural(types, described)
        where = f"{base}/{resource}/{quote(str(described.get('name') or ''), safe='')}/{name}"
    return where + (f"?{query}" if query else "")


def selector_text(selector: Json | None) -> str:
    """A label selector as text, as metav1.LabelSelectorAsSelector(...).String() gives it: sorted by key."""
    if not selector:
        return ""
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        key, values = str(one.get("key") or ""), ",".join(sorted(one.get("values") or ()))
        text = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }.get(str(one.get("operator")), key)
        parts.append((key, text))
    return ",".join(text for _, text in sorted(parts))


def _plural(types: Types, described: Json) -> str:
    """`services` or `ingresses.networking.k8s.io`."""
    try:
        known = types.of(str(described.get("apiVersion") or "v1"), str(described.get("kind") or ""))
    except ApiError:
        known = None
    if known is None:
        return f"{str(described.get('kind') or '').lower()}s"
    resource = known.resource
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _answer(entry: Json, answer: Json | ApiError | None, custom: Json | ApiError | None) -> Answer:
    kind = entry.get("type")
    api = "external" if kind == "External" else "custom"
    if kind != "External" and isinstance(custom, ApiError) and custom.not_found:
        why = "no custom metrics API (custom.metrics.k8s.io) registered"
        return Answer("failed", message=f"unable to fetch metrics from custom metrics API: {why}")
    if isinstance(answer, ApiError):
        return Answer("failed", message=f"unable to fetch metrics from {api} metrics API: {_why(answer)}")
    items = (answer or {}).get("items") or ()
    texts = [str(item.get("value", "0")) for item in items]
    if wrong := next((text for text in texts if not _is_quantity(text)), None):
        return Answer("failed", message=f"the {api} metrics API answered {wrong!r}, which is no quantity")
    if kind == "Pods":
        names = [str((item.get("describedObject") or {}).get("name") or "") for item in items]
        return Answer("pods", pods=dict(zip(names, texts, strict=True)))
    return Answer("values", values=tuple(texts))


def _is_quantity(text: str) -> bool:
    try:
        milli(text)
    except ValueError:
        return False
    return True


def _of_scaled_object(reader: Reader, scaled: Json, namespace: str) -> Json:
    name = str(scaled["metadata"]["name"])
    state = scaled_objects.state(scaled)
    try:
        return reader.get(HPAS.path(namespace, state.hpa or scaled_objects.hpa_name(scaled)))
    except ApiError as error:
        if not error.not_found:
            raise
        raise LlmHpaError(
            f"ScaledObject {name} in namespace {namespace!r}",
            state.fault or "KEDA has not made its HPA yet",
            f"see: kubectl llm-hpa doctor scaledobject/{name} -n {namespace}",
        ) from error


def _scales(hpa: Json, resource: Resource, name: str) -> bool:
    reference = (hpa.get("spec") or {}).get("scaleTargetRef") or {}
    group = Resource(str(reference.get("apiVersion") or ""), "", "").group
    return (group, reference.get("kind"), reference.get("name")) == (resource.group, resource.kind, name)


def _scale(answer: Json | ApiError | None) -> Scale | None:
    if answer is None or isinstance(answer, ApiError):
        return None
    spec, status = answer.get("spec") or {}, answer.get("status") or {}
    return Scale(
        int(spec.get("replicas") or 0), int(status.get("replicas") or 0), str(status.get("selector") or "")
    )


def _preferred(custom: Json | ApiError | None) -> str:
    if custom is None or isinstance(custom, ApiError):
        return _USUAL
    return str((custom.get("preferredVersion") or {}).get("version") or _USUAL)


def _minor(answer: Json | ApiError | None) -> int | None:
    if answer is None or isinstance(answer, ApiError):
        return None
    found = re.match(r"\d+", str(answer.get("minor") or ""))
    return int(found[0]) if found and str(answer.get("major")) == "1" else None


def _items(answer: Json | ApiError | None) -> list[Json]:
    return [] if answer is None or isinstance(answer, ApiError) else list(answer.get("items") or ())


def _object(answer: Json | ApiError | None) -> Json | None:
    return None if answer is None or isinstance(answer, ApiError) else _bare(answer)


def _bare(obj: Json) -> Json:
    """An object without what no calculation needs."""
    metadata = dict(obj.get("metadata") or {})
    if "annotations" in metadata:
        annotations = metadata["annotations"] or {}
        metadata["annotations"] = {key: text for key, text in annotations.items() if key != LAST_APPLIED}
    if "managedFields" in metadata:  # by whom is enough to tell whose it is
        metadata["managedFields"] = [
            {"manager": one.get("manager")} for one in metadata["managedFields"] or ()
        ]
    return {**obj, "metadata": metadata}


def _why(error: ApiError) -> str:
    return " ".join((error.message or error.reason or f"HTTP {error.code}").split())
