"""Hops scrape target and sample: what Prometheus has of the pods.

One query gives `up` and every series of the metrics that are asked for. The targets API is asked only where a pod is
not up, since it tells why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends.series_labels import PAIRS
from kubectl_llmhpa.doctor import asks
from kubectl_llmhpa.doctor.engine import finite
from kubectl_llmhpa.doctor.facts import Facts, PodFacts, SampleFacts, ScrapeTarget, Series
from kubectl_llmhpa.doctor.model import Verdict, broken, ok, unknown
from kubectl_llmhpa.doctor.seeing import Seeing, problem
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.monitoring import prometheus
from kubectl_llmhpa.monitoring.expressions import quoted
from kubectl_llmhpa.monitoring.prometheus import Server

_PODS = 20
_SERIES = 400
_POOLS = 5
#: A sample that is older is left from a scrape that has failed since (Prometheus answers with those of five minutes).
_STALE_SECONDS = 60.0
_LABELS = ("__name__", "namespace", "pod", "job", "instance", "container", "endpoint")
#: Words of a scrape's error, and the finding that they mean; the first that fits counts.
_ERRORS = (
    (r"server gave HTTP response to HTTPS client|first record does not look like a TLS", "target-scheme"),
    (r"malformed HTTP response|x509|certificate|tls:", "target-scheme"),
    (r"connection reset by peer|EOF|RBAC: access denied|HTTP status (403|503)", "target-mesh"),
    (r"context deadline exceeded|i/o timeout|no route to host", "target-blocked"),
)  # fmt: skip


def look(
    seeing: Seeing, server: Server | None, namespace: str, pods: Sequence[Json], metrics: Sequence[str]
) -> SampleFacts:
    """Ask a Prometheus for the pods' targets and series."""
    if server is None:
        return SampleFacts(metrics=tuple(metrics))
    place = f"{server.namespace}/{server.service}:{server.port}"
    try:
        series = _series(seeing, server, namespace, pods, metrics)
        strays = (
            _strays(seeing, server, namespace, pods, metrics) if metrics and not _of(series, metrics) else ()
        )
        ages = _ages(seeing, server, namespace, pods, metrics)
        up = {one.labels.get("pod", "") for one in series if _name(one) == "up" and one.value == "1"}
        down = [one for one in pods if one["metadata"]["name"] not in up]
        jobs_ = [one.labels.get("job", "") for one in series]
        targets = _targets(seeing, server, namespace, pods, jobs_) if down or strays else ()
    except LlmHpaError as error:
        return SampleFacts(place, problem(error), tuple(metrics))
    return SampleFacts(place, None, tuple(metrics), series, strays, ages, targets)


def _series(
    seeing: Seeing, server: Server, namespace: str, pods: Sequence[Json], metrics: Sequence[str]
) -> tuple[Series, ...]:
    if not pods:
        return ()
    selector = f'{{__name__=~"{_any(("up", *metrics))}",namespace="{namespace}",pod=~"{_names(pods)}"}}'
    return _plain(prometheus.query(seeing, server, selector))


def _strays(
    seeing: Seeing, server: Server, namespace: str, pods: Sequence[Json], metrics: Sequence[str]
) -> tuple[Series, ...]:
    """Series of the metrics that name a pod by other labels than `namespace` and `pod`, or by its address only."""
    if not pods:
        return ()
    each = [
        f'{{__name__=~"{_any(metrics)}",{pair.pod}=~"{_names(pods)}",{pair.namespace}="{namespace}"}}'
        for pair in PAIRS[1:]
    ]
    addresses = "|".join(
        re.escape(str(ip)) for one in pods[:_PODS] if (ip := (one.get("status") or {}).get("podIP"))
    )
    if addresses:
        each.append(f'{{__name__=~"{_any(metrics)}",instance=~"{quoted(f"({addresses}):[0-9]+")}"}}')
    return _plain(prometheus.query(seeing, server, " or ".join(each)), every=True)


