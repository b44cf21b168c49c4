"""The geometry of the four charts: values -> positions and widths in percent, for the SVG macros to draw.

Knows no text and no colour; numbers beside a chart come from the summary itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalkit.records import Money, Summary, Times, TokenKind, TurnSummary

TURNS_DRAWN = 60


@dataclass(frozen=True)
class Part:
    """A stretch of a stacked bar: its CSS class, where it begins and how long it is, 0 to 100."""

    name: str
    start: float
    length: float


@dataclass(frozen=True)
class TurnBar:
    """Prompt tokens of one turn per trial, stacked from below; heights 0 to 100 of the highest bar."""

    turn: TurnSummary
    parts: tuple[Part, ...]


def stack(amounts: Iterable[tuple[str, float]], whole: float) -> tuple[Part, ...]:
    """Lay the amounts end to end on a scale where `whole` is 100; zero amounts are left out."""
    parts, start = [], 0.0
    for name, amount in amounts:
        length = 100 * amount / whole if whole else 0.0
        if length > 0:
            parts.append(Part(name, round(start, 3), round(length, 3)))
        start += length
    return tuple(parts)


def tally_parts(summary: Summary) -> tuple[Part, ...]:
    """Return the cases by verdict as one bar."""
    tally = summary.tally
    amounts = (
        ("pass", tally.passing),
        ("unstable", tally.unstable),
        ("fail", tally.failing),
        ("unmeasured", tally.not_measured),
    )
    return stack(amounts, tally.cases)


def money_parts(money: Money) -> tuple[Part, ...]:
    """Return the dollars by token kind as one bar; empty when a split is unknown or nothing was paid."""
    totals: dict[TokenKind, float] = {}
    for model in money.models:
        for kind in model.kinds:
            if kind.cost_usd is None:
                return ()
            totals[kind.kind] = totals.get(kind.kind, 0.0) + kind.cost_usd
    return stack(((kind.replace(" ", "-"), amount) for kind, amount in totals.items()), sum(totals.values()))


def turn_bars(turns: Sequence[TurnSummary]) -> tuple[TurnBar, ...]:
    """Return prompt tokens per trial by turn, the first `TURNS_DRAWN` turns."""
    drawn = turns[:TURNS_DRAWN]
    highest = max((prompt_per_trial(turn) for turn in drawn), default=0.0)
    return tuple(
        TurnBar(
            turn,
            stack(
                (
                    ("cache-read", turn.cache_read_tokens / turn.trials),
                    ("cache-write", turn.cache_write_tokens / turn.trials),
                    ("input", turn.input_tokens / turn.trials),
                ),
                highest,
            ),
        )
        for turn in drawn
    )


def prompt_per_trial(turn: TurnSummary) -> float:
    """Return the mean prompt tokens of a trial in this turn, over all its requests."""
    return (turn.input_tokens + turn.cache_write_tokens + turn.cache_read_tokens) / turn.trials


def strip(times: Times, longest: float) -> tuple[float, ...]:
    """Return where each time lies on a scale from zero to the longest, 0 to 100."""
    return tuple(round(100 * value / longest, 2) for value in times.values) if longest else ()


def longest_time(*times: Times) -> float:
    """Return the longest of all times, for a common scale."""
    return max((value for each in times for value in each.values), default=0.0)
