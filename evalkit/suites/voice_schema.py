"""The schema of a voice file; behind `evalkit schema voice`.

Kinds and keys are Vale's, and our own for chats: length, language, links, leak, personal_data. `ignorecase` is true by
default, as brand rules mean words wherever they stand. Only the shape; the rules become assertions in `voice.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.registry import graders_of
from evalkit.graders.rule import VoiceRule
from evalkit.suites.builtin import PACKS
from evalkit.suites.voice_rules import (
    Capitalization,
    Conditional,
    Consistency,
    Judge,
    Language,
    Leak,
    Length,
    Links,
    Metric,
    Occurrence,
    PersonalData,
    Readability,
    Repetition,
    Substitution,
)
from evalkit.yamlsource import FileModel, Text, did_you_mean, refusal

_NOT_BUILT = {
    "script": "a suite is data, it runs no code",
    "sequence": "needs parts of speech",
    "spelling": "needs a dictionary",
}
_KINDS = (
    *(
        "existence",
        "substitution",
        "occurrence",
        "repetition",
        "consistency",
        "conditional",
        "capitalization",
        "metric",
    ),
    *("readability", "length", "language", "links", "leak", "personal_data", "judge"),
)


def _known_kind(value: Any) -> Any:
    kind = value.get("extends") if isinstance(value, dict) else None
    for key in VoiceRule.given & value.keys() if isinstance(value, dict) else ():
        raise refusal(f"unknown key {key!r} in a rule.", key)
    if isinstance(kind, str) and kind not in _KINDS:
        if kind in _NOT_BUILT:
            why = f"not built yet: rules of kind {kind!r} ({_NOT_BUILT[kind]}); there are {', '.join(_KINDS)}."
            raise refusal(why, "extends")
        raise refusal(f"unknown kind {kind!r}{did_you_mean(kind, _KINDS)}; there are {', '.join(_KINDS)}.", "extends")
    return value


if TYPE_CHECKING:
    AnyRule = VoiceRule
else:  # the kinds of rules are those that are registered
    _OLD = (
        Substitution,
        Occurrence,
        Repetition,
        Consistency,
        Conditional,
        Capitalization,
        Metric,
        Readability,
        Length,
        Language,
        Links,
        Leak,
        PersonalData,
        Judge,
    )
    AnyRule = Annotated[
        Annotated[Union[(*graders_of("voice"), *_OLD)], Field(discriminator="extends")],
        BeforeValidator(_known_kind),
    ]


def _known_pack(value: Any) -> Any:
    if not isinstance(value, str) or value not in PACKS:
        hint = did_you_mean(value, PACKS) if isinstance(value, str) else ""
        raise refusal(f"unknown rules {value!r}{hint}; there are {', '.join(PACKS)}.")
    return value


class VoiceFile(FileModel):
    """Brand-voice rules, applied to every reply of the assistant."""

    called: ClassVar[str] = "the voice file"
    description: Text = Field("", description="Whose voice it is.", examples=["How Tandle sounds"])
    extends: list[Annotated[Literal[PACKS], BeforeValidator(_known_pack)]] = Field(  # type: ignore[valid-type]
        [],
        description="Ready-made rules that hold too; a rule of this file with the same id replaces one of them.",
        examples=[["builtin/persona", "builtin/emoji"]],
    )
    without: list[Text] = Field(
        [], description="Ids of ready-made rules that do not hold.", examples=[["persona-human"]]
    )
    rules: list[AnyRule] = Field([], description="The rules.")

    @model_validator(mode="after")
    def _without_what(self) -> VoiceFile:
        if self.without and not self.extends:
            raise refusal("`without` leaves out ready-made rules; name them with `extends` first.", "without")
        return self
