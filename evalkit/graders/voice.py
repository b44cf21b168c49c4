"""Graders of brand voice about wordings and amounts: existence, substitution, occurrence, and our own length.

Each rule judges one reply, part by part as its scope says. Semantics are those of Vale 3 (vale.sh/docs, checks).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from pydantic import Field, model_validator

from evalkit.graders.findings import joined, limits_text
from evalkit.graders.fixes import fix_of
from evalkit.graders.grader import Fault, pattern_faults
from evalkit.graders.rule import Patterns, WordRule
from evalkit.graders.text import to_spans
from evalkit.reading.blocks import Block, scoped
from evalkit.reading.patterns import (
    any_key,
    any_of,
    expand_groups,
    find_all,
    find_groups,
    matches_somewhere,
    shields,
)
from evalkit.reading.sentences import Range, count_words, count_words_in, sentences, words
from evalkit.records import Finding, JsonObject, TrialVerdict
from evalkit.yamlsource import Flag, refusal

_PHRASE = re.compile(r"[\w\s%.'’-]*")


class Existence(WordRule):
    r"""Forbid words, phrases or patterns.

    Why: some wordings never fit the brand. Example: `tokens: ["sorry for any inconvenience"]`. Tokens are regular
    expressions between word boundaries unless `nonword`; `raw` parts stand in front of them, or behind with `append`.
    A found text that holds an exception, or lies in one, is fine. Instead of a word with a better one, use
    substitution.
    """

    kind = "voice.existence"
    extends: Literal["existence"]
    tokens: Patterns | None = Field(
        None, description="Regular expressions, matched as whole words.", examples=[["rest assured"]]
    )
    raw: Patterns | None = Field(
        None, description="Regular expressions that are joined in front of the tokens.", examples=[[r"\bvery\s+"]]
    )
    append: Flag = Field(False, description="Join `raw` behind the tokens.", examples=[True])

    @model_validator(mode="after")
    def _looks_for_something(self) -> Existence:
        if self.tokens is None and self.raw is None:
            raise refusal("an existence rule needs `tokens`, `raw` or both.")
        return self

    def problems(self) -> Iterator[Fault]:
        for n, token in enumerate(self.tokens or ()):
            yield from pattern_faults(("tokens", n), token)
        if self.raw:
            yield from pattern_faults(("raw",), "".join(self.raw))
        yield from super().problems()

    def judge_reply(self, reply: str, turn: int) -> Finding:
        source = any_of(tuple(self.tokens or ()), tuple(self.raw or ()), nonword=self.nonword, append=self.append)
        kept: list[Range] = []
        for block in self.blocks(reply):
            found = find_all(source, block.text, ignore_case=self.ignorecase)
            kept += [block.shifted(at) for at in found if at[0] < at[1] and not self.is_excepted(block.text, at)]
        if not kept:
            return Finding(TrialVerdict.PASSED, "none", "none", turn=turn)
        matched = [reply[start:end] for start, end in kept]
        note = joined((self.said(match) + self.mended(match) for match in matched), "\n")
        return Finding(TrialVerdict.FAILED, quoted_all(matched), "none", to_spans(tuple(kept), turn), turn, note)


def substitution(params: JsonObject, reply: str, turn: int) -> Finding:
    """Forbid a wording that has a better one.

    Why: one word for one thing. Example: `swap: {in order to: to}`. The longest key is tried first; text that already
    is its replacement is fine; `$1` in a replacement is the key's first group. Instead of a wording without a better
    one, use existence.
    """
    broken: dict[Range, str] = {}
    for block in blocks_of(params, reply):
        for found, value in _swapped(params, block.text):
            text = block.text[slice(*found)].strip()
            if text and not _is_fine(params, value, text) and not is_excepted(params, block.text, found):
                broken[block.shifted(found)] = value
    if not broken:
        return Finding(TrialVerdict.PASSED, "none", "the preferred words", turn=turn)
    notes = (_about_wording(params, value, reply[slice(*found)]) for found, value in broken.items())
    return Finding(
        TrialVerdict.FAILED,
        observed=quoted_all(reply[slice(*found)] for found in broken),
        expected=quoted_all(" or ".join(value.split("|")) for value in broken.values()),
        spans=to_spans(tuple(broken), turn),
        turn=turn,
        note=joined(notes, "\n"),
    )


def occurrence(params: JsonObject, reply: str, turn: int) -> Finding:
    """Limit how often a pattern occurs in one reply, or in each part of it that the scope names.

    Why: once is friendly, three times is shouting. Example: `token: "!"`, `max: 1`. Instead of a limit of 0, use
    existence.
    """
    low, high = params.get("min"), params.get("max")
    expected = limits_text(low, high)
    wrong: list[Range] = []
    counts: list[int] = []
    broken = False
    for block in blocks_of(params, reply):
        found = [at for at in find_all(params["token"], block.text, ignore_case=ignores_case(params)) if at[0] < at[1]]
        if (low is not None and len(found) < low) or (high is not None and len(found) > high):
            broken = True
            wrong += [block.shifted(at) for at in found]
            counts.append(len(found))
        elif not broken:
            counts = [len(found)]
    observed = joined(f"{count} times" for count in counts) or "0 times"
    if not broken:
        return Finding(TrialVerdict.PASSED, observed, expected, turn=turn)
    note = joined((message(params, str(count)) for count in counts), "\n")
    return Finding(TrialVerdict.FAILED, observed, expected, to_spans(tuple(wrong), turn), turn, note)


def length(params: JsonObject, reply: str, turn: int) -> Finding:
    """Limit the words of the reply and of each sentence; what goes beyond is marked.

    Why: replies are read on a phone. Example: `max_words: 120`, `max_sentence_words: 28`. Instead of a limit for one
    case only, use `max_words` in its expectations.
    """
    number = count_words(reply)
    low, high, per_sentence = (params.get(key) for key in ("min_words", "max_words", "max_sentence_words"))
    observed, expected, ranges = [], [], []
    if high is not None and number > high:
        observed.append(f"{number} words")
        counted = words(reply)
        ranges.append((counted[high][0], counted[-1][1]))
    if high is not None:
        expected.append(f"at most {high} words")
    if low is not None:
        expected.append(f"at least {low} words")
        observed += [f"{number} words"] if number < low else []
    if per_sentence is not None:
        in_each = [(found, count_words_in(reply, found)) for found in sentences(reply)]
        ranges += [found for found, count in in_each if count > per_sentence]
        observed += [f"a sentence of {count} words" for _, count in in_each if count > per_sentence]
        expected.append(f"at most {per_sentence} words a sentence")
    if not observed:
        return Finding(TrialVerdict.PASSED, f"{number} words", ", ".join(expected), turn=turn)
    spans = to_spans(tuple(sorted(ranges)), turn)
    return Finding(
        TrialVerdict.FAILED, joined(observed), ", ".join(expected), spans, turn, message(params, joined(observed))
    )


def blocks_of(params: JsonObject, reply: str) -> Sequence[Block]:
    """Return the parts of a reply that a rule's scope speaks of."""
    scope = params.get("scope") or "reply"
    return scoped(reply, scope if isinstance(scope, str) else tuple(scope))


