"""The parts of a reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.reading.blocks import prose, scoped

REPLY = """# A title

One `code` here. Two!
still two

- item *x*
> quoted

| head | two |
|---|---|
| cell | b |

```
fenced
```"""


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("heading", ["A title"]),
        ("heading.h2", []),
        ("list", ["item *x*"]),
        ("blockquote", ["quoted"]),
        ("table.header", ["head", "two"]),
        ("paragraph", ["One ****** here. Two!\nstill two"]),
        ("~heading & ~table", ["One ****** here. Two!\nstill two", "item *x*", "quoted"]),
        ("sentence & paragraph", ["One ****** here.", "Two!", "still two"]),
        (("list", "blockquote"), ["item *x*", "quoted"]),
        ("last_sentence", ["fenced"]),
    ],
)
def test_a_scope_names_parts_of_a_reply(scope: str | tuple[str, ...], expected: list[str]) -> None:
    """Markdown is read as a chat shows it; code is covered, and fenced code is no text."""
    assert [block.text for block in scoped(REPLY, scope)] == expected


@given(st.text(alphabet="a#-> |`\n*.", max_size=60))
def test_parts_lie_in_the_reply_in_order(reply: str) -> None:
    """Every part stands where it says, code apart, and none overlaps another."""
    end = 0
    for block in prose(reply):
        original = reply[block.start : block.start + len(block.text)]
        assert block.start >= end
        assert all(ours in (theirs, "*", " ") for ours, theirs in zip(block.text, original, strict=True))
        end = block.start + len(block.text)
