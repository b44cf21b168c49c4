"""Words and sentences."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.reading.sentences import running_sentences, sentences, words


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith paid £3.50. Fine.", ["Dr. Smith paid £3.50.", "Fine."]),
        ("See https://shop.example/r/7781. It is free.", ["See https://shop.example/r/7781.", "It is free."]),
        ("Use e.g. Northpost. Or not.", ["Use e.g. Northpost.", "Or not."]),
        ("It arrives on Nov. 24 at noon.", ["It arrives on Nov. 24 at noon."]),
        ("No. We can't.", ["No.", "We can't."]),
        ("Order no. 20418 is here.", ["Order no. 20418 is here."]),
        ("We open at 5 p.m. Come by.", ["We open at 5 p.m.", "Come by."]),
        ("J. Doe signed. I did too. So did I. Bye.", ["J. Doe signed.", "I did too.", "So did I.", "Bye."]),
        ("Well... maybe. Yes…", ["Well... maybe.", "Yes…"]),
        ("1. Open it\n2. Close it\n- Done", ["Open it", "Close it", "Done"]),
        ("Hello Ann\n\nYour order is here.", ["Hello Ann", "Your order is here."]),
        ("**Sorry!** It is late (very.) Bye.", ["**Sorry!**", "It is late (very.)", "Bye."]),
        ("Great! 🎉 Thanks.", ["Great!", "🎉 Thanks."]),
        ("はい。明日届きます。", ["はい。", "明日届きます。"]),
        ("# Title\n> Quoted. Twice.", ["Title", "Quoted.", "Twice."]),
        ("...\n---\n", []),
        ("", []),
    ],
)
def test_a_reply_is_split_where_a_reader_stops(text: str, expected: list[str]) -> None:
    """Full stops inside abbreviations, numbers and addresses end nothing; lines and list items do."""
    assert split(text) == expected


@given(st.text(max_size=200))
def test_sentences_cover_every_word_once_and_in_order(text: str) -> None:
    """Sentences lie in the text, do not overlap, and hold all its words save list markers."""
    found = sentences(text)
    assert all(0 <= start < end <= len(text) for start, end in found)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(found))
    in_sentences = sum(len(words(text[start:end])) for start, end in found)
    assert in_sentences <= len(words(text))


@pytest.mark.parametrize("piece", [".", "a. ", "A.", "- ", "(", "1. ", ". a"])
def test_a_reply_made_to_be_slow_is_split_all_the_same(piece: str) -> None:
    """A hundred thousand repetitions come back, since each character is looked at a bounded number of times."""
    assert len(sentences(piece * 100_000 + "x")) >= 1


@given(st.lists(st.sampled_from(["Alpha", "Beta", "Gamma"]), min_size=1, max_size=8))
def test_as_many_sentences_as_were_written(heads: list[str]) -> None:
    """Plain sentences put side by side come apart again."""
    text = " ".join(f"{head} is here." for head in heads)
    assert split(text) == [f"{head} is here." for head in heads]


@given(st.text(alphabet="aB1.!? \n'\")", max_size=60))
def test_running_sentences_are_apart_and_lose_nothing_but_space(text: str) -> None:
    """Sentences come in order, do not overlap, and hold every character that is no white space."""
    found = running_sentences(text)
    assert all(first[1] <= second[0] for first, second in pairwise(found))
    assert "".join("".join(text[slice(*one)].split()) for one in found) == "".join(text.split())
