"""What can go wrong on the wire: functions from the frames of a healthy response to the steps of a broken one.

Frames are opaque bytes here (one SSE event each, or pieces of a JSON body). How a step is carried out is up to the
server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

LORIS_BYTES = 16


@dataclass(frozen=True)
class Send:
    """Send bytes; the first one also sends the headers."""

    data: bytes


@dataclass(frozen=True)
class Wait:
    """Be silent for this share of the server's `slow_s`."""

    share: float


@dataclass(frozen=True)
class Stall:
    """Be silent until the client leaves, or the server's `stall_s` is over."""


@dataclass(frozen=True)
class Drop:
    """Close the connection in the middle of a chunk that promises these bytes."""

    promised: bytes


@dataclass(frozen=True)
class Reset:
    """Reset the connection at once."""


Step = Send | Wait | Stall | Drop | Reset
Wire = Callable[[Sequence[bytes]], list[Step]]


def healthy(frames: Sequence[bytes]) -> list[Step]:
    """Send every frame."""
    return [Send(frame) for frame in frames]


def truncated(frames: Sequence[bytes]) -> list[Step]:
    """End cleanly before the last events."""
    return healthy(frames[: _middle(frames)])


def dropped(frames: Sequence[bytes]) -> list[Step]:
    """Close the connection in the middle of a chunk."""
    middle = _middle(frames)
    return [*healthy(frames[:middle]), Drop(frames[middle])]


def reset_before_headers(_frames: Sequence[bytes]) -> list[Step]:
    """Reset the connection before the status line."""
    return [Reset()]


def no_answer(_frames: Sequence[bytes]) -> list[Step]:
    """Send nothing, not even headers."""
    return [Stall()]


def stall(frames: Sequence[bytes]) -> list[Step]:
    """Fall silent in the middle of the response."""
    return [*healthy(frames[: _middle(frames)]), Stall()]


def slow_first_byte(frames: Sequence[bytes]) -> list[Step]:
    """Let the client wait for the headers."""
    return [Wait(1.0), *healthy(frames)]


def slow_loris(frames: Sequence[bytes]) -> list[Step]:
    """Send the response in tiny pieces with a pause before each."""
    data = b"".join(frames)
    pieces = [data[start : start + LORIS_BYTES] for start in range(0, len(data), LORIS_BYTES)]
    return [step for piece in pieces for step in (Wait(1.0 / len(pieces)), Send(piece))]


def split_utf8(frames: Sequence[bytes]) -> list[Step]:
    """Cut the response inside every character that takes more than one byte, and before every line end."""
    data = b"".join(frames)
    cuts = [at for at in range(1, len(data)) if data[at] & 0xC0 == 0x80 or data[at] == 0x0A]
    edges = [0, *cuts, len(data)]
    return [Send(data[start:end]) for start, end in pairwise(edges) if end > start]


def malformed_json(frames: Sequence[bytes]) -> list[Step]:
    """Break the JSON of one frame in the middle of the response; the others are whole."""
    middle = _middle(frames)
    whole = frames[middle].rstrip(b"\n")
    ending = frames[middle][len(whole) :]
    broken = whole[: max(1, len(whole) - 8)] + b"\x00"  # a control character is no JSON, inside a string or outside
    return healthy([*frames[:middle], broken + ending, *frames[middle + 1 :]])


def unknown_events(frames: Sequence[bytes]) -> list[Step]:
    """Mix in what a client must ignore: a comment, an event type it can't know, another ping."""
    extra = (
        b": keepalive\n\n",
        b'event: standin_novelty\ndata: {"type":"standin_novelty","value":1}\n\n',
        b'event: ping\ndata: {"type":"ping"}\n\n',
    )
    return healthy([frames[0], *extra, *frames[1:]])


def _middle(frames: Sequence[bytes]) -> int:
    """Return a frame that lies inside the content: behind the first deltas, before the closing events."""
    return max(0, min(len(frames) // 2 + 1, len(frames) - 4)) if len(frames) > 4 else len(frames) // 2
