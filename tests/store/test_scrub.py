"""No secret is written."""

from __future__ import annotations

import pytest

from evalkit.store.redaction import MARK, Scrubber

SHAPES = [
    b"sk-ant-" + b"a" * 8,
    b"AKIA" + b"A" * 16,
    *(b"gh" + kind + b"_" + b"a" * 30 for kind in (b"p", b"o", b"u", b"s", b"r")),
    b"github_pat_" + b"a" * 30,
    b"AIza" + b"a" * 35,
]


@pytest.mark.parametrize("secret", SHAPES)
def test_a_key_is_told_by_its_shape(secret: bytes) -> None:
    """A key of a known shape is removed wherever it comes from; what stands around it is kept."""
    assert Scrubber({})(b'{"text":"it is ' + secret + b' so"}') == b'{"text":"it is ' + MARK + b' so"}'


@pytest.mark.parametrize("word", [b"Bearer", b"bearer"])
def test_a_bearer_token_is_removed_behind_its_word(word: bytes) -> None:
    """What follows the word in a header is a secret, the word itself is not."""
    assert Scrubber({})(b"authorization: " + word + b" " + b"t" * 20) == b"authorization: " + word + b" " + MARK


def test_the_value_of_a_secret_variable_is_removed() -> None:
    """The environment names secrets that have no shape."""
    assert Scrubber({"SHOP_API_KEY": "open-sesame-open"})(b"say open-sesame-open") == b"say " + MARK
