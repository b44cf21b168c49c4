"""Graders of what a reply says, how it starts and ends, and the texts that they look for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import regex
from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.grader import Fault, ReplyGrader, pattern_faults
from evalkit.reading.patterns import find_all, literal_source, matches_at, outermost, pattern_of
from evalkit.reading.sentences import Range, count_words, readings
from evalkit.records import Finding, Span, Transcript, TrialVerdict, Turn
from evalkit.yamlsource import FileModel, Flag, Text, ValuePath, refusal

_WAYS = ("text", "word", "exact")
_QUOTES = '"'
_EDGE = 60
"""How many characters of a reply's edge are shown when it is not the wanted one."""


class Wanted(FileModel):
    """A text, and what counts as finding it."""

    called: ClassVar[str] = "a text"
    text: Text | None = Field(None, min_length=1, description="Found as a person reads it.", examples=["30 days"])
    word: Text | None = Field(None, min_length=1, description="Found only as whole words.", examples=["refund"])
    exact: Text | None = Field(
        None, min_length=1, description="Found character by character, case counting.", examples=["My answer is yes."]
    )
    ignore_case: Flag = Field(False, description="With `exact`: upper and lower case are the same.", examples=[True])

    @model_validator(mode="after")
    def _one_way(self) -> Wanted:
        if sum(getattr(self, way) is not None for way in _WAYS) != 1:
            raise refusal("expected a text, or a mapping with one of text, word, exact.")
        if self.ignore_case and self.exact is None:
            raise refusal("`ignore_case` belongs to `exact`; the other ways ignore case already.", "ignore_case")
        return self

    @cached_property
    def pattern(self) -> str | None:
        """The regular expression, where the text is one: `/.../`."""
        return pattern_of(self.text) if self.text else None

    @cached_property
    def source(self) -> tuple[str, bool]:
        """The regular expression that finds it, and whether that ignores case."""
        if self.exact is not None:
            return regex.escape(self.exact), self.ignore_case
        if self.word is not None:
            return rf"(?<!\w){literal_source(self.word)}(?!\w)", True
        return self.pattern or literal_source(self.text or ""), True

    def find(self, reply: str) -> tuple[Range, ...]:
        """Return where it stands; raises Undecided when its pattern takes too long."""
        source, ignore_case = self.source
        return find_all(source, reply, ignore_case=ignore_case)

    def named(self, word: str = "word", exact: str = "exact") -> str:
        """Return it as labels show it."""
        if self.text is not None:
            return self.text if self.pattern else f'"{self.text}"'
        return f'{word} "{self.word}"' if self.word is not None else f'{exact} "{self.exact}"'

    @cached_property
    def shown(self) -> str:
        """How findings show it."""
        return self.named("the word", "exactly")

    def faults(self, path: ValuePath) -> Iterator[Fault]:
        """Yield what is wrong with it; `path` leads to it from the mapping of its grader."""
        if self.word is not None and pattern_of(self.word) is not None:
            message = "a regular expression says itself what a word is (\\b); write it without `word`."
            yield Fault((*path, "word"), message)
        if self.pattern is not None:
            yield from pattern_faults((*path, "text"), self.pattern)
        elif self.text is not None and not self.text.strip():
            yield Fault((*path, "text"), "an empty text is in every reply; write what must be said.")


AnyWanted = Annotated[
    Wanted,
    BeforeValidator(
        lambda value: value if isinstance(value, dict) else {"text": value}, json_schema_input_type=str | Wanted
    ),
]
WantedList = Annotated[list[AnyWanted], Field(min_length=1)]


class TextGrader(ReplyGrader):
    """Judges what each reply says; strictly, or loosely where `normalise` names what may be left out of it."""

    normalise: list[Literal["asterisks", "commas", "first_line", "last_line"]] | None = Field(
        None,
        min_length=1,
        description="Reads replies loosely: what is said about text here also holds when these are left out.",
        examples=[["asterisks", "first_line", "last_line"]],
    )

    def judge_turn(self, turn: Turn, transcript: Transcript) -> Finding:
        """Judge a reply as it is, and where that fails as it reads without what may be left out."""
        strictly = super().judge_turn(turn, transcript)
        if strictly.verdict is TrialVerdict.PASSED or not self.normalise:
            return strictly
        for reading in readings(turn.reply, self.normalise)[1:]:
            found = self.judge_reply(reading, turn.n)
            if found.verdict is TrialVerdict.PASSED:
                left_out = ", ".join(self.normalise).replace("_", " ")
                return Finding(TrialVerdict.PASSED, found.observed, found.expected, note=f"read loosely: {left_out}")
        return strictly


class _Wanting(TextGrader):
    """Looks for the text, or the texts, of its key."""

    @property
    def wanted(self) -> list[Wanted]:
        value = getattr(self, self.key())
        return value if isinstance(value, list) else [value]

    def label(self) -> str:
        return f"{self.kind} {', '.join(wanted.named() for wanted in self.wanted)}"

    def problems(self) -> Iterator[Fault]:
        return (fault for n, wanted in enumerate(self.wanted) for fault in wanted.faults((self.key(), n)))


