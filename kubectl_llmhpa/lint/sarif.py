"""A report in SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

from kubectl_llmhpa import __version__
from kubectl_llmhpa.api import Json
from kubectl_llmhpa.findings import RULES
from kubectl_llmhpa.lint.documents import Unreadable
from kubectl_llmhpa.lint.model import Located
from kubectl_llmhpa.lint.registry import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
HOME = "https://github.com/kubectl-llm-hpa/kubectl-llm-hpa"
_LEVEL = {"error": "error", "warning": "warning", "info": "note"}


def render(report: Report, unreadable: Sequence[Unreadable]) -> Json:
    """The log of one run. Findings that were silenced are in it as suppressed, as the format wants it."""
    every = (*report.found, *report.ignored)
    codes = sorted({one.finding.code for one in every})
    place = {code: index for index, code in enumerate(codes)}
    hidden = {id(one) for one in report.ignored}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "kubectl-llm-hpa lint",
                        "version": __version__,
                        "informationUri": HOME,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": not unreadable,
                        "toolExecutionNotifications": [_notification(one) for one in unreadable],
                    }
                ],
                "results": [_result(one, place[one.finding.code], id(one) in hidden) for one in every],
            }
        ],
    }


def _rule(code: str) -> Json:
    rule = RULES[code]
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title}: {rule.why}."},
        "help": {"text": f"{rule.lesson} What to do: {rule.fix}.".strip()},
        "helpUri": f"{HOME}/blob/main/docs/findings.md#{code}",
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
    }


def _result(one: Located, index: int, hidden: bool) -> Json:
    finding = one.finding
    text = f"{finding.about}: {finding.seen}; {finding.why}; {finding.fix}" if finding.about else str(finding)
    result: Json = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVEL[finding.severity],
        "message": {"text": text},
        "locations": [_location(one.document.path, one.line, one.document.reference, one.document.live)],
        "partialFingerprints": {"object/v1": f"{finding.code}:{one.document.namespace}/{finding.about}:{one.path}"},
    }  # fmt: skip
    if hidden:
        result["suppressions"] = [{"kind": "inSource"}]
    return result


def _location(path: str, line: int, reference: str, live: bool) -> Json:
    location: Json = {}
    if reference:
        name = f"{path}/{reference}" if live else reference
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "object"}]
    if not live:
        location["physicalLocation"] = {"artifactLocation": {"uri": _uri(path)}}
        if line:
            location["physicalLocation"]["region"] = {"startLine": line}
    return location


def _notification(one: Unreadable) -> Json:
    return {
        "level": "error",
        "message": {"text": one.problem},
        "locations": [_location(one.path, one.line, "", False)],
    }


def _uri(path: str) -> str:
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(pure.as_posix(), safe="/")
