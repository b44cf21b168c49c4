"""What a run tells of a prompt version that is not live yet, beside its own verdict."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Information:
    """One version that was measured for information only.

    `sentence` begins with its reference and says what came of it, `run` is the folder of its own records, below that of
    the run it stands beside; empty when it could not be played.
    """

    prompt_ref: str
    sentence: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    run: str = ""
