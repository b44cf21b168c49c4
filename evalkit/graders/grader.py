"""What a grader is: one class, whose fields are its keys in a suite file and whose `grade` gives the verdict.

A grader's fields are keys of the mapping that it stands in (`expect`, `tools`, `outcome`, `budget`, or a rule of a
voice file): one is the key it is known by, others may be shared with its neighbours (`match`, `normalise`). The file's
format, its JSON Schema and the reference are made from the fields and the docstring, so that each default stands once.
Graders are pure: no clock, random source, file, environment or network. The same transcript gives the same finding,
save that a pattern which runs into its time limit is not measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.replies import replied_turns
from evalkit.reading.patterns import Undecided
from evalkit.records import (
    Assertion,
    Finding,
    JsonObject,
    Level,
    Place,
    PromptVersion,
    Request,
    Score,
    Span,
    Transcript,
    TrialVerdict,
    Turn,
)
from evalkit.yamlsource import Count, FileModel, ValuePath, pattern_fault, refusal, shown


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
    apart: ClassVar[bool] = False
    """Whether each entry of its key is an assertion of its own: `says: [a, b]` is two."""
    given: ClassVar[frozenset[str]] = frozenset()
    """Fields that no file may write at this place: they are filled in from elsewhere in the suite."""

    @classmethod
    def key(cls) -> str:
        """The key it is known by in its mapping."""
        return cls.kind.rpartition(".")[2]

    @classmethod
    def field(cls) -> str:
        """The field that has this key: of the same name, unless pydantic needs the name for itself."""
        return next((name for name, field in cls.model_fields.items() if field.alias == cls.key()), cls.key())

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
        """How reports name it: its kind, and its value where that is one word or number."""
        value = getattr(self, self.key(), None)
        return f"{self.kind} {value}" if isinstance(value, str | int) else self.kind

    def severity(self) -> Level:
        """How much it weighs when it is broken."""
        return Level.ERROR

    def rule_id(self) -> str | None:
        """The id of the brand-voice rule, if it is one."""
        return None

    def parts(self) -> Iterator[tuple[ValuePath, Self]]:
        """Yield the assertions it stands for, each with where it is written."""
        name = self.key()
        if not self.apart:
            yield (name,), self
        elif isinstance(value := getattr(self, name), dict):
            yield from (((name, key), self.model_copy(update={name: {key: item}})) for key, item in value.items())
        else:
            yield from (((name, n), self.model_copy(update={name: [item]})) for n, item in enumerate(value))

    def problems(self) -> Iterator[Fault]:
        """Yield what is wrong with its values although their types are right."""
        yield from ()

    def mentions(self) -> Iterator[Mention]:
        """Yield the tools it names."""
        yield from ()

    def misfits(self, prompt: PromptVersion) -> Iterator[str]:
        """Yield why no conversation with a version of a prompt could ever fulfil it."""
        del prompt
        yield from ()

    def params(self) -> dict[str, Any]:
        """Return its fields as a file would have them; what is left to its default is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


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


_SHOWN = 5
"""How many texts are named before `and N more`."""


def not_measured(reason: str, turn: int | None = None) -> Finding:
    """Return the finding that nothing could be decided, with the reason as its note."""
    return Finding(TrialVerdict.NOT_MEASURED, observed="not measured", turn=turn, note=reason)


def limit_finding(observed: str, expected: str, *, holds: bool, turn: int | None = None, note: str = "") -> Finding:
    """Return the finding for a number held against its limit."""
    verdict = TrialVerdict.PASSED if holds else TrialVerdict.FAILED
    return Finding(verdict, observed, expected, turn=turn, note=note)