class Says(_Wanting):
    """Require that a text appears in the reply.

    Why: the answer the customer came for must be there. Example: `says: ["30 days"]`. Instead of listing every
    wording, use `says_any` or a regular expression.
    """

    kind = "says"
    apart = True
    wanted_once = True
    says: WantedList = Field(
        description="Each appears in the reply, ignoring case; text between slashes (`/.../`) is a regular expression.",
        examples=[["30 days", "/free( of charge)?/", {"word": "refund"}]],
    )

    def judge_reply(self, reply: str, turn: int) -> Finding:
        return _said(self.says[0].find(reply), self.says[0].shown, reply, turn)


class SaysAny(_Wanting):
    """Require that at least one of several texts appears in the reply.

    Why: one fact has several good wordings. Example: `says_any: [24 November, tomorrow]`. Instead of many near-equal
    texts, use one regular expression.
    """

    kind = "says_any"
    wanted_once = True
    says_any: WantedList = Field(
        description="At least one appears; texts as in `says`.", examples=[["24 November", "tomorrow"]]
    )

    def judge_reply(self, reply: str, turn: int) -> Finding:
        ranges = tuple(found for wanted in self.says_any for found in wanted.find(reply))
        return _said(ranges, "one of " + ", ".join(wanted.shown for wanted in self.says_any), reply, turn)


class NeverSays(_Wanting):
    """Forbid a text in the reply.

    Why: some promises must not be made. Example: `never_says: ["refund has been issued"]`. Instead of a list of
    wordings that holds for every case, write a brand-voice rule.
    """

    kind = "never_says"
    apart = True
    never_says: WantedList = Field(
        description="None appears; texts as in `says`.", examples=[["on its way", {"word": "sue"}]]
    )

    def judge_reply(self, reply: str, turn: int) -> Finding:
        ranges, expected = self.never_says[0].find(reply), f"never {self.never_says[0].shown}"
        if not ranges:
            return Finding(TrialVerdict.PASSED, "not said", expected, turn=turn)
        spans = to_spans(outermost(ranges), turn)
        observed = ", ".join(dict.fromkeys(f'"{reply[span.start : span.end]}"' for span in spans)) or "an empty match"
        return Finding(TrialVerdict.FAILED, observed, expected, spans, turn)


class StartsWith(_Wanting):
    """Require that the reply begins with a text, white space before it aside.

    Why: a reply that repeats the question, or opens with the answer. Example: `starts_with: "Yes"`. Instead of a text
    that may stand anywhere, use `says`.
    """

    kind = "starts_with"
    starts_with: AnyWanted = Field(description="A text as in `says`.", examples=["Yes"])

    def judge_reply(self, reply: str, turn: int) -> Finding:
        source, ignore_case = self.starts_with.source
        offset = len(reply) - len(reply.lstrip())
        holds = matches_at(f"(?:{source})", reply, offset, ignore_case=ignore_case)
        shown = (offset, min(len(reply), offset + _EDGE))
        return edge_finding(f"starts with {self.starts_with.shown}", reply, shown, turn, holds=holds)


class EndsWith(_Wanting):
    """Require that the reply ends with a text, white space and quotation marks after it aside.

    Why: a sign-off that is always said. Example: `ends_with: "Anything else?"`. Instead of a text that may stand
    anywhere, use `says`.
    """

    kind = "ends_with"
    ends_with: AnyWanted = Field(description="A text as in `says`.", examples=["Anything else?"])

    def judge_reply(self, reply: str, turn: int) -> Finding:
        source, ignore_case = self.ends_with.source
        stripped = reply.rstrip()
        endings = (stripped.rstrip(_QUOTES), stripped)
        holds = any(find_all(rf"(?:{source})\Z", ending, ignore_case=ignore_case) for ending in endings)
        shown = (max(0, len(stripped) - _EDGE), len(stripped))
        return edge_finding(f"ends with {self.ends_with.shown}", reply, shown, turn, holds=holds)


def to_spans(ranges: tuple[Range, ...], turn: int, offset: int = 0) -> tuple[Span, ...]:
    """Return the ranges of a text as spans of the turn's reply, `offset` being where the text starts in it."""
    return tuple(Span(turn, start + offset, end + offset) for start, end in ranges)


def edge_finding(expected: str, reply: str, shown: Range, turn: int, *, holds: bool) -> Finding:
    """Return the finding about a reply's first or last words: the range `shown` is what stands there."""
    if holds:
        return Finding(TrialVerdict.PASSED, expected, expected, turn=turn)
    return Finding(TrialVerdict.FAILED, f'"{reply[slice(*shown)].strip()}"', expected, to_spans((shown,), turn), turn)


def _said(ranges: tuple[Range, ...], expected: str, reply: str, turn: int) -> Finding:
    if ranges:
        return Finding(TrialVerdict.PASSED, "said", expected, to_spans(outermost(ranges), turn), turn)
    return Finding(TrialVerdict.FAILED, f"not said in {count_words(reply)} words", expected, turn=turn)
