"""How a diagnosis is shown: a line for each hop, then the broken one in full."""

from __future__ import annotations

from typing import Any

import click

from kubectl_llmhpa.cli.finding_document import item
from kubectl_llmhpa.doctor.model import Diagnosis, Judged, Mark
from kubectl_llmhpa.output.terminal import one_line

_SIGNS = {Mark.OK: "✓", Mark.BROKEN: "✗", Mark.UNKNOWN: "?", Mark.SKIPPED: "-"}
_COLOURS = {Mark.OK: "green", Mark.BROKEN: "red", Mark.UNKNOWN: "yellow", Mark.SKIPPED: None}


def text(found: Diagnosis, *, live: bool = False, colour: bool = False) -> str:
    """The diagnosis for a person; with signs on a terminal (`live`), and colours where those are welcome."""
    lines = [f"{one_line(found.reference)} in namespace {one_line(found.namespace)}"]
    lines += [_line(one, live=live, colour=colour) for one in found.hops]
    for one in found.hops:
        lines += [one_line(f"{each.severity}: {one.hop}: {each}") for each in one.verdict.notes]
    broken = found.broken
    lines.append("")
    if broken is None:
        word = "armed: it works from the first request on" if found.armed else "healthy"
        unknown = [one.hop for one in found.hops if one.verdict.mark is Mark.UNKNOWN]
        if unknown:
            word = word if found.armed else "nothing broken"
            word += f", as far as it could be seen; not seen: {', '.join(unknown)}"
        lines.append(word)
        return "\n".join(lines)
    lines += block(broken)
    if found.confirms:
        lines.append(one_line(f"Confirmed:  {found.confirms}"))
    return "\n".join(lines)


def block(broken: Judged) -> list[str]:
    """The broken hop: what was asked, what came back, the cause and the fix."""
    verdict, finding = broken.verdict, broken.verdict.finding
    assert finding is not None
    cause = finding.why if finding.seen == verdict.answer else f"{finding.seen}; {finding.why}"
    return [
        one_line(f"Broken:     {broken.hop}"),
        one_line(f"Asked:      {verdict.asked}"),
        one_line(f"Came back:  {verdict.answer}"),
        one_line(f"Cause:      {cause} [{finding.code}]"),
        one_line(f"Fix:        {finding.fix}"),
    ]


def _line(one: Judged, *, live: bool, colour: bool) -> str:
    mark = one.verdict.mark
    word = f"{_SIGNS[mark]} {mark.value:<7}" if live else f"{mark.value:<7}"
    shown = click.style(word, fg=_COLOURS[mark]) if colour and _COLOURS[mark] else word
    return f"{shown}  {one.hop:<13}  {one_line(one.verdict.answer)}"


def content(found: Diagnosis) -> dict[str, Any]:
    """The diagnosis for a machine."""
    broken = found.broken
    return {
        "reference": found.reference,
        "namespace": found.namespace,
        "healthy": broken is None,
        "armed": found.armed,
        "broken": broken.hop if broken else None,
        "hops": [
            {
                "hop": one.hop,
                "mark": one.verdict.mark.value,
                "asked": one.verdict.asked or None,
                "answer": one.verdict.answer,
                "finding": item(one.verdict.finding) if one.verdict.finding else None,
                "notes": [item(each) for each in one.verdict.notes],
            }
            for one in found.hops
        ],
        "confirms": found.confirms or None,
        "unseen": list(found.unseen),
    }
