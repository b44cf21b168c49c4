"""The kinds of brand-voice rules, key by key. Only the shape; what each demands is in the graders."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from evalkit.graders.rule import Patterns, ScopedRule, VoiceRule, WordRule
from evalkit.reading import GRADES, formula_fault, parse_condition
from evalkit.yamlsource import Count, Flag, Number, Text, did_you_mean, refusal


class Substitution(WordRule):
    """Write this, not that."""

    extends: Literal["substitution"]
    swap: dict[str, Text] = Field(
        min_length=1,
        description="What not to write (a regular expression): what to write.",
        examples=[{"utili[sz]e": "use"}],
    )


class Occurrence(ScopedRule):
    """Not more (or less) often than this."""

    extends: Literal["occurrence"]
    ignorecase: Flag = Field(True, description="Whether upper and lower case are the same (Vale's default is false).")
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


class Repetition(ScopedRule):
    """Not the same twice running."""

    extends: Literal["repetition"]
    ignorecase: Flag = Field(True, description="Whether upper and lower case are the same (Vale's default is false).")
    tokens: Patterns = Field(description="Regular expressions; each match is compared with the one before.",
        examples=[[r"[^\s]+"]])  # fmt: skip
    alpha: Flag = Field(False, description="Only matches of nothing but letters.", examples=[True])
    max: Count = Field(0, ge=0, description="This many repeats are fine.", examples=[1])
    exceptions: list[Text] = Field([], description="Found texts that are fine.", examples=[["had had"]])


class Consistency(WordRule):
    """One of a pair, but the same throughout the conversation."""

    extends: Literal["consistency"]
    either: dict[str, Text] = Field(
        min_length=1, description="Pairs that exclude each other.", examples=[{"advisor": "adviser"}]
    )


class Conditional(ScopedRule):
    """What the first finds must have been introduced by the second."""

    extends: Literal["conditional"]
    ignorecase: Flag = Field(False, description="Whether upper and lower case are the same.", examples=[True])
    first: Text = Field(
        min_length=1, description="A regular expression for what needs it.", examples=[r"\b[A-Z]{3,5}\b"]
    )
    second: Text = Field(
        min_length=1, description="One for what introduces it, by a group.", examples=[r"\(([A-Z]{3,5})\)"]
    )
    exceptions: list[Text] = Field([], description="Found texts that are fine.", examples=[["FAQ"]])


class Capitalization(ScopedRule):
    """How parts of a reply are capitalised."""

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
        known = ("$title", "$sentence", "$lower", "$upper")
        if self.match.startswith("$") and self.match not in known:
            raise refusal(
                f"unknown case {self.match!r}{did_you_mean(self.match, known)}; there are {', '.join(known)}."
            )
        return self


class Metric(VoiceRule):
    """A formula over counts of the reply that must not meet a condition."""

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


class Readability(VoiceRule):
    """Not harder to read than this."""

    extends: Literal["readability"]
    metrics: list[Literal[*GRADES]] = Field(  # type: ignore[valid-type]
        ["Flesch-Kincaid"], min_length=1, description="Grades whose mean counts.", examples=[["Flesch-Kincaid", "SMOG"]]
    )
    highest: Number = Field(alias="grade", gt=0, description="The highest grade that is fine.", examples=[9])


class Length(VoiceRule):
    """Not longer than this."""

    extends: Literal["length"]
    min_words: Count | None = Field(None, ge=1, description="At least this many words in a reply.", examples=[3])
    max_words: Count | None = Field(None, ge=1, description="At most this many words in a reply.", examples=[120])
    max_sentence_words: Count | None = Field(None, ge=1, description="At most this many in a sentence.", examples=[28])

    @model_validator(mode="after")
    def _has_a_limit(self) -> Length:
        if self.min_words is None and self.max_words is None and self.max_sentence_words is None:
            raise refusal("a length rule needs `max_words`, `max_sentence_words` or `min_words`.")
        return self


class Language(VoiceRule):
    """Replies are in this language."""

    extends: Literal["language"]
    language: Text = Field(
        pattern=r"^([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*|user)$",
        description="A code, or `user` for the language the user writes in.",
        examples=["user"],
    )


class Links(VoiceRule):
    """Links lead to these hosts only."""

    extends: Literal["links"]
    allow: list[Text] = Field(description="Hosts, with their subdomains.", examples=[["tandle.example"]])


class Leak(VoiceRule):
    """No long run of words from the system prompt."""

    extends: Literal["leak"]
    words: Count = Field(12, ge=4, description="This many words running are a leak.", examples=[12])
    exceptions: list[Text] = Field([], description="Sentences that may be said.", examples=[["We are here for you."]])


class PersonalData(VoiceRule):
    """No personal data that the user did not give."""

    extends: Literal["personal_data"]
    kinds: list[Literal["mail", "phone", "card", "iban"]] = Field(
        ["mail", "phone", "card", "iban"], min_length=1, description="What is looked for.", examples=[["card", "iban"]]
    )
    exceptions: list[Text] = Field([], description="What may be said.", examples=[["help@tandle.example"]])


class Judge(VoiceRule):
    """A judge model holds the message true of each reply."""

    extends: Literal["judge"]

    @model_validator(mode="after")
    def _is_a_statement(self) -> Judge:
        if self.good or self.bad:
            key = "good" if self.good else "bad"
            raise refusal("a judge is tried with evalkit label, not with `good` and `bad`.", key)
        return self
