"""Graders of what a reply says: says, says_any, never_says, max_words. Each rule judges one reply.

Text that is not a regular expression is found anywhere in the reply, as `patterns.literal_source` says; both kinds
ignore case.
"""

from __future__ import annotations

from evalkit.graders.patterns import Range, find_all, literal_source, outermost
from evalkit.graders.sentences import words
from evalkit.records import Finding, JsonObject, Span, TrialVerdict


def says(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require that a text appears in the reply.

    Why: the answer the customer came for must be there. Example: `says: ["30 days"]`. Instead of listing every
    wording, use `says_any` or a regular expression.
    """
    ranges = _find(params, reply)
    return _wanted(ranges, _quoted(params), reply, turn)


def says_any(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require that at least one of several texts appears in the reply.

    Why: one fact has several good wordings. Example: `says_any: [24 November, tomorrow]`. Instead of many near-equal
    texts, use one regular expression.
    """
    texts = params["texts"]
    ranges = tuple(found for text in texts for found in _find(text, reply))
    return _wanted(ranges, "one of " + ", ".join(map(_quoted, texts)), reply, turn)


def never_says(params: JsonObject, reply: str, turn: int) -> Finding:
    """Forbid a text in the reply.

    Why: some promises must not be made. Example: `never_says: ["refund has been issued"]`. Instead of a list of
    wordings that holds for every case, write a brand-voice rule.
    """
    ranges = _find(params, reply)
    if not ranges:
        return Finding(TrialVerdict.PASSED, "not said", f"never {_quoted(params)}", turn=turn)
    spans = to_spans(outermost(ranges), turn)
    observed = ", ".join(dict.fromkeys(f'"{reply[span.start : span.end]}"' for span in spans)) or "an empty match"
    return Finding(TrialVerdict.FAILED, observed, f"never {_quoted(params)}", spans, turn)


def max_words(params: JsonObject, reply: str, turn: int) -> Finding:
    """Limit the words of the reply; the words beyond the limit are marked.

    Why: long replies are not read. Example: `max_words: 90`. Instead of a limit in each case, write a `length` rule
    into the brand voice.
    """
    found, limit = words(reply), int(params["max"])
    expected = f"at most {limit} words"
    if len(found) <= limit:
        return Finding(TrialVerdict.PASSED, f"{len(found)} words", expected, turn=turn)
    beyond = Span(turn, found[limit][0], found[-1][1])
    return Finding(TrialVerdict.FAILED, f"{len(found)} words", expected, (beyond,), turn)


def to_spans(ranges: tuple[Range, ...], turn: int, offset: int = 0) -> tuple[Span, ...]:
    """Return the ranges of a text as spans of the turn's reply, `offset` being where the text starts in it."""
    return tuple(Span(turn, start + offset, end + offset) for start, end in ranges)


def _find(params: JsonObject, reply: str) -> tuple[Range, ...]:
    source = params["text"] if params.get("regex") else literal_source(params["text"])
    return find_all(source, reply, ignore_case=True)


def _wanted(ranges: tuple[Range, ...], expected: str, reply: str, turn: int) -> Finding:
    if ranges:
        return Finding(TrialVerdict.PASSED, "said", expected, to_spans(outermost(ranges), turn), turn)
    return Finding(TrialVerdict.FAILED, f"not said in {len(words(reply))} words", expected, turn=turn)


def _quoted(params: JsonObject) -> str:
    return f"/{params['text']}/" if params.get("regex") else f'"{params["text"]}"'
