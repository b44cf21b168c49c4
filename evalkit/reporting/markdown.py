"""A finished run as blocks of Markdown for GitHub: head, table of what broke, conversations, numbers, foot.

Each block is whole by itself, so that whoever puts them together can stop after any. Whatever was said or named by
somebody else stands in code spans or is made plain; nothing here measures how much fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from evalkit.records import (
    CaseSummary,
    CaseVerdict,
    RunVerdict,
    Score,
    SourceKind,
    SuiteSummary,
    Transcript,
    Trial,
    Turn,
)
from evalkit.reporting.annotations import first_failed
from evalkit.reporting.finished_run import FinishedRun
from evalkit.reporting.markdown_text import code, plain
from evalkit.reporting.rerun import rerun_command
from evalkit.reporting.safe_text import excerpt, one_line, shorten_middle
from evalkit.reporting.wording import (
    money_in_words,
    rate_change_in_words,
    source_in_words,
    steadiness_in_words,
    tally_in_words,
    trials_in_words,
)
from evalkit.reporting.worst import list_broken
from evalkit.wording import duration, number, percent, plural

Size = Callable[[str], int]
"""How large a text is, in what the limit counts."""

SUITES_SHOWN = 20
RULES_SHOWN = 20
TAGS_SHOWN = 20
CALLS_SHOWN = 6
_RUN_MARKS = {RunVerdict.PASSED: "✅", RunVerdict.FAILED: "❌", RunVerdict.NOTHING_SELECTED: "➖"}
_CASE_MARKS = {CaseVerdict.FAIL: "❌", CaseVerdict.NOT_MEASURED: "❔", CaseVerdict.UNSTABLE: "⚠️"}
_NOT_ASKED: dict[SourceKind, str] = {
    "stand-in": "🧪 Stand-in only: suite, tools and rules hold; the model was not asked",
    "replayed": "✅ Evals passed on stored replies: the model was not asked",
    "imported": "✅ Evals passed on recorded conversations: the model was not asked",
}


def headline(run: FinishedRun) -> str:
    """Return the first line: a mark, the verdict, and the first reason."""
    verdict, source = run.gate.verdict, run.summary.header.source.kind
    why = run.gate.reasons[0] if run.gate.reasons else ""
    more = f" and {len(run.gate.reasons) - 1} more" if len(run.gate.reasons) > 1 else ""
    match verdict:
        case RunVerdict.PASSED:
            return _NOT_ASKED.get(source, "✅ Evals passed")
        case RunVerdict.FAILED:
            where = " (on the stand-in; the model was not asked)" if source == "stand-in" else ""
            return f"❌ Evals failed: {plain(why, 300)}{more}{where}"
        case RunVerdict.NOTHING_SELECTED:
            return "➖ No case was selected"
        case RunVerdict.INFORMATION:
            return f"ℹ️ {plain(run.gate.sentence.partition(' (for information)')[0], 300)} (for information)"
        case _:
            return f"⚠️ No verdict: {plain(why, 300) or verdict.value}{more}"


def head(run: FinishedRun) -> str:
    """Return what was measured, how the cases stand, what it cost, and where the report is."""
    summary = run.summary
    lines = [_suite_line(suite) for suite in summary.suites[:SUITES_SHOWN]]
    if len(summary.suites) > SUITES_SHOWN:
        lines.append(f"… and {plural(len(summary.suites) - SUITES_SHOWN, 'more suite')}")
    lines.append(plain(source_in_words(summary), 200))
    facts = [f"**{plain(tally_in_words(summary.tally))}**", plain(money_in_words(summary)), _report(run)]
    lines.append(" · ".join(fact for fact in facts if fact))
    reasons = [f"- {plain(reason, 300)}" for reason in run.gate.reasons[1:8]]
    return "  \n".join(lines) + ("\n\n" + "\n".join(reasons) if reasons else "")


def _report(run: FinishedRun) -> str:
    return f"[open the report]({run.links.report})" if run.links.report else ""


def _suite_line(suite: SuiteSummary) -> str:
    record = suite.record
    cases = f"{plural(suite.tally.cases, 'case')} × {plural(record.trials, 'trial')}"
    return f"{code(record.path, 100)} with {code(record.prompt_ref, 60)} (`{record.prompt_sha[:7]}`) · {cases}"


def broken_cases(run: FinishedRun) -> list[CaseSummary]:
    """Return the cases that did not pass, worst first."""
    return [case for entry in list_broken(run.summary.cases) for case in (entry.case, *entry.others)]


def broken_table(run: FinishedRun, cases: Sequence[CaseSummary], room: int, size: Size) -> str:
    """Return the table of what broke, as many rows as there is room for, and how many are left out."""
    if not cases:
        return ""
    rows = ["| | Case | Broke | Trials | Was |", "|---|---|---|---|---|"]
    used = sum(size(row) + 1 for row in rows)
    for shown, case in enumerate(cases):
        row = _row(run, case)
        used += size(row) + 1
        if used > room:
            rows.append(f"| … | {plural(len(cases) - shown, 'more case')} | | | |")
            break
        rows.append(row)
    return "\n".join(rows)


def _row(run: FinishedRun, case: CaseSummary) -> str:
    marks = [mark for mark, on in (("critical", case.critical), ("watched only", not case.gated)) if on]
    name = code(case.case_id, 100) + (f" ({', '.join(marks)})" if marks else "")
    score = first_failed(run.details.get(case.key))
    place = score.assertion.place if score else case.place
    label = code(score.assertion.label, 160) if score else plain(f"{case.verdict}: {case.why}", 160)
    link = run.links.of(place)
    line = f", [line {place.line}]({link})" if link and place.line else f", line {place.line}" if place.line else ""
    trials = f"{case.passed}/{len(case.trials)}"
    return f"| {_CASE_MARKS[case.verdict]} | {name} | {label}{line} | {trials} | {_was(run, case)} |"


def _was(run: FinishedRun, case: CaseSummary) -> str:
    for compared in run.decision.cases if run.decision else ():
        if compared.key == case.key:
            was = f"{compared.baseline.passed}/{compared.baseline.valid}"
            return f"{was}, {compared.change.value}"
    return ""


def conversation(run: FinishedRun, case: CaseSummary) -> str:
    """Return, folded, what was said in the trial that shows why a case did not pass, and the command for it."""
    trial, name = run.details.get(case.key), escape(shorten_middle(one_line(case.case_id), 100))
    lines = [
        f"<details><summary><code>{name}</code>: what it said ({trials_in_words(case)})</summary>",
        "",
    ]
    if trial is not None:
        lines += [f"> {line}  " for line in _said(trial)]
        lines.append("")
    lines += [code(rerun_command(run.summary, case), 400), "", "</details>"]
    return "\n".join(lines)


def _said(trial: Trial) -> Iterator[str]:
    score = first_failed(trial)
    turn = _turn(trial.transcript, score)
    if turn is None:
        yield plain(trial.score.reason if trial.score else "no reply", 300)
        return
    yield f"**User** {code(turn.user, 400)}"
    for call in turn.tool_calls[:CALLS_SHOWN]:
        failed = "error: " if call.is_error else ""
        yield f"**Tool** {code(call.name, 80)} → {code(failed + call.output, 200)}"
    if len(turn.tool_calls) > CALLS_SHOWN:
        yield f"… and {plural(len(turn.tool_calls) - CALLS_SHOWN, 'more call')}"
    yield f"**Assistant** {_reply(turn, score)}"
    if score is None:
        yield plain(trial.score.reason if trial.score and trial.score.reason else "not measured", 300)
    else:
        seen = plain(score.finding.observed or "nothing of it", 300)
        yield f"**Expected** {code(score.assertion.label, 200)}: {seen}"


def _turn(transcript: Transcript, score: Score | None) -> Turn | None:
    """Return the turn that a score speaks of, else the last."""
    turns = transcript.turns
    if score is not None:
        spans = score.finding.spans
        number = spans[0].turn if spans else score.finding.turn or score.assertion.turn
        if number and number <= len(turns):
            return turns[number - 1]
    return turns[-1] if turns else None


def _reply(turn: Turn, score: Score | None) -> str:
    span = next((span for span in score.finding.spans if span.turn == turn.n), None) if score else None
    if span is None or not turn.reply:
        return code(turn.reply, 600)
    part = excerpt(turn.reply, span.start, span.end, 500)
    around = [code(text, 600) if text.strip() else "" for text in (part.before, part.after)]
    return f"{around[0]} **{code(part.marked)}** {around[1]}".strip()


def numbers(run: FinishedRun) -> str:
    """Return, folded, cost, cache, times and the rules that broke."""
    summary = run.summary
    cache, first, whole = summary.cache, summary.first_token, summary.whole_reply
    rows = [
        ("Cost", plain(money_in_words(summary))),
        ("Requests", f"{number(summary.requests)}, {plural(summary.retries, 'retry', 'retries')}"),
        ("Input read from the cache", percent(cache.read_share)),
        ("First token, p50 and p95", f"{duration(first.p50)}, {duration(first.p95)}"),
        ("Whole reply, p50 and p95", f"{duration(whole.p50)}, {duration(whole.p95)}"),
    ]
    rows += [*_rules(run), *_tags(run)]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
    return f"<details><summary>Cost, cache, times, rules, tags</summary>\n\n{table}\n{_about_q(run)}\n</details>"


def _rules(run: FinishedRun) -> Iterator[tuple[str, str]]:
    """Yield the rules that broke, how steadily, and in a compared run what they were."""
    changes = {change.name: change for change in (run.comparison.rules if run.comparison else ())}
    for rule in [rule for rule in run.summary.rules if rule.broken][:RULES_SHOWN]:
        interval = f"holds {percent(rule.interval[0])} to {percent(rule.interval[1])}" if rule.interval else ""
        words = [f"broken in {rule.broken} of {rule.measured}", interval, steadiness_in_words(rule.trial_rate)]
        change = changes.get(rule.name)
        words += [f"held: {rate_change_in_words(change)}"] if change else []
        yield f"{code(rule.name, 80)} ({rule.level})", plain(", ".join(word for word in words if word))


def _tags(run: FinishedRun) -> Iterator[tuple[str, str]]:
    """Yield the tags with the share of cases that pass, how steadily, and in a compared run what they were."""
    changes = {change.name: change for change in (run.comparison.tags if run.comparison else ())}
    for tag in run.summary.tags[:TAGS_SHOWN]:
        interval = f" ({percent(tag.interval[0])} to {percent(tag.interval[1])})" if tag.interval else ""
        words = [f"{tag.passed} of {plural(tag.cases, 'case')}{interval}", steadiness_in_words(tag.trial_rate)]
        change = changes.get(tag.tag)
        words += [f"trials: {rate_change_in_words(change)}"] if change else []
        yield f"tag {code(tag.tag, 80)}", plain(", ".join(word for word in words if word))


def _about_q(run: FinishedRun) -> str:
    """Return what q is, where there is one."""
    if run.comparison is None or not (run.comparison.rules or run.comparison.tags):
        return ""
    what = "q (Benjamini-Hochberg): of all that fell with a q up to this one, so many are chance"
    return f"\n<sub>{what}. Diagnostic, does not gate.</sub>\n"


def foot(run: FinishedRun) -> str:
    """Return which run this was."""
    header = run.summary.header
    version = plain(str(header.versions.get("evalkit", "unknown")), 20)
    return f"<sub>run {code(header.run_id, 60)} · evalkit {version}</sub>"
