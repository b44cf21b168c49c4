"""Findings: numbers held against limits, and what several replies together say about one assertion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from evalkit.records import Finding, Span, TrialVerdict
from evalkit.yamlsource import Count, FileModel, refusal

_SHOWN = 5


def not_measured(reason: str, turn: int | None = None) -> Finding:
    """Return the finding that nothing could be decided, with the reason as its note."""
    return Finding(TrialVerdict.NOT_MEASURED, observed="not measured", turn=turn, note=reason)


def limit_finding(observed: str, expected: str, *, holds: bool, turn: int | None = None, note: str = "") -> Finding:
    """Return the finding for a number held against its limit."""
    verdict = TrialVerdict.PASSED if holds else TrialVerdict.FAILED
    return Finding(verdict, observed, expected, turn=turn, note=note)


class Limits(FileModel):
    """At least, at most, or exactly so many; a number alone means exactly."""

    called: ClassVar[str] = "a count"
    min: Count | None = Field(None, ge=0, description="At least this many.", examples=[1])
    max: Count | None = Field(None, ge=0, description="At most this many.", examples=[5])
    exactly: Count | None = Field(None, ge=0, description="This many.", examples=[3])

    @model_validator(mode="after")
    def _has_limits(self) -> Limits:
        if self.exactly is not None and (self.min is not None or self.max is not None):
            raise refusal("`exactly` says it all; remove min and max.", "exactly")
        if self.exactly is None and self.min is None and self.max is None:
            raise refusal("a count needs `min`, `max` or `exactly`.")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal(f"min {self.min} is more than max {self.max}; no reply can hold both.", "min")
        return self

    @property
    def low(self) -> int | None:
        """The fewest that are fine."""
        return self.exactly if self.exactly is not None else self.min

    @property
    def high(self) -> int | None:
        """The most that are fine."""
        return self.exactly if self.exactly is not None else self.max

    def hold(self, number: int) -> bool:
        """Return whether a number is within the limits."""
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)

    def __str__(self) -> str:
        """Show the limits in words: `at least 2 and at most 5`, `exactly 3`."""
        same = self.low is not None and self.low == self.high
        return f"exactly {self.low}" if same else limits_text(self.low, self.high)


def as_limits(value: object) -> object:
    """Take a number alone for `exactly`: the shorthand of a file."""
    return value if isinstance(value, dict) else {"exactly": value}


AnyLimits = Annotated[Limits, BeforeValidator(as_limits, json_schema_input_type=int | Limits)]


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
