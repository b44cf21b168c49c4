"""Graders of brand voice about form: repetition, capitalization; over all replies: consistency, conditional.

Semantics are those of Vale 3 (vale.sh/docs, checks); where Vale speaks of a document, here it is the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evalkit.graders.findings import joined
from evalkit.graders.fixes import fix_of
from evalkit.graders.text import to_spans
from evalkit.graders.voice import blocks_of, ignores_case, is_excepted, message, quoted_all
from evalkit.reading.patterns import any_of, find_all, find_captures, matches_somewhere, uncaptured
from evalkit.reading.sentences import Range, sentences
from evalkit.records import Finding, JsonObject, Span, TrialVerdict

Replies = Sequence[tuple[int, str]]
"""Turn numbers with their replies, in order."""

_WORD = re.compile(r"[^\W_*][^\s]*")
_SMALL_WORDS = "a an and as at but by for from if in nor of off on or out per so the to up via yet"
_LONG_PREPOSITIONS = """
    about above across after against along among around before behind below beneath beside between beyond down during
    except inside into like near onto over past since through toward under until upon with within without
"""
_SMALL = frozenset(_SMALL_WORDS.split())
_SMALL_IN_CHICAGO = _SMALL | frozenset(_LONG_PREPOSITIONS.split())
_THRESHOLD = 0.8


def repetition(params: JsonObject, reply: str, turn: int) -> Finding:
    r"""Forbid the same text twice running, within a sentence.

    Why: "the the" looks careless. Example: `tokens: ['[^\s]+']`, `alpha: true`. `max` allows that many repeats. Instead
    of counting a text wherever it stands, use occurrence.
    """
    source = "|".join(params["tokens"])
    found: list[Range] = []
    for block in blocks_of(params, reply):
        found += [block.shifted(at) for at in _repeats(params, block.text, source)]
    if not found:
        return Finding(TrialVerdict.PASSED, "none", "nothing twice running", turn=turn)
    texts = [reply[slice(*at)] for at in found]
    about = (message(params, text.split()[0] if text.split() else text) for text in texts)
    note = joined((said + fix_of(params, text) for said, text in zip(about, texts, strict=True)), "\n")
    spans = to_spans(tuple(found), turn)
    return Finding(TrialVerdict.FAILED, quoted_all(texts), "nothing twice running", spans, turn, note)


def _repeats(params: JsonObject, text: str, source: str) -> Iterator[Range]:
    before: Range | None = None
    repeats = 0
    for at in find_all(source, text, ignore_case=ignores_case(params)):
        word = text[slice(*at)].strip()
        last = text[slice(*before)].strip() if before else ""
        same = word.casefold() == last.casefold() if ignores_case(params) else word == last
        same = same and bool(word) and (word.isalpha() or not params.get("alpha"))
        repeats = repeats + 1 if same else 0
        if same and before and repeats > (params.get("max") or 0):
            both = (before[0], at[1])
            inner = text[slice(*both)]
            if "\n" not in inner and len(sentences(inner)) <= 1 and not is_excepted(params, text, both):
                yield both
                repeats = 0
        before = at


def capitalization(params: JsonObject, reply: str, turn: int) -> Finding:
    """Require how each part of the reply that the scope names is capitalised.

    Why: headings that look alike. Example: `match: $sentence`, `scope: heading`. `$title` (`style` AP or Chicago),
    `$sentence`, `$lower`, `$upper` or a regular expression; a part is right when more than `threshold` of its words
    are. Instead of a part in capitals anywhere, use existence.
    """
    wrong = [block for block in blocks_of(params, reply) if block.text.strip() and not _is_cased(params, block.text)]
    expected = str(params["match"])
    if not wrong:
        return Finding(TrialVerdict.PASSED, "kept", expected, turn=turn)
    texts = [block.text for block in wrong]
    spans = to_spans(tuple(block.shifted((0, len(block.text))) for block in wrong), turn)
    note = joined((message(params, text) + fix_of(params, text) for text in texts), "\n")
    return Finding(TrialVerdict.FAILED, quoted_all(texts), expected, spans, turn, note)


def _is_cased(params: JsonObject, text: str) -> bool:
    exceptions = tuple(params.get("exceptions") or ())
    excepted = any_of(tuple(sorted(exceptions, key=len, reverse=True))) if exceptions else None
    match str(params["match"]):
        case "$lower":
            return text == text.lower() or (excepted is not None and matches_somewhere(excepted, text))
        case "$upper":
            return text == text.upper() or (excepted is not None and matches_somewhere(excepted, text))
        case "$title":
            return _share(_title_words(text, excepted, str(params.get("style") or "AP"))) > _threshold(params)
        case "$sentence":
            return _share(_sentence_words(text, excepted, tuple(params.get("indicators") or ()))) > _threshold(params)
        case pattern:
            return matches_somewhere(pattern, text)


def _threshold(params: JsonObject) -> float:
    return float(params.get("threshold") or _THRESHOLD)


def _share(rights: Sequence[bool]) -> float:
    return sum(rights) / len(rights) if rights else 1.0


def _title_words(text: str, excepted: str | None, style: str) -> list[bool]:
    found = [match.group() for match in _WORD.finditer(text)]
    small = _SMALL_IN_CHICAGO if style == "Chicago" else _SMALL
    rights = []
    for index, word in enumerate(found):
        edge = index in (0, len(found) - 1) or found[index - 1].endswith(":")
        wanted_small = word.lower().rstrip(",;.") in small and not edge
        right = word[0].islower() if wanted_small else not word[0].islower()
        rights.append(right or word == word.upper() or (excepted is not None and matches_somewhere(excepted, word)))
    return rights


def _sentence_words(text: str, excepted: str | None, indicators: tuple[str, ...]) -> list[bool]:
    pattern = f"{excepted}|[\\p{{N}}\\p{{L}}*]+[^\\s]*" if excepted else r"[\p{N}\p{L}*]+[^\s]*"
    trimmed = text.rstrip("?!.:")
    tokens = [trimmed[slice(*at)] for at in find_all(pattern, trimmed)]
    rights = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else ""
        word = re.split(r"[-'’]", token, maxsplit=1)[0]
        free = word == word.upper() or (bool(indicators) and before.endswith(indicators))
        if free or (excepted is not None and bool(word) and matches_somewhere(excepted, word)):
            rights.append(True)
        elif index == 0:
            if word != word[:1].upper() + word[1:].lower():
                return [False]
            rights.append(True)
        else:
            rights.append(word == word.lower())
    return rights


def consistency(params: JsonObject, replies: Replies) -> Finding:
    """Forbid that both sides of a pair are used in one conversation.

    Why: one spelling throughout. Example: `either: {advisor: adviser}`. Instead of one that is always right, use
    substitution.
    """
    for left, right in params["either"].items():
        sides = [list(_occurrences(params, side, replies)) for side in (left, right)]
        if all(sides):
            turn = min(max(sides[0][0].turn, sides[1][0].turn), replies[-1][0])
            texts = dict(replies)
            shown = [texts[side[0].turn][side[0].start : side[0].end] for side in sides]
            note = message(params, shown[1])
            spans = tuple(sorted([*sides[0], *sides[1]]))
            return Finding(TrialVerdict.FAILED, quoted_all(shown), f"{left} or {right}", spans, turn, note)
    return Finding(TrialVerdict.PASSED, "consistent", "one of each pair")


def _occurrences(params: JsonObject, side: str, replies: Replies) -> Iterator[Span]:
    source = any_of((side,), nonword=bool(params.get("nonword")))
    for turn, reply in replies:
        for block in blocks_of(params, reply):
            for at in find_all(source, block.text, ignore_case=ignores_case(params)):
                if at[0] < at[1]:
                    yield Span(turn, *block.shifted(at))


def conditional(params: JsonObject, replies: Replies) -> Finding:
    r"""Require that what `first` finds was introduced by `second`, in the same part or earlier in the conversation.

    Why: an abbreviation is explained before it is used. Example: `first: '\b([A-Z]{3,5})\b'`, `second:
    '\(([A-Z]{3,5})\)'`. Where `second` captures nothing, it must stand in the same part. Instead of a text that must
    always be there, use occurrence with `min`.
    """
    captures = uncaptured(params["second"]) != params["second"]
    known: set[str] = set()
    spans: list[Span] = []
    texts: list[str] = []
    for turn, reply in replies:
        for block in blocks_of(params, reply):
            seconds = find_captures(params["second"], block.text, ignore_case=ignores_case(params))
            known.update(seconds)
            if not captures and seconds:
                continue
            for at in find_all(params["first"], block.text, ignore_case=ignores_case(params)):
                text = block.text[slice(*at)]
                if text and not (captures and text in known) and not is_excepted(params, block.text, at):
                    spans.append(Span(turn, *block.shifted(at)))
                    texts.append(text)
    if not spans:
        return Finding(TrialVerdict.PASSED, "kept", "introduced before it is used")
    note = "\n".join(message(params, text) for text in dict.fromkeys(texts))
    return Finding(
        TrialVerdict.FAILED, quoted_all(texts), "introduced before it is used", tuple(spans), spans[0].turn, note
    )
