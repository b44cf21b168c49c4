"""A decision in the words of someone who writes prompts: one sentence, and the remarks that belong to it.

Knows how numbers of a comparison read; nothing of screens, colours or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalkit.records import (
    CaseKey,
    Decision,
    Ground,
    Interval,
    LookName,
    MetricChange,
    RunVerdict,
    Statement,
    SuiteSummary,
    Topic,
    Verdict,
)
from evalkit.stats import rate_shown_by
from evalkit.wording import METRIC_WORDS, first_of, percent_change, plural, points

NAMED = 3


def interval_in_words(interval: Interval) -> str:
    """Return a difference with its interval: `−7.1 points (90 % interval −11.0 to −3.2)`."""
    return f"{points(interval.value)} points (90 % interval {points(interval.low)} to {points(interval.high)})"


def decision_in_words(decision: Decision, name: str) -> str:
    """Return the verdict in one sentence without its full stop; `name` is what was compared with."""
    match decision.verdict:
        case Verdict.WORSE:
            return f"worse than {name}: {_why_worse(decision)}{_trade_off(decision)}"
        case Verdict.BETTER:
            return f"better than {name}: {_delta(decision)}"
        case Verdict.NOT_WORSE:
            drop = -decision.delta.low if decision.delta else decision.margin
            limit = f"a drop of more than {max(drop, 0) * 100:.1f} points is excluded"
            return f"not worse than {name}: {limit}"
        case Verdict.CANT_TELL if decision.stale:
            return f"can't tell: {name} itself scores lower today than when it was stored"
        case Verdict.CANT_TELL:
            return f"can't tell whether it is worse than {name}: {_delta(decision)}"
        case Verdict.NO_VERDICT:
            return f"no comparison with {name}: {decision.problem}"


def _why_worse(decision: Decision) -> str:
    reasons = []
    if Ground.MUST_PASS in decision.grounds:
        failed = decision.must_pass_failed
        reasons.append(f"{plural(len(failed), 'critical case')} failed ({_names(failed)})")
    named = [case.key for case in decision.clearly_worse if case.key not in decision.accepted]
    if named:
        reasons.append(f"{plural(len(named), 'case')} clearly worse ({_names(named)})")
    elif {Ground.SIDE_BY_SIDE, Ground.STORED, Ground.BOTH_FRESH} & set(decision.grounds):
        reasons.append(f"pass rates fell over many cases, {_delta(decision)}")
    reasons += [_over(metric) for metric in decision.metrics if metric.over]
    return ", ".join(reasons)


def _over(metric: MetricChange) -> str:
    most = f", at most +{(metric.limit or 0) * 100:.0f} % is allowed"
    return f"{METRIC_WORDS[metric.metric]} rose by {(metric.ratio.value - 1) * 100:.0f} % a case{most}"


def _trade_off(decision: Decision) -> str:
    return ", although the mean rose (a trade-off)" if decision.trade_off else ""


def _delta(decision: Decision) -> str:
    if decision.delta is None:
        return "a single case has no interval"
    return interval_in_words(decision.delta)


def why_in_words(reasons: Sequence[Statement]) -> str:
    """Return the first reason, and how many more there are; nothing without one."""
    return first_of((reason.words for reason in reasons), 1)


def information_in_words(suites: Iterable[SuiteSummary], would_be: RunVerdict, reasons: Sequence[Statement]) -> str:
    """Return what a version that is not live would come to: `support@v4, not live yet: it would pass`."""
    refs = ", ".join(dict.fromkeys(suite.record.prompt_ref for suite in suites)) or "nothing"
    why = why_in_words(reasons)
    found = {RunVerdict.PASSED: "it would pass", RunVerdict.NO_VERDICT: f"no verdict, {why}"}.get(would_be, why)
    return f"{refs}, not live yet: {found}"


def remarks(decision: Decision) -> list[Statement]:
    """Return what else a reader should know, most important first, a sentence each."""
    told = [Statement(Topic.PROOF, words) for words in _how_proven(decision)]
    told += [Statement(Topic.DOUBT, words) for words in _doubts(decision)]
    if decision.accepted:
        accepted = f"{plural(len(decision.accepted), 'case')} clearly worse and accepted by max_regressions"
        told.append(Statement(Topic.COMPARISON, f"{accepted} ({_names(decision.accepted)})"))
    if decision.suspects:
        named = _names([case.key for case in decision.suspects])
        told.append(Statement(Topic.SUSPECTS, f"looked worse and may be chance: {named}"))
    if decision.delta_beyond is not None:
        clusters = f"for new cases like these ({decision.delta_beyond.clusters} clusters)"
        told.append(Statement(Topic.COMPARISON, f"{clusters}: {interval_in_words(decision.delta_beyond)}"))
    if decision.must_pass_clean:
        shown = f"prove a pass rate of {(rate_shown_by(decision.must_pass_clean) or 0) * 100:.0f} % at least"
        clean = f"critical cases: {plural(decision.must_pass_clean, 'clean trial')} of each {shown}"
        told.append(Statement(Topic.PROMISE, clean))
    return [*told, *(Statement(Topic.METRIC, _metric(metric)) for metric in decision.metrics)]


def _how_proven(decision: Decision) -> list[str]:
    if decision.verdict is not Verdict.WORSE or decision.overall_p is None:
        return []
    where = "both versions played side by side" if _was_side_by_side(decision) else "trials stored earlier"
    red = any(look.red for look in decision.looks if look.name is not LookName.DRIFT)
    return [f"chance alone looks like this in {_percent(decision.overall_p)} of comparisons ({where})"] if red else []


def _was_side_by_side(decision: Decision) -> bool:
    return bool({Ground.SIDE_BY_SIDE, Ground.BOTH_FRESH} & set(decision.grounds))


def _doubts(decision: Decision) -> list[str]:
    told = []
    if decision.stale:
        told.append("the model or the judge has moved since; refresh the baseline: evalkit bless")
    if decision.more_errors:
        told.append("the candidate's trials end without a verdict more often than the baseline's")
    if decision.fragile:
        told.append("fragile: trials without a verdict could turn this around")
    if decision.unplayed:
        told.append(f"not played: {', '.join(decision.unplayed)} (no money left, or the old version is not at hand)")
    return told


def _metric(metric: MetricChange) -> str:
    ratio = metric.ratio
    change = f"{METRIC_WORDS[metric.metric]} a case {percent_change(ratio.value)}"
    change += f" ({percent_change(ratio.low)} to {percent_change(ratio.high)})"
    if metric.near:
        change += f", above the +{(metric.limit or 0) * 100:.0f} % allowed, but not proven"
    return change


def _percent(p: float) -> str:
    if p < 0.0001:
        return "less than 0.01 %"
    return f"{p * 100:.2g} %"


def _names(keys: Sequence[CaseKey]) -> str:
    return first_of((case_id for _, case_id in keys), NAMED)
