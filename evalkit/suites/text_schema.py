"""The schema of what a reply must say and how much it must hold: texts, counts, form.

Only the shape of the file; what each means is in `compile_text.py` and the graders.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.registry import keys_of
from evalkit.yamlsource import Count, FileModel, Flag, Text, refusal

WAYS = ("text", "word", "exact")


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
        if sum(getattr(self, way) is not None for way in WAYS) != 1:
            raise refusal("expected a text, or a mapping with one of text, word, exact.")
        if self.ignore_case and self.exact is None:
            raise refusal("`ignore_case` belongs to `exact`; the other ways ignore case already.", "ignore_case")
        return self


def _wanted(value: Any) -> Any:
    return value if isinstance(value, dict) else {"text": value}


AnyWanted = Annotated[Wanted, BeforeValidator(_wanted, json_schema_input_type=str | Wanted)]
WantedList = Annotated[list[AnyWanted], Field(min_length=1)]


class Limits(FileModel):
    """At least, at most, or exactly so many; a number alone means exactly."""

    called: ClassVar[str] = "a count"
    min: Count | None = Field(None, ge=0, description="At least this many.", examples=[1])
    max: Count | None = Field(None, ge=0, description="At most this many.", examples=[5])
    exactly: Count | None = Field(None, ge=0, description="This many.", examples=[3])

    @model_validator(mode="after")
    def _has_limits(self) -> Limits:
        if self.exactly is not None and (self.min is not None or self.max is not None):
            raise refusal("`exactly` says it all; remove min and max.", "exactly")
        if self.exactly is None and self.min is None and self.max is None:
            raise refusal("a count needs `min`, `max` or `exactly`.")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal(f"min {self.min} is more than max {self.max}; no reply can hold both.", "min")
        return self

    @property
    def bounds(self) -> dict[str, int | None]:
        """The limits as graders take them."""
        if self.exactly is not None:
            return {"min": self.exactly, "max": self.exactly}
        return {"min": self.min, "max": self.max}


def _limits(value: Any) -> Any:
    return value if isinstance(value, dict) else {"exactly": value}


AnyLimits = Annotated[Limits, BeforeValidator(_limits, json_schema_input_type=int | Limits)]


class LetterCount(Limits):
    """How many letters, or how many of one letter."""

    of: Text | None = Field(
        None, min_length=1, max_length=1, description="Counts only this character, either case.", examples=["e"]
    )


class SectionCount(Limits):
    """How many sections: parts between separators, or numbered headings."""

    separator: Text | None = Field(None, min_length=1, description="What stands between sections.", examples=["***"])
    heading: Text | None = Field(
        None, min_length=1, description="The word before each section's number.", examples=["SECTION"]
    )
    distinct: Flag = Field(False, description="No two parts are the same.", examples=[True])

    @model_validator(mode="after")
    def _one_kind(self) -> SectionCount:
        if (self.separator is None) == (self.heading is None):
            raise refusal("sections are told apart by one of `separator` and `heading`.")
        if self.distinct and self.separator is None:
            raise refusal("`distinct` compares the parts between separators; add `separator`.", "distinct")
        return self


class TextCount(Limits):
    """How often a text is said."""

    of: AnyWanted = Field(description="The text that is counted.", examples=["refund"])


def _section_limits(value: Any) -> Any:
    if not isinstance(value, dict):
        raise refusal('sections need `separator` or `heading`, such as {exactly: 3, separator: "***"}.')
    return value


class Counts(FileModel):
    """How many of what a reply holds."""

    called: ClassVar[str] = "count"
    letters: (
        Annotated[
            list[Annotated[LetterCount, BeforeValidator(_limits)]],
            BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
        ]
        | None
    ) = Field(None, min_length=1, description="Letters, or one character.", examples=[{"of": "e", "max": 3}])
    words: AnyLimits | None = Field(None, description=r"Words: runs of letters, digits and _.", examples=[{"max": 90}])
    capitals: AnyLimits | None = Field(None, description="Words all in capitals.", examples=[{"max": 2}])
    sentences: AnyLimits | None = Field(None, description="Sentences of running text.", examples=[{"max": 5}])
    paragraphs: AnyLimits | None = Field(None, description="Parts between empty lines.", examples=[2])
    sections: Annotated[SectionCount, BeforeValidator(_section_limits)] | None = Field(
        None, description="Parts between separators, or numbered headings.",
        examples=[{"exactly": 3, "separator": "***"}],
    )  # fmt: skip
    bullets: AnyLimits | None = Field(None, description="Lines that begin with * or -.", examples=[3])
    emphasis: AnyLimits | None = Field(None, description="Parts in *one* or **two** asterisks.", examples=[{"min": 1}])
    titles: AnyLimits | None = Field(None, description="Parts in <<double angle brackets>>.", examples=[1])
    placeholders: AnyLimits | None = Field(None, description="Parts in [brackets].", examples=[{"max": 0}])
    texts: list[TextCount] | None = Field(
        None, min_length=1, description="How often texts are said.", examples=[[{"of": "refund", "min": 2}]]
    )

    @model_validator(mode="after")
    def _counts_something(self) -> Counts:
        if not self.model_fields_set:
            raise refusal("'count' is empty; name what is counted, such as {sentences: {max: 5}}.")
        return self


class Paragraph(FileModel):
    """How a paragraph begins."""

    called: ClassVar[str] = "paragraph"
    n: Count = Field(ge=1, description="Which one, counted from 1.", examples=[2])
    first_word: Text = Field(min_length=1, description="Its first word, ignoring case.", examples=["however"])


FactKind = Literal["amounts", "dates", "times", "identifiers", "names"]


class AllFacts(FileModel):
    """`grounded: true`."""

    called: ClassVar[str] = "grounded"
    kinds: list[FactKind] | None = None


def _facts(value: Any) -> Any:
    if isinstance(value, list) and value:
        return {"kinds": value}
    if getattr(value, "value", None) is True:
        return {}
    raise refusal("'grounded' must be true, or a list of amounts, dates, times, identifiers, names.")


AnyFacts = Annotated[AllFacts, BeforeValidator(_facts, json_schema_input_type=Literal[True] | list[FactKind])]


class TextExpect(keys_of("")):  # type: ignore[misc]
    """What a reply says and how it is built."""

    says: WantedList | None = Field(
        None,
        description="Each appears in the reply, ignoring case; text between slashes (`/.../`) is a regular expression.",
        examples=[["30 days", "/free( of charge)?/", {"word": "refund"}]],
    )
    says_any: WantedList | None = Field(
        None, description="At least one appears; texts as in `says`.", examples=[["24 November", "tomorrow"]]
    )
    never_says: WantedList | None = Field(
        None, description="None appears; texts as in `says`.", examples=[["on its way", {"word": "sue"}]]
    )
    starts_with: AnyWanted | None = Field(
        None, description="The reply begins with it; a text as in `says`.", examples=["Yes"]
    )
    ends_with: AnyWanted | None = Field(
        None, description="The reply ends with it; a text as in `says`.", examples=["Anything else?"]
    )
    count: Counts | None = Field(
        None,
        description="How many of what a reply holds; a number alone means exactly.",
        examples=[{"sentences": {"max": 5}, "bullets": 3}],
    )
    format: Literal["json", "quoted"] | None = Field(
        None, description="json: the whole reply is JSON, fenced or not; quoted: in quotation marks.", examples=["json"]
    )
    case: Literal["upper", "lower"] | None = Field(
        None, description="All letters are capitals, or none is.", examples=["lower"]
    )
    language: Text | None = Field(
        None,
        pattern=r"^([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*|user)$",
        description="The reply's language, as a code; `user`: the one the user writes in.",
        examples=["de"],
    )
    postscript: Text | None = Field(
        None, min_length=2, description="Has a postscript with this marker.", examples=["P.S."]
    )
    paragraph: Paragraph | None = Field(
        None, description="How a paragraph begins.", examples=[{"n": 2, "first_word": "however"}]
    )
    grounded: AnyFacts | None = Field(
        None,
        description="What the reply states is in a tool result, the prompt or what the user said; or only some kinds.",
        examples=[True],
    )
