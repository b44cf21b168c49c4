"""The verdict of a run: what the gate says, and of each statement what it is about, so that nobody has to parse it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from evalkit.records.published import Key


class RunVerdict(StrEnum):
    """The verdict of a run."""

    PASSED = "passed"
    FAILED = "failed"
    NO_VERDICT = "no verdict"
    NOTHING_SELECTED = "nothing selected"
    INFORMATION = "for information"
    INTERRUPTED = "interrupted"


class Topic(StrEnum):
    """What a statement of the gate is about."""

    CRITICAL = "critical cases"
    PASS_RATE = "pass rate"
    COST = "cost"
    COMPARISON = "comparison"
    END = "end of the run"
    UNMEASURED = "not measured"
    BASELINE = "baseline"
    PROMISE = "promise of a critical case"
    PROOF = "proof"
    DOUBT = "doubt"
    SUSPECTS = "suspects"
    METRIC = "metric"
    OUTLOOK = "outlook"


@dataclass(frozen=True)
class Statement:
    """One thing that the gate says: what it is about, and the words for it."""

    topic: Annotated[Topic, Key("What it is about.", "critical cases")]
    words: Annotated[str, Key("The statement in a sentence without its full stop.", "1 critical case fails (a)")]

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class GateResult:
    """What the gate says: the exit code, one sentence to paste into a chat, and the reasons, worst first.

    `notes` are what a reader should know of the comparison with a baseline beside the verdict. `would_be` is set for a
    run that was played for information: the verdict that it would have had.

    `exit_code` is an `errors.ExitCode`; it stands here as a number because this floor is below the errors.
    """

    exit_code: Annotated[int, Key("The exit code of the run.", 0)]
    verdict: Annotated[RunVerdict, Key("The verdict in a word.", "passed")]
    sentence: Annotated[str, Key("The verdict in a sentence.", "Passed: 9 of 9 cases pass; live, claude-sonnet-5-5.")]
    reasons: Annotated[
        tuple[Statement, ...], Key("What led to it, worst first.", [{"topic": "critical cases", "words": "1 fails"}])
    ] = ()
    notes: Annotated[
        tuple[Statement, ...],
        Key("What else to know of the comparison.", [{"topic": "baseline", "words": "no baseline yet"}]),
    ] = ()
    would_be: Annotated[
        RunVerdict | None, Key("The verdict it would have had, of a run for information; else null.", None)
    ] = None


@dataclass(frozen=True)
class Information:
    """One prompt version that is not live yet, and was measured for information beside a run.

    `sentence` begins with its reference and says what came of it, `run` is the folder of its own records, below that of
    the run it stands beside; empty when it could not be played.
    """

    prompt_ref: str
    sentence: str
    reasons: tuple[Statement, ...] = ()
    notes: tuple[Statement, ...] = ()
    run: str = ""
