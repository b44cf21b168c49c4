"""What a grader is: one class, whose fields are its keys in a suite file and whose `grade` gives the verdict.

A grader's fields are keys of the mapping that it stands in (`expect`, `tools`, `outcome`, `budget`, or a rule of a
voice file): one is the key it is known by, others may be shared with its neighbours (`match`, `normalise`). The file's
format, its JSON Schema and the reference are made from the fields and the docstring, so that each default stands once.
Graders are pure: no clock, random source, file, environment or network. The same transcript gives the same finding,
save that a pattern which runs into its time limit is not measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from evalkit.graders.findings import all_hold, not_measured, one_holds
from evalkit.graders.replies import replied_turns
from evalkit.reading.patterns import Undecided
from evalkit.records import (
    Assertion,
    Finding,
    JsonObject,
    Level,
    Place,
    Request,
    Score,
    Transcript,
    TrialVerdict,
    Turn,
)
from evalkit.yamlsource import FileModel, ValuePath, pattern_fault, shown


class Fault(NamedTuple):
    """What is wrong with a grader as its file has it; `path` leads there from the mapping that the grader stands in."""

    path: ValuePath
    message: str
    on_key: bool = False
    """Whether the key is marked, not its value."""


class Mention(NamedTuple):
    """A tool's name in a grader, with the input it is given there: both are held against the prompt's tools."""

    name: str
    path: ValuePath
    input: JsonObject | None = None


class Grader(FileModel, ABC):
    """One requirement, and how a transcript is held against it.

    A subclass's docstring says, in this order: what it demands; "Why:"; "Example:"; "Instead of" what else could be
    meant, what to use. Values are made once a suite and shared between its cases: results never go on them.
    """

    kind: ClassVar[str] = ""
    """How records name it: its mapping and its key (`says`, `tools.max_calls`, `voice.existence`)."""
    given: ClassVar[frozenset[str]] = frozenset()
    """Fields that no file may write at this place: they are filled in from elsewhere in the suite."""

    @classmethod
    def key(cls) -> str:
        """The key it is known by in its mapping."""
        return cls.kind.rpartition(".")[2]

    @classmethod
    def mapping(cls) -> str:
        """The mapping that its keys stand in: `tools`, `outcome`, `budget`, `voice`, or "" for `expect` itself."""
        return cls.kind.rpartition(".")[0]

    @abstractmethod
    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        """Hold a conversation against it, or only turn number `turn`, counted from 1.

        Turns that were never reached or are incomplete are not measured; what complete turns prove stays proven.
        Undecided, raised by a pattern, makes the assertion not measured.
        """

    def label(self) -> str:
        """How reports name it."""
        return self.kind

    def severity(self) -> Level:
        """How much it weighs when it is broken."""
        return Level.ERROR

    def rule_id(self) -> str | None:
        """The id of the brand-voice rule, if it is one."""
        return None

    def parts(self) -> Iterator[tuple[ValuePath, Self]]:
        """Yield the assertions it stands for, each with where it is written; `says: [a, b]` is two."""
        yield (self.key(),), self

    def problems(self) -> Iterator[Fault]:
        """Yield what is wrong with its values although their types are right."""
        yield from ()

    def mentions(self) -> Iterator[Mention]:
        """Yield the tools it names."""
        yield from ()

    def params(self) -> dict[str, Any]:
        """Return its fields as a file would have them; what is left to its default is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def each_of(self, name: str) -> Iterator[tuple[ValuePath, Self]]:
        """Yield one assertion for each entry of the field `name`: the `parts` of a list or a mapping."""
        value = getattr(self, name)
        if isinstance(value, dict):
            yield from (((name, key), self.model_copy(update={name: {key: item}})) for key, item in value.items())
        else:
            yield from (((name, n), self.model_copy(update={name: [item]})) for n, item in enumerate(value))


def pattern_faults(path: ValuePath, pattern: str, *, on_key: bool = False) -> Iterator[Fault]:
    """Yield what is wrong with a regular expression: the `problems` of a field that holds one."""
    fault = pattern_fault(pattern)
    if fault:
        yield Fault(path, f"{shown(pattern)} {fault}", on_key)


class ReplyGrader(Grader):
    """Judges each reply by itself: it must hold for every one, or for one where `wanted_once`.

    An empty reply breaks it, also when it only forbids: the user got nothing, so nothing about it is good. (A turn that
    stops at a tool call is not an empty reply; see `replies.replied_turns`.) A subclass has `judge_reply`, or
    `judge_turn` where it must know more than the text.
    """

    wanted_once: ClassVar[bool] = False

    def judge_reply(self, reply: str, turn: int) -> Finding:
        """Judge the text of one reply; `turn` is its number, for the finding and its spans."""
        raise NotImplementedError

    def judge_turn(self, turn: Turn, transcript: Transcript) -> Finding:
        """Judge one turn, whose reply is not empty, in its conversation."""
        del transcript
        return self.judge_reply(turn.reply, turn.n)

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        """Judge the reply of a turn, or all of them."""
        judged = replied_turns(transcript, turn)
        return self.judge_turns(judged.turns, transcript, judged.missing)

    def judge_turns(self, turns: Sequence[Turn], transcript: Transcript, missing: str) -> Finding:
        """Judge these turns; `missing` says why others that should be judged can't be, or is empty."""
        findings = []
        for turn in turns:
            try:
                findings.append(self.judge_turn(turn, transcript) if turn.reply.strip() else empty_reply(turn.n))
            except Undecided as undecided:
                findings.append(not_measured(str(undecided), turn.n))
        return (one_holds if self.wanted_once else all_hold)(findings, missing)

    def grade_text(self, text: str) -> Finding:
        """Judge one text as if it were the reply of turn 1."""
        content = ({"type": "text", "text": text},)
        turn = Turn(1, "", (Request(1, 1, {}, content, stop_reason="end_turn"),))
        return self.grade(Transcript("", "", (turn,)), None)


def empty_reply(turn: int | None) -> Finding:
    """Return the finding about a reply without a word."""
    return Finding(TrialVerdict.FAILED, "an empty reply", "a reply", turn=turn)


@dataclass(frozen=True)
class Requirement:
    """An assertion that can be graded: how records describe it, and the grader itself."""

    assertion: Assertion
    grader: Grader

    @classmethod
    def of(cls, grader: Grader, place: Place, turn: int | None = None) -> Requirement:
        """Return a grader that is written at a place as a requirement on a turn, or on the whole conversation."""
        label, level = grader.label(), grader.severity()
        return cls(Assertion(grader.kind, grader.params(), place, label, turn, level, grader.rule_id()), grader)

    def score(self, transcript: Transcript) -> Score:
        """Grade a conversation."""
        try:
            return Score(self.assertion, self.grader.grade(transcript, self.assertion.turn))
        except Undecided as undecided:
            return Score(self.assertion, not_measured(str(undecided), self.assertion.turn))
