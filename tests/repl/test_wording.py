"""The line below a reply, failures in a person's words, and texts beside each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from evalkit.engine.attempt import RULES
from evalkit.records import Attempt, Failure, Request, Turn, Usage
from evalkit.repl.screen import wrapped
from evalkit.repl.session import INTERRUPTED
from evalkit.repl.turn_view import folded, footer, friendly, money, sum_up

DONE = Request(
    1,
    1,
    {},
    ({"type": "text", "text": "Hello."},),
    "end_turn",
    usage=Usage(212, cache_read_input_tokens=1840, output_tokens=96),
    cost_usd=0.0016,
    first_token_ms=380.0,
    total_ms=1240.0,
)
STOPPED = Request(2, 1, {}, failure=Failure(INTERRUPTED, "stopped"))


def test_the_footer_tells_times_four_kinds_of_tokens_dollars_and_cache() -> None:
    """Plain and cached input stand apart, and the cache's share is of all input."""
    line = footer(Turn(1, "Hi", (DONE,)), None)

    assert line == "1.24 s (first token 0.38)  in 212 + 1,840 cached  out 96  $0.0016  cache 90 %"


def test_a_missed_cache_carries_the_reason() -> None:
    """What the API says stands behind the share."""
    missed = replace(DONE, cache_miss_reason="system_changed", usage=Usage(0, 1828, output_tokens=24))

    assert "in 1,828 written" in footer(Turn(1, "Hi", (missed,)), None)
    assert "cache 0 % (system_changed)" in footer(Turn(1, "Hi", (missed,)), None)


def test_what_is_unknown_is_not_free() -> None:
    """An unknown price and a reply that was stopped are told, and are not $0."""
    unpriced = replace(DONE, cost_usd=None)

    assert money(sum_up([unpriced]), spent=True) == "price unknown"
    assert money(sum_up([STOPPED]), spent=True) == "cost unknown (stopped)"
    assert money(sum_up([DONE, STOPPED]), spent=True) == "at least $0.0016"
    assert money(sum_up([DONE]), spent=False) == "($0.0016 if live)"


def test_tries_that_failed_are_paid_for_too() -> None:
    """Their tokens and dollars are in the sums."""
    tried = Attempt(Failure("overloaded_error", "busy"), 10.0, Usage(100, output_tokens=4), 0.001)

    sums = sum_up([replace(DONE, attempts=(tried,))])

    assert sums.usage.input_tokens == 312
    assert sums.cost_usd == pytest.approx(0.0026)


@pytest.mark.parametrize("kind", sorted({kind for rule in RULES for kind in rule.kinds} - {"conflict_error"}))
def test_every_failure_of_the_engine_has_words_of_its_own(kind: str) -> None:
    """What happened, what to do, and the API's name for it, on one line."""
    line = friendly(Failure(kind, "details\nof it", 500, request_id="req_1"))

    assert not line.startswith("No reply came")
    assert kind in line
    assert "req_1" in line
    assert "\n" not in line


@given(st.lists(st.text("abc é语", min_size=1), min_size=1), st.integers(20, 60))
def test_folding_loses_nothing(parts: list[str], width: int) -> None:
    """The parts of a folded line are those of the line, in order."""
    line = "  ".join(" ".join(part.split()) or "x" for part in parts)

    assert folded(line, width).split() == line.split()


@given(st.text("ab c\né语", max_size=80), st.integers(2, 30))
def test_a_column_is_as_wide_as_it_may_be_and_loses_nothing(text: str, width: int) -> None:
    """No line of a column is wider than the column, and all letters are there."""
    lines = wrapped(text, width)

    assert all(get_cwidth(line.rstrip()) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
