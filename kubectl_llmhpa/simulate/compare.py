"""Candidates side by side on the same load, between two lines: the fewest fixed replicas that do, and the most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.simulate.fleet import Run, World, run
from kubectl_llmhpa.simulate.requests import Requests
from kubectl_llmhpa.simulate.results import Figures, Slo, figures, misses_alone
from kubectl_llmhpa.simulate.scalers import Candidate
from kubectl_llmhpa.simulate.service import Service

#: The share of requests that is to meet the SLO.
GOAL = 0.99


@dataclass(frozen=True)
class Question:
    """What all candidates are given. `replicas`: ready pods at the start (None: the candidate's minimum)."""

    requests: Requests
    service: Service
    world: World
    slo: Slo
    goal: float = GOAL
    gpus: int = 1
    replicas: int | None = None


@dataclass(frozen=True)
class Row:
    """One line of the comparison. `dominated`: another candidate is better in attainment and in GPU-hours."""

    name: str
    asks: str
    least: int
    most: int
    figures: Figures
    run: Run
    fixed: bool = False
    dominated: bool = False
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """All rows, candidates first; the name of the one to take ("" for none) and why; what to know about the model.

    `fixed` is the fewest fixed replicas that reach the goal, None where the most do not either; `options` what `enable`
    writes the recommended one with, "" where it is none of our policies.
    """

    question: Question
    rows: tuple[Row, ...]
    fixed: int | None
    recommended: str
    reason: str
    notes: tuple[str, ...]
    options: str = ""

    @property
    def frontier(self) -> tuple[Row, ...]:
        """The candidates that no other is better than in both figures, cheapest first."""
        rows = [one for one in self.rows if not one.fixed and not one.dominated]
        return tuple(sorted(rows, key=lambda one: one.figures.gpu_hours))


def compare(
    question: Question, candidates: Sequence[Candidate], tell: Callable[[str], None] = lambda _: None
) -> Comparison:
    """Simulate every candidate and the fixed numbers. `tell` hears what is being simulated.

    Raises LlmHpaError for an SLO that even idle pods miss.
    """
    alone = possible(question)
    rows = []
    for one in candidates:
        tell(one.name)
        rows.append(simulate(question, one))
    most = max(one.scaling.spec.max_replicas for one in candidates)
    tell("fixed replicas")
    fixed, lines = _fixed(question, most)
    rows = _judged(rows, fixed)
    recommended, reason, kept = _recommended(question, candidates, rows, fixed, tell)
    if (
        fixed is not None
        and recommended
        and _of(rows, recommended).figures.gpu_hours > lines[0].figures.gpu_hours
    ):
        reason += f"; {fixed} fixed replicas do it with {lines[0].figures.gpu_hours:.4g} GPU-hours"
    notes = [f"{one.name}: {text}" for one in candidates for text in one.assumed]
    if question.service.assumed:
        chosen = next((one for one in candidates if one.name == recommended), candidates[0])
        tell("a slower and a faster pod")
        notes.append(_worth(question, chosen))
    refused = rows[0].figures.refused
    if refused:
        notes.append(f"{refused} requests are longer than the KV cache, so that no pod takes them")
    if alone:
        notes.append(f"{alone:.2%} of the requests miss the SLO even on an idle pod")
    options = next((_options(one, kept) for one in candidates if one.name == recommended), "")
    return Comparison(question, (*rows, *lines), fixed, recommended, reason, tuple(notes), options)


def possible(question: Question) -> float:
    """The share of the requests that miss the SLO even on an idle pod. Raises LlmHpaError where the goal forbids it."""
    alone = misses_alone(question.requests, question.slo, question.service)
    if alone > 1 - question.goal:
        raise LlmHpaError(
            f"--slo {question.slo}",
            f"{alone:.1%} of these requests miss it even with an idle pod for each, so no number of replicas meets "
            f"it for {percent(question.goal)} of them",
            "loosen it, lower --goal, or give the service curve of a faster pod",
        )
    return alone


def simulate(question: Question, candidate: Candidate) -> Row:
    """One candidate on the question's load."""
    spec = candidate.scaling.spec
    begin = spec.min_replicas
    if question.replicas is not None:
        begin = min(max(question.replicas, begin), spec.max_replicas)
    world = replace(question.world, polling=candidate.polling)
    made = run(question.requests, question.service, world, scaling=candidate.scaling, replicas=begin)
    found = figures(question.requests, made, question.slo, question.service, gpus=question.gpus)
    return Row(
        candidate.name,
        candidate.asks,
        spec.min_replicas,
        spec.max_replicas,
        found,
        made,
        assumed=candidate.assumed,
    )


def attained(question: Question, candidate: Candidate) -> float:
    """The share of the question's requests that meet the SLO with a candidate."""
    return simulate(question, candidate).figures.attainment


def fixed_at(question: Question, replicas: int) -> Row:
    """The same load on a number of replicas that never changes."""
    made = run(question.requests, question.service, question.world, replicas=replicas)
    found = figures(question.requests, made, question.slo, question.service, gpus=question.gpus)
    return Row(f"fixed at {replicas}", "", replicas, replicas, found, made, fixed=True)


def _fixed(question: Question, most: int) -> tuple[int | None, list[Row]]:
    """The fewest fixed replicas that reach the goal, by halving, and the rows of that number and of the most."""
    highest = fixed_at(question, most)
    if highest.figures.attainment < question.goal:
        return None, [highest]
    low, high, best = 0, most, highest
    while high - low > 1:
        middle = (low + high) // 2
        row = fixed_at(question, middle)
        if row.figures.attainment >= question.goal:
            high, best = middle, row
        else:
            low = middle
    return high, [best] if best is highest else [best, highest]


def _judged(rows: Sequence[Row], fixed: int | None) -> list[Row]:
    """With overshoot, and whether another candidate is better in both figures."""
    judged = []
    for one in rows:
        mine = one.figures
        better = any(
            other.figures.attainment >= mine.attainment
            and other.figures.gpu_hours <= mine.gpu_hours
            and (other.figures.attainment, -other.figures.gpu_hours) != (mine.attainment, -mine.gpu_hours)
            for other in rows
        )
        overshoot = mine.peak_replicas / fixed if fixed else None
        judged.append(replace(one, dominated=better, figures=replace(mine, overshoot=overshoot)))
    return judged


def _recommended(
    question: Question,
    candidates: Sequence[Candidate],
    rows: Sequence[Row],
    fixed: int | None,
    tell: Callable[[str], None],
) -> tuple[str, str, int]:
    """The cheapest that reaches the goal; where none does, the best one with as many replicas kept as that takes.

    Its name, the reason, and its fewest replicas.
    """
    goal = percent(question.goal)
    good = [one for one in rows if one.figures.attainment >= question.goal]
    if good:
        best = min(good, key=lambda one: one.figures.gpu_hours)
        reason = f"it meets the SLO for {goal} of the requests with the fewest GPU-hours"
        return best.name, reason + _saving(best, rows), best.least
    best = max(rows, key=lambda one: (one.figures.attainment, -one.figures.gpu_hours))
    if fixed is None:
        most = max(one.most for one in rows)
        return (
            "",
            f"even {most} fixed replicas do not meet the SLO for {goal}: raise the maximum, or loosen the SLO",
            0,
        )
    candidate = candidates[rows.index(best)]
    tell(f"{candidate.name} with more replicas kept")
    low, high = best.least, max(fixed, best.least + 1)
    found = simulate(question, candidate.with_at_least(high))
    while high - low > 1:
        middle = (low + high) // 2
        row = simulate(question, candidate.with_at_least(middle))
        if row.figures.attainment >= question.goal:
            high, found = middle, row
        else:
            low = middle
    if found.figures.attainment < question.goal:
        return "", f"no candidate meets the SLO for {goal}; {best.name} comes closest", 0
    reason = (
        f"no candidate meets the SLO for {goal} as it is; {best.name} comes closest, and does with at least "
        f"{high} replicas kept (--min {high}): "
        f"{found.figures.attainment:.2%} at {found.figures.gpu_hours:.3g} GPU-hours"
    )
    return best.name, reason, high


def _options(candidate: Candidate, least: int) -> str:
    most = max(least, candidate.scaling.spec.max_replicas)
    return candidate.options and f"{candidate.options} --min {least} --max {most}"


def _of(rows: Sequence[Row], name: str) -> Row:
    return next(one for one in rows if one.name == name)


def _worth(question: Question, candidate: Candidate) -> str:
    """How much rests on a service curve that nobody gave."""
    parts = []
    for word, speed in (("slower", 0.8), ("faster", 1.25)):
        found = simulate(replace(question, service=question.service.at_speed(speed)), candidate).figures
        parts.append(
            f"{found.attainment:.2%} at {found.gpu_hours:.4g} GPU-hours if pods are {word} by a quarter"
        )
    return (
        f"the service curve is a default ({question.service.origin}): {candidate.name} meets the SLO for "
        f"{' and for '.join(parts)}; give your own with --service"
    )


def percent(share: float) -> str:
    """`99 %`."""
    return f"{share * 100:.4g} %"


def _saving(best: Row, rows: Sequence[Row]) -> str:
    """What it saves against the first row, which is what is there now, when that is another."""
    first = rows[0]
    if first is best:
        return ""
    share = best.figures.gpu_hours / first.figures.gpu_hours
    return f": {share:.0%} of those of {first.name}, which meets it for {first.figures.attainment:.2%}"
