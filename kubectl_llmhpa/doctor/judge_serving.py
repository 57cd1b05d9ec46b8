"""The judgement of the hops metrics API and name, see `serving`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kubectl_llmhpa import engines
from kubectl_llmhpa.backends import prometheus_adapter, providers
from kubectl_llmhpa.doctor import asks
from kubectl_llmhpa.doctor.asks import Ask
from kubectl_llmhpa.doctor.facts import AdapterFacts, Facts, ProviderFacts
from kubectl_llmhpa.doctor.model import Mark, Verdict, broken, ok, skipped, told, unknown
from kubectl_llmhpa.doctor.serving import live_name
from kubectl_llmhpa.findings import Finding, found
from kubectl_llmhpa.monitoring import durations, selects

_NOTHING = "the autoscaler asks no metrics API"


def judge_api(facts: Facts) -> Verdict:
    """Whether somebody serves the APIs that the autoscaler asks."""
    custom, external = asks.custom(facts), asks.external(facts)
    if not custom and not external:
        return skipped("the APIServices of the metrics APIs", _nothing(facts))
    verdicts = []
    if custom:
        verdicts.append(_api(facts, "custom", prometheus_adapter.GROUP, facts.serving.custom, custom))
    if external:
        verdicts.append(
            _api(facts, "external", prometheus_adapter.EXTERNAL_GROUP, facts.serving.external, external)
        )
    return all_of(verdicts)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The first broken one, else the first that is unknown, else the first."""
    for mark in (Mark.BROKEN, Mark.UNKNOWN):
        for one in verdicts:
            if one.mark is mark:
                return one
    return verdicts[0]


