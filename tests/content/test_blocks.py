"""Messages with files: what people read of them, what is sent, and how much of a prompt they make."""

from __future__ import annotations

from typing import Any

from evalkit.content import FileNotes, files_in, make_block, readable, sendable, spoken, text_of, weigh
from evalkit.content.blocks import MOST_IMAGE_TOKENS, tokens_of_size
from tests.content.pictures import pdf, png

PHOTO = make_block("image", png(1000, 750), "photos/dent.png", FileNotes(shows="A dent"))
TERMS = make_block("document", b"Excess 250", "terms.txt", FileNotes(title="Terms"))
SAID: list[dict[str, Any]] = [{"type": "text", "text": "Look:"}, PHOTO, TERMS, {"type": "text", "text": "Covered?"}]


def test_people_read_the_words_and_which_files_came() -> None:
    """Files stand in brackets where they were written."""
    assert text_of(SAID) == "Look:\n\nCovered?"
    size = f"{len(png(1000, 750)) / 1000:.0f} kB"
    assert readable(SAID) == f"Look:\n\n[image dent.png, {size}]\n\n[document terms.txt, 10 bytes]\n\nCovered?"


def test_what_is_sent_has_nothing_of_ours() -> None:
    """Order, text and data stay; the keys for people go."""
    sent = sendable(SAID)
    assert isinstance(sent, list)
    assert [set(block) for block in sent] == [
        {"type", "text"},
        {"type", "source"},
        {"type", "source", "title"},
        {"type", "text"},
    ]
    assert sent[1]["source"] == PHOTO["source"]


def test_a_plain_document_can_be_read_and_a_picture_only_as_far_as_it_was_described() -> None:
    """The grader of facts needs to know which is which."""
    photo, terms = files_in(SAID)
    assert (photo.is_readable, photo.text) == (True, "A dent")
    assert (terms.is_readable, terms.text) == (True, "Terms\n\nExcess 250")
    [bare] = files_in([make_block("document", pdf(), "terms.pdf")])
    assert not bare.is_readable


def test_calls_belong_to_who_made_them_and_results_to_their_calls() -> None:
    """A message that only brings results is no one's turn to speak."""
    call = {"type": "tool_use", "id": "c1", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "ok"}
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "One moment."}, call]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "Done."},
    ]
    told = list(spoken(messages))
    assert [(one.role, one.text) for one in told] == [
        ("user", "Hello"),
        ("assistant", "One moment."),
        ("assistant", "Done."),
    ]
    assert told[1].calls == (call,)
    assert dict(told[1].results) == {"c1": result}


def test_a_picture_weighs_its_pixels_and_not_its_bytes() -> None:
    """750 pixels make a token; beyond the model's own resolution it is scaled down."""
    weight = weigh([{"role": "user", "content": sendable([PHOTO])}])
    assert weight.tokens == 1000
    assert weight.characters < 150
    assert tokens_of_size(2000, 1000) == 2667
    assert tokens_of_size(8000, 8000) == MOST_IMAGE_TOKENS
    text = weigh([{"role": "user", "content": "x" * 700}])
    assert (text.tokens, text.tokens_at(3.5)) == (0, round(text.characters / 3.5))
    pages = weigh([{"role": "user", "content": [make_block("document", pdf(3), "a.pdf")]}])
    assert pages.tokens == 7500
