"""Writes report.html: one file that needs nothing else, made from the records alone.

Reads the trials once. Conversations go compressed into a temporary file while the few that the page opens with are
picked out; then the page is written piece by piece. Memory grows with the number of cases, not with what was said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from evalkit.records import CaseKey, CaseSummary, GateResult, RunComparison, Summary, Trial, TrialVerdict
from evalkit.reporting.atomic import replacing
from evalkit.reporting.html import charts
from evalkit.reporting.html.against import view_against, was_of
from evalkit.reporting.html.broke import OPEN_ENTRIES, BrokenView, view_broken
from evalkit.reporting.html.conversation import view_trial
from evalkit.reporting.html.environment import embed_json, make_environment, policy, script, style
from evalkit.reporting.html.index import index_cases
from evalkit.reporting.html.packs import Packs
from evalkit.reporting.wording import (
    CASE_SYMBOLS,
    RUN_SYMBOLS,
    SCORE_SYMBOLS,
    TRIAL_SYMBOLS,
    end_in_words,
    money_in_words,
    source_in_words,
    tally_in_words,
)
from evalkit.reporting.worst import list_broken, sort_worst_first, weakest

FULL_ROWS = 500
"""Up to this many cases every row is in the page itself, so that the browser's own search and print see it."""

FIRST_ROWS = 200
"""Above that, so many rows are there without a script; `script/table.js` adds more by the same number."""


@dataclass
class _Shown:
    """The trial to show for each case that the page opens with: its first failed, else its first not measured."""

    wanted: frozenset[CaseKey]
    trials: dict[CaseKey, Trial]

    def offer(self, trial: Trial) -> None:
        key = (trial.key.suite, trial.key.case_id)
        if trial.score is not None and trial.score.verdict is TrialVerdict.PASSED:
            return
        if key in self.wanted and (key not in self.trials or _rank(trial) < _rank(self.trials[key])):
            self.trials[key] = trial


@dataclass(frozen=True)
class _Told:
    """What the page tells, beside the conversations."""

    summary: Summary
    gate: GateResult
    comparison: RunComparison | None


def _rank(trial: Trial) -> tuple[int, int]:
    failed = trial.score is not None and trial.score.verdict is TrialVerdict.FAILED
    return (0 if failed else 1), trial.key.trial


def render_html(
    summary: Summary,
    gate: GateResult,
    trials: Iterable[Trial],
    out: Path,
    comparison: RunComparison | None = None,
) -> None:
    """Write the page of a run to `out`, whole or not at all; `trials` is read once, one at a time."""
    entries = list_broken(summary.cases)[:OPEN_ENTRIES]
    shown = _Shown(frozenset(entry.case.key for entry in entries), {})
    with closing(Packs()) as packs:
        for trial in trials:
            shown.offer(trial)
            packs.add((trial.key.suite, trial.key.case_id), view_trial(trial))
        broken = [view_broken(summary, entry, shown.trials.get(entry.case.key)) for entry in entries]
        with replacing(out) as file:
            for piece in _pieces(_Told(summary, gate, comparison), broken, packs):
                file.write(piece.encode("utf-8"))


def _pieces(told: _Told, broken: list[BrokenView], packs: Packs) -> Iterator[str]:
    summary, was = told.summary, was_of(told.comparison)
    cases = sort_worst_first(summary.cases)
    env = make_environment()
    yield from env.get_template("page.html.j2").generate(
        summary=summary,
        gate=told.gate,
        against=view_against(told.comparison, told.gate.notes),
        was=was,
        broken=broken,
        rows=_rows(cases),
        symbols=_SYMBOLS,
        words=_words(summary),
        drawn=_drawn(summary),
        style=Markup(style()),  # noqa: S704 - a file of this package
        policy=policy(),
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


def _rows(cases: list[CaseSummary]) -> list[CaseSummary]:
    return cases if len(cases) <= FULL_ROWS else cases[:FIRST_ROWS]


_SYMBOLS = {"case": CASE_SYMBOLS, "trial": TRIAL_SYMBOLS, "score": SCORE_SYMBOLS, "run": RUN_SYMBOLS}


def _words(summary: Summary) -> dict[str, str]:
    return {
        "tally": tally_in_words(summary.tally),
        "money": money_in_words(summary),
        "source": source_in_words(summary),
        "end": end_in_words(summary.end),
    }


def _drawn(summary: Summary) -> dict[str, object]:
    longest = charts.longest_time(summary.first_token, summary.whole_reply)
    return {
        "tally": charts.tally_parts(summary),
        "money": charts.money_parts(summary.money),
        "turns": charts.turn_bars(summary.turns),
        "longest": longest,
        "first": charts.strip(summary.first_token, longest),
        "whole": charts.strip(summary.whole_reply, longest),
    }
