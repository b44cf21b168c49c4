"""How verdicts, trials and money read, the same in every report: symbols and short sentences.

Pure text from values. None is always said as "unknown" or "not measured", never as 0.
"""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.records import (
    UNLABELLED,
    Agreement,
    CaseSummary,
    CaseVerdict,
    CriterionSummary,
    Enforce,
    Finding,
    JudgedRate,
    PassRate,
    RateChange,
    RunEnd,
    RunVerdict,
    SideMoney,
    Source,
    SuiteSummary,
    Summary,
    Tally,
    TrialOutcome,
    TrialVerdict,
    Turn,
)
from evalkit.reporting.safe_text import one_line
from evalkit.structured import ending_of
from evalkit.wording import chance, either, first_of, number, percent, plural, usd, watched_part

CASE_SYMBOLS = {
    CaseVerdict.PASS: "✓",
    CaseVerdict.UNSTABLE: "~",
    CaseVerdict.FAIL: "✗",
    CaseVerdict.NOT_MEASURED: "?",
}
TRIAL_SYMBOLS = {TrialVerdict.PASSED: "●", TrialVerdict.FAILED: "○", TrialVerdict.NOT_MEASURED: "?"}
SCORE_SYMBOLS = {TrialVerdict.PASSED: "✓", TrialVerdict.FAILED: "✗", TrialVerdict.NOT_MEASURED: "?"}
RUN_SYMBOLS = {
    RunVerdict.PASSED: "✓",
    RunVerdict.FAILED: "✗",
    RunVerdict.NO_VERDICT: "?",
    RunVerdict.INTERRUPTED: "?",
    RunVerdict.NOTHING_SELECTED: "–",
    RunVerdict.INFORMATION: "ℹ️",
}


def seen_in_words(finding: Finding) -> str:
    """Return what a grader saw and what it wanted."""
    wanted = f"; expected {finding.expected}" if finding.expected else ""
    return f"{finding.observed.strip() or 'nothing of the kind'}{wanted}"


def dots(outcomes: Iterable[TrialOutcome]) -> str:
    """Return one symbol per trial, in order: passed, failed, not measured."""
    return "".join(TRIAL_SYMBOLS[outcome.verdict] for outcome in outcomes)


def trials_in_words(case: CaseSummary) -> str:
    """Return how many trials passed: `2 of 3 trials`, and how many were not measured."""
    words = f"{case.passed} of {plural(len(case.trials), 'trial')} passed"
    return f"{words}, {case.not_measured} not measured" if case.not_measured else words


def script_gaps_in_words(suites: Iterable[SuiteSummary]) -> list[str]:
    """Return what the stand-in's script misses, once for each prompt: `support@v3 lacks asks_first, which v4 has`.

    Only of suites that something broke in: elsewhere nobody asks.
    """
    found = {
        suite.record.prompt_ref: suite.record.script_gap
        for suite in suites
        if suite.record.script_gap and (suite.tally.failing or suite.tally.unstable)
    }
    return [
        f"{ref} lacks {first_of(gap.entries, 8)}, which {gap.live_ref.rpartition('@')[2]} has"
        for ref, gap in found.items()
    ]


def tally_in_words(tally: Tally) -> str:
    """Return the cases by verdict in one line, leaving out what is zero."""
    words = [f"{number(tally.passing)} of {plural(tally.cases, 'case')} {either(tally.passing, 'passes', 'pass')}"]
    words += [f"{number(tally.unstable)} unstable"] if tally.unstable else []
    if tally.failing:
        watched = watched_part(tally.failing, tally.watched_failing)
        words.append(f"{number(tally.failing)} {either(tally.failing, 'fails', 'fail')}{watched}")
    words += [f"{number(tally.not_measured)} not measured"] if tally.not_measured else []
    words += [f"{number(tally.skipped)} skipped"] if tally.skipped else []
    return ", ".join(words)


def money_in_words(summary: Summary) -> str:
    """Return what was spent now, and for replies that cost nothing now what they did or would cost."""
    money, kind = summary.money, summary.header.source.kind
    cost = usd(money.cost_usd)
    if money.unknown and money.cost_usd is not None:
        cost = f"at least {cost} ({plural(money.unknown, 'request')} at an unknown price)"
    if kind == "live" and summary.cached:
        before = f"{plural(summary.cached, 'reply', 'replies')} of {number(summary.requests)} from the cache"
        now = usd(max(0.0, (money.cost_usd or 0.0) - summary.cached_usd))
        unknown = f" and {plural(money.unknown, 'request')} at an unknown price" if money.unknown else ""
        return f"{now} spent{unknown}; {before}, which an earlier run paid {usd(summary.cached_usd)} for"
    if kind == "live":
        return f"cost {cost}" if money.unknown else f"{cost} spent"
    if money.cost_usd is None:
        return "$0.00 spent now; what the replies are worth is unknown"
    if kind == "stand-in":
        models = ", ".join(model.model for model in money.models)
        return f"$0.00 spent; at {models}'s prices it would be {cost}" if models else "$0.00 spent"
    return f"$0.00 spent now; the recorded replies cost {cost}"


def end_in_words(end: RunEnd | None) -> str:
    """Return why the run ended."""
    if end is None:
        return "never ended"
    return {
        "max_cost": "cost limit reached",
        "max_time": "time limit reached",
        "fail_fast": "stopped at a failure",
    }.get(end.reason, end.reason)


