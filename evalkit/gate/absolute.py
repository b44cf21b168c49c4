"""Judges a run: Summary and comparison -> GateResult. First the absolute rules, then whether it is worse.

What was not measured never turns a run green. A proven failure stays a failure even when something else was not
measured; otherwise a run that ended early, or measured too little, has no verdict. A run that was played for
information, of a prompt version that is not live, fails nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalkit.errors import ExitCode
from evalkit.gate.power import Outlook, outlook_in_words
from evalkit.gate.words import decision_in_words, remarks
from evalkit.records import (
    BaselineRecord,
    CaseSummary,
    CaseVerdict,
    Decision,
    EndReason,
    GateResult,
    RateChange,
    RunComparison,
    RunVerdict,
    SuiteComparison,
    SuiteSummary,
    Summary,
    Tally,
    Verdict,
)
from evalkit.wording import either, first_of, plural

NOT_MEASURED_LIMIT = 0.02
"""Share of the gated trials that may stay unmeasured before the run has no verdict."""

DEFAULT_PASS_RATE = 1.0
"""A suite that states no pass rate expects every case to pass, as a test suite does."""

NAMED_CASES = 3

_END_WORDS: dict[EndReason, str] = {
    "interrupted": "interrupted",
    "max_cost": "stopped at the cost limit",
    "max_time": "stopped at the time limit",
    "fail_fast": "stopped at the first failed critical case",
    "crashed": "evalkit crashed",
}
_EXIT_CODES = {
    RunVerdict.PASSED: ExitCode.PASSED,
    RunVerdict.FAILED: ExitCode.FAILED,
    RunVerdict.NO_VERDICT: ExitCode.NO_VERDICT,
    RunVerdict.INTERRUPTED: ExitCode.INTERRUPTED,
    RunVerdict.NOTHING_SELECTED: ExitCode.NOTHING_SELECTED,
}


@dataclass(frozen=True)
class _Grounds:
    """What speaks against a pass: proven failures, and what could not be decided."""

    failures: tuple[str, ...]
    open_questions: tuple[str, ...]


@dataclass(frozen=True)
class _GatedSuite:
    """The part of a suite that the gate looks at: its limits, its cost, and its gated cases that were selected."""

    path: str
    pass_rate: float
    cost_limit: float | None
    cost_usd: float | None
    cases: tuple[CaseSummary, ...]

    @property
    def at_best(self) -> int:
        """Cases that pass if everything not measured would."""
        return sum(case.verdict is not CaseVerdict.FAIL for case in self.cases)

    @property
    def at_worst(self) -> int:
        """Cases that are known to pass."""
        return sum(case.verdict in (CaseVerdict.PASS, CaseVerdict.UNSTABLE) for case in self.cases)

    def having(self, verdict: CaseVerdict) -> list[CaseSummary]:
        """Return its cases with this verdict."""
        return [case for case in self.cases if case.verdict is verdict]


@dataclass(frozen=True)
class Compared:
    """What a run was compared with and what came of it; no decision where there was nothing to compare with.

    `promises` says of critical cases what their trials do not prove yet, and what failed beyond a suite's own trials.
    `tags` and `rules` help to find a cause; no verdict comes from them.
    """

    decision: Decision | None
    baselines: tuple[BaselineRecord, ...] = ()
    outlook: Outlook | None = None
    suites: tuple[SuiteComparison, ...] = ()
    promises: tuple[str, ...] = ()
    tags: tuple[RateChange, ...] = ()
    rules: tuple[RateChange, ...] = ()

    @property
    def name(self) -> str:
        """What people call the other side."""
        names = list(dict.fromkeys(baseline.name for baseline in self.baselines if baseline.use != "none"))
        return names[0] if len(names) == 1 else "the baseline"

    @property
    def told(self) -> RunComparison | None:
        """The comparison as reports tell it; None when the run was not to be compared."""
        if not self.baselines:
            return None
        sentence = "nothing was compared"
        if self.decision is not None:
            sentence = decision_in_words(self.decision, self.name)
        return RunComparison(self.name, sentence, self.decision, self.suites, self.tags, self.rules)


def judge(summary: Summary, compared: Compared | None = None, *, strict: bool = False) -> GateResult:
    """Return the verdict of a run with its exit code, one sentence for a chat, and the reasons, worst first.

    `strict` fails a run whose comparison can't tell. A run that was played for information fails nothing.
    """
    compared = compared or Compared(None)
    if not summary.cases:
        sentence = "Nothing selected: the selection matched no case, so nothing was measured."
        return GateResult(ExitCode.NOTHING_SELECTED, RunVerdict.NOTHING_SELECTED, sentence, ())
    gated = [case for case in summary.cases if case.gated and case.skip is None]
    suites = _gated_suites(summary, gated)
    grounds = _Grounds(
        failures=(*_critical_failures(gated), *_suite_failures(suites), *_worse(compared, strict=strict)),
        open_questions=(
            *_early_end(summary),
            *_unmeasured(gated),
            *_undecided_suites(suites),
            *_incomparable(compared),
        ),
    )
    verdict = _verdict(summary, grounds)
    reasons = grounds.failures + grounds.open_questions
    sentence = _sentence(summary, verdict, reasons, compared)
    result = GateResult(_EXIT_CODES[verdict], verdict, sentence, reasons, _notes(compared))
    return as_information(result, summary.suites) if summary.header.settings.get("information") else result


def _worse(compared: Compared, *, strict: bool) -> list[str]:
    decision = compared.decision
    if decision is None:
        return []
    failing = (Verdict.WORSE, Verdict.CANT_TELL) if strict else (Verdict.WORSE,)
    return [decision_in_words(decision, compared.name)] if decision.verdict in failing else []


def _incomparable(compared: Compared) -> list[str]:
    """What keeps a comparison that was asked for from being made."""
    reasons = [baseline.note for baseline in compared.baselines if baseline.use == "none" and baseline.required]
    if compared.decision is not None and compared.decision.verdict is Verdict.NO_VERDICT:
        reasons.append(decision_in_words(compared.decision, compared.name))
    return reasons


def _notes(compared: Compared) -> tuple[str, ...]:
    """What a reader should know of the comparison beside the verdict."""
    told = [b for b in compared.baselines if b.note and not (b.use == "none" and b.required)]
    notes = [f"{b.suite}: {b.note}" for b in told if b.prompt_ref]
    missing = [b.name for b in told if not b.prompt_ref]
    if missing and not notes and len(missing) == len(compared.baselines):
        notes.append("no baseline yet: evalkit bless makes this run the baseline")
    elif missing:
        notes.append(f"no baseline: {first_of(missing, NAMED_CASES)}; evalkit bless makes one")
    for words, pick in (("gone since", "vanished"), ("changed since, not compared", "changed"), ("new", "new")):
        for baseline in compared.baselines:
            ids = getattr(baseline, pick)
            if ids and baseline.use != "none":
                notes.append(f"{baseline.suite}: {words} {baseline.name}: {first_of(ids, NAMED_CASES)}")
    notes = [*compared.promises, *notes]
    if compared.decision is None:
        return tuple(notes)
    notes = [*remarks(compared.decision), *notes]
    if compared.outlook is not None and compared.decision.verdict is Verdict.CANT_TELL:
        notes.insert(0, outlook_in_words(compared.outlook))
    return tuple(notes)


def _verdict(summary: Summary, grounds: _Grounds) -> RunVerdict:
    if grounds.failures:
        return RunVerdict.FAILED
    if summary.end is not None and summary.end.reason == "interrupted":
        return RunVerdict.INTERRUPTED
    return RunVerdict.NO_VERDICT if grounds.open_questions else RunVerdict.PASSED


def _critical_failures(gated: Iterable[CaseSummary]) -> list[str]:
    failed = [case for case in gated if case.critical and case.verdict is CaseVerdict.FAIL]
    fail = either(len(failed), "fails", "fail")
    return [f"{plural(len(failed), 'critical case')} {fail} ({_names(failed)})"] if failed else []


def _suite_failures(suites: Iterable[_GatedSuite]) -> list[str]:
    reasons = []
    for suite in suites:
        if suite.cases and suite.at_best / len(suite.cases) < suite.pass_rate:
            rate = f"{suite.at_best / len(suite.cases):.2f} ({suite.at_best} of {len(suite.cases)})"
            known = "" if suite.at_best == suite.at_worst else "at most "
            failing = _names(suite.having(CaseVerdict.FAIL))
            reasons.append(f"{suite.path}: pass rate {known}{rate} is below {suite.pass_rate:.2f} ({failing})")
        if suite.cost_limit is not None and suite.cost_usd is not None and suite.cost_usd > suite.cost_limit:
            reasons.append(f"{suite.path}: cost ${suite.cost_usd:.4f} is above ${suite.cost_limit:.2f}")
    return reasons


def _undecided_suites(suites: Iterable[_GatedSuite]) -> list[str]:
    reasons = []
    for suite in suites:
        measured = any(case.passed or case.failed for case in suite.cases)
        if measured and suite.at_worst / len(suite.cases) < suite.pass_rate <= suite.at_best / len(suite.cases):
            unmeasured = suite.having(CaseVerdict.NOT_MEASURED)
            reasons.append(
                f"{suite.path}: whether the pass rate reaches {suite.pass_rate:.2f} depends on"
                f" {plural(len(unmeasured), 'case')} not measured ({_names(unmeasured)})"
            )
        if suite.cost_limit is not None and suite.cost_usd is None:
            reasons.append(f"{suite.path}: the cost is unknown, so the cost limit can't be checked")
    return reasons


def _early_end(summary: Summary) -> list[str]:
    done = f"after {summary.trials_recorded} of {summary.trials_planned} trials"
    if summary.end is None:
        return [f"the run never came to its end ({done})"]
    if summary.end.reason == "finished":
        return []
    return [f"{_END_WORDS[summary.end.reason]} {done}"]


def _unmeasured(gated: Sequence[CaseSummary]) -> list[str]:
    """What was not measured and matters: nothing at all, a whole suite, a critical case, too many trials."""
    if not any(case.passed or case.failed for case in gated):
        return ["nothing was measured"] if gated else ["no case that the gate counts was run"]
    measured = {case.suite for case in gated if case.passed or case.failed}
    suites = dict.fromkeys(case.suite for case in gated)
    reasons = [f"{suite}: nothing was measured" for suite in suites if suite not in measured]
    critical = [case for case in gated if case.critical and case.verdict is CaseVerdict.NOT_MEASURED]
    if critical:
        reasons.append(f"{plural(len(critical), 'critical case')} not measured ({_names(critical)})")
    trials = sum(len(case.trials) for case in gated)
    missing = sum(case.not_measured for case in gated)
    if missing > NOT_MEASURED_LIMIT * trials:
        reasons.append(f"{missing} of {trials} trials not measured, more than {NOT_MEASURED_LIMIT * 100:.0f} %")
    return reasons


def _sentence(summary: Summary, verdict: RunVerdict, reasons: Sequence[str], compared: Compared) -> str:
    head = verdict.value.capitalize()
    why = why_in_words(reasons)
    told = decision_in_words(compared.decision, compared.name) if compared.decision else ""
    parts = [part for part in (why, _counts(summary), "" if told in reasons else told, _source(summary)) if part]
    return f"{head}: " + "; ".join(parts) + "."


def _counts(summary: Summary) -> str:
    tally = summary.tally
    words = [f"{tally.passing} of {plural(tally.cases, 'case')} {either(tally.passing, 'passes', 'pass')}"]
    if tally.unstable:
        words.append(f"{tally.unstable} unstable")
    if tally.failing:
        words.append(f"{tally.failing} {either(tally.failing, 'fails', 'fail')}{_watched(tally)}")
    if tally.not_measured:
        words.append(f"{tally.not_measured} not measured")
    partly = sum(case.not_measured for case in summary.cases if case.verdict is not CaseVerdict.NOT_MEASURED)
    if partly:
        words.append(f"{plural(partly, 'trial')} of decided cases not measured")
    return ", ".join(words)


def _watched(tally: Tally) -> str:
    if not tally.watched_failing:
        return ""
    return " (watched only)" if tally.watched_failing == tally.failing else f" ({tally.watched_failing} watched only)"


def _source(summary: Summary) -> str:
    source = summary.header.source
    match source.kind:
        case "stand-in":
            return "on the stand-in, which says nothing about Claude"
        case "replayed":
            origin = f" ({source.origin})" if source.origin else ""
            return f"replayed from {source.detail or 'an earlier run'}{origin}"
        case "imported":
            return f"imported from {source.detail or 'recorded conversations'}"
        case _:
            models = ", ".join(model.model for model in summary.money.models)
            where = f"live through {source.detail}" if source.detail else "live"  # not Anthropic's own endpoint: say so
            return f"{where}, {models}" if models else where


def _gated_suites(summary: Summary, gated: Iterable[CaseSummary]) -> list[_GatedSuite]:
    """Group the gated cases by suite; a suite without a record is held to the default limits."""
    by_path: dict[str, list[CaseSummary]] = {suite.record.path: [] for suite in summary.suites}
    for case in gated:
        by_path.setdefault(case.suite, []).append(case)
    records = {suite.record.path: suite for suite in summary.suites}
    return [_gated_suite(path, records.get(path), cases) for path, cases in by_path.items()]


def _gated_suite(path: str, suite: SuiteSummary | None, cases: Iterable[CaseSummary]) -> _GatedSuite:
    gate = suite.record.gate if suite else {}
    rate, limit = gate.get("pass_rate"), gate.get("cost_usd")
    return _GatedSuite(
        path,
        DEFAULT_PASS_RATE if rate is None else float(rate),
        None if limit is None else float(limit),
        suite.cost_usd if suite else None,
        tuple(cases),
    )


def _names(cases: Sequence[CaseSummary]) -> str:
    return first_of((case.case_id for case in cases), NAMED_CASES)


def why_in_words(reasons: Sequence[str]) -> str:
    """Return the first reason, and how many more there are."""
    return first_of(reasons, 1)


def as_information(result: GateResult, suites: Iterable[SuiteSummary]) -> GateResult:
    """Return a result that tells the same and ends with 0; an interrupted run stays interrupted."""
    if result.verdict is RunVerdict.INTERRUPTED:
        return result
    refs = ", ".join(dict.fromkeys(suite.record.prompt_ref for suite in suites)) or "nothing"
    why = why_in_words(result.reasons)
    found = {
        RunVerdict.PASSED: "it would pass",
        RunVerdict.NO_VERDICT: f"no verdict, {why}",
        RunVerdict.NOTHING_SELECTED: "no case was selected",
    }.get(result.verdict, why)
    rest = result.sentence.removeprefix(f"{result.verdict.value.capitalize()}: ").removeprefix(f"{why}; ")
    sentence = f"{refs}, not live yet: {found} (for information); {rest}"
    return GateResult(ExitCode.PASSED, RunVerdict.INFORMATION, sentence, result.reasons, result.notes)
