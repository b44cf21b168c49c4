"""The tree of errors and their exit codes.

Knows which failure ends a command with which code; knows nothing of how an error is printed.

EvalkitError                 3   anything that leaves the run without a verdict
├── UsageError               2   the command was called in a way that can't work
├── FileProblems             2   files of the project are wrong; carries every problem found
├── NothingSelected          5   the selection matched no case
├── NoVerdict                3   nothing can be said: API unreachable, budget spent, reply missing
├── ReplyFailed              3   one request got no complete reply (the trial is not measured)
└── Interrupted            130   Ctrl-C
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from evalkit.records import Place, Problem


class ExitCode(IntEnum):
    """What a command's exit code says; the table of the README, compared by a test."""

    PASSED = 0
    FAILED = 1
    WRONG_INPUT = 2
    NO_VERDICT = 3
    NOTHING_SELECTED = 5
    INTERRUPTED = 130


class EvalkitError(Exception):
    """An error whose one-line message is meant for the person at the terminal."""

    exit_code = ExitCode.NO_VERDICT


class UsageError(EvalkitError):
    """The command line asks for something that can't be done."""

    exit_code = ExitCode.WRONG_INPUT


class FileProblems(EvalkitError):
    """One or more files of the project are wrong; `problems` lists all of them."""

    exit_code = ExitCode.WRONG_INPUT

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place))
        super().__init__("\n".join(f"{p.place}: {p.severity}: {p.sentence}" for p in self.problems))

    @classmethod
    def at(cls, place: Place, message: str, source_line: str = "") -> FileProblems:
        """Return the error for a single problem."""
        return cls([Problem(place, message, source_line=source_line)])


class NothingSelected(EvalkitError):
    """The selection matched no case."""

    exit_code = ExitCode.NOTHING_SELECTED


class NoVerdict(EvalkitError):
    """The run can't be judged."""


class Interrupted(EvalkitError):
    """The user stopped the command."""

    exit_code = ExitCode.INTERRUPTED
