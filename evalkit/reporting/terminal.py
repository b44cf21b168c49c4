"""A finished run, one of its cases, or one reply, as text for a terminal, a pipe or a CI log.

Knows widths and colours; every colour comes with a symbol or a word. Reads nothing and prints nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from evalkit.graders.statements import short_text
from evalkit.records import (
    CaseSummary,
    CaseVerdict,
    Details,
    GateResult,
    JsonObject,
    Level,
    Request,
    RunVerdict,
    Score,
    SuiteSummary,
    Summary,
    Trial,
    TrialVerdict,
)
from evalkit.reporting.finished_run import Entry, failed_scores, list_broken, marks_of, rerun_command, turn_of
from evalkit.reporting.migration import adaptations_in_words
from evalkit.reporting.safe_text import excerpt, one_line, shorten_middle, visible
from evalkit.reporting.wording import (
    RUN_SYMBOLS,
    TRIAL_SYMBOLS,
    answers_in_words,
    criterion_in_words,
    money_in_words,
    script_gaps_in_words,
    seen_in_words,
    side_money_in_words,
    source_in_words,
    tally_in_words,
    trial_rate_in_words,
    trials_in_words,
)
from evalkit.wording import duration, first_of, number, percent, plural, usd

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
ID_ROOM = 36
GRID_CASES = 150
"""A larger suite shows only the cases that did not pass."""
GRID_INDENT, GRID_GAP = "  ", "   "
DOT_STYLES = {TrialVerdict.PASSED: "green", TrialVerdict.FAILED: "red", TrialVerdict.NOT_MEASURED: "magenta"}
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
        lines += [_suite_line(summary, suite), *_other_model(summary, suite), Text()]
        cases = [case for case in summary.cases if case.suite == suite.record.path]
        lines += [*render_grid(cases, screen.width), Text()]
    lines += _broken(summary, details, screen.width)
    lines += _script_gaps(summary.suites)
    lines += _totals(summary, report)
    lines += _verdict(gate)
    return screen.rendered(lines)


def render_case(summary: Summary, case: CaseSummary, trial: Trial | None, screen: Screen | None = None) -> str:
    """Return what the terminal shows of one case that did not pass; `trial` is the one that shows why."""
    screen = screen or Screen()
    suites = [suite for suite in summary.suites if suite.record.path == case.suite]
    lines = [*_entry(summary, Entry(case), trial, screen.width), *_script_gaps(suites)]
    return screen.rendered(lines).rstrip("\n")


def _suite_line(summary: Summary, suite: SuiteSummary) -> Text:
    record, line = suite.record, Text()
    line.append(one_line(record.path), style="bold")
    line.append(f"   {one_line(record.prompt_ref)} ({record.template_sha[:7]})")
    line.append(f"   {plural(suite.tally.cases, 'case')} × {plural(record.trials, 'trial')}")
    style = "yellow" if summary.header.source.kind == "stand-in" else "dim"
    line.append(f"   {one_line(source_in_words(summary))}", style=style)
    return line


def _other_model(summary: Summary, suite: SuiteSummary) -> list[Text]:
    """Return what becomes of a prompt's settings on another model than its own."""
    prompts = (each for each in summary.prompts if each.template_sha == suite.record.template_sha)
    words = adaptations_in_words(prompt) if (prompt := next(prompts, None)) else []
    return [Text(f"{GRID_INDENT}{one_line(each)}", style="yellow") for each in words]


def render_grid(cases: Sequence[CaseSummary], width: int) -> list[Text]:
    """Return all cases in as few lines as the width allows, `id ●●○`, to be read down the columns.

    No line is wider than `width` as long as one case fits.
    """
    shown = cases
    if len(cases) > GRID_CASES:
        shown = [case for case in cases if case.verdict is not CaseVerdict.PASS and case.skip is None][:GRID_CASES]
    lines = _columns([_cell(case, min(ID_ROOM, max(width - 24, 12))) for case in shown], width)
    if len(shown) < len(cases):
        passing = number(sum(case.verdict is CaseVerdict.PASS for case in cases))
        left_out = f"{GRID_INDENT}{passing} of {plural(len(cases), 'case')} pass in every trial"
        lines.append(Text(left_out, style="dim"))
    return lines


def _cell(case: CaseSummary, id_room: int) -> tuple[Text, Text]:
    name = Text(shorten_middle(one_line(case.case_id), id_room))
    if case.skip is not None:
        return name, Text("skipped", style="dim")
    marks = Text()
    for outcome in case.trials:
        marks.append(TRIAL_SYMBOLS[outcome.verdict], style=DOT_STYLES[outcome.verdict])
    if case.critical and case.verdict is not CaseVerdict.PASS:
        marks.append(" critical", style="bold red")
    elif not case.gated:
        marks.append(" watched", style="dim")
    return name, marks