def _ages(
    seeing: Seeing, server: Server, namespace: str, pods: Sequence[Json], metrics: Sequence[str]
) -> dict[str, float]:
    """Pod to the seconds since its newest sample of the first metric."""
    if not pods or not metrics:
        return {}
    selector = f'{{__name__="{metrics[0]}",namespace="{namespace}",pod=~"{_names(pods)}"}}'
    answer = prometheus.query(seeing, server, f"min by (pod) (time() - timestamp({selector}))")
    return {pod: round(value, 1) for pod, value in prometheus.per_pod(answer).items()}


def _targets(
    seeing: Seeing, server: Server, namespace: str, pods: Sequence[Json], known: Sequence[str]
) -> tuple[ScrapeTarget, ...]:
    """The active targets of the pods' namespace, as far as Prometheus names their pods; their errors.

    Of many pools those of the jobs that are `known` to scrape the pods come first.
    """
    pools = f"{server.proxy_path}/api/v1/scrape_pools"
    try:
        names = [
            str(one)
            for one in (seeing.get(pools).get("data") or {}).get("scrapePools") or []
            if f"/{namespace}/" in str(one) or not re.match(r"(podMonitor|serviceMonitor|probe)/", str(one))
        ]
        names.sort(key=lambda one: not any(f"/{job}/" in f"/{one}/" for job in known))
        paths = [
            f"{server.proxy_path}/api/v1/targets?{urlencode({'state': 'active', 'scrapePool': one})}"
            for one in names[:_POOLS]
        ]
        answers = [one for one in seeing.get_many(paths) if not isinstance(one, ApiError)]
    except ApiError:
        return ()
    there = {str(one["metadata"]["name"]) for one in pods}
    ips = {
        str((one.get("status") or {}).get("podIP")): str(one["metadata"]["name"])
        for one in pods
        if (one.get("status") or {}).get("podIP")
    }
    result = []
    for answer in answers:
        for one in (answer.get("data") or {}).get("activeTargets") or []:
            labels = one.get("labels") or {}
            address = str(labels.get("instance", "")).rpartition(":")[0]
            pod = labels.get("pod", "") if labels.get("pod") in there else ips.get(address, "")
            if pod:
                words = ("scrapePool", "scrapeUrl", "health", "lastError", "scrapeInterval")
                result.append(ScrapeTarget(str(pod), *(str(one.get(key, "")) for key in words)))
    return tuple(result[:_SERIES])


def _plain(samples: Sequence[prometheus.Sample], *, every: bool = False) -> tuple[Series, ...]:
    return tuple(
        Series(
            {key: text for key, text in one.labels.items() if every or key in _LABELS or not key.startswith("__")},
            _text(one.value),
        )
        for one in samples[:_SERIES]
    )  # fmt: skip


def _text(value: float) -> str:
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(str(value), f"{value:g}")


def _any(names: Sequence[str]) -> str:
    return quoted("|".join(re.escape(one).replace(r"\:", ":") for one in names))


def _names(pods: Sequence[Json]) -> str:
    return quoted("|".join(re.escape(one["metadata"]["name"]) for one in pods[:_PODS]))


def _name(one: Series) -> str:
    return one.labels.get("__name__", "")


def _of(series: Sequence[Series], metrics: Sequence[str]) -> list[Series]:
    return [one for one in series if _name(one) in metrics]


def left_over(samples: SampleFacts) -> bool:
    """Whether the series are only what Prometheus still answers of a scrape that has ended."""
    return bool(samples.ages) and min(samples.ages.values()) > _STALE_SECONDS


def up(facts: Facts) -> dict[str, bool]:
    """Pod to whether one of its targets is up, as far as Prometheus has a target of it."""
    states: dict[str, bool] = {}
    for one in facts.samples.series:
        if _name(one) == "up":
            pod = one.labels.get("pod", "")
            states[pod] = states.get(pod, False) or one.value == "1"
    for target in facts.samples.targets:
        states[target.pod] = states.get(target.pod, False) or target.health == "up"
    for one in facts.samples.series:
        if _name(one) != "up":  # a scrape of somebody's whose `up` has other labels
            states.setdefault(one.labels.get("pod", ""), True)
    return states


