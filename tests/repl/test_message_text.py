"""What was typed, as a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.repl.keyboard import as_message, is_open


@pytest.mark.parametrize(
    ("typed", "goes_on"),
    [("hello", False), ("hello\\", True), ("a\\\\", False), ('"""', True), ('"""a\nb', True), ('"""a\nb"""', False)],
)
def test_enter_goes_on_in_a_new_line_only_where_the_message_is_open(typed: str, goes_on: bool) -> None:
    """A trailing backslash or an unclosed triple quote lets the message go on."""
    assert is_open(typed) is goes_on


def test_what_was_typed_over_several_lines_is_one_message() -> None:
    """Backslashes at ends of lines and triple quotes are not part of the message."""
    assert as_message("one\\\ntwo\\\nthree") == "one\ntwo\nthree"
    assert as_message('"""\none\n  two\n"""') == "one\n  two"


@given(st.text().filter(lambda text: "\\" not in text and '"' not in text))
def test_other_text_stays_as_it_is(text: str) -> None:
    """Text without backslashes and quotes is sent as typed, without white space around it."""
    assert as_message(text) == text.strip()
