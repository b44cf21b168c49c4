"""What the wire faults do to frames, without a socket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalkit.standin import faults
from evalkit.standin.faults import Drop, Send

FRAMES = st.lists(st.text(min_size=1).map(str.encode), min_size=1, max_size=30)


def sent(steps: list[faults.Step]) -> list[bytes]:
    """Return the bytes of the Send steps."""
    return [step.data for step in steps if isinstance(step, Send)]


@given(FRAMES)
def test_cutting_chunks_changes_no_byte(frames: list[bytes]) -> None:
    """Tiny and split chunks carry exactly the bytes of the healthy response."""
    for cut in (faults.slow_loris, faults.split_utf8, faults.slow_first_byte):
        assert b"".join(sent(cut(frames))) == b"".join(frames)


@given(FRAMES)
def test_split_chunks_are_cut_inside_every_long_character(frames: list[bytes]) -> None:
    """No chunk holds a character of more than one byte as a whole."""
    for chunk in sent(faults.split_utf8(frames)):
        assert not any(byte & 0xC0 == 0x80 for byte in chunk[1:])


@given(FRAMES)
def test_broken_off_responses_are_proper_prefixes(frames: list[bytes]) -> None:
    """Truncation and a drop send the beginning of the response and never all of it."""
    for broken in (faults.truncated, faults.dropped, faults.stall):
        steps = broken(frames)
        whole, part = b"".join(frames), b"".join(sent(steps))
        assert whole.startswith(part)
        assert part != whole
        assert all(step.promised in frames for step in steps if isinstance(step, Drop))
