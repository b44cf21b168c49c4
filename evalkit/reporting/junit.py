"""A run as JUnit XML: one testsuite a suite file, one testcase a case, and the gate's own verdict as a last testcase.

Knows the common schema (Jenkins' elements and their order, with `file` and `line` as most readers take them). A reader
that counts failures must come to no better verdict than the gate: hence the testcase for the gate itself.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from evalkit.records import CaseSummary, CaseVerdict, Details, GateResult, RunVerdict, SuiteSummary, Summary
from evalkit.reporting.safe_text import one_line, visible
from evalkit.reporting.terminal import render_case
from evalkit.reporting.wording import dots, row_in_words, source_in_words, trials_in_words

_NOT_XML = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
GATE = "gate"


def render_junit(summary: Summary, gate: GateResult, details: Details) -> bytes:
    """Return the XML: a case that failed is a failure, one not measured an error, one only watched is skipped.

    An unstable case passes; its trials are in `system-out`. The time of a case is that of all replies of its trials,
    waiting left out; that of a suite is the sum of its cases.
    """
    root = Element("testsuites", name="evalkit")
    for suite in summary.suites:
        element = _suite(root, suite.record.path, summary)
        _properties(element, _facts(summary, suite))
        for case in summary.cases:
            if case.suite == suite.record.path:
                _case(element, summary, case, details)
    known = {suite.record.path for suite in summary.suites}
    for path in dict.fromkeys(case.suite for case in summary.cases if case.suite not in known):
        element = _suite(root, path, summary)
        for case in (case for case in summary.cases if case.suite == path):
            _case(element, summary, case, details)
    _gate(_suite(root, GATE, summary), gate)
    for element in root:
        _count(element)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(element.get(name, "0")) for element in root)))
    root.set("time", _seconds(sum(float(element.get("time", "0")) for element in root) * 1000))
    indent(root)
    data: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _suite(root: Element, name: str, summary: Summary) -> Element:
    return SubElement(root, "testsuite", name=_text(name), timestamp=summary.header.started[:19])


def _facts(summary: Summary, suite: SuiteSummary) -> dict[str, str]:
    record = suite.record
    kinds = [kind for model in summary.money.models for kind in model.kinds]
    tokens = {f"tokens of the run, {kind.kind}": 0 for kind in kinds}
    for kind in kinds:
        tokens[f"tokens of the run, {kind.kind}"] += kind.tokens
    return {
        "run": summary.header.run_id,
        "source": source_in_words(summary),
        "prompt": record.prompt_ref,
        "template_sha": record.template_sha,
        **({"unlabelled_judge": record.unlabelled_judge} if record.unlabelled_judge else {}),
        "cost_usd": "unknown" if suite.cost_usd is None else f"{suite.cost_usd:.6f}",
        **{name: str(count) for name, count in tokens.items()},
        "evalkit": str(summary.header.versions.get("evalkit", "unknown")),
    }


def _properties(element: Element, facts: dict[str, str]) -> None:
    properties = SubElement(element, "properties")
    for name, value in facts.items():
        SubElement(properties, "property", name=_text(name), value=_text(value))


def _case(parent: Element, summary: Summary, case: CaseSummary, details: Details) -> None:
    attributes = {
        "name": _text(case.case_id),
        "classname": _text(case.suite),
        "time": _seconds(case.played_ms),
        "file": _text(case.place.file),
        **({"line": str(case.place.line)} if case.place.line else {}),
    }
    element = SubElement(parent, "testcase", attributes)
    if case.skip is not None:
        SubElement(element, "skipped", message=_text(f"skipped: {case.skip}"))
        return
    if case.verdict is CaseVerdict.PASS:
        return
    told = _long(render_case(summary, case, details.get(case.key)))
    words = ", ".join(filter(None, (f"{case.verdict}: {trials_in_words(case)}", row_in_words(case)))) + f"; {case.why}"
    if case.verdict is CaseVerdict.UNSTABLE:
        SubElement(element, "system-out").text = _long(f"{dots(case.trials)}\n") + told
    elif not case.gated:
        SubElement(element, "skipped", message=_text(f"watched only, {words}")).text = told
    else:
        kind = "failure" if case.verdict is CaseVerdict.FAIL else "error"
        SubElement(element, kind, message=_text(words), type=str(case.verdict)).text = told


def _gate(suite: Element, gate: GateResult) -> None:
    element = SubElement(suite, "testcase", name="verdict of the run", classname="evalkit", time="0.000")
    if gate.verdict is RunVerdict.PASSED:
        SubElement(element, "system-out").text = _text(gate.sentence)
        return
    kind = "failure" if gate.verdict is RunVerdict.FAILED else "error"
    told = SubElement(element, kind, message=_text(gate.sentence), type=gate.verdict.value)
    told.text = _long("\n".join(reason.words for reason in gate.reasons))


def _count(suite: Element) -> None:
    """Set the numbers of a testsuite from its testcases."""
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for kind, name in _COUNTED.items():
        suite.set(name, str(sum(case.find(kind) is not None for case in cases)))
    suite.set("time", _seconds(sum(float(case.get("time", "0")) for case in cases) * 1000))


def _seconds(milliseconds: float | None) -> str:
    return f"{(milliseconds or 0.0) / 1000:.3f}"


def _text(text: str) -> str:
    return _NOT_XML.sub("�", one_line(text))


def _long(text: str) -> str:
    return _NOT_XML.sub("�", visible(text))
