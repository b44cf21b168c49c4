"""Graders of brand voice, with Vale's rule kinds: existence, substitution, occurrence, and our own length.

Each rule judges one reply. Semantics are those of Vale 3 (vale.sh/docs, checks) with one addition: an exception also
shields a match that lies inside it, so that `purchase order` protects `purchase`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evalkit.graders.findings import joined
from evalkit.graders.patterns import Range, expand_groups, find_all, limits_text, matches_somewhere, outermost
from evalkit.graders.sentences import sentences, words
from evalkit.graders.text import to_spans
from evalkit.records import Finding, JsonObject, Span, TrialVerdict

_PHRASE = re.compile(r"[\w\s%.'’-]*")


def existence(params: JsonObject, reply: str, turn: int) -> Finding:
    r"""Forbid words, phrases or patterns.

    Why: some wordings never fit the brand. Example: `tokens: ["sorry for any inconvenience"]`. Tokens are regular
    expressions between word boundaries unless `nonword`. Instead of a word with a better one, use substitution.
    """
    offset, text = _scope(params, reply)
    ranges = [found for token in params["tokens"] for found in _find(params, token, text)]
    shields = _shields(params, text)
    kept = outermost([found for found in ranges if not _is_excepted(found, shields)])
    if not kept:
        return Finding(TrialVerdict.PASSED, "none", "none", turn=turn)
    matched = [text[start:end] for start, end in kept]
    return Finding(
        TrialVerdict.FAILED,
        observed=_quoted(matched),
        expected="none",
        spans=to_spans(kept, turn, offset),
        turn=turn,
        note=joined((_message(params, match) for match in matched), "\n"),
    )


def substitution(params: JsonObject, reply: str, turn: int) -> Finding:
    """Forbid a wording that has a better one.

    Why: one word for one thing. Example: `swap: {in order to: to}`. The longest key is tried first; text that already
    equals its replacement is fine; `$1` in a replacement is the key's first group. Instead of a wording without a
    better one, use existence.
    """
    offset, text = _scope(params, reply)
    shields = _shields(params, text)
    broken = {
        found: value
        for found, value in sorted(_swapped(params, text).items())
        if not _is_fine(params, value, text[slice(*found)]) and not _is_excepted(found, shields)
    }
    if not broken:
        return Finding(TrialVerdict.PASSED, "none", "the preferred words", turn=turn)
    return Finding(
        TrialVerdict.FAILED,
        observed=_quoted(text[slice(*found)] for found in broken),
        expected=_quoted(" or ".join(value.split("|")) for value in broken.values()),
        spans=to_spans(tuple(broken), turn, offset),
        turn=turn,
        note=joined((_message(params, value, text[slice(*found)]) for found, value in broken.items()), "\n"),
    )


def occurrence(params: JsonObject, reply: str, turn: int) -> Finding:
    """Limit how often a pattern occurs in one reply.

    Why: once is friendly, three times is shouting. Example: `token: "!"`, `max: 1`. Instead of a limit of 0, use
    existence.
    """
    offset, text = _scope(params, reply)
    ranges = outermost(find_all(params["token"], text, ignore_case=bool(params.get("ignorecase"))))
    expected = limits_text(params.get("min"), params.get("max"))
    too_few = params.get("min") is not None and len(ranges) < params["min"]
    too_many = params.get("max") is not None and len(ranges) > params["max"]
    if not too_few and not too_many:
        return Finding(TrialVerdict.PASSED, f"{len(ranges)} times", expected, turn=turn)
    spans = to_spans(ranges, turn, offset)
    return Finding(
        TrialVerdict.FAILED, f"{len(ranges)} times", expected, spans, turn, _message(params, str(len(ranges)))
    )


def length(params: JsonObject, reply: str, turn: int) -> Finding:
    """Limit the words of the reply and of each sentence; what goes beyond is marked.

    Why: replies are read on a phone. Example: `max_words: 120`, `max_sentence_words: 28`. Instead of a limit for one
    case only, use `max_words` in its expectations.
    """
    offset, text = _scope(params, reply)
    counted = words(text)
    low, high, per_sentence = (params.get(key) for key in ("min_words", "max_words", "max_sentence_words"))
    observed, expected, ranges = [], [], []
    if high is not None and len(counted) > high:
        observed.append(f"{len(counted)} words")
        ranges.append((counted[high][0], counted[-1][1]))
    if high is not None:
        expected.append(f"at most {high} words")
    if low is not None:
        expected.append(f"at least {low} words")
        observed += [f"{len(counted)} words"] if len(counted) < low else []
    if per_sentence is not None:
        long = [found for found in sentences(text) if len(words(text[slice(*found)])) > per_sentence]
        observed += [f"a sentence of {len(words(text[slice(*found)]))} words" for found in long]
        expected.append(f"at most {per_sentence} words a sentence")
        ranges += long
    if not observed:
        return Finding(TrialVerdict.PASSED, f"{len(counted)} words", ", ".join(expected), turn=turn)
    spans: tuple[Span, ...] = to_spans(tuple(sorted(ranges)), turn, offset)
    message = _message(params, joined(observed))
    return Finding(TrialVerdict.FAILED, joined(observed), ", ".join(expected), spans, turn, message)


def _scope(params: JsonObject, reply: str) -> tuple[int, str]:
    if params.get("scope", "reply") != "first_sentence":
        return 0, reply
    start, end = next(iter(sentences(reply)), (0, len(reply)))
    return start, reply[start:end]


def _find(params: JsonObject, token: str, text: str) -> tuple[Range, ...]:
    source = f"(?:{token})" if params.get("nonword") else rf"\b(?:{token})\b"
    return find_all(source, text, ignore_case=bool(params.get("ignorecase")))


def _swapped(params: JsonObject, text: str) -> dict[Range, str]:
    """Return every match of a key with its replacement; what a longer key took, a shorter one can't have."""
    better: dict[Range, str] = {}
    taken = bytearray(len(text))
    for key in sorted(params["swap"], key=len, reverse=True):
        for start, end in _find(params, key, text):
            if end > start and not any(taken[start:end]):
                better[start, end] = _replacement(params, key, text[start:end])
                taken[start:end] = b"\x01" * (end - start)
    return better