def waiting(facts: Facts) -> set[str]:
    """Pods with targets none of which has been scraped yet."""
    judged = {one.labels.get("pod", "") for one in facts.samples.series}
    judged |= {one.pod for one in facts.samples.targets if one.health != "unknown"}
    return {one.pod for one in facts.samples.targets} - judged


def jobs(facts: Facts) -> dict[str, set[str]]:
    """Pod to the jobs that scrape the engine's port of it."""
    found_: dict[str, set[str]] = {}
    for one in facts.samples.series:
        if _name(one) != "up":
            found_.setdefault(one.labels.get("pod", ""), set()).add(one.labels.get("job", ""))
    return found_


def running(pods: Sequence[PodFacts]) -> list[PodFacts]:
    """The pods that can be scraped."""
    return [one for one in pods if one.phase == "Running"]


def blind(facts: Facts) -> str:
    """Why Prometheus cannot be asked, empty when it can."""
    samples = facts.samples
    if not samples.server:
        return "which Prometheus has the samples is not known (name it with --prometheus)"
    if samples.blind is not None:
        return f"Prometheus {samples.server} could not be asked: {samples.blind.text}"
    return ""


def judge_target(facts: Facts) -> Verdict:
    """Whether Prometheus scrapes every running pod."""
    about, samples = facts.target.reference, facts.samples
    asked = f"Prometheus {samples.server or '?'}: up of the pods"
    if why := blind(facts):
        return unknown(asked, why)
    pods = running(facts.pods or ())
    if not pods:
        return unknown(asked, "no pod runs")
    states = up(facts)
    bad = [one for one in samples.targets if one.health == "down"]
    fresh = waiting(facts)
    down = sorted(one.name for one in pods if states.get(one.name) is False and one.name not in fresh)
    missing = sorted(one.name for one in pods if one.name not in states)
    text = f"{sum(states.get(one.name, False) for one in pods)} of {len(pods)} running pods up"
    if down:
        error = next((one.error for one in bad if one.pod in down and one.error), "")
        seen = f"{text}, down: {', '.join(down[:3])}" + (f" ({error})" if error else "")
        if not any(one.ready for one in pods if one.name in down):
            return unknown(
                asked, seen, found("pods-starting", about, f"pods {', '.join(down[:3])} are not ready")
            )
        return broken(asked, seen, _down(about, seen, [one for one in bad if one.pod in down], facts))
    if len(missing) == len(pods):
        if samples.strays:
            return ok(asked, "scraped, under other labels")
        return broken(
            asked, text, found("no-target", about, f"Prometheus {samples.server} has no target for any pod")
        )
    notes: list[Finding] = []
    twice = {pod: each for pod, each in jobs(facts).items() if len(each) > 1}
    if twice:
        pod, each = next(iter(twice.items()))
        seen = f"pod {pod} is scraped by the jobs {' and '.join(sorted(each))}"
        notes.append(found("two-targets", about, seen))
    if new := sorted(fresh & {one.name for one in pods}):
        text += f"; not scraped yet: {', '.join(new[:3])}"
        if not any(states.values()):
            return unknown(asked, text)
    if missing:
        text += f"; no target for {', '.join(missing[:3])}"
    return ok(asked, text, *notes)


def _down(about: str, seen: str, bad: Sequence[ScrapeTarget], facts: Facts) -> Finding:
    engine = facts.engine
    error = next((one.error for one in bad if one.error), "")
    code = next((code for pattern, code in _ERRORS if re.search(pattern, error)), "target-down")
    if (
        engine is not None
        and engine.live
        and engine.scheme
        and bad
        and not bad[0].url.startswith(f"{engine.scheme}:")
    ):
        code = "target-scheme"  # what a TLS server says to plain HTTP differs: 400, EOF, a reset
    values: Mapping[str, object] = {
        "namespace": facts.namespace,
        "scheme": engine.scheme if engine and engine.scheme else "https",
        "port": engine.port if engine and engine.port else "PORT",
        "server": facts.samples.server,
    }
    return found(code, about, seen, **values)