_ENDINGS = {
    "max_tokens": "cut off: max_tokens reached",
    "model_context_window_exceeded": "cut off: the context window is full",
    "refusal": "the model refused",
    "invalid_output": "not the JSON that was asked for",
    "too_many_requests": "given up: it would not stop calling tools",
}


def ending_in_words(turn: Turn) -> str:
    """Return how a turn's reply ended where that is no usual end; a refusal with the API's category."""
    ending = ending_of(turn) or ""
    details = (turn.replies[-1].stop_details or {}) if ending == "refusal" else {}
    category = f" ({details['category']})" if details.get("category") else ""
    return f"{_ENDINGS[ending]}{category}" if ending in _ENDINGS else ""


def trial_rate_in_words(rate: PassRate) -> str:
    """Return how often single trials passed, with interval, pass^k of the longest k, and the flaky cases."""
    words = f"{number(rate.passed)} of {plural(rate.trials, 'trial')} passed"
    if rate.interval is not None:
        words += f" ({percent(rate.interval[0])} to {percent(rate.interval[1])})"
    if len(rate.pass_k) > 1:
        words += f", pass^{len(rate.pass_k)} {rate.pass_k[-1]:.2f}"
    return f"{words}, {plural(rate.flaky, 'flaky case')}" if rate.flaky else words


def steadiness_in_words(rate: PassRate | None) -> str:
    """Return pass^k of the longest k and the flaky cases; empty where every trial passed."""
    if rate is None or rate.passed == rate.trials:
        return ""
    words = [f"pass^{len(rate.pass_k)} {rate.pass_k[-1]:.2f}"] if len(rate.pass_k) > 1 else []
    return ", ".join(words + ([f"{number(rate.flaky)} flaky"] if rate.flaky else []))


def rate_change_in_words(change: RateChange) -> str:
    """Return what a tag or a rule was and is, with q: `was 70 of 70, now 31 of 42, q 0.04`."""
    was, now = (f"{number(each.passed)} of {number(each.valid)}" for each in (change.baseline, change.candidate))
    return f"was {was}, now {now}, q {chance(change.q)}"


def side_money_in_words(side: SideMoney) -> str:
    """Return what judges, or simulated users, cost beside the conversations."""
    requests = sum(model.requests for model in side.models)
    models = ", ".join(model.model for model in side.models)
    return f"{side.purpose}: {usd(side.cost_usd)} for {plural(requests, 'request')} to {models}"


def answers_in_words(criterion: CriterionSummary) -> str:
    """Return what a judge answered about one criterion, in trials."""
    words = f"{number(criterion.yes)} yes, {number(criterion.no)} no"
    return f"{words}, {number(criterion.not_measured)} not measured" if criterion.not_measured else words


def agreement_in_words(found: Agreement, enforce: Enforce = False) -> str:
    """Return how far a judge agrees with people: labels, agreement, Cohen's kappa with its interval, base rates.

    Last it says what the judge's no weighs.
    """
    weight = "may be enforced" if found.trusted else "advice only"
    if enforce == UNLABELLED and not found.trusted:
        weight = "enforced all the same"
    if not found.labels:
        return f"no labels yet: {weight}"
    kappa = "kappa unknown (all answers are the same)"
    if found.kappa is not None and found.kappa_interval is not None:
        low, high = found.kappa_interval
        kappa = f"kappa {found.kappa:.2f} ({low:.2f} to {high:.2f})"
    rates = f"people say yes to {percent(found.people_yes / found.labels)}"
    judge = f"the judge to {percent(found.judge_yes / found.labels)}"
    agreement = f"agreement {found.agreed / found.labels:.2f}"
    return f"{plural(found.labels, 'label')}, {agreement}, {kappa}, {rates}, {judge}: {weight}"


def rate_in_words(rate: JudgedRate) -> str:
    """Return a judge's pass rate, raw and corrected by labels on the run's answers; nothing without enough labels."""
    if rate.corrected is None or rate.interval is None:
        return ""
    low, high = rate.interval
    corrected = f"{percent(rate.corrected)} ({percent(low)} to {percent(high)})"
    by = f"{percent(rate.yes / rate.answers)} by the judge, {corrected} corrected by {plural(rate.labels, 'label')}"
    return f"pass rate of {plural(rate.answers, 'answer')}: {by} on them"


def criterion_in_words(criterion: CriterionSummary) -> str:
    """Return how far people agree with the judge of a criterion, and what they make of its pass rate in this run."""
    words = [agreement_in_words(criterion.agreement, criterion.enforce), rate_in_words(criterion.rate)]
    return "; ".join(word for word in words if word)


def log_source_in_words(source: Source) -> str:
    """Return where the replies of a log came from: `live`, `live 127.0.0.1:4010`."""
    return f"{source.kind} {source.detail}".strip()


def source_in_words(summary: Summary) -> str:
    """Return where the replies came from, with what that means."""
    source = summary.header.source
    match source.kind:
        case "stand-in":
            return "stand-in model: checks your suite, tools and rules, not Claude"
        case "replayed":
            origin = f" ({source.origin})" if source.origin else ""
            return f"replayed from {source.detail or 'an earlier run'}{origin}: stored replies, today's rules"
        case "imported":
            return f"imported from {source.detail or 'recorded conversations'}"
        case _:
            return source.name


def row_in_words(case: CaseSummary) -> str:
    """Return the row of a table that a case was made for: `row suites/loans.csv:7`; empty for one written out."""
    return f"row {one_line(case.row.file)}:{case.row.line}" if case.row else ""