def all_of(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst one, or where all are well what all of them say."""
    told_ = worst(verdicts)
    if told_.mark is not Mark.OK:
        return told_
    notes = tuple(note for one in verdicts for note in one.notes)
    answers = ", ".join(dict.fromkeys(one.answer for one in verdicts))
    asked = "; ".join(dict.fromkeys(one.asked for one in verdicts))
    return Verdict(Mark.OK, asked, answers, None, notes, any(one.armed for one in verdicts))


def _nothing(facts: Facts) -> str:
    return _NOTHING if facts.scaler.hpa else "no autoscaler asks for a metric"


def _api(
    facts: Facts, word: str, group: str, there: Sequence[ProviderFacts] | None, wanted: Sequence[Ask]
) -> Verdict:
    about, asked = facts.target.reference, f"the APIServices of {group}"
    if there is None:
        if word == "custom" and facts.serving.listed is not None:
            return ok(asked, "it answers (APIServices may not be listed)")
        if any(one.items for one in facts.values if (one.type == asks.EXTERNAL) == (word == "external")):
            return ok(asked, "it answers (APIServices may not be listed)")
        return unknown(asked, "APIServices may not be listed")
    if not there:
        return broken(asked, "there is none", _unserved(facts, word, group, wanted))
    first = there[0]
    if word == "external" and asks.by_keda(facts):
        first = next((one for one in there if one.version == "v1beta1"), first)
        keda = facts.keda
        if keda is not None and "not KEDA" in keda.problem:
            return broken(
                asked, keda.problem, found("external-api-taken", about, keda.problem, place=first.place)
            )
        if keda is not None and keda.problem:
            return broken(asked, keda.problem, _down(facts, first, keda.problem))
    if not first.available:
        return broken(
            asked, f"{first.name} is not available: {first.message}", _down(facts, first, first.message)
        )
    notes: list[Finding] = []
    adapter = facts.serving.adapter
    if word == "custom" and adapter is not None and adapter.others:
        seen = f"{first.name} and {', '.join(adapter.others)} lead to different programs"
        clash = found("two-metric-providers", about, seen, asked=first.name, other=adapter.others[0])
        if any(one.name not in facts.serving.served for one in wanted):
            where = f"{adapter.namespace}/{adapter.name}"
            fix = f"kubectl delete apiservice {first.name}  # or put the rule into {where} too"
            return broken(asked, seen, replace(clash, fix=fix))
        notes.append(clash)
    return ok(asked, f"{first.name} leads to {first.place}, available", *notes)


def _unserved(facts: Facts, word: str, group: str, wanted: Sequence[Ask]) -> Finding:
    about, adapter = facts.target.reference, facts.serving.adapter
    names = ", ".join(one.name for one in wanted)
    rules = adapter.rules if adapter else None
    if word == "external" and rules and any(rules.get(one.name) for one in wanted):
        seen = f"{names} is served by a rule for custom metrics, and the HPA asks for an External metric"
        return _other_list(about, seen, "a Pods metric")
    what = (
        "KEDA, or externalRules of prometheus-adapter"
        if word == "external"
        else "prometheus-adapter with a rule"
    )
    return found(
        "no-metrics-api", about, f"no APIService serves {group}, which {names} comes from", what=what
    )


def _down(facts: Facts, one: ProviderFacts, message: str) -> Finding:
    namespace, _, service = one.place.partition("/")
    seen = f"APIService {one.name} ({one.place}): {message}"
    return found("metrics-api-down", facts.target.reference, seen, namespace=namespace, service=service)


def judge_name(facts: Facts) -> Verdict:
    """Whether the metrics API lists the names that the autoscaler asks for."""
    serving, about = facts.serving, facts.target.reference
    custom, external = asks.custom(facts), asks.external(facts)
    if not custom:
        asked = "the names of external metrics"
        if not external:
            return skipped(asked, _nothing(facts))
        return _external(facts, asked, external)
    asked = f"the list of {prometheus_adapter.GROUP}, for {', '.join(one.name for one in custom)}"
    if serving.listed is None:
        why = serving.list_problem
        return unknown(asked, why.text if why else "it was not read")
    adapter = serving.adapter
    if serving.listed == 0 and adapter is not None:
        return broken(asked, "the list is empty", _lists_nothing(facts, adapter))
    missing = [one for one in custom if one.name not in serving.served]
    if missing:
        return _missing(facts, asked, missing[0])
    if adapter is not None and (seconds := interval(facts)) and adapter.max_age < seconds:
        seen = (
            f"{adapter.name} forgets a series after {adapter.max_age:g} s (--metrics-max-age), and it is scraped every "
            f"{seconds:g} s"
        )
        return broken(
            asked, "they come and go", found("adapter-relist", about, seen, wanted=f"{2 * seconds:g}s")
        )
    return ok(asked, f"{len(custom)} of {len(custom)} listed among {serving.listed}")


def _external(facts: Facts, asked: str, external: Sequence[Ask]) -> Verdict:
    if asks.by_keda(facts):
        scaled = facts.scaler.scaled_object
        if scaled is None:
            return unknown(asked, "the ScaledObject behind the HPA could not be seen")
        triggers = len((scaled.get("spec") or {}).get("triggers") or [])
        names = ", ".join(one.name for one in external)
        return ok(
            asked,
            f"KEDA makes {names} of the {triggers} triggers of scaledobject/{scaled['metadata']['name']}",
        )
    values = {one.metric: one for one in facts.values}
    for one in external:
        found_ = values.get(one.name)
        if found_ is not None and found_.problem is not None and found_.problem.code == 404:
            adapter = facts.serving.adapter
            about = facts.target.reference
            if (
                adapter is not None
                and adapter.rules
                and adapter.rules.get(one.name)
                and one.name not in adapter.external_rules
            ):
                seen = (
                    f"{one.name} has a rule for custom metrics only, and the HPA asks for an External metric"
                )
                return broken(asked, seen, _other_list(about, seen, "a Pods metric"))
            return broken(
                asked, found_.problem.text, found("metric-unknown", about, found_.problem.text, near="")
            )
    return ok(asked, ", ".join(one.name for one in external))


def interval(facts: Facts) -> float:
    """The seconds between two scrapes of the pods, 0 where that is not known."""
    told = [one.interval for one in facts.samples.targets if one.interval]
    for monitor in facts.scraping.monitors or ():
        if any(selects(monitor, pod.labels) for pod in facts.pods or ()):
            told += [
                str(one["interval"]) for one in monitor["spec"]["podMetricsEndpoints"] if one.get("interval")
            ]
    return min((durations.seconds(one) for one in told), default=0.0)


def _lists_nothing(facts: Facts, adapter: AdapterFacts) -> Finding:
    about, where = facts.target.reference, f"{adapter.namespace}/{adapter.name}"
    if adapter.answer is not None:
        seen = f"{where} asks {adapter.url}, and that does not answer: {adapter.answer.text}"
        return found(
            "adapter-wrong-address", about, seen, namespace=adapter.namespace, name=adapter.name,
            url=_where_samples_are(facts),
        )  # fmt: skip
    if adapter.refused:
        query, words = adapter.refused[0]
        seen = f"Prometheus refuses the seriesQuery {query!r} of a rule of {where}: {words}"
        return found(
            "adapter-rule-refused", about, seen, config=f"{adapter.namespace}/{adapter.config_map}",
            namespace=adapter.namespace, name=adapter.name,
        )  # fmt: skip
    if old := _older_file(about, adapter):
        return old
    seen = f"{where} lists no metric at all"
    return found("adapter-lists-nothing", about, seen, namespace=adapter.namespace, name=adapter.name)


def _older_file(about: str, adapter: AdapterFacts) -> Finding | None:
    """Where the file was written after the adapter had read it."""
    if not (adapter.changed and adapter.started and adapter.changed > adapter.started):
        return None
    where = f"{adapter.namespace}/{adapter.name}"
    seen = f"configmap {adapter.config_map} was written at {adapter.changed}, and {where} started at {adapter.started}"
    fix = f"kubectl -n {adapter.namespace} rollout restart deployment/{adapter.name}"
    return told("adapter-not-restarted", about, seen, fix)


def _where_samples_are(facts: Facts) -> str:
    """The address of the Prometheus that has the pods' samples, as the adapter would need it."""
    if not facts.samples.series:
        return "URL"
    place, _, port = facts.samples.server.rpartition(":")
    namespace, _, service = place.partition("/")
    return f"http://{service}.{namespace}.svc:{port}"


def _missing(facts: Facts, asked: str, one: Ask) -> Verdict:
    """Why the list has not a name, from what is known of the rules, the engine and the times."""
    about, serving, adapter = facts.target.reference, facts.serving, facts.serving.adapter
    answer = f"{one.name} is not listed"
    near = " or ".join(serving.near.get(one.name, ()))
    if adapter is None:
        first = (serving.custom or (None,))[0]
        if _is_cloud(facts):
            seen = f"{answer} by {first.place if first else 'the adapter'}"
            return broken(asked, answer, found("cloud-metric-unknown", about, seen))
        return broken(asked, answer, found("metric-unknown", about, answer, near=_hint(near)))
    where = f"{adapter.namespace}/{adapter.name}"
    rule = (adapter.rules or {}).get(one.name)
    if rule is None and adapter.rules is not None:
        if one.name in adapter.external_rules:
            seen = (
                f"{one.name} has a rule in externalRules of {where}, and the HPA asks for a {one.type} metric"
            )
            return broken(asked, answer, _other_list(about, seen, "an External metric"))
        live = live_name(facts.engine, one.name)
        if live and live != one.name and live in serving.served:
            seen = f"the autoscaler asks for {one.name}, and the engine exposes {live}"
            return broken(asked, answer, found("renamed-metric", about, seen, now=live))
        seen = f"{answer}: no rule of {where} serves it"
        return broken(
            asked, answer, told("metric-unknown", about, seen, _by_signals(facts), near=_hint(near))
        )
    if old := _older_file(about, adapter):
        return broken(asked, answer, old)
    if (seconds := interval(facts)) and adapter.max_age < seconds:
        seen = (
            f"{adapter.name} forgets a series after {adapter.max_age:g} s (--metrics-max-age), and it is scraped every "
            f"{seconds:g} s"
        )
        return broken(asked, answer, found("adapter-relist", about, seen, wanted=f"{2 * seconds:g}s"))
    if facts.engine is not None and facts.engine.armed:
        return ok(asked, f"{answer} before the first request (armed)", armed=True)
    if not any(pod.ready for pod in facts.pods or ()):
        return unknown(asked, f"{answer}, and no pod is ready")
    seen = f"{answer} by {where}, though a rule serves it; it looks again every {adapter.relist:g} s"
    return broken(asked, answer, found("metric-not-listed", about, seen, near=_hint(near)))


def _by_signals(facts: Facts) -> str:
    """What writes the rules of all its metrics, where those are signals that the engine shows; else empty."""
    about, live = facts.target.reference, facts.scaler.hpa or {}
    shown = {one.signal for one in facts.engine.signals} if facts.engine is not None else set()
    wanted = []
    for one in (live.get("spec") or {}).get("metrics") or ():
        body = one.get("pods") or {}
        known = engines.signal_of(str((body.get("metric") or {}).get("name")))
        if known is None or known[1].name not in shown:
            return ""
        wanted.append(f"--signal {known[1].name}={(body.get('target') or {}).get('averageValue')}")
    adopt = () if facts.scaler.ours else ("--adopt",)
    limit = f"--max {(live.get('spec') or {}).get('maxReplicas')}"
    how = " ".join(("--backend prometheus-adapter", limit, *wanted, *adopt))
    return f"kubectl llm-hpa enable {about.lower()} -n {facts.namespace} {how}"


def _is_cloud(facts: Facts) -> bool:
    why = facts.serving.adapter_problem
    return why is not None and providers.STACKDRIVER in why.text


def _other_list(about: str, seen: str, form: str) -> Finding:
    return told(
        "adapter-wrong-list", about, seen, f"ask for it as {form}, or move the rule to the other list",
        problem="the two APIs do not know each other's metrics", where="the other list",
    )  # fmt: skip


def _hint(near: str) -> str:
    return f"; listed is {near}" if near else ""