def judge_sample(facts: Facts) -> Verdict:
    """Whether Prometheus has a fresh number for every pod, under labels that name it."""
    about, samples = facts.target.reference, facts.samples
    asked = f"Prometheus {samples.server or '?'}: {', '.join(samples.metrics) or 'samples'}"
    if why := blind(facts):
        return unknown(asked, why)
    if not samples.metrics:
        return unknown(asked, "which series the autoscaler uses is not known")
    if not facts.pods:
        return unknown(asked, "no pod")
    series = _of(samples.series, samples.metrics)
    if not series:
        if samples.strays:
            labels = samples.strays[0].labels
            naming = next(
                (pair for pair in PAIRS if labels.get(pair.pod) in {one.name for one in facts.pods}), None
            )
            by = f"the label {naming.pod}" if naming else f"instance {labels.get('instance', '')} only"
            seen = f"{len(samples.strays)} series name the pods by {by}"
            label = naming.pod if naming else "instance"
            return broken(asked, seen, found("pod-label", about, seen, label=label))
        if facts.engine is not None and facts.engine.armed:
            return ok(asked, "no series before the first request (armed)", armed=True)
        if not any(one.ready for one in facts.pods):
            return unknown(asked, "no series of any pod, and no pod is ready yet")
        if (absent := _absent(facts)) is not None:
            return broken(asked, "no series of any pod", absent)
        seen = f"Prometheus {samples.server} has no series of {', '.join(samples.metrics)} for any pod"
        return broken(asked, seen, found("no-sample", about, seen))
    if bad := [one for one in series if not finite(one.value)]:
        seen = f"{_name(bad[0])} of pod {bad[0].labels.get('pod', '')} is {bad[0].value}"
        return broken(asked, seen, found("not-a-number", about, seen))
    old = {pod: age for pod, age in samples.ages.items() if age > _STALE_SECONDS}
    if old and len(old) == len(samples.ages):
        pod, age = max(old.items(), key=lambda one: one[1])
        seen = f"the newest sample of pod {pod} is {age:.0f} s old"
        return broken(asked, seen, found("stale-sample", about, seen))
    have = {one.labels.get("pod", "") for one in series}
    missing = sorted(one.name for one in running(facts.pods) if one.name not in have)
    text = f"{len(have)} of {len(running(facts.pods))} running pods"
    if samples.ages:
        text += f", newest {min(samples.ages.values()):.0f} s old"
    return ok(asked, text + (f"; none of {', '.join(missing[:3])}" if missing else ""))


def _absent(facts: Facts) -> Finding | None:
    """The autoscaler asks for a metric that the live page does not have: renamed, or of another program."""
    engine, about = facts.engine, facts.target.reference
    if engine is None or not engine.families:
        return None
    for one in asks.of(facts.scaler.hpa):
        names = asks.spellings(one.name)
        if set(names) & set(engine.families) or one.type == asks.EXTERNAL:
            continue
        seen = f"the autoscaler asks for {one.name}, and pod {engine.pod} exposes no such metric"
        near = nearest(one.name, (*(each.api_name for each in engine.signals), *engine.families))
        return found("metric-not-exposed", about, seen, near=" or ".join(near) or "a metric that it exposes")
    return None


def nearest(name: str, known: Sequence[str], most: int = 3) -> tuple[str, ...]:
    """The names that are most like `name`, however colons are spelt."""
    import difflib

    spelt: dict[str, str] = {}
    for one in known:
        spelt.setdefault(one.replace(":", "_"), one)
    close = difflib.get_close_matches(name.replace(":", "_"), list(spelt), most, 0.6)
    return tuple(spelt[one] for one in close)
