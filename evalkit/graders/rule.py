"""What all brand-voice rules have, and those that look at parts of a reply or at wordings.

A rule is a grader whose mapping is an entry of a voice file's `rules`; the kinds are in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from evalkit.graders.fixes import EDITS, action_fault, fix_of
from evalkit.graders.grader import Fault, ReplyGrader, pattern_faults
from evalkit.reading.blocks import SCOPES, Block, is_scope, scoped
from evalkit.reading.patterns import shields
from evalkit.reading.sentences import Range
from evalkit.records import Finding, Level, Transcript, TrialVerdict, Turn
from evalkit.yamlsource import FileModel, Flag, Text, did_you_mean, refusal

Patterns = Annotated[list[Annotated[Text, Field(min_length=1)]], Field(min_length=1)]


class Action(FileModel):
    """What could be written instead: told where the rule is broken, never carried out."""

    called: ClassVar[str] = "action"
    name: Text = Field(
        description="replace (by `params`, or by what a substitution prefers), remove or edit; suggest and convert "
        "need a dictionary or a script and say nothing.",
        examples=["replace"],
    )
    params: list[Text] = Field(
        [],
        description=f"Replacements, or how to edit ({', '.join(EDITS)}) and with what.",
        examples=[["regex", "a(b)", "$1"]],
    )

    @model_validator(mode="after")
    def _can_be_told(self) -> Action:
        fault = action_fault(self.name, self.params)
        if fault:
            raise refusal(fault)
        return self


class VoiceRule(ReplyGrader):
    """What every rule has."""

    called: ClassVar[str] = "a rule"
    given = frozenset({"skip_turns"})
    id: Text = Field(
        pattern=r"^[\w][\w.-]{0,79}$", description="Its name, unique in the file.", examples=["no-empty-apology"]
    )
    message: Text = Field(
        min_length=1,
        description="Shown where it is broken; %s is the text that was found.",
        examples=["Empty apology: '%s'"],
    )
    level: Literal["error", "warning", "suggestion"] = Field(
        "warning",
        description="error fails the trial; warning (as in Vale the default) is counted, suggestion only shown.",
    )
    description: Text = Field("", description="Why the rule exists.", examples=["Customers read it as a brush-off."])
    link: Text = Field("", description="Where it is written down.", examples=["https://example.com/voice#apology"])
    action: Action | None = Field(None, description="What could be written instead.", examples=[{"name": "remove"}])
    good: list[Text] = Field([], description="Texts that keep the rule; `evalkit check` tries them.")
    bad: list[Text] = Field([], description="Texts that break the rule; `evalkit check` tries them.")
    skip_turns: SkipJsonSchema[list[int]] = Field([], description="Turns in which a case switches the rule off.")

    placeholders: ClassVar[int] = 1
    """How many texts there are to put into the message."""

    def label(self) -> str:
        return f"voice/{self.id}"

    def severity(self) -> Level:
        return Level(self.level)

    def rule_id(self) -> str:
        return self.id

    def params(self) -> dict[str, Any]:
        return self.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude={"level", "description", "link", "good", "bad"}
        )

    def problems(self) -> Iterator[Fault]:
        if self.message.count("%s") > self.placeholders:
            yield Fault(("message",), "has more %s than there are texts to put in.")

    def judge_turns(self, turns: Sequence[Turn], transcript: Transcript, missing: str) -> Finding:
        kept = [turn for turn in turns if turn.n not in self.skip_turns]
        if turns and not kept and not missing:
            return Finding(TrialVerdict.PASSED, "switched off in every turn")
        return super().judge_turns(kept, transcript, missing)

    def said(self, *values: str) -> str:
        """Return the message with its `%s` filled in order; values that no `%s` asks for are left out."""
        head, *rest = self.message.split("%s")
        filled = [head]
        for number, part in enumerate(rest):
            filled += [values[number] if number < len(values) else "%s", part]
        return "".join(filled)

    def mended(self, found: str, preferred: Sequence[str] = ()) -> str:
        """Return how the rule's action would mend a found text, as the end of a message; see `fixes.fix_of`."""
        return fix_of({"action": self.action.model_dump()}, found, preferred) if self.action else ""


def _scope(value: Any) -> Any:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and not is_scope(one):
            raise refusal(f"unknown scope {one!r}{did_you_mean(one, SCOPES)}; there are {', '.join(SCOPES)}.")
    return value


class ScopedRule(VoiceRule):
    """A rule that may look at parts of the reply only."""

    scope: Annotated[Text | list[Text], BeforeValidator(_scope)] = Field(
        "reply",
        description="What the rule looks at: the reply as it is, its text without code, sentences, headings and so on; "
        "~ leaves out, & joins.",
        examples=["sentence"],
    )

    def blocks(self, reply: str) -> Sequence[Block]:
        """Return the parts of a reply that the scope speaks of."""
        return scoped(reply, self.scope if isinstance(self.scope, str) else tuple(self.scope))


class WordRule(ScopedRule):
    """A rule about wordings."""

    ignorecase: Flag = Field(True, description="Whether upper and lower case are the same (Vale's default is false).")
    nonword: Flag = Field(False, description="Match anywhere, not only whole words.", examples=[True])
    exceptions: list[Text] = Field([], description="Found texts that are fine.", examples=[["purchase order"]])

    def problems(self) -> Iterator[Fault]:
        yield from super().problems()
        for n, text in enumerate(self.exceptions):
            yield from pattern_faults(("exceptions", n), text)

    def is_excepted(self, text: str, at: Range) -> bool:
        """Return whether one of the exceptions lets a match stand."""
        return shields(tuple(self.exceptions), text[slice(*at)], text, at, ignore_case=self.ignorecase)
