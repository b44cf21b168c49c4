"""Putting findings together: what several replies say about one assertion. Knows records only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalkit.records import Finding, Span, TrialVerdict

_SHOWN = 5


def not_measured(reason: str, turn: int | None = None) -> Finding:
    """Return the finding that nothing could be decided, with the reason as its note."""
    return Finding(TrialVerdict.NOT_MEASURED, observed="not measured", turn=turn, note=reason)


def limit_finding(observed: str, expected: str, *, holds: bool, turn: int | None = None, note: str = "") -> Finding:
    """Return the finding for a number held against its limit."""
    verdict = TrialVerdict.PASSED if holds else TrialVerdict.FAILED
    return Finding(verdict, observed, expected, turn=turn, note=note)


def limits_text(low: float | None, high: float | None) -> str:
    """Return limits in words: `at least 2 and at most 5`."""
    limits = [f"at least {low}" if low is not None else "", f"at most {high}" if high is not None else ""]
    return " and ".join(limit for limit in limits if limit)


def all_hold(findings: Sequence[Finding], missing: str) -> Finding:
    """Return what a requirement on every reply comes to; `missing` says which replies could not be looked at.

    One proven failure is a failure whatever is missing; without one, anything missing leaves it not measured.
    """
    failed = [finding for finding in findings if finding.verdict is TrialVerdict.FAILED]
    if failed:
        return Finding(
            TrialVerdict.FAILED,
            observed=_observed_by_turn(failed),
            expected=joined(finding.expected for finding in failed),
            spans=_spans(failed),
            turn=failed[0].turn,
            note=joined((finding.note for finding in failed), "\n"),
        )
    undecided = [finding.note for finding in findings if finding.verdict is TrialVerdict.NOT_MEASURED]
    if missing or undecided:
        return not_measured(joined([*undecided, missing], "; "))
    return Finding(
        TrialVerdict.PASSED,
        observed=joined([finding.observed for finding in findings]),
        expected=joined([finding.expected for finding in findings]),
        spans=_spans(findings),
        note=joined([finding.note for finding in findings], "\n"),
    )


def one_holds(findings: Sequence[Finding], missing: str) -> Finding:
    """Return what a requirement on any reply comes to: passed by one, not measured when a reply is missing."""
    passed = next((finding for finding in findings if finding.verdict is TrialVerdict.PASSED), None)
    if passed is not None:
        return passed
    undecided = [finding.note for finding in findings if finding.verdict is TrialVerdict.NOT_MEASURED]
    if missing or undecided:
        return not_measured(joined([*undecided, missing], "; "))
    return Finding(
        TrialVerdict.FAILED,
        observed=joined(finding.observed for finding in findings),
        expected=joined(finding.expected for finding in findings),
        turn=findings[-1].turn if len(findings) == 1 else None,
        note=joined((finding.note for finding in findings), "\n"),
    )


def joined(texts: Iterable[str], separator: str = ", ") -> str:
    """Return the different texts in order, empty ones left out, at most a handful before `and N more`."""
    different = list(filter(None, dict.fromkeys(texts)))
    more = [f"and {len(different) - _SHOWN} more"] if len(different) > _SHOWN else []
    return separator.join(different[:_SHOWN] + more)


def _observed_by_turn(failed: Sequence[Finding]) -> str:
    if len(failed) == 1:
        return failed[0].observed
    return joined((f"turn {finding.turn}: {finding.observed}" for finding in failed), "; ")


def _spans(findings: Sequence[Finding]) -> tuple[Span, ...]:
    return tuple(span for finding in findings for span in finding.spans)
