"""Numbers as text: one table of value and words each, so that every report says the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.analysis import summarise
from evalkit.reporting.finished_run import rerun_command
from evalkit.reporting.safe_text import excerpt, one_line, shorten_middle, visible
from tests.made_up_run import MadeUpRun, case, run_of, trials


@given(st.text())
def test_visible_text_can_do_nothing(text: str) -> None:
    """No control or direction character survives, and making text visible twice changes nothing."""
    shown = visible(text)
    assert not set(shown) & set("\x00\x07\x08\x0d\x1b\x7f\x9b\u200b\u200f\u202e\u2066\ufeff")
    assert visible(shown) == shown
    assert "\n" not in one_line(text)


def test_visible_text_keeps_letters() -> None:
    """Emoji with joiners, accents and right-to-left letters stay as they are."""
    for text in ("👩‍💻 ok", "été", "שלום עולם", "a\tb\nc"):
        assert visible(text) == text


@given(st.text(max_size=300), st.integers(0, 300), st.integers(0, 300), st.integers(12, 120))
def test_excerpt_fits_and_marks(text: str, start: int, length: int, room: int) -> None:
    """An excerpt is one line that fits the room, and its mark is the marked text."""
    start = min(start, len(text))
    end = min(start + length, len(text))
    part = excerpt(text, start, end, room)
    whole = part.before + part.marked + part.after
    assert "\n" not in whole
    assert len(whole) <= room + 2
    assert part.marked == shorten_middle(one_line(text[start:end]), max(room - 2, 8))


def test_excerpt_of_a_short_text_is_the_text() -> None:
    """What fits is not cut."""
    part = excerpt("your parcel is on its way now", 15, 25, 60)
    assert (part.before, part.marked, part.after) == ("your parcel is ", "on its way", " now")


@given(st.text(max_size=80), st.integers(3, 60))
def test_shortened_text_fits(text: str, room: int) -> None:
    """A shortened text fits and begins and ends like the whole."""
    short = shorten_middle(text, room)
    assert len(short) <= room
    assert short[:1] == text[:1]
    assert short[-1:] == text[-1:]


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (("evalkit", "run"), ""),
        (("evalkit", "run", "-p", "support@v4", "--max-cost", "1"), " -p support@v4"),
        (("evalkit", "run", "-psupport@v4", "--via=live"), " -p support@v4 --via live"),
        (("evalkit", "run", "--prompt=a@v1", "--set", "day=1 May"), " -p a@v1 --set 'day=1 May'"),
    ],
)
def test_command_asks_the_same_question(command: tuple[str, ...], options: str) -> None:
    """The command that repeats a case keeps prompt, source and inputs, and nothing else."""
    summary = summarise(run_of({"a": "ppp"}, command=command))
    assert rerun_command(summary, summary.cases[0]) == f"evalkit run suites/lamps.yaml::a{options}"


def test_command_quotes_odd_ids() -> None:
    """An id with spaces, # or quotes is one word for the shell."""
    name = "it's #3 $(rm)"
    summary = summarise(MadeUpRun([case(name)], trials(name, "ppp")))
    assert rerun_command(summary, summary.cases[0]) == """evalkit run 'suites/lamps.yaml::it'"'"'s #3 $(rm)'"""
