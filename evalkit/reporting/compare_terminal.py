"""A comparison as text for a terminal: verdict, what changed in the prompt, flips, changed cases, rules, cost."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from evalkit.records import CaseChange, Verdict
from evalkit.reporting.compare import (
    CASES_SHOWN,
    CompareReport,
    case_in_words,
    cautions_in_words,
    flips_in_words,
    rule_lines,
    size_in_words,
    source_in_words,
)
from evalkit.reporting.migration import migration_lines, use_lines
from evalkit.reporting.safe_text import one_line, shorten_middle, visible
from evalkit.reporting.terminal import Screen

STYLES = {
    Verdict.WORSE: "bold red",
    Verdict.BETTER: "bold green",
    Verdict.NOT_WORSE: "bold green",
    Verdict.CANT_TELL: "bold yellow",
    Verdict.NO_VERDICT: "bold magenta",
}
SYMBOLS = {
    Verdict.WORSE: "✗",
    Verdict.BETTER: "✓",
    Verdict.NOT_WORSE: "✓",
    Verdict.CANT_TELL: "?",
    Verdict.NO_VERDICT: "?",
}
DIFF_LINES = 40
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def render_compare(report: CompareReport, *, words: bool = False, screen: Screen | None = None) -> str:
    """Return the whole text; `words` shows the prompts' difference word by word instead of in lines."""
    screen = screen or Screen.detect()
    return screen.rendered(_lines(report, words=words, width=screen.width))


def _lines(report: CompareReport, *, words: bool, width: int) -> Iterator[Text]:
    contrast = report.contrast
    names = f"{one_line(contrast.baseline_name)} → {one_line(contrast.candidate_name)}"
    yield Text.assemble((names, "bold"), f"   {size_in_words(report)}   ", (source_in_words(report), "dim"))
    yield Text()
    for caution in cautions_in_words(report):
        yield Text(f"! {one_line(caution)}", style="yellow")
    yield from _prompt(report, words=words)
    for migration in contrast.migrations:
        yield from _section("Another model", migration_lines(migration))
    yield from _section("Flips", [("", flips_in_words(report))])
    yield from _cases(report, width)
    yield from _section("Rules", rule_lines(report))
    yield from _section("Cost, cache, time", use_lines(contrast.uses))
    verdict = report.decision.verdict if report.decision else Verdict.NO_VERDICT
    yield Text(f"{SYMBOLS[verdict]} {one_line(report.sentence)}", style=STYLES[verdict])
    for remark in report.remarks:
        yield Text(f"  {one_line(remark)}", style="dim")
    if report.run:
        yield Text(f"  records: {report.run}", style="dim")


def _prompt(report: CompareReport, *, words: bool) -> Iterator[Text]:
    for change in report.contrast.prompts:
        yield Text("Prompt", style="bold")
        if change.is_empty:
            yield Text("  the same on both sides")
        for beside in change.beside:
            yield Text(f"  {one_line(beside)}")
        shown = (
            change.words.splitlines() if words else [line for line in change.lines if line[:3] not in ("---", "+++")]
        )
        for line in shown[:DIFF_LINES]:
            yield Text(f"  {visible(line)}", style="" if words else _DIFF_STYLES.get(line[:1], ""))
        if len(shown) > DIFF_LINES:
            yield Text(f"  … and {len(shown) - DIFF_LINES} more lines", style="dim")
        yield Text()


def _cases(report: CompareReport, width: int) -> Iterator[Text]:
    changed = report.changed
    if not changed:
        return
    yield Text("Changed cases", style="bold")
    for case in changed[:CASES_SHOWN]:
        style = "red" if case.change is CaseChange.CLEARLY_WORSE else ""
        critical = " critical" if case.critical else ""
        yield Text.assemble(f"  {one_line(case.key[1])}", (critical, "bold red"), (f"   {case_in_words(case)}", style))
        parting = report.difference_of(case)
        if parting is not None:
            yield Text(f"      first difference: turn {parting.turn}", style="dim")
            room = max(width - 18, 40)
            yield Text(f"        before  {shorten_middle(one_line(parting.baseline), room)}")
            yield Text(f"        now     {shorten_middle(one_line(parting.candidate), room)}")
    if len(changed) > CASES_SHOWN:
        yield Text(f"  … and {len(changed) - CASES_SHOWN} more", style="dim")
    yield Text()


def _section(title: str, lines: list[tuple[str, str]]) -> Iterator[Text]:
    if not lines:
        return
    yield Text(title, style="bold")
    room = max(len(name) for name, _ in lines)
    for name, words in lines:
        yield Text(f"  {one_line(name):<{room}}  {words}" if name else f"  {words}")
    yield Text()
