"""The entries under "What broke": for each the turn that shows it, with long texts cut around what matters.

Knows how much fits into an entry; which cases are entries is decided in `worst.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from evalkit.records import CaseSummary, Summary, Trial
from evalkit.reporting.finished_run import Entry, failed_scores, rerun_command, turn_of
from evalkit.reporting.html.conversation import (
    CheckView,
    Mark,
    TurnView,
    view_check,
    view_trial,
)
from evalkit.reporting.html.files import Pictures
from evalkit.reporting.safe_text import one_line
from evalkit.wording import size

OPEN_ENTRIES = 20
ROOM = 2_000
"""Characters shown of one text; the case itself has all of it."""


@dataclass(frozen=True)
class BrokenView:
    """One entry: the case, the checks that failed in the shown trial, the turn they speak of, the command."""

    case: CaseSummary
    others: tuple[CaseSummary, ...]
    command: str
    trial: int | None = None
    trial_reason: str = ""
    checks: tuple[CheckView, ...] = ()
    turn: TurnView | None = None
    turns: int = 0


def view_broken(summary: Summary, entry: Entry, trial: Trial | None, pictures: Pictures) -> BrokenView:
    """Return an entry with the turn that failed first, or the last one when the whole conversation is meant."""
    view = BrokenView(entry.case, entry.others, one_line(rerun_command(summary, entry.case)))
    if trial is None:
        return view
    shown = view_trial(trial, pictures)
    failed = failed_scores(trial)
    number = next((turn for turn in map(turn_of, failed) if turn is not None), None)
    turn = next((turn for turn in shown.turns if turn.n == number), shown.turns[-1] if shown.turns else None)
    return replace(
        view,
        trial=shown.trial,
        trial_reason=shown.reason,
        checks=tuple(view_check(score) for score in failed),
        turn=_clipped(turn) if turn is not None else None,
        turns=len(shown.turns),
    )


def _clipped(turn: TurnView) -> TurnView:
    steps = tuple(
        replace(
            step,
            pieces=clip_pieces(step.pieces),
            text=clip(step.text),
            arguments=clip(step.arguments, 300),
            output=clip(step.output, 300),
        )
        for step in turn.steps
    )
    return replace(turn, user=clip(turn.user), steps=steps)


def clip(text: str, room: int = ROOM) -> str:
    """Return the beginning of a text that is too long, with how much is left out."""
    return text if len(text) <= room else f"{text[:room]} … ({size(len(text) - room)} more)"


def clip_pieces(pieces: Iterable[tuple[str, Mark]], room: int = ROOM) -> tuple[tuple[str, Mark], ...]:
    """Return marked text cut to half the room before its first mark and the rest after it."""
    whole = tuple(pieces)
    if sum(len(text) for text, _ in whole) <= room:
        return whole
    first = next((at for at, (_, mark) in enumerate(whole) if mark), 0)
    before = "".join(text for text, _ in whole[:first])
    head = before if len(before) <= room // 2 else f"(… {size(len(before) - room // 2)}) {before[-(room // 2) :]}"
    left = room - min(len(before), room // 2)
    shown: list[tuple[str, Mark]] = [(head, 0)] if head else []
    for text, mark in whole[first:]:
        if left <= 0:
            break
        shown.append((text[:left], mark))
        left -= len(text)
    rest = sum(len(text) for text, _ in whole[first:]) - sum(len(text) for text, _ in shown[bool(head) :])
    return (*shown, (f" … ({size(rest)} more)", 0)) if rest else tuple(shown)
