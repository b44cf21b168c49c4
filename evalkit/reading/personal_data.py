"""Personal data in a text: mail addresses, phone numbers, card numbers and IBANs, and where each stands.

A pattern finds what looks like one; the check digits of cards and IBANs and the lengths that a country's phone numbers
may have decide. The one door to `stdnum` and `phonenumbers`, loaded when something looks like one. Knows only text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, get_args

from evalkit.reading.sentences import Range

Kind = Literal["mail", "phone", "card", "iban"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_LEAST_PHONE, _MOST_PHONE = 7, 15
"""Digits of a phone number; the most are those of ITU-T E.164."""
_LEAST_CARD, _MOST_CARD = 13, 19
"""Digits of a card number (ISO/IEC 7812-1 allows 8 to 19; those in use have 13 and more)."""

_SHAPES: Mapping[Kind, re.Pattern[str]] = {
    "mail": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[a-zA-Z]{2,24}(?!\w)"),
    "phone": re.compile(
        r"(?<![\w.+/#-])(?:\+\d{1,3}[ .-]?|\(?0)(?:\(?\d{1,5}\)?[ ./-]?){2,5}\d{2,4}(?![\w-])"
        r"|(?<![\w.#-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])"
    ),
    "card": re.compile(r"(?<![\w-])(?:\d[ -]?){12,18}\d(?![\w-])"),
    "iban": re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)"),
}
_NEEDED: Mapping[Kind, re.Pattern[str]] = {
    "mail": re.compile("@"),
    "phone": re.compile(rf"\d(?:[() ./-]{{0,3}}\d){{{_LEAST_PHONE - 1}}}"),
    "card": re.compile(rf"\d(?:[ -]?\d){{{_LEAST_CARD - 1}}}"),
    "iban": re.compile(r"[A-Z]{2}\d{2}"),
}
"""What every such text has: looked for first, since most replies have none and it is found much faster."""


def find_personal_data(kind: Kind, text: str) -> Iterator[Range]:
    """Yield where data of a kind stands."""
    if _NEEDED[kind].search(text):
        decides = _DECIDES.get(kind)
        yield from (found.span() for found in _SHAPES[kind].finditer(text) if not decides or decides(found.group()))


def is_phone(text: str) -> bool:
    """Return whether a text in the shape of a phone number can be one: by its digits and, after a `+`, its country."""
    if not _LEAST_PHONE <= len(_digits(text)) <= _MOST_PHONE:
        return False
    if not text.startswith("+"):
        return True
    import phonenumbers

    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(text)))
    except phonenumbers.NumberParseException:
        return False


def is_card(text: str) -> bool:
    """Return whether a text is a card number by its check digit (Luhn, ISO/IEC 7812-1)."""
    digits = _digits(text)
    if not _LEAST_CARD <= len(digits) <= _MOST_CARD or len(set(digits)) == 1:
        return False
    from stdnum import luhn

    return bool(luhn.is_valid(digits))


def is_iban(text: str) -> bool:
    """Return whether a text is an IBAN by its check digits and its country's form (ISO 13616)."""
    from stdnum import iban

    return bool(iban.is_valid(text, check_country=False))


def _digits(text: str) -> str:
    """Return the digits of a text, those of other scripts as ours."""
    return "".join(str(int(char)) for char in text if char.isdecimal())


_DECIDES: Mapping[Kind, Callable[[str], bool]] = {"phone": is_phone, "card": is_card, "iban": is_iban}
