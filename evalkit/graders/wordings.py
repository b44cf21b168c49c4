"""Brand-voice rules about wordings: which must not be said, how often, twice running, or one way throughout.

Semantics are those of Vale 3 (vale.sh/docs, checks); where Vale speaks of a document, here it is one reply, and for
`consistency` and `conditional` the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from evalkit.graders.grader import joined, limits_text
from evalkit.graders.rule import ConversationRule, Excepting, Patterns, ScopedRule, quoted_all
from evalkit.graders.text import to_spans
from evalkit.reading.patterns import (
    any_key,
    any_of,
    expand_groups,
    find_all,
    find_captures,
    find_groups,
    matches_somewhere,
    uncaptured,
)
from evalkit.reading.sentences import Range, sentences
from evalkit.records import Finding, Span, TrialVerdict
from evalkit.wording import plural
from evalkit.yamlsource import Count, Flag, Text, ValuePath, refusal

_PHRASE = re.compile(r"[\w\s%.'’-]*")
"""A preferred wording that is no regular expression; a full stop in one is meant as it stands."""


class Existence(Excepting):
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
    nonword: Flag = Field(False, description="Match anywhere, not only whole words.", examples=[True])

    @model_validator(mode="after")
    def _looks_for_something(self) -> Existence:
        if self.tokens is None and self.raw is None:
            raise refusal("an existence rule needs `tokens`, `raw` or both.")
        return self

    def patterns(self) -> Iterator[tuple[ValuePath, str, bool]]:
        yield from ((("tokens", n), token, False) for n, token in enumerate(self.tokens or ()))
        if self.raw:
            yield ("raw",), "".join(self.raw), False
        yield from super().patterns()

    @cached_property
    def _source(self) -> str:
        return any_of(tuple(self.tokens or ()), tuple(self.raw or ()), nonword=self.nonword, append=self.append)

    def judge_reply(self, reply: str, turn: int) -> Finding:
        return self.held(reply, turn, [*self.found(self._source, reply)], "none")


class Substitution(Excepting):
    """Forbid a wording that has a better one.

    Why: one word for one thing. Example: `swap: {in order to: to}`. The longest key is tried first; text that already
    is its replacement is fine; `$1` in a replacement is the key's first group. Instead of a wording without a better
    one, use existence.
    """

    kind = "voice.substitution"
    placeholders = 2
    extends: Literal["substitution"]
    swap: dict[str, Text] = Field(
        min_length=1,
        description="What not to write (a regular expression): what to write.",
        examples=[{"utili[sz]e": "use"}],
    )
    nonword: Flag = Field(False, description="Match anywhere, not only whole words.", examples=[True])

    def patterns(self) -> Iterator[tuple[ValuePath, str, bool]]:
        yield from ((("swap", wrong), wrong, True) for wrong in self.swap)
        yield from super().patterns()

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        """What not to write; where several match, the longest does."""
        return tuple(sorted(self.swap, key=len, reverse=True))

    def judge_reply(self, reply: str, turn: int) -> Finding:
        broken: dict[Range, str] = {}
        for block in self.blocks(reply):
            for at, value in self._swapped(block.text):
                text = block.text[slice(*at)].strip()
                if text and not self._is_fine(value, text) and not self.is_excepted(block.text, at):
                    broken[block.shifted(at)] = value
        if not broken:
            return Finding(TrialVerdict.PASSED, "none", "the preferred words", turn=turn)
        found = [(reply[slice(*at)], value) for at, value in broken.items()]
        notes = (self.said(value, text) + self.mended(text, value.split("|")) for text, value in found)
        return Finding(
            TrialVerdict.FAILED,
            observed=quoted_all(text for text, _ in found),
            expected=quoted_all(" or ".join(value.split("|")) for _, value in found),
            spans=to_spans(tuple(broken), turn),
            turn=turn,
            note=joined(notes, "\n"),
        )

    def _swapped(self, text: str) -> Iterator[tuple[Range, str]]:
        """Yield every match of a key with its replacement."""
        source = any_key(self._keys, nonword=self.nonword)
        for at, group in find_groups(source, text, ignore_case=self.ignorecase):
            key = self._keys[group - 1]
            yield at, expand_groups(key, text[slice(*at)], self.swap[key], ignore_case=self.ignorecase)

    def _is_fine(self, value: str, found: str) -> bool:
        """Return whether the found text is a preferred wording already; that may be a regular expression, as in Vale.

        Where case is ignored, a wording in lower case may begin with a capital, as at the start of a sentence.
        """
        found_forms = [found, found[:1].lower() + found[1:]] if self.ignorecase else [found]
        if any(wording in found_forms for wording in value.split("|")):
            return True
        if all(_PHRASE.fullmatch(wording) for wording in value.split("|")):
            return False
        return matches_somewhere(rf"\A(?:{value})\Z", found, ignore_case=self.ignorecase)


class Occurrence(ScopedRule):
    """Limit how often a pattern occurs in one reply, or in each part of it that the scope names.

    Why: once is friendly, three times is shouting. Example: `token: "!"`, `max: 1`. Instead of a limit of 0, use
    existence.
    """

    kind = "voice.occurrence"
    extends: Literal["occurrence"]
    token: Text = Field(min_length=1, description="A regular expression that is counted in each reply.", examples=["!"])
    min: Count | None = Field(None, ge=0, description="At least this often.", examples=[1])
    max: Count | None = Field(None, ge=0, description="At most this often.", examples=[1])

    @model_validator(mode="after")
    def _has_a_limit(self) -> Occurrence:
        if self.min is None and self.max is None:
            raise refusal("an occurrence rule needs `min`, `max` or both.")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal(f"min {self.min} is more than max {self.max}; no text can keep the rule.", "min")
        return self

    def patterns(self) -> Iterator[tuple[ValuePath, str, bool]]:
        yield ("token",), self.token, False

    def judge_reply(self, reply: str, turn: int) -> Finding:
        expected = limits_text(self.min, self.max)
        wrong: list[Range] = []
        counts: list[int] = []
        broken = False
        # Told are the counts of the parts that break the rule; of a reply that keeps it, the last part's.
        for block in self.blocks(reply):
            found = [at for at in find_all(self.token, block.text, ignore_case=self.ignorecase) if at[0] < at[1]]
            if (self.min is not None and len(found) < self.min) or (self.max is not None and len(found) > self.max):
                counts = [*counts, len(found)] if broken else [len(found)]
                broken = True
                wrong += [block.shifted(at) for at in found]
            elif not broken:
                counts = [len(found)]
        observed = joined(plural(count, "time") for count in counts) or "0 times"
        if not broken:
            return Finding(TrialVerdict.PASSED, observed, expected, turn=turn)
        note = joined((self.said(str(count)) for count in counts), "\n")
        return Finding(TrialVerdict.FAILED, observed, expected, to_spans(tuple(wrong), turn), turn, note)


class Repetition(Excepting):
    r"""Forbid the same text twice running, within a sentence.

    Why: "the the" looks careless. Example: `tokens: ['[^\s]+']`, `alpha: true`. `max` allows that many repeats. Instead
    of counting a text wherever it stands, use occurrence.
    """

    kind = "voice.repetition"
    extends: Literal["repetition"]
    tokens: Patterns = Field(
        description="Regular expressions; each match is compared with the one before.", examples=[[r"[^\s]+"]]
    )
    alpha: Flag = Field(False, description="Only matches of nothing but letters.", examples=[True])
    max: Count = Field(0, ge=0, description="This many repeats are fine.", examples=[1])

    def patterns(self) -> Iterator[tuple[ValuePath, str, bool]]:
        yield from ((("tokens", n), token, False) for n, token in enumerate(self.tokens))
        yield from super().patterns()

    def about(self, found: str) -> str:
        return self.said(found.split(maxsplit=1)[0] if found.split() else found)

    def judge_reply(self, reply: str, turn: int) -> Finding:
        found = [block.shifted(at) for block in self.blocks(reply) for at in self._repeats(block.text)]
        return self.held(reply, turn, found, "nothing twice running")

    def _repeats(self, text: str) -> Iterator[Range]:
        before: Range | None = None
        last = ""
        repeats = 0
        for at in find_all("|".join(self.tokens), text, ignore_case=self.ignorecase):
            word = text[slice(*at)].strip()
            same = word.casefold() == last.casefold() if self.ignorecase else word == last
            same = same and bool(word) and (word.isalpha() or not self.alpha)
            repeats = repeats + 1 if same else 0
            if same and before and repeats > self.max:
                both = (before[0], at[1])
                inner = text[slice(*both)]
                # A sentence may begin with the word that ended the one before it.
                if "\n" not in inner and len(sentences(inner)) <= 1 and not self.is_excepted(text, both):
                    yield both
                    repeats = 0
            before, last = at, word


class Consistency(ConversationRule, Excepting):
    """Forbid that both sides of a pair are used in one conversation.

    Why: one spelling throughout. Example: `either: {advisor: adviser}`. Instead of one that is always right, use
    substitution.
    """

    kind = "voice.consistency"
    extends: Literal["consistency"]
    either: dict[str, Text] = Field(
        min_length=1, description="Pairs that exclude each other.", examples=[{"advisor": "adviser"}]
    )
    nonword: Flag = Field(False, description="Match anywhere, not only whole words.", examples=[True])

    def patterns(self) -> Iterator[tuple[ValuePath, str, bool]]:
        for left, right in self.either.items():
            yield from ((("either", left), side, side == left) for side in (left, right))
        yield from super().patterns()

    def judge_replies(self, replies: Sequence[tuple[int, str]]) -> Finding:
        texts = dict(replies)
        for left, right in self.either.items():
            sources = (any_of((side,), nonword=self.nonword) for side in (left, right))
            sides = [[Span(turn, *at) for turn, text in replies for at in self.found(one, text)] for one in sources]
            if all(sides):
                first, second = sides[0][0], sides[1][0]
                shown = [texts[span.turn][span.start : span.end] for span in (first, second)]
                return Finding(
                    TrialVerdict.FAILED,
                    observed=quoted_all(shown),
                    expected=f"{left} or {right}",
                    spans=tuple(sorted([*sides[0], *sides[1]])),
                    turn=max(first.turn, second.turn),
                    note=self.said(shown[1]),
                )
        return Finding(TrialVerdict.PASSED, "consistent", "one of each pair")


class Conditional(ConversationRule, Excepting):
    r"""Require that what `first` finds was introduced by `second`, in the same part or earlier in the conversation.

    Why: an abbreviation is explained before it is used. Example: `first: '\b([A-Z]{3,5})\b'`, `second:
    '\(([A-Z]{3,5})\)'`. Where `second` captures nothing, it must stand in the same part. Instead of a text that must
    always be there, use occurrence with `min`.
    """

    kind = "voice.conditional"
    extends: Literal["conditional"]
    ignorecase: Flag = Field(False, description="Whether upper and lower case are the same.", examples=[True])
    first: Text = Field(
        min_length=1, description="A regular expression for what needs it.", examples=[r"\b[A-Z]{3,5}\b"]
    )
    second: Text = Field(
        min_length=1, description="One for what introduces it, by a group.", examples=[r"\(([A-Z]{3,5})\)"]
    )

    def patterns(self) -> Iterator[tuple[ValuePath, str, bool]]:
        yield from ((("first",), self.first, False), (("second",), self.second, False))
        yield from super().patterns()

    def judge_replies(self, replies: Sequence[tuple[int, str]]) -> Finding:
        # Without a group there is no name to remember: `second` must then stand where `first` does.
        captures = uncaptured(self.second) != self.second
        known: set[str] = set()
        spans: list[Span] = []
        texts: list[str] = []
        for turn, reply in replies:
            for block in self.blocks(reply):
                introduced = find_captures(self.second, block.text, ignore_case=self.ignorecase)
                known.update(introduced)
                if not captures and introduced:
                    continue
                for at in find_all(self.first, block.text, ignore_case=self.ignorecase):
                    text = block.text[slice(*at)]
                    if text and not (captures and text in known) and not self.is_excepted(block.text, at):
                        spans.append(Span(turn, *block.shifted(at)))
                        texts.append(text)
        expected = "introduced before it is used"
        if not spans:
            return Finding(TrialVerdict.PASSED, "kept", expected)
        note = "\n".join(self.said(text) for text in dict.fromkeys(texts))
        return Finding(TrialVerdict.FAILED, quoted_all(texts), expected, tuple(spans), spans[0].turn, note)
