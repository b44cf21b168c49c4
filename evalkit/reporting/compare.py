"""A comparison as one value for its reports, and the lines that every form of it shows.

Knows how numbers beside each other read; nothing of terminals, Markdown or JSON.
"""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.errors import ExitCode
from evalkit.gate import Compared, decision_in_words, outlook_in_words, remarks
from evalkit.records import ComparedCase, Contrast, Counts, Decision, FirstDifference, Verdict
from evalkit.reporting.migration import beside
from evalkit.wording import percent, plural, unlabelled_judges

CASES_SHOWN = 12
RULES_SHOWN = 8


@dataclass(frozen=True)
class CompareReport:
    """What a compare report is made of.

    `sentence` is the verdict in words, `remarks` what belongs to it, `run` the folder of the run that was played, empty
    when two finished runs were compared. `exit_code` is the command's.
    """

    contrast: Contrast
    decision: Decision | None
    sentence: str
    remarks: tuple[str, ...]
    exit_code: int
    run: str = ""

    @property
    def changed(self) -> tuple[ComparedCase, ...]:
        """The cases whose passes differ, the strongest evidence first."""
        cases = self.decision.cases if self.decision else ()
        return tuple(case for case in cases if case.difference or case.confirm_candidate)

    def difference_of(self, case: ComparedCase) -> FirstDifference | None:
        """Return where the conversations of a case part."""
        return next((each for each in self.contrast.differences if each.key == case.key), None)


def report_comparison(contrast: Contrast, compared: Compared, *, strict: bool = False) -> CompareReport:
    """Say in words what two sides came to; `strict` fails too when the comparison can't tell."""
    notes = [baseline.note for baseline in compared.baselines if baseline.note]
    for baseline in compared.baselines:
        if baseline.use != "none":
            kinds = (("only in the first", baseline.vanished), ("changed", baseline.changed), ("new", baseline.new))
            notes += [f"{words}: {', '.join(ids)}" for words, ids in kinds if ids]
    decision = compared.decision
    if decision is None:
        sentence = "nothing to compare: no case is the same on both sides"
        return CompareReport(contrast, None, sentence, tuple(notes), ExitCode.NO_VERDICT)
    told = [remark.words for remark in remarks(decision)]
    if decision.verdict is Verdict.CANT_TELL and compared.outlook is not None:
        told.insert(0, outlook_in_words(compared.outlook))
    codes = {Verdict.WORSE: ExitCode.FAILED, Verdict.NO_VERDICT: ExitCode.NO_VERDICT}
    if strict:
        codes[Verdict.CANT_TELL] = ExitCode.FAILED
    sentence = decision_in_words(decision, contrast.baseline_name)
    if decision.verdict in (Verdict.WORSE, Verdict.BETTER, Verdict.NOT_WORSE):
        sentence = f"{contrast.candidate_name} is {sentence}"
    return CompareReport(contrast, decision, sentence, (*told, *notes), codes.get(decision.verdict, ExitCode.PASSED))


def counts_in_words(counts: Counts) -> str:
    """Return passes of trials: `3/5`."""
    return f"{counts.passed}/{counts.valid}"


def case_in_words(case: ComparedCase) -> str:
    """Return what a case was and is: `5/5 → 1/3, side by side 8/8 → 0/8: clearly worse`."""
    words = f"{counts_in_words(case.baseline)} → {counts_in_words(case.candidate)}"
    if case.confirm_baseline is not None and case.confirm_candidate is not None:
        closer = f"{counts_in_words(case.confirm_baseline)} → {counts_in_words(case.confirm_candidate)}"
        words += f", looked at again {closer}"
    return f"{words}: {case.change.value}"


def flips_in_words(report: CompareReport) -> str:
    """Return the four fields of the flips in one line."""
    flips = report.contrast.flips
    better, worse = len(flips.better), len(flips.worse)
    return f"{better} better, {worse} worse, {flips.both_pass} pass in both, {flips.both_fail} fail in both"


def rule_lines(report: CompareReport) -> list[tuple[str, str]]:
    """Return each rule that broke more or less often, with both shares; the largest changes first."""
    moved = [(name, pair) for name, pair in report.contrast.rules if pair.baseline != pair.candidate]
    return [(name, beside(pair, percent)) for name, pair in moved[:RULES_SHOWN]]


def size_in_words(report: CompareReport) -> str:
    """Return how many cases were compared and how many trials were played for it."""
    if report.decision is None:
        return "nothing compared"
    played = f", {plural(report.decision.calls, 'trial')} played" if report.decision.calls else ""
    return f"{plural(len(report.decision.cases), 'case')}{played}"


def source_in_words(report: CompareReport) -> str:
    """Return where the replies of both sides came from, with what that means for the stand-in."""
    source = report.contrast.source
    return "stand-in model, which says nothing about Claude" if source.kind == "stand-in" else source.name


def cautions_in_words(report: CompareReport) -> list[str]:
    """Return a line for each reason to be careful: an unlabelled judge, and what but the prompt the runs differ in."""
    unlike = report.contrast.unlike
    judged = unlabelled_judges(report.contrast.unlabelled_judges)
    lines = [judged] if judged else []
    if unlike.sources:
        lines.append(f"different sources: {' and '.join(unlike.sources)}; the difference may be theirs")
    if unlike.judges:
        lines.append("different judges or wordings; the difference may be theirs")
    if unlike.suites:
        lines.append(f"only in one of the runs: {', '.join(unlike.suites)}")
    return lines
