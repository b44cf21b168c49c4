"""What the page shows of a trial: marks stand where the spans are, nothing said or called is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from evalkit.records import Request, Span, Turn
from evalkit.reporting.html.broke import ROOM, clip_pieces
from evalkit.reporting.html.conversation import Mark, split_marked, view_trial
from tests.made_up_run import FAILED, failed_request, request, score, tool_turn, trial, turn

LETTERS = st.text("abc de\n", min_size=1, max_size=30)
STRETCHES = st.tuples(st.integers(0, 90), st.integers(0, 30))
SPANS = st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from([1, 2]))
PIECES = st.tuples(st.text("ab", min_size=1, max_size=3000), st.sampled_from([0, 1, 2]))


def turn_of_requests(*requests: Request) -> Turn:
    """A turn with these requests."""
    return replace(turn(), requests=requests)


@given(st.text("ab", max_size=30), st.integers(0, 10), st.lists(SPANS, max_size=6))
def test_of_marks_that_overlap_the_first_wins(text: str, offset: int, spans: list[tuple[int, int, Mark]]) -> None:
    """Every character has the first mark whose span holds it, and pieces with one mark are one piece."""
    marks = [(Span(1, min(a, b), max(a, b)), mark) for a, b, mark in spans]
    pieces = split_marked(text, offset, marks)
    covering = [[mark for span, mark in marks if span.start <= at + offset < span.end] for at in range(len(text))]
    assert [mark for piece, mark in pieces for _ in piece] == [(*found, 0)[0] for found in covering]
    assert all(one[1] != other[1] for one, other in pairwise(pieces))
    assert "".join(piece for piece, _ in pieces) == text


@given(
    st.lists(LETTERS, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 90), st.integers(0, 30)), max_size=4)
)
def test_marks_stand_where_the_spans_are(texts: list[str], stretches: list[tuple[int, int]]) -> None:
    """Whatever blocks a reply has, the marked characters are exactly those that the spans cover."""
    played = turn_of_requests(*(request(n, 1, text) for n, text in enumerate(texts, 1)))
    length = len(played.reply)
    spans = tuple(Span(1, min(start, length), min(start + size, length)) for start, size in stretches)
    view = view_trial(trial("a", 1, score(FAILED, spans=spans), turns=[played]))
    shown = [("".join(text for text, _ in step.pieces), step.pieces) for step in view.turns[0].steps]
    assert [text for text, _ in shown] == texts
    flags: list[bool] = []
    for _, pieces in shown:
        flags += [False, False] if flags else []  # the blank line between two blocks
        flags += [mark == 1 for text, mark in pieces for _ in text]
    covered = [any(span.start <= at < span.end for span in spans) for at in range(length)]
    gaps = {at for n in range(1, len(texts)) for at in _gap_before(texts, n)}
    assert flags == [on and at not in gaps for at, on in enumerate(covered)]


def _gap_before(texts: list[str], n: int) -> tuple[int, int]:
    start = sum(len(text) for text in texts[:n]) + 2 * (n - 1)
    return start, start + 1


def test_requests_of_the_engine_itself_are_no_part_of_the_reply() -> None:
    """A summary that the engine asked for is shown folded, and marks after it stand where they should."""
    played = turn_of_requests(request(1, 1, "A summary.", purpose="summary"), request(2, 1, "Not guaranteed."))
    span = Span(1, 4, 14)
    view = view_trial(trial("a", 1, score(FAILED, spans=(span,)), turns=[played]))
    folded, said = view.turns[0].steps
    assert (folded.kind, folded.text) == ("block", "A summary.")
    assert said.pieces == (("Not ", 0), ("guaranteed", 1), (".", 0))


def test_calls_stand_between_the_words_around_them() -> None:
    """A tool call stands where it happened, with its result; one that never ran says so."""
    steps = view_trial(trial("a", 1, turns=[tool_turn()])).turns[0].steps
    assert [(step.kind, step.name, step.output) for step in steps] == [
        ("say", "", ""),
        ("call", "find_lamp", '{"stock": 4}'),
        ("say", "", ""),
    ]
    unanswered = replace(tool_turn(), tool_calls=())
    assert view_trial(trial("a", 1, turns=[unanswered])).turns[0].steps[1].output == "not run"


def test_call_without_a_block_is_not_lost() -> None:
    """A recorded call that no reply asked for, as in imported conversations, is shown after the replies."""
    played = replace(tool_turn(), requests=(request(1, 1, "Done."),))
    assert [step.kind for step in view_trial(trial("a", 1, turns=[played])).turns[0].steps] == ["say", "call"]


def test_partial_reply_is_kept_apart() -> None:
    """What had arrived before a reply broke off is shown with the failure, not as something said."""
    broken = turn_of_requests(failed_request(partial=({"type": "text", "text": "Your par"},)))
    (step,) = view_trial(trial("a", 1, turns=[broken])).turns[0].steps
    assert (step.kind, step.text, step.name) == ("fail", "Your par", "overloaded_error (529): Overloaded")


@given(
    st.lists(st.tuples(st.text("ab", min_size=1, max_size=3000), st.sampled_from([0, 1, 2])), min_size=1, max_size=4)
)
def test_clipped_text_keeps_its_first_mark(pieces: list[tuple[str, int]]) -> None:
    """A clipped text is short, and begins its first mark."""
    clipped = clip_pieces(pieces)  # type: ignore[arg-type]
    assert sum(len(text) for text, _ in clipped) <= ROOM + 80
    first = next(((text, mark) for text, mark in pieces if mark), None)
    if first:
        shown, mark = next((text, mark) for text, mark in clipped if mark)
        assert mark == first[1]
        assert first[0].startswith(shown)


def test_a_trial_shows_the_inputs_that_its_prompt_was_rendered_with() -> None:
    """Texts as they are, everything else as JSON: what a retrieval agent was given explains what it said."""
    played = trial("a", 1)
    inputs = {"guest": "Ines", "rooms": [{"number": 12}]}
    shown = view_trial(replace(played, transcript=replace(played.transcript, inputs=inputs))).inputs

    assert [name for name, _ in shown] == ["guest", "rooms"]
    assert shown[0][1] == "Ines"
    assert json.loads(shown[1][1]) == [{"number": 12}]
