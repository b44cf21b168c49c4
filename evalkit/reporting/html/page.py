"""Writes report.html, one file that needs nothing else, made from the records alone; and the page of a production log.

Reads the trials once. Conversations go compressed into a temporary file while the few that the page opens with are
picked out; then the page is written piece by piece. Memory grows with the number of cases, not with what was said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from markupsafe import Markup

from evalkit.records import CaseKey, GateResult, RunComparison, Summary, Trial, TrialVerdict
from evalkit.records.log_summary import LogSummary
from evalkit.reporting.atomic import replacing
from evalkit.reporting.finished_run import FinishedRun, list_broken, sort_worst_first, weakest
from evalkit.reporting.html import charts
from evalkit.reporting.html.against import beside_baseline, view_against
from evalkit.reporting.html.broke import OPEN_ENTRIES, BrokenView, view_broken
from evalkit.reporting.html.conversation import view_trial
from evalkit.reporting.html.environment import embed_json, make_environment, policy, script, style
from evalkit.reporting.html.files import Pictures
from evalkit.reporting.html.index import Packs, index_cases
from evalkit.reporting.wording import (
    CASE_SYMBOLS,
    RUN_SYMBOLS,
    SCORE_SYMBOLS,
    TRIAL_SYMBOLS,
    end_in_words,
    money_in_words,
    script_gaps_in_words,
    source_in_words,
    tally_in_words,
)
from evalkit.stats import share
from evalkit.wording import unlabelled_judges

FULL_ROWS = 500
"""Up to this many cases every row is in the page itself, so that the browser's own search and print see it."""

FIRST_ROWS = 200
"""Above that, so many rows are there without a script; `script/table.js` adds more by the same number."""

_SYMBOLS = {"case": CASE_SYMBOLS, "trial": TRIAL_SYMBOLS, "score": SCORE_SYMBOLS, "run": RUN_SYMBOLS}


def _showing(trial: Trial) -> tuple[int, int]:
    """Order the trials of a case by how well they show what broke: the first failed, else the first not measured."""
    order = (TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED, TrialVerdict.PASSED)
    return order.index(trial.score.verdict if trial.score else TrialVerdict.NOT_MEASURED), trial.key.trial


def render_html(
    summary: Summary,
    gate: GateResult,
    trials: Iterable[Trial],
    out: Path,
    comparison: RunComparison | None = None,
) -> None:
    """Write the page of a run to `out`, whole or not at all; `trials` is read once, one at a time."""
    entries = list_broken(summary.cases)[:OPEN_ENTRIES]
    wanted = {entry.case.key for entry in entries}
    shown: dict[CaseKey, Trial] = {}
    pictures = Pictures()
    with closing(Packs()) as packs:
        for trial in trials:
            key = (trial.key.suite, trial.key.case_id)
            packs.add(key, view_trial(trial, pictures))
            passed = trial.score is not None and trial.score.verdict is TrialVerdict.PASSED
            if key in wanted and not passed:
                shown[key] = min(shown.get(key, trial), trial, key=_showing)
        broken = [view_broken(summary, entry, shown.get(entry.case.key), pictures) for entry in entries]
        with replacing(out) as file:
            for piece in _pieces(FinishedRun(summary, gate, comparison=comparison), broken, packs, pictures.style):
                file.write(piece.encode("utf-8"))


def _pieces(run: FinishedRun, broken: list[BrokenView], packs: Packs, pictures: str) -> Iterator[str]:
    summary, was = run.summary, beside_baseline(run.comparison)
    cases = sort_worst_first(summary.cases)
    env = make_environment()
    yield from env.get_template("page.html.j2").generate(
        summary=summary,
        gate=run.gate,
        against=view_against(run.comparison, run.gate.notes),
        was=was,
        broken=broken,
        script_gaps=script_gaps_in_words(summary.suites),
        rows=cases if len(cases) <= FULL_ROWS else cases[:FIRST_ROWS],
        symbols=_SYMBOLS,
        words={
            "tally": tally_in_words(summary.tally),
            "money": money_in_words(summary),
            "source": source_in_words(summary),
            "end": end_in_words(summary.end),
            "judged": unlabelled_judges(summary.unlabelled_judges),
        },
        drawn={
            "tally": charts.tally_parts(summary),
            "money": charts.money_parts(summary.money),
            "turns": charts.turn_bars(summary.turns),
            **_times(summary),
        },
        style=Markup(style(pictures)),  # noqa: S704 - a file of this package, and base64
        policy=policy(pictures),
        several_suites=len({case.suite for case in cases}) > 1,
        more_broken=len(list_broken(summary.cases)) - len(broken),
        weakest=weakest(summary.cases),
        positions={case.key: at for at, case in enumerate(cases)},
    )
    for number, group in enumerate(packs.groups()):
        yield f'<script type="application/octet-stream" id="group-{number}">{group.decode("ascii")}</script>\n'
    yield env.get_template("tail.html.j2").render(
        index=embed_json(index_cases(summary, cases, packs, was)),
        script=Markup(script()),  # noqa: S704 - files of this package
    )


def _times(summary: Summary | LogSummary) -> dict[str, object]:
    """Return the times of first tokens and whole replies on one scale."""
    longest = charts.longest_time(summary.first_token, summary.whole_reply)
    return {
        "longest": longest,
        "first": charts.strip(summary.first_token, longest),
        "whole": charts.strip(summary.whole_reply, longest),
    }


def render_log_html(summary: LogSummary, out: Path) -> None:
    """Write the page of a production log to `out`, whole or not at all: sessions instead of cases."""
    template = make_environment().get_template("log.html.j2")
    page = template.render(
        summary=summary,
        error_share=share(summary.failed, summary.requests),
        cached_share=share(summary.read_tokens, summary.prompt_tokens),
        drawn=_times(summary),
        style=Markup(style()),  # noqa: S704 - a file of this package
        policy=policy(),
    )
    with replacing(out) as file:
        file.write(page.encode("utf-8"))
