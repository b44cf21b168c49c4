"""The schema of a voice file; behind `evalkit schema voice`.

Kinds and keys are Vale's (existence, substitution, occurrence) plus `length`; `ignorecase` is true by default, as brand
rules mean words wherever they stand. Only the shape; the rules become assertions in `voice.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.yamlsource import Count, FileModel, Flag, Text, did_you_mean, refusal

_NOT_BUILT = frozenset(
    ["judge", "capitalization", "conditional", "consistency", "metric", "repetition", "script", "sequence", "spelling"]
)
_KINDS = ("existence", "substitution", "occurrence", "length")
Patterns = Annotated[list[Annotated[Text, Field(min_length=1)]], Field(min_length=1)]


class Rule(FileModel):
    """What every rule has."""

    called: ClassVar[str] = "a rule"
    id: Text = Field(
        pattern=r"^[\w][\w.-]{0,79}$", description="Its name, unique in the file.", examples=["no-empty-apology"]
    )
    message: Text = Field(
        min_length=1,
        description="Shown where it is broken; %s is the text that was found.",
        examples=["Empty apology: '%s'"],
    )
    level: Literal["error", "warning"] = Field(
        "warning", description="error fails the trial; warning (as in Vale the default) is counted and shown."
    )
    description: Text = Field("", description="Why the rule exists.", examples=["Customers read it as a brush-off."])
    link: Text = Field("", description="Where it is written down.", examples=["https://example.com/voice#apology"])
    good: list[Text] = Field([], description="Texts that keep the rule; `evalkit check` tries them.")
    bad: list[Text] = Field([], description="Texts that break the rule; `evalkit check` tries them.")


class _Words(Rule):
    ignorecase: Flag = Field(True, description="Whether upper and lower case are the same (Vale's default is false).")
    scope: Literal["reply", "first_sentence"] = Field(
        "reply", description="What the rule looks at.", examples=["reply"]
    )


class Existence(_Words):
    """None of these may appear."""

    extends: Literal["existence"]
    tokens: Patterns = Field(description="Regular expressions, matched as whole words.", examples=[["rest assured"]])
    nonword: Flag = Field(False, description="Match anywhere, not only whole words.", examples=[True])
    exceptions: list[Text] = Field([], description="Found texts that are fine.", examples=[["purchase order"]])


class Substitution(_Words):
    """Write this, not that."""

    extends: Literal["substitution"]
    swap: dict[str, Text] = Field(
        min_length=1,
        description="What not to write (a regular expression): what to write.",
        examples=[{"utili[sz]e": "use"}],
    )
    nonword: Flag = Field(False, description="Match anywhere, not only whole words.", examples=[True])
    exceptions: list[Text] = Field([], description="Found texts that are fine.", examples=[["purchase order"]])


class Occurrence(_Words):
    """Not more (or less) often than this."""

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


class Length(Rule):
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


def _known_kind(value: Any) -> Any:
    kind = value.get("extends") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind not in _KINDS:
        if kind in _NOT_BUILT:
            raise refusal(f"not built yet: rules of kind {kind!r}; there are {', '.join(_KINDS)}.", "extends")
        raise refusal(f"unknown kind {kind!r}{did_you_mean(kind, _KINDS)}; there are {', '.join(_KINDS)}.", "extends")
    return value


AnyRule = Annotated[
    Annotated[Existence | Substitution | Occurrence | Length, Field(discriminator="extends")],
    BeforeValidator(_known_kind),
]


class VoiceFile(FileModel):
    """Brand-voice rules, applied to every reply of the assistant."""

    called: ClassVar[str] = "the voice file"
    description: Text = Field("", description="Whose voice it is.", examples=["How Tandle sounds"])
    rules: list[AnyRule] = Field(description="The rules.")
