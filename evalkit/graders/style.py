"""Brand-voice rules about how a reply is written: capitals, length, language, and how hard it is to read.

`capitalization`, `metric` and `readability` are Vale's (vale.sh/docs, checks), `length` and `language` are our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from evalkit.graders.form import LANGUAGE_FORM, in_language, in_users_language, language_faults
from evalkit.graders.grader import Fault, joined, not_measured
from evalkit.graders.rule import Excepting, VoiceRule
from evalkit.graders.text import to_spans
from evalkit.reading.patterns import any_of, find_all, matches_somewhere
from evalkit.reading.readability import COMPARISONS, GRADES, counts, evaluate, formula_fault, parse_condition
from evalkit.reading.sentences import Range, count_words, count_words_in, sentences, trimmed, words
from evalkit.records import Finding, Span, Transcript, TrialVerdict, Turn
from evalkit.wording import plural
from evalkit.yamlsource import Count, Flag, Number, Text, ValuePath, did_you_mean, refusal

_WORD = re.compile(r"[^\W_*][^\s]*")
_CASES = ("$title", "$sentence", "$lower", "$upper")
_SMALL_WORDS = "a an and as at but by for from if in nor of off on or out per so the to up via yet"
_LONG_PREPOSITIONS = """
    about above across after against along among around before behind below beneath beside between beyond down during
    except inside into like near onto over past since through toward under until upon with within without
