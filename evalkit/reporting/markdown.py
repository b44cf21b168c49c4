"""A finished run as Markdown for GitHub: the comment on a pull request, and the summary of a job.

Both are made of blocks, each whole by itself, so that they can end after any: GitHub refuses a comment of more than
65,536 characters as a whole, and drops a job's summary of more than 1 MiB. Whatever was said or named by somebody else
stands in code spans or is made plain. The workflow finds an earlier comment by its first line and puts the report's
address in the place of REPORT_URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape

from evalkit.content import readable
from evalkit.records import (
    CaseSummary,
    CaseVerdict,
    Information,
    RunVerdict,
    Score,
    SourceKind,
    SuiteSummary,
    Trial,
    Turn,
)
from evalkit.reporting.finished_run import FinishedRun, broken_cases, failed_scores, marks_of, rerun_command, turn_of
from evalkit.reporting.migration import adaptations_in_words, short_lines
from evalkit.reporting.safe_text import code, excerpt, one_line, plain, shorten_middle
from evalkit.reporting.wording import (
    money_in_words,
    rate_change_in_words,
    source_in_words,
    steadiness_in_words,
    tally_in_words,
    trials_in_words,
)
from evalkit.wording import and_more, duration, number, percent, plural, unlabelled_judges

MARKER = "<!-- evalkit -->"
REPORT_URL = "REPORT_URL"
COMMENT_LIMIT, COMMENT_TABLE_ROOM = 60_000, 20_000  # characters
SUMMARY_LIMIT, SUMMARY_TABLE_ROOM = 900_000, 300_000  # bytes
REASONS_SHOWN = 5

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


def render_comment(run: FinishedRun) -> str:
    """Return the comment, at most 60,000 characters."""
    cases = broken_cases(run.summary.cases)
    beside = [render_information(run.information), ""] if run.information else []
    first = [
        MARKER,
        f"### {headline(run)}",
        "",
        *beside,
        head(run),
        "",
        broken_table(run, cases, COMMENT_TABLE_ROOM, len),
    ]
    blocks = [*(conversation(run, case) for case in cases if case.key in run.details), numbers(run)]
    return assemble(first, blocks, foot(run), COMMENT_LIMIT, len)


def render_information(information: Sequence[Information]) -> str:
    """Return a line for each version that is not live and was measured for information, and what speaks against it."""
    lines = []
    for each in information:
        lines.append(f"ℹ️ {plain(each.sentence, 600)}")
        lines += [f"– {plain(reason.words, 300)}" for reason in each.reasons[1:REASONS_SHOWN]]
    return "  \n".join(lines)


def render_unaffected(sentence: str, *, marker: bool = True) -> str:
    """Return the comment of a change that no suite depends on."""
    lines = [MARKER] if marker else []
    return "\n".join([*lines, "### ➖ No suite is affected by this change", "", plain(sentence), ""])


def assemble(first: Sequence[str], blocks: Iterable[str], last: str, limit: int, size: Size) -> str:
    """Return first, as many blocks as fit, and last; what is left out is counted."""
    text = "\n".join(first).rstrip("\n") + "\n"
    waiting = [*blocks]
    kept: list[str] = []
    reserve = size(f"\n{last}\n") + 200  # for the line that counts what was left out
    used = size(text) + reserve
    while waiting and used + size(waiting[0]) + 1 <= limit:
        used += size(waiting[0]) + 1
        kept.append(waiting.pop(0))
    left_out = [f"_{len(waiting)} more parts did not fit here; the report has them all._"] if waiting else []
    return "\n".join([text, *kept, *left_out, "", last, ""])


def render_job_summary(run: FinishedRun) -> str:
    """Return the Markdown, at most 900,000 bytes; also what `evalkit report -f md` gives."""
    cases = broken_cases(run.summary.cases)
    first = [
        f"## {headline(run)}",
        "",
        head(run),
        "",
        broken_table(run, cases, SUMMARY_TABLE_ROOM, _bytes),
        "",
        numbers(run),
    ]
    return assemble(first, [conversation(run, case) for case in cases], foot(run), SUMMARY_LIMIT, _bytes)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def headline(run: FinishedRun) -> str:
    """Return the first line: a mark, the verdict, and the first reason."""
    verdict, source = run.gate.verdict, run.summary.header.source.kind
    why = run.gate.reasons[0].words if run.gate.reasons else ""
    more = and_more(len(run.gate.reasons), 1)
    match verdict:
        case RunVerdict.PASSED:
            return _NOT_ASKED.get(source, "✅ Evals passed")
        case RunVerdict.FAILED:
            where = " (on the stand-in; the model was not asked)" if source == "stand-in" else ""
            return f"❌ Evals failed: {plain(why, 300)}{more}{where}"
        case RunVerdict.NOTHING_SELECTED:
            return "➖ No case was selected"
        case RunVerdict.INFORMATION:
            from evalkit.gate.words import information_in_words  # the gate loads pandas, which not every report needs

            found = information_in_words(run.summary.suites, run.gate.would_be or verdict, run.gate.reasons)
            return f"ℹ️ {plain(found, 300)} (for information)"
        case _:
            return f"⚠️ No verdict: {plain(why, 300) or verdict.value}{more}"


def head(run: FinishedRun) -> str:
    """Return what was measured, how the cases stand, what it cost, and where the report is."""
    summary = run.summary
    lines = [_suite_line(suite) for suite in summary.suites[:SUITES_SHOWN]]
    if len(summary.suites) > SUITES_SHOWN:
        lines.append(f"… and {plural(len(summary.suites) - SUITES_SHOWN, 'more suite')}")
    lines.append(plain(source_in_words(summary), 200))
    judged = unlabelled_judges(summary.unlabelled_judges)
    lines += [f"⚖️ {plain(judged, 300)}"] if judged else []
    lines += [f"🔀 {plain(told, 600)}" for told in models_in_words(run)]
    facts = [f"**{plain(tally_in_words(summary.tally))}**", plain(money_in_words(summary))]
    facts += [f"[open the report]({run.links.report})"] if run.links.report else []
    lines.append(" · ".join(facts))
    reasons = [f"- {plain(reason.words, 300)}" for reason in run.gate.reasons[1:8]]
    return "  \n".join(lines) + ("\n\n" + "\n".join(reasons) if reasons else "")


def models_in_words(run: FinishedRun) -> list[str]:
    """Return what it means that prompts were asked of other models than their own, or than before."""
    if run.comparison and run.comparison.migrations:
        return short_lines(run.comparison.migrations)
    return [
        "; ".join([f"{prompt.model} instead of {prompt.own_model}", *adaptations_in_words(prompt)])
        for prompt in run.summary.prompts
        if prompt.own_model
    ]


def _suite_line(suite: SuiteSummary) -> str:
    record = suite.record
    cases = f"{plural(suite.tally.cases, 'case')} × {plural(record.trials, 'trial')}"
    return f"{code(record.path, 100)} with {code(record.prompt_ref, 60)} (`{record.template_sha[:7]}`) · {cases}"


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
    marks = marks_of(case)
    name = code(case.case_id, 100) + (f" ({', '.join(plain(mark, 200) for mark in marks)})" if marks else "")
    score = next(iter(failed_scores(run.details.get(case.key))), None)
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
    score = next(iter(failed_scores(trial)), None)
    turns = trial.transcript.turns
    number = turn_of(score) if score else None
    turn = turns[number - 1] if number and number <= len(turns) else turns[-1] if turns else None
    if turn is None:
        yield plain(trial.score.reason if trial.score else "no reply", 300)
        return
    yield f"**User** {code(readable(turn.said), 400)}"
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
    about_q = ""
    if run.comparison is not None and (run.comparison.rules or run.comparison.tags):
        what = "q (Benjamini-Hochberg): of all that fell with a q up to this one, so many are chance"
        about_q = f"\n<sub>{what}. Diagnostic, does not gate.</sub>\n"
    return f"<details><summary>Cost, cache, times, rules, tags</summary>\n\n{table}\n{about_q}\n</details>"


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


def foot(run: FinishedRun) -> str:
    """Return which run this was."""
    header = run.summary.header
    version = plain(str(header.versions.get("evalkit", "unknown")), 20)
    return f"<sub>run {code(header.run_id, 60)} · evalkit {version}</sub>"