def _columns(cells: Sequence[tuple[Text, Text]], width: int) -> list[Text]:
    """Lay cells out in the fewest rows that fit; every column is as wide as its widest name and marks."""
    for rows in range(1, len(cells) + 1):
        columns = [cells[start : start + rows] for start in range(0, len(cells), rows)]
        widths = [tuple(max(cell[part].cell_len for cell in column) for part in (0, 1)) for column in columns]
        taken = len(GRID_INDENT) + sum(ids + 1 + marks for ids, marks in widths) + len(GRID_GAP) * (len(widths) - 1)
        if taken <= width or rows == len(cells):
            break
    else:
        return []
    lines = []
    for row in range(rows):
        line = Text(GRID_INDENT)
        for (name, marks), (id_width, mark_width) in zip(cells[row::rows], widths, strict=False):
            line.append_text(name).append(" " * (id_width - name.cell_len + 1)).append_text(marks)
            line.append(" " * (mark_width - marks.cell_len) + GRID_GAP)
        line.rstrip()
        lines.append(line)
    return lines


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
    head.append("   " + ", ".join([*marks_of(case), trials_in_words(case)]), style="dim")
    yield head
    scores = failed_scores(trial)
    if trial and scores:
        for score in scores[:CHECKS_SHOWN]:
            yield from _check(score, trial, width)
        if len(scores) > CHECKS_SHOWN:
            yield Text(f"{INDENT}… and {len(scores) - CHECKS_SHOWN} more in this trial", style="dim")
    else:
        request = f" (request {case.failed_request_id})" if case.failed_request_id else ""
        yield Text(f"{INDENT}{one_line(str(case.place))}   {one_line(case.why + request)}")
    yield Text(INDENT + one_line(rerun_command(summary, case)), style="cyan")
    yield Text()


def _script_gaps(suites: Iterable[SuiteSummary]) -> Iterator[Text]:
    """What the stand-in's script misses in the prompts that something broke with."""
    for words in script_gaps_in_words(suites):
        yield Text(f"Stand-in's script: {one_line(words)}", style="yellow")
        yield Text()


def _check(score: Score, trial: Trial, width: int) -> Iterator[Text]:
    assertion, finding = score.assertion, score.finding
    place = f"{INDENT}{one_line(str(assertion.place))}   "
    label = shorten_middle(one_line(assertion.label), max(width - cell_len(place), 40))
    yield Text.assemble((place, "dim"), label)
    turn = turn_of(score)
    where = f"{INDENT}turn {turn}, trial {trial.key.trial}   " if turn else f"{INDENT}trial {trial.key.trial}   "
    if finding.spans:
        yield from _quoted(score, trial, where, width)
    else:
        room = max(width - cell_len(where), 40)
        yield Text.assemble((where, "dim"), shorten_middle(one_line(seen_in_words(finding)), room * 2))
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
        told = f"{answers_in_words(criterion)}; {criterion_in_words(criterion)}"
        yield Text(f"  {one_line(short_text(criterion.criterion))}: {told}", style="dim")
    if len(summary.criteria) > CRITERIA_SHOWN:
        yield Text(
            f"  … and {len(summary.criteria) - CRITERIA_SHOWN} more criteria; the report has them all", style="dim"
        )


def _extras(summary: Summary) -> list[str]:
    extras = []
    if summary.cache.read_share is not None:
        kept = summary.cache.kept_share  # of what earlier requests had left there
        possible = f" ({percent(kept)} of what could be)" if kept is not None and kept < 1 else ""
        extras.append(f"{percent(summary.cache.read_share)} of input cached{possible}")
    if summary.retries:
        extras.append(plural(summary.retries, "retry", "retries"))
    failed = sum(failure.final for failure in summary.failures)
    if failed:
        extras.append(f"{number(failed)} failed")
    return extras


def _verdict(gate: GateResult) -> Iterator[Text]:
    style = VERDICT_STYLES.get(gate.verdict, "bold magenta")
    yield Text(f"{RUN_SYMBOLS[gate.verdict]} {one_line(gate.sentence)}", style=style)
    if len(gate.reasons) > 1:
        for reason in gate.reasons:
            yield Text(f"  - {one_line(reason.words)}")
    for note in gate.notes:
        yield Text(f"  {one_line(note.words)}", style="dim")


def render_reply(title: str, request: Request) -> str:
    """Return a title line and the reply below it; a failed request shows its failure and what had arrived."""
    blocks = request.content or request.partial
    return "\n".join([f"── {title}: {_facts(request)}", *(_block(block) for block in blocks), ""])


def _facts(request: Request) -> str:
    if request.failure is not None:
        return f"failed, {request.failure.kind}: {one_line(request.failure.message)}"
    usage = request.usage
    facts = [request.stop_reason or "no stop reason", duration(request.total_ms), usd(request.cost_usd)]
    if usage is not None:
        facts.append(
            f"{number(usage.prompt_tokens)} tokens in ({number(usage.cache_read_input_tokens)} from the cache), "
            f"{number(usage.output_tokens)} out"
        )
    return " · ".join(facts)


def _block(block: JsonObject) -> str:
    match block.get("type"):
        case "text":
            return visible(str(block.get("text", "")))
        case "tool_use" | "server_tool_use":
            return visible(f"→ {block.get('name')} {orjson.dumps(block.get('input')).decode()}")
        case kind:
            return f"[{kind}]"