"""
_SMALL = frozenset(_SMALL_WORDS.split())
_SMALL_IN = {"AP": _SMALL, "Chicago": _SMALL | frozenset(_LONG_PREPOSITIONS.split())}
"""The words that a style writes small inside a title."""


class Capitalization(Excepting):
    """Require how each part of the reply that the scope names is capitalised.

    Why: headings that look alike. Example: `match: $sentence`, `scope: heading`. `$title` (`style` AP or Chicago),
    `$sentence`, `$lower`, `$upper` or a regular expression; a part is right when more than `threshold` of its words
    are. Instead of a part in capitals anywhere, use existence.
    """

    kind = "voice.capitalization"
    extends: Literal["capitalization"]
    match: Text = Field(
        min_length=1, description="$title, $sentence, $lower, $upper, or a regular expression.", examples=["$sentence"]
    )
    style: Literal["AP", "Chicago"] = Field("AP", description="Which small words a $title has.", examples=["Chicago"])
    threshold: Number = Field(0.8, ge=0, lt=1, description="More than this share of words is right.", examples=[0.9])
    indicators: list[Text] = Field([], description="A word after one of these is free.", examples=[[":"]])
    exceptions: list[Text] = Field([], description="Words that are fine as they are.", examples=[["GitHub"]])
    ignorecase: Flag = Field(False, description="Whether exceptions ignore case.", examples=[True])

    @model_validator(mode="after")
    def _known_variable(self) -> Capitalization:
        if self.match.startswith("$") and self.match not in _CASES:
            hint = did_you_mean(self.match, _CASES)
            raise refusal(f"unknown case {self.match!r}{hint}; there are {', '.join(_CASES)}.")
        return self

    def patterns(self) -> Iterator[tuple[ValuePath, str, bool]]:
        yield from super().patterns()
        if not self.match.startswith("$"):
            yield ("match",), self.match, False

    def judge_reply(self, reply: str, turn: int) -> Finding:
        parts = [block for block in self.blocks(reply) if block.text.strip() and not self._is_cased(block.text)]
        broken = [block.shifted((0, len(block.text))) for block in parts]
        return self.held(reply, turn, broken, self.match, kept="kept")

    def _is_cased(self, text: str) -> bool:
        match self.match:
            case "$lower":
                return text == text.lower() or self._excepts(text)
            case "$upper":
                return text == text.upper() or self._excepts(text)
            case "$title":
                return _share(self._title_words(text)) > self.threshold
            case "$sentence":
                return _share(self._sentence_words(text)) > self.threshold
        return matches_somewhere(self.match, text)

    @cached_property
    def _excepted(self) -> str:
        """The pattern of all exceptions, the longest first; empty when there are none."""
        return any_of(tuple(sorted(self.exceptions, key=len, reverse=True))) if self.exceptions else ""

    def _excepts(self, text: str) -> bool:
        return bool(self._excepted) and matches_somewhere(self._excepted, text, ignore_case=self.ignorecase)

    def _title_words(self, text: str) -> list[bool]:
        """Return of each word of a title whether its first letter is as it should be."""
        found = [match.group() for match in _WORD.finditer(text)]
        rights = []
        for index, word in enumerate(found):
            edge = index in (0, len(found) - 1) or found[index - 1].endswith(":")
            wanted_small = word.lower().rstrip(",;.") in _SMALL_IN[self.style] and not edge
            right = word[0].islower() if wanted_small else not word[0].islower()
            rights.append(right or word == word.upper() or self._excepts(word))
        return rights

    def _sentence_words(self, text: str) -> list[bool]:
        """Return of each word of a sentence whether its capitals are as they should be."""
        pattern = f"{self._excepted}|[\\p{{N}}\\p{{L}}*]+[^\\s]*" if self._excepted else r"[\p{N}\p{L}*]+[^\s]*"
        bare = text.rstrip("?!.:")
        tokens = [bare[slice(*at)] for at in find_all(pattern, bare)]
        rights = []
        for index, token in enumerate(tokens):
            word = re.split(r"[-'’]", token, maxsplit=1)[0]
            # Capitals throughout are an abbreviation, and stand anywhere; so does a word after an indicator.
            is_free = word == word.upper() or (index and tokens[index - 1].endswith(tuple(self.indicators)))
            if is_free or (word and self._excepts(word)):
                rights.append(True)
            elif index:
                rights.append(word == word.lower())
            elif word == word[:1].upper() + word[1:].lower():
                rights.append(True)
            else:
                return [False]
        return rights


def _share(rights: Sequence[bool]) -> float:
    return sum(rights) / len(rights) if rights else 1.0


class Length(VoiceRule):
    """Limit the words of the reply and of each sentence; what goes beyond is marked.

    Why: replies are read on a phone. Example: `max_words: 120`, `max_sentence_words: 28`. Instead of a limit for one
    case only, use `max_words` in its expectations.
    """

    kind = "voice.length"
    extends: Literal["length"]
    min_words: Count | None = Field(None, ge=1, description="At least this many words in a reply.", examples=[3])
    max_words: Count | None = Field(None, ge=1, description="At most this many words in a reply.", examples=[120])
    max_sentence_words: Count | None = Field(None, ge=1, description="At most this many in a sentence.", examples=[28])

    @model_validator(mode="after")
    def _has_a_limit(self) -> Length:
        if self.min_words is None and self.max_words is None and self.max_sentence_words is None:
            raise refusal("a length rule needs `max_words`, `max_sentence_words` or `min_words`.")
        return self

    def judge_reply(self, reply: str, turn: int) -> Finding:
        number = count_words(reply)
        observed: list[str] = []
        ranges: list[Range] = []
        if self.max_words is not None and number > self.max_words:
            observed.append(plural(number, "word"))
            counted = words(reply)
            ranges.append((counted[self.max_words][0], counted[-1][1]))
        if self.min_words is not None and number < self.min_words:
            observed.append(plural(number, "word"))
        if self.max_sentence_words is not None:
            in_each = [(found, count_words_in(reply, found)) for found in sentences(reply)]
            too_long = [(found, count) for found, count in in_each if count > self.max_sentence_words]
            ranges += [found for found, _ in too_long]
            observed += [f"a sentence of {plural(count, 'word')}" for _, count in too_long]
        if not observed:
            return Finding(TrialVerdict.PASSED, plural(number, "word"), self._limits, turn=turn)
        shown = joined(observed)
        spans = to_spans(tuple(sorted(ranges)), turn)
        return Finding(TrialVerdict.FAILED, shown, self._limits, spans, turn, self.said(shown))

    @cached_property
    def _limits(self) -> str:
        limits = (
            (self.max_words, "at most {}"),
            (self.min_words, "at least {}"),
            (self.max_sentence_words, "at most {} a sentence"),
        )
        return ", ".join(text.format(plural(limit, "word")) for limit, text in limits if limit is not None)


class LanguageRule(VoiceRule):
    """Require the language of replies: a code, or `user` for the one the user writes in.

    Why: a customer who writes in German wants a German answer. Example: `language: user`. Instead of a rule for all,
    use `language` in the expectations of one case.
    """

    kind = "voice.language"
    extends: Literal["language"]
    language: Text = Field(
        pattern=LANGUAGE_FORM,
        description="A code, or `user` for the language the user writes in.",
        examples=["user"],
    )

    def problems(self) -> Iterator[Fault]:
        yield from super().problems()
        yield from language_faults(("language",), self.language)

    def judge_turn(self, turn: Turn, transcript: Transcript) -> Finding:
        if self.language == "user":
            return in_users_language(turn, transcript)
        return in_language(self.language, turn.reply, turn.n)


class _Measured(VoiceRule):
    """A rule about one number that is computed from the whole reply."""

    def measured(self, reply: str, turn: int, value: float, expected: str, *, holds: bool) -> Finding:
        """Return whether the number is fine; if not, the whole reply is marked."""
        if holds:
            return Finding(TrialVerdict.PASSED, f"{value:.2f}", expected, turn=turn)
        span = Span(turn, *trimmed(reply, (0, len(reply))))
        return Finding(TrialVerdict.FAILED, f"{value:.2f}", expected, (span,), turn, self.said(f"{value:.2f}"))


class Metric(_Measured):
    """Hold a formula over the reply's counts against a condition that must not come true.

    Why: replies grow. Example: `formula: words / sentences`, `condition: "> 20"`. Instead of a formula for a single
    count, use `count`.
    """

    kind = "voice.metric"
    extends: Literal["metric"]
    formula: Text = Field(
        min_length=1, description="Arithmetic over words, sentences, syllables, ...", examples=["words / sentences"]
    )
    condition: Text = Field(description="When the rule is broken.", examples=["> 20"])

    @model_validator(mode="after")
    def _computes(self) -> Metric:
        fault = formula_fault(self.formula)
        if fault:
            raise refusal(f"{self.formula!r} {fault}", "formula")
        if parse_condition(self.condition) is None:
            raise refusal(f"{self.condition!r} is no condition; expected a comparison such as '> 8'.", "condition")
        return self

    def judge_reply(self, reply: str, turn: int) -> Finding:
        value = evaluate(self.formula, counts(reply))
        if value is None:
            return not_measured("the reply has no word to compute with", turn)
        operation, limit = parse_condition(self.condition) or (">", float("inf"))
        holds = not COMPARISONS[operation](value, limit)
        return self.measured(reply, turn, value, f"not {operation} {limit:g}", holds=holds)


class Readability(_Measured):
    """Limit the mean of reading grades.

    Why: customers read in a hurry. Example: `metrics: [Flesch-Kincaid]`, `grade: 8`. Instead of a grade for replies of
    a few words, for which it says little, use `max_sentence_words`.
    """

    kind = "voice.readability"
    extends: Literal["readability"]
    metrics: list[Literal[*GRADES]] = Field(  # type: ignore[valid-type]
        ["Flesch-Kincaid"], min_length=1, description="Grades whose mean counts.", examples=[["Flesch-Kincaid", "SMOG"]]
    )
    grade_: Number = Field(alias="grade", gt=0, description="The highest grade that is fine.", examples=[9])

    def judge_reply(self, reply: str, turn: int) -> Finding:
        counted = counts(reply)
        found = [evaluate(GRADES[name], counted) for name in self.metrics if counted["words"]]
        values = [value for value in found if value is not None]
        if not values:
            return not_measured("the reply has no word to compute with", turn)
        value = sum(values) / len(values)
        return self.measured(reply, turn, value, f"grade at most {self.grade_:g}", holds=value <= self.grade_)