def ignores_case(params: JsonObject) -> bool:
    """Return whether upper and lower case are the same to a rule."""
    return bool(params.get("ignorecase"))


def is_excepted(params: JsonObject, text: str, at: Range) -> bool:
    """Return whether one of a rule's exceptions lets a match stand."""
    exceptions = tuple(params.get("exceptions") or ())
    return shields(exceptions, text[slice(*at)], text, at, ignore_case=ignores_case(params))


def message(params: JsonObject, *values: str) -> str:
    """Return the rule's message with its `%s` filled in order; values that no `%s` asks for are left out."""
    head, *rest = str(params.get("message") or "").split("%s")
    filled = [head]
    for number, part in enumerate(rest):
        filled += [values[number] if number < len(values) else "%s", part]
    return "".join(filled)


def quoted_all(texts: Iterable[str]) -> str:
    """Return the different texts in quotation marks, a handful of them."""
    different: Sequence[str] = list(dict.fromkeys(texts))
    return joined(f'"{text}"' for text in different)


def _about_wording(params: JsonObject, value: str, found: str) -> str:
    return message(params, value, found) + fix_of(params, found, value.split("|"))


def _swapped(params: JsonObject, text: str) -> list[tuple[Range, str]]:
    """Return every match of a key with its replacement; where several keys match, the longest key does."""
    swap = params["swap"]
    keys = tuple(sorted(swap, key=len, reverse=True))
    source = any_key(keys, nonword=bool(params.get("nonword")))
    found = []
    for at, group in find_groups(source, text, ignore_case=ignores_case(params)):
        key = keys[group - 1]
        value = expand_groups(key, text[slice(*at)], str(swap[key]), ignore_case=ignores_case(params))
        found.append((at, value))
    return found


def _is_fine(params: JsonObject, value: str, found: str) -> bool:
    """Return whether the found text is a preferred wording already; that may be a regular expression, as in Vale.

    Where case is ignored, a wording in lower case may begin with a capital, as at the start of a sentence.
    """
    found_forms = [found, found[:1].lower() + found[1:]] if ignores_case(params) else [found]
    if any(wording in found_forms for wording in value.split("|")):
        return True
    if all(_PHRASE.fullmatch(wording) for wording in value.split("|")):
        return False
    return matches_somewhere(rf"\A(?:{value})\Z", found, ignore_case=ignores_case(params))
