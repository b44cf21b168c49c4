"""Graders of what a reply says: says, says_any, never_says. Each rule judges one reply.

A text is wanted in one of four ways: anywhere in the reply as a person reads it (`patterns.literal_source`), as whole
words, character by character (`exact`, where case counts unless `ignore_case`), or as a regular expression. All but
`exact` ignore case.
"""

from __future__ import annotations

from typing import Literal

import regex
from pydantic import Field

from evalkit.graders.grader import ReplyGrader
from evalkit.reading.patterns import find_all, literal_source, outermost
from evalkit.reading.sentences import Range, count_words
from evalkit.reading.units import readings
from evalkit.records import Finding, JsonObject, Span, Transcript, TrialVerdict, Turn

Step = Literal["asterisks", "commas", "first_line", "last_line"]


class TextGrader(ReplyGrader):
    """Judges what each reply says; strictly, or loosely where `normalise` names what may be left out of it."""

    normalise: list[Step] | None = Field(
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


def says(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require that a text appears in the reply.

    Why: the answer the customer came for must be there. Example: `says: ["30 days"]`. Instead of listing every
    wording, use `says_any` or a regular expression.
    """
    ranges = find_text(params, reply)
    return _wanted(ranges, quoted(params), reply, turn)


def says_any(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require that at least one of several texts appears in the reply.

    Why: one fact has several good wordings. Example: `says_any: [24 November, tomorrow]`. Instead of many near-equal
    texts, use one regular expression.
    """
    texts = params["texts"]
    ranges = tuple(found for text in texts for found in find_text(text, reply))
    return _wanted(ranges, "one of " + ", ".join(map(quoted, texts)), reply, turn)


def never_says(params: JsonObject, reply: str, turn: int) -> Finding:
    """Forbid a text in the reply.

    Why: some promises must not be made. Example: `never_says: ["refund has been issued"]`. Instead of a list of
    wordings that holds for every case, write a brand-voice rule.
    """
    ranges = find_text(params, reply)
    if not ranges:
        return Finding(TrialVerdict.PASSED, "not said", f"never {quoted(params)}", turn=turn)
    spans = to_spans(outermost(ranges), turn)
    observed = ", ".join(dict.fromkeys(f'"{reply[span.start : span.end]}"' for span in spans)) or "an empty match"
    return Finding(TrialVerdict.FAILED, observed, f"never {quoted(params)}", spans, turn)


def to_spans(ranges: tuple[Range, ...], turn: int, offset: int = 0) -> tuple[Span, ...]:
    """Return the ranges of a text as spans of the turn's reply, `offset` being where the text starts in it."""
    return tuple(Span(turn, start + offset, end + offset) for start, end in ranges)


def text_source(params: JsonObject) -> tuple[str, bool]:
    """Return the regular expression for a wanted text, and whether it ignores case."""
    text = str(params["text"])
    if params.get("regex"):
        return text, True
    if params.get("exact"):
        return regex.escape(text), bool(params.get("ignore_case"))
    source = literal_source(text)
    return (rf"(?<!\w){source}(?!\w)" if params.get("word") else source), True


def find_text(params: JsonObject, reply: str) -> tuple[Range, ...]:
    """Return where a wanted text stands."""
    source, ignore_case = text_source(params)
    return find_all(source, reply, ignore_case=ignore_case)


def quoted(params: JsonObject) -> str:
    """Return a wanted text as it is shown."""
    shown = f"/{params['text']}/" if params.get("regex") else f'"{params["text"]}"'
    return f"the word {shown}" if params.get("word") else f"exactly {shown}" if params.get("exact") else shown


def _wanted(ranges: tuple[Range, ...], expected: str, reply: str, turn: int) -> Finding:
    if ranges:
        return Finding(TrialVerdict.PASSED, "said", expected, to_spans(outermost(ranges), turn), turn)
    return Finding(TrialVerdict.FAILED, f"not said in {count_words(reply)} words", expected, turn=turn)