class Limits(FileModel):
    """At least, at most, or exactly so many; a number alone means exactly."""

    called: ClassVar[str] = "a count"
    min: Count | None = Field(None, ge=0, description="At least this many.", examples=[1])
    max: Count | None = Field(None, ge=0, description="At most this many.", examples=[5])
    exactly: Count | None = Field(None, ge=0, description="This many.", examples=[3])

    @model_validator(mode="after")
    def _has_limits(self) -> Limits:
        if self.exactly is not None and (self.min is not None or self.max is not None):
            raise refusal("`exactly` says it all; remove min and max.", "exactly")
        if self.exactly is None and self.min is None and self.max is None:
            raise refusal("a count needs `min`, `max` or `exactly`.")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal(f"min {self.min} is more than max {self.max}; no reply can hold both.", "min")
        return self

    @property
    def low(self) -> int | None:
        """The fewest that are fine."""
        return self.exactly if self.exactly is not None else self.min

    @property
    def high(self) -> int | None:
        """The most that are fine."""
        return self.exactly if self.exactly is not None else self.max

    def hold(self, number: int) -> bool:
        """Return whether a number is within the limits."""
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)

    def __str__(self) -> str:
        """Show the limits in words: `at least 2 and at most 5`, `exactly 3`."""
        same = self.low is not None and self.low == self.high
        return f"exactly {self.low}" if same else limits_text(self.low, self.high)


def as_limits(value: object) -> object:
    """Take a number alone for `exactly`: the shorthand of a file."""
    return value if isinstance(value, dict) else {"exactly": value}


AnyLimits = Annotated[Limits, BeforeValidator(as_limits, json_schema_input_type=int | Limits)]


def limits_text(low: float | None, high: float | None) -> str:
    """Return limits in words: `at least 2 and at most 5`."""
    limits = [f"at least {low}" if low is not None else "", f"at most {high}" if high is not None else ""]
    return " and ".join(limit for limit in limits if limit)


def all_hold(findings: Sequence[Finding], missing: str) -> Finding:
    """Return what a requirement on every reply comes to; `missing` says which replies could not be looked at.

    One proven failure is a failure whatever is missing; without one, anything missing leaves it not measured.
    """
    failed = [finding for finding in findings if finding.verdict is TrialVerdict.FAILED]
    if failed:
        return Finding(
            TrialVerdict.FAILED,
            observed=failed[0].observed
            if len(failed) == 1
            else joined((f"turn {finding.turn}: {finding.observed}" for finding in failed), "; "),
            expected=joined(finding.expected for finding in failed),
            spans=_spans(failed),
            turn=failed[0].turn,
            note=joined((finding.note for finding in failed), "\n"),
        )
    undecided = [finding.note for finding in findings if finding.verdict is TrialVerdict.NOT_MEASURED]
    if missing or undecided:
        return not_measured(joined([*undecided, missing], "; "))
    return Finding(
        TrialVerdict.PASSED,
        observed=joined([finding.observed for finding in findings]),
        expected=joined([finding.expected for finding in findings]),
        spans=_spans(findings),
        note=joined([finding.note for finding in findings], "\n"),
    )


def one_holds(findings: Sequence[Finding], missing: str) -> Finding:
    """Return what a requirement on any reply comes to: passed by one, not measured when a reply is missing."""
    passed = next((finding for finding in findings if finding.verdict is TrialVerdict.PASSED), None)
    if passed is not None:
        return passed
    undecided = [finding.note for finding in findings if finding.verdict is TrialVerdict.NOT_MEASURED]
    if missing or undecided:
        return not_measured(joined([*undecided, missing], "; "))
    return Finding(
        TrialVerdict.FAILED,
        observed=joined(finding.observed for finding in findings),
        expected=joined(finding.expected for finding in findings),
        turn=findings[-1].turn if len(findings) == 1 else None,
        note=joined((finding.note for finding in findings), "\n"),
    )


def joined(texts: Iterable[str], separator: str = ", ") -> str:
    """Return the different texts in order, empty ones left out, at most a handful before `and N more`."""
    different = list(filter(None, dict.fromkeys(texts)))
    more = [f"and {len(different) - _SHOWN} more"] if len(different) > _SHOWN else []
    return separator.join(different[:_SHOWN] + more)


def _spans(findings: Sequence[Finding]) -> tuple[Span, ...]:
    return tuple(span for finding in findings for span in finding.spans)
