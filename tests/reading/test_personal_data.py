"""Personal data in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.graders.privacy import is_card, is_iban, is_phone


@given(st.text(alphabet="0123456789", min_size=12, max_size=18))
def test_one_check_digit_in_ten_makes_a_card_number(digits: str) -> None:
    """Exactly one last digit fits (but for numbers of one digit only)."""
    fits = [last for last in "0123456789" if is_card(digits + last)]
    assert len(fits) == 1 or len(set(digits)) == 1


def test_check_digits_of_ibans() -> None:
    """The standard's example is one, and not with a digit changed."""
    assert is_iban("GB82 WEST 1234 5698 7654 32")
    assert not is_iban("GB82 WEST 1234 5698 7654 33")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+44 20 7946 0958", True),
        ("+49 (0)30 1234567", True),
        ("+1 23 4567", False),
        ("+999 1234567", False),
        ("(555) 123-4567", True),
        ("0171 123", True),
        ("0171 12", False),
    ],
)
def test_a_phone_number_has_the_length_of_its_country(text: str, expected: bool) -> None:
    """A number with its country's code is held against that country; one without only has enough digits."""
    assert is_phone(text) is expected