def _shields(params: JsonObject, text: str) -> list[Range]:
    """Return where exceptions stand."""
    return [shield for exception in params.get("exceptions") or () for shield in _find(params, exception, text)]


def _is_excepted(found: Range, shields: Sequence[Range]) -> bool:
    return any(_within(found, shield) or _within(shield, found) for shield in shields)


def _within(inner: Range, outer: Range) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _replacement(params: JsonObject, key: str, found: str) -> str:
    return expand_groups(key, found, str(params["swap"][key]), ignore_case=bool(params.get("ignorecase")))


def _is_fine(params: JsonObject, value: str, found: str) -> bool:
    """Return whether the found text is a preferred wording already; that may be a regular expression, as in Vale.

    Where case is ignored, a wording in lower case may begin with a capital, as at the start of a sentence.
    """
    found_forms = [found, found[:1].lower() + found[1:]] if params.get("ignorecase") else [found]
    if any(wording in found_forms for wording in value.split("|")):
        return True
    if all(_PHRASE.fullmatch(wording) for wording in value.split("|")):
        return False
    return matches_somewhere(value, found, ignore_case=bool(params.get("ignorecase")))


def _message(params: JsonObject, *values: str) -> str:
    """Return the rule's message with its `%s` filled in order; values that no `%s` asks for are left out."""
    head, *rest = str(params.get("message") or "").split("%s")
    filled = [head]
    for number, part in enumerate(rest):
        filled += [values[number] if number < len(values) else "%s", part]
    return "".join(filled)


def _quoted(texts: Iterable[str]) -> str:
    different: Sequence[str] = list(dict.fromkeys(texts))
    return joined(f'"{text}"' for text in different)
