"""The hops in order, and the walk along them: the first broken one ends it.

engine -> scrape object -> selection -> scrape target -> sample -> metrics API -> name -> value -> autoscaler ->
arithmetic -> effect -> drift, with what is needed for it all first.
"""

from __future__ import annotations

from kubectl_llmhpa import hpa
from kubectl_llmhpa.doctor import asks, engine, judge_serving, samples, scaling, scraping, target, values
from kubectl_llmhpa.doctor.facts import Facts
from kubectl_llmhpa.doctor.model import Diagnosis, Hop, Judged, Mark, skipped, unknown
from kubectl_llmhpa.hpa import scaled_objects
from kubectl_llmhpa.hpa.failures import without_selectors

HOPS = (
    Hop("access", target.judge_access),
    Hop("target", target.judge),
    Hop("engine", engine.judge),
    Hop("scrape object", scraping.judge_object, of_pods=True),
    Hop("selection", scraping.judge_selection, of_pods=True),
    Hop("scrape target", samples.judge_target, of_pods=True),
    Hop("sample", samples.judge_sample, of_pods=True),
    Hop("metrics API", judge_serving.judge_api),
    Hop("name", judge_serving.judge_name),
    Hop("value", values.judge),
    Hop("autoscaler", scaling.judge_autoscaler),
    Hop("arithmetic", scaling.judge_arithmetic),
    Hop("effect", scaling.judge_effect),
    Hop("drift", scaling.judge_drift),
)


def diagnose(facts: Facts) -> Diagnosis:
    """A verdict for each hop: a pure function of what was seen."""
    judged: list[Judged] = []
    broken = ""
    for hop in HOPS:
        if broken:
            judged.append(Judged(hop.name, unknown("", f"not judged: {broken} comes first")))
            continue
        if hop.of_pods and not asks.of_pods(facts):
            judged.append(Judged(hop.name, skipped("", "the autoscaler uses no samples of the pods")))
            continue
        verdict = hop.judge(facts)
        judged.append(Judged(hop.name, verdict))
        if verdict.mark is Mark.BROKEN:
            broken = hop.name
    return Diagnosis(facts.target.reference, facts.namespace, tuple(judged), _confirms(facts), facts.unseen)


def _confirms(facts: Facts) -> str:
    """What the autoscaler says of itself: it may confirm a broken hop, and never knows which."""
    found, scaled = facts.scaler.hpa, facts.scaler.scaled_object
    if found is not None:
        view = hpa.view(found)
        active = next((one for one in view.conditions if one.type == "ScalingActive"), None)
        if active is not None and active.status == "False":
            return f"hpa/{view.name} says {active.reason}: {without_selectors(active.message)}"
    if scaled is not None and (fault := scaled_objects.state(scaled).fault):
        return f"scaledobject/{scaled['metadata']['name']} says: {fault}"
    return ""
