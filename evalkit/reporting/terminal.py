"""A finished run as text for a terminal, a pipe or a CI log.

Knows widths and colours; every colour comes with a symbol or a word. Reads nothing and prints nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from evalkit.records import (
    CaseSummary,
    CaseVerdict,
    Details,
    GateResult,
    Level,
    RunVerdict,
    Score,
    SuiteSummary,
    Summary,
    Trial,
)
from evalkit.reporting.grid import render_grid
from evalkit.reporting.rerun import rerun_command
from evalkit.reporting.safe_text import excerpt, one_line, shorten_middle
from evalkit.reporting.wording import (
    RUN_SYMBOLS,
    agreement_in_words,
    answers_in_words,
    money_in_words,
    side_money_in_words,
    source_in_words,
    tally_in_words,
    trial_rate_in_words,
    trials_in_words,
)
from evalkit.reporting.worst import Entry, list_broken
from evalkit.wording import duration, first_of, number, percent, plural

FAILURES_SHOWN = 12
CHECKS_SHOWN = 3
CRITERIA_SHOWN = 8
INDENT = " " * 6
STYLES = {
    CaseVerdict.FAIL: "bold red",
    CaseVerdict.NOT_MEASURED: "bold magenta",
    CaseVerdict.UNSTABLE: "bold yellow",
    CaseVerdict.PASS: "green",
}
HEADS = {
    CaseVerdict.FAIL: "FAIL",
    CaseVerdict.NOT_MEASURED: "NOT MEASURED",
    CaseVerdict.UNSTABLE: "UNSTABLE",
}
VERDICT_STYLES = {RunVerdict.PASSED: "bold green", RunVerdict.FAILED: "bold red", RunVerdict.INFORMATION: "bold cyan"}


@dataclass(frozen=True)
class Screen:
    """What the text is made for."""

    width: int = 100
    colour: bool = False

    @classmethod
    def detect(cls) -> Screen:
        """Return the screen standard output is: its width, and colour unless it is a pipe or NO_COLOR is set."""
        console = Console(file=sys.stdout)
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(console.width if sys.stdout.isatty() else 100, colour)

    def rendered(self, lines: Iterable[Text]) -> str:
        """Return lines as what is written to this screen."""
        out = StringIO()
        console = Console(
            file=out,
            width=self.width,
            color_system="standard" if self.colour else None,
            force_terminal=self.colour,
            no_color=not self.colour,
            legacy_windows=False,
        )
        for line in lines:
            line.rstrip()
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        return out.getvalue()


def render_run(
    summary: Summary, gate: GateResult, details: Details, *, screen: Screen | None = None, report: str = ""
) -> str:
    """Return the whole text of a finished run; `report` is the path of its page, if one was written."""
    screen = screen or Screen.detect()
    lines: list[Text] = []
    for suite in summary.suites:
        lines += [_suite_line(summary, suite), Text()]
        cases = [case for case in summary.cases if case.suite == suite.record.path]
        lines += [*render_grid(cases, screen.width), Text()]
    lines += _broken(summary, details, screen.width)
    lines += _totals(summary, report)
    lines += _verdict(gate)
    return screen.rendered(lines)


def render_case(summary: Summary, case: CaseSummary, trial: Trial | None, screen: Screen | None = None) -> str:
    """Return what the terminal shows of one case that did not pass; `trial` is the one that shows why."""
    screen = screen or Screen()
    return screen.rendered(_entry(summary, Entry(case), trial, screen.width)).rstrip("\n")


def _suite_line(summary: Summary, suite: SuiteSummary) -> Text:
    record, line = suite.record, Text()
    line.append(one_line(record.path), style="bold")
    line.append(f"   {one_line(record.prompt_ref)} ({record.prompt_sha[:7]})")
    line.append(f"   {plural(suite.tally.cases, 'case')} × {plural(record.trials, 'trial')}")
    style = "yellow" if summary.header.source.kind == "stand-in" else "dim"
    line.append(f"   {one_line(source_in_words(summary))}", style=style)
    return line


def _broken(summary: Summary, details: Details, width: int) -> Iterator[Text]:
    entries = list_broken(summary.cases)
    for entry in entries[:FAILURES_SHOWN]:
        yield from _entry(summary, entry, details.get(entry.case.key), width)
    rest = sum(1 + len(entry.others) for entry in entries[FAILURES_SHOWN:])
    if rest:
        yield Text(f"… and {rest} more that did not pass; the report has them all", style="dim")
        yield Text()


def _entry(summary: Summary, entry: Entry, trial: Trial | None, width: int) -> Iterator[Text]:
    case, head = entry.case, Text()
    head.append(HEADS[case.verdict], style=STYLES[case.verdict])
    head.append(f"  {one_line(case.case_id)}", style="bold")
    if entry.others:
        head.append(f" and {plural(len(entry.others), 'other case')}")
    marks = [mark for mark, on in (("critical", case.critical), ("watched only", not case.gated)) if on]
    head.append("   " + ", ".join([*marks, trials_in_words(case)]), style="dim")
    yield head
    scores = [score for score in trial.score.scores if score.fails_trial] if trial and trial.score else []
    if trial and scores:
        for score in scores[:CHECKS_SHOWN]:
            yield from _check(score, trial, width)
        if len(scores) > CHECKS_SHOWN:
            yield Text(f"{INDENT}… and {len(scores) - CHECKS_SHOWN} more in this trial", style="dim")
    else:
        yield Text(f"{INDENT}{one_line(str(case.place))}   {one_line(case.why)}")
    yield Text(INDENT + one_line(rerun_command(summary, case)), style="cyan")
    yield Text()


def _check(score: Score, trial: Trial, width: int) -> Iterator[Text]:
    assertion, finding = score.assertion, score.finding
    place = f"{INDENT}{one_line(str(assertion.place))}   "
    label = shorten_middle(one_line(assertion.label), max(width - cell_len(place), 40))
    yield Text.assemble((place, "dim"), label)
    turn = finding.spans[0].turn if finding.spans else finding.turn or assertion.turn
    where = f"{INDENT}turn {turn}, trial {trial.key.trial}   " if turn else f"{INDENT}trial {trial.key.trial}   "
    if finding.spans:
        yield from _quoted(score, trial, where, width)
    else:
        wanted = f"; expected {one_line(finding.expected)}" if finding.expected else ""
        seen = one_line(finding.observed) or "nothing of the kind"
        room = max(width - cell_len(where), 40)
        yield Text.assemble((where, "dim"), shorten_middle(f"{seen}{wanted}", room * 2))
    for line in finding.note.splitlines()[:4]:
        yield Text(f"{INDENT}  {shorten_middle(one_line(line), width - 8)}", style="dim")


def _quoted(score: Score, trial: Trial, where: str, width: int) -> Iterator[Text]:
    """The sentence with the match, and a line under it that marks the match."""
    span = score.finding.spans[0]
    turns = trial.transcript.turns
    reply = turns[span.turn - 1].reply if span.turn <= len(turns) else ""
    part = excerpt(reply, span.start, span.end, max(width - cell_len(where) - 2, 24))
    yield Text.assemble((where, "dim"), f'"{part.before}', (part.marked, "red"), f'{part.after}"')
    yield Text(" " * cell_len(f'{where}"{part.before}') + "‾" * cell_len(part.marked), style="red")


def _totals(summary: Summary, report: str) -> Iterator[Text]:
    line = Text(tally_in_words(summary.tally) + ".")
    for title, level, style in (("Warnings", Level.WARNING, ""), ("Suggestions", Level.SUGGESTION, "dim")):
        broken = [rule for rule in summary.rules if rule.level is level and rule.broken]
        if broken:
            told = first_of((f"{one_line(rule.name)} ×{rule.broken}" for rule in broken), 6)
            line.append(f"  {title}: {told}", style)
    if summary.trial_rate:
        yield Text(trial_rate_in_words(summary.trial_rate))
    yield line
    yield from _judges(summary)
    elapsed = duration(summary.end.elapsed_s * 1000) if summary.end else "never ended"
    facts = [money_in_words(summary), plural(summary.requests, "request"), *_extras(summary), elapsed]
    yield Text("   ".join([*facts, *([f"report: {report}"] if report else [])]))
    for note in summary.end.notes if summary.end else ():
        yield Text(f"note: {one_line(note)}")


def _judges(summary: Summary) -> Iterator[Text]:
    """What judges said, how far people agree with them, and what they and simulated users cost."""
    for side in summary.side_money:
        yield Text(one_line(side_money_in_words(side)))
    for criterion in summary.criteria[:CRITERIA_SHOWN]:
        agreement = agreement_in_words(criterion.agreement)
        yield Text(f"  {one_line(criterion.criterion)}: {answers_in_words(criterion)}; {agreement}", style="dim")
    if len(summary.criteria) > CRITERIA_SHOWN:
        yield Text(
            f"  … and {len(summary.criteria) - CRITERIA_SHOWN} more criteria; the report has them all", style="dim"
        )


def _extras(summary: Summary) -> list[str]:
    extras = []
    if summary.cache.read_share is not None:
        extras.append(f"{percent(summary.cache.read_share)} of input cached{_kept(summary)}")
    if summary.retries:
        extras.append(plural(summary.retries, "retry", "retries"))
    failed = sum(failure.final for failure in summary.failures)
    if failed:
        extras.append(f"{number(failed)} failed")
    return extras


def _kept(summary: Summary) -> str:
    """Return how much was read of what earlier requests had left in the cache, where that is not all of it."""
    kept = summary.cache.kept_share
    return f" ({percent(kept)} of what could be)" if kept is not None and kept < 1 else ""


def _verdict(gate: GateResult) -> Iterator[Text]:
    style = VERDICT_STYLES.get(gate.verdict, "bold magenta")
    yield Text(f"{RUN_SYMBOLS[gate.verdict]} {one_line(gate.sentence)}", style=style)
    if len(gate.reasons) > 1:
        for reason in gate.reasons:
            yield Text(f"  - {one_line(reason)}")
    for note in gate.notes:
        yield Text(f"  {one_line(note)}", style="dim")
