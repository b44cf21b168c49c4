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
from evalkit.gate.words import decision_in_words, information_in_words, remarks, why_in_words
from evalkit.records import (
    BaselineRecord,
    CaseSummary,
    CaseVerdict,
    Decision,
    EndReason,
    GateResult,
    Migration,
    RateChange,
    RunComparison,
    RunVerdict,
    Statement,
    SuiteComparison,
    SuiteSummary,
    Summary,
    Topic,
    Verdict,
)
from evalkit.wording import either, first_of, plural, unlabelled_judges, watched_part

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

    failures: tuple[Statement, ...]
    open_questions: tuple[Statement, ...]


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
    `tags` and `rules` help to find a cause, and `migrations` say what another model means; no verdict comes from them.
    """

    decision: Decision | None
    baselines: tuple[BaselineRecord, ...] = ()
    outlook: Outlook | None = None
    suites: tuple[SuiteComparison, ...] = ()
    promises: tuple[str, ...] = ()
    tags: tuple[RateChange, ...] = ()
    rules: tuple[RateChange, ...] = ()
    migrations: tuple[Migration, ...] = ()

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
        return RunComparison(self.name, sentence, self.decision, self.suites, self.tags, self.rules, self.migrations)


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
    sentence, notes = _sentence(summary, verdict, reasons, compared), _notes(compared)
    if summary.header.settings.get("information") and verdict is not RunVerdict.INTERRUPTED:
        return GateResult(ExitCode.PASSED, RunVerdict.INFORMATION, sentence, reasons, notes, would_be=verdict)
    return GateResult(_EXIT_CODES[verdict], verdict, sentence, reasons, notes)


def _worse(compared: Compared, *, strict: bool) -> list[Statement]:
    decision = compared.decision
    if decision is None or decision.verdict not in ((Verdict.WORSE, Verdict.CANT_TELL) if strict else (Verdict.WORSE,)):
        return []
    return [Statement(Topic.COMPARISON, decision_in_words(decision, compared.name))]


def _incomparable(compared: Compared) -> list[Statement]:
    """What keeps a comparison that was asked for from being made."""
    missing = [baseline.note for baseline in compared.baselines if baseline.use == "none" and baseline.required]
    reasons = [Statement(Topic.BASELINE, note) for note in missing]
    if compared.decision is not None and compared.decision.verdict is Verdict.NO_VERDICT:
        reasons.append(Statement(Topic.COMPARISON, decision_in_words(compared.decision, compared.name)))
    return reasons


def _notes(compared: Compared) -> tuple[Statement, ...]:
    """What a reader should know of the comparison beside the verdict."""
    promises = [Statement(Topic.PROMISE, words) for words in compared.promises]
    notes = [*promises, *(Statement(Topic.BASELINE, words) for words in _about_baselines(compared.baselines))]
    if compared.decision is None:
        return tuple(notes)
    notes = [*remarks(compared.decision), *notes]
    if compared.outlook is not None and compared.decision.verdict is Verdict.CANT_TELL:
        notes.insert(0, Statement(Topic.OUTLOOK, outlook_in_words(compared.outlook)))
    return tuple(notes)


def _about_baselines(baselines: Sequence[BaselineRecord]) -> list[str]:
    """Say which baselines are missing or not used as stored, and which cases they do not share with the run."""
    told = [b for b in baselines if b.note and not (b.use == "none" and b.required)]
    notes = [f"{b.suite}: {b.note}" for b in told if b.prompt_ref]
    missing = [b.name for b in told if not b.prompt_ref]
    if missing and not notes and len(missing) == len(baselines):
        notes.append("no baseline yet: evalkit bless makes this run the baseline")
    elif missing:
        notes.append(f"no baseline: {first_of(missing, NAMED_CASES)}; evalkit bless makes one")
    for words, pick in (("gone since", "vanished"), ("changed since, not compared", "changed"), ("new", "new")):
        for baseline in baselines:
            ids = getattr(baseline, pick)
            if ids and baseline.use != "none":
                notes.append(f"{baseline.suite}: {words} {baseline.name}: {first_of(ids, NAMED_CASES)}")
    return notes


def _verdict(summary: Summary, grounds: _Grounds) -> RunVerdict:
    if grounds.failures:
        return RunVerdict.FAILED
    if summary.end is not None and summary.end.reason == "interrupted":
        return RunVerdict.INTERRUPTED
    return RunVerdict.NO_VERDICT if grounds.open_questions else RunVerdict.PASSED


def _critical_failures(gated: Iterable[CaseSummary]) -> list[Statement]:
    failed = [case for case in gated if case.critical and case.verdict is CaseVerdict.FAIL]
    if not failed:
        return []
    fail = either(len(failed), "fails", "fail")
    return [Statement(Topic.CRITICAL, f"{plural(len(failed), 'critical case')} {fail} ({_names(failed)})")]


def _suite_failures(suites: Iterable[_GatedSuite]) -> list[Statement]:
    reasons = []
    for suite in suites:
        if suite.cases and suite.at_best / len(suite.cases) < suite.pass_rate:
            rate = f"{suite.at_best / len(suite.cases):.2f} ({suite.at_best} of {len(suite.cases)})"
            known = "" if suite.at_best == suite.at_worst else "at most "
            failing = _names(suite.having(CaseVerdict.FAIL))
            words = f"{suite.path}: pass rate {known}{rate} is below {suite.pass_rate:.2f} ({failing})"
            reasons.append(Statement(Topic.PASS_RATE, words))
        if suite.cost_limit is not None and suite.cost_usd is not None and suite.cost_usd > suite.cost_limit:
            words = f"{suite.path}: cost ${suite.cost_usd:.4f} is above ${suite.cost_limit:.2f}"
            reasons.append(Statement(Topic.COST, words))
    return reasons


def _undecided_suites(suites: Iterable[_GatedSuite]) -> list[Statement]:
    reasons = []
    for suite in suites:
        measured = any(case.passed or case.failed for case in suite.cases)
        if measured and suite.at_worst / len(suite.cases) < suite.pass_rate <= suite.at_best / len(suite.cases):
            unmeasured = suite.having(CaseVerdict.NOT_MEASURED)
            open_cases = f"{plural(len(unmeasured), 'case')} not measured ({_names(unmeasured)})"
            words = f"{suite.path}: whether the pass rate reaches {suite.pass_rate:.2f} depends on {open_cases}"
            reasons.append(Statement(Topic.PASS_RATE, words))
        if suite.cost_limit is not None and suite.cost_usd is None:
            words = f"{suite.path}: the cost is unknown, so the cost limit can't be checked"
            reasons.append(Statement(Topic.COST, words))
    return reasons


def _early_end(summary: Summary) -> list[Statement]:
    done = f"after {summary.trials_recorded} of {summary.trials_planned} trials"
    if summary.end is None:
        return [Statement(Topic.END, f"the run never came to its end ({done})")]
    if summary.end.reason == "finished":
        return []
    return [Statement(Topic.END, f"{_END_WORDS[summary.end.reason]} {done}")]


def _unmeasured(gated: Sequence[CaseSummary]) -> list[Statement]:
    """What was not measured and matters: nothing at all, a whole suite, a critical case, too many trials."""
    if not any(case.passed or case.failed for case in gated):
        words = "nothing was measured" if gated else "no case that the gate counts was run"
        return [Statement(Topic.UNMEASURED, words)]
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
    return [Statement(Topic.UNMEASURED, words) for words in reasons]


def _sentence(summary: Summary, verdict: RunVerdict, reasons: Sequence[Statement], compared: Compared) -> str:
    """Return the verdict in a sentence: the first reason, how the cases stand, the comparison, where replies came from.

    Of a run for information it says first what the version would come to.
    """
    why = why_in_words(reasons)
    told = decision_in_words(compared.decision, compared.name) if compared.decision else ""
    if any(reason.topic is Topic.COMPARISON for reason in reasons):
        told = ""
    judged = unlabelled_judges(summary.unlabelled_judges)
    rest = [part for part in (_counts(summary), told, judged, _source(summary)) if part]
    if summary.header.settings.get("information") and verdict is not RunVerdict.INTERRUPTED:
        found = information_in_words(summary.suites, verdict, reasons)
        return f"{found} (for information); " + "; ".join(rest) + "."
    return f"{verdict.value.capitalize()}: " + "; ".join([*([why] if why else []), *rest]) + "."


def _counts(summary: Summary) -> str:
    tally = summary.tally
    words = [f"{tally.passing} of {plural(tally.cases, 'case')} {either(tally.passing, 'passes', 'pass')}"]
    if tally.unstable:
        words.append(f"{tally.unstable} unstable")
    if tally.failing:
        watched = watched_part(tally.failing, tally.watched_failing)
        words.append(f"{tally.failing} {either(tally.failing, 'fails', 'fail')}{watched}")
    if tally.not_measured:
        words.append(f"{tally.not_measured} not measured")
    partly = sum(case.not_measured for case in summary.cases if case.verdict is not CaseVerdict.NOT_MEASURED)
    if partly:
        words.append(f"{plural(partly, 'trial')} of decided cases not measured")
    return ", ".join(words)


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
