"""The format of a stand-in script: its models carry the keys, their meaning and an example, and nothing else.

What the keys do is in `play.py`, how patterns are written in `patterns.py`, what templates know in `templates.py`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from evalkit.yamlsource import Count, FileModel, Flag, Json, JsonMap, Number, Text, refusal

Names = Annotated[
    list[Text],
    BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One text or a list of texts."""

_DOES = ("say", "call", "then", "output", "refuse")


class ConditionsFile(FileModel):
    """What must hold; all of it."""

    user: Names = Field(
        [],
        description="Patterns, each found in the user's message; a picture or document that came with it stands there "
        "as `[image png]` or `[document TITLE]`.",
        examples=["where is|{order}"],
    )
    reply: Names = Field(
        [], description="Patterns, each found in the assistant's reply before.", examples=["Shall I open the return"]
    )
    has: Names = Field([], description="Sentences of `prompt` that the system prompt holds.", examples=["asks_first"])
    lacks: Names = Field([], description="Sentences of `prompt` that it does not hold.", examples=["asks_first"])
    if_: Text | None = Field(
        None,
        alias="if",
        min_length=1,
        description="A Jinja expression that is true; what is missing counts as empty.",
        examples=["failed.tool == 'book_slot'"],
    )
    chance: Number | None = Field(
        None,
        gt=0,
        le=1,
        description="In this share of requests and trials; drawn from the request, the trial and the rule itself.",
        examples=[0.25],
    )


class AnswerFile(ConditionsFile):
    """Conditions, and what is done where they hold."""

    call: JsonMap | Text | None = Field(
        None,
        description="Calls tools, unless the conversation holds their results; `again` repeats what failed.",
        examples=[{"lookup_order": {"order_number": "{{ order | upper }}"}}],
    )
    then: list[RuleFile] = Field(
        [],
        description="Rules for when the results are there, or under the same conditions; the first that fits.",
        examples=[[{"if": "not find_slots.slots", "say": "There is nothing free."}]],
    )
    say: Text | None = Field(None, description="Says this template.", examples=["Order {{ order }} is on its way."])
    style: Flag = Field(True, description="false: `say` is left as it is by the script's style.", examples=[False])
    stop: Literal["end_turn", "max_tokens", "stop_sequence"] = Field(
        "end_turn",
        description="The stop reason of `say` or `output`; with max_tokens, half of an output is left.",
        examples=["max_tokens"],
    )
    output: Json = Field(None, description="Says this value as JSON.", examples=[{"answer": "yes"}])
    refuse: Text | None = Field(
        None, min_length=1, description="Refuses, for this category; `say` is the text.", examples=["cyber"]
    )
    each: Text | None = Field(
        None,
        description="Does it for each value of these words in the message (else for the fact of that name).",
        examples=["order"],
    )

    @model_validator(mode="after")
    def _does_something(self) -> AnswerFile:
        if not any(getattr(self, name) not in (None, []) for name in _DOES):
            raise refusal(f"this rule does nothing; expected one of {', '.join(_DOES)}.")
        if self.output is not None and (self.say is not None or self.refuse is not None):
            raise refusal("`output` is the whole reply; leave out `say` and `refuse`.", "output")
        if isinstance(self.call, str) and self.call != "again":
            raise refusal("call is a mapping of tools to their inputs, or `again`.", "call")
        if isinstance(self.call, dict) and not all(isinstance(given, dict) for given in self.call.values()):
            raise refusal("each called tool has a mapping as its input, such as {order: A-1}; {} when empty.", "call")
        return self


class SlipFile(AnswerFile):
    """What is done instead, now and then."""

    called: ClassVar[str] = "a slip"

    @model_validator(mode="after")
    def _now_and_then(self) -> SlipFile:
        if self.chance is None:
            raise refusal("a slip needs its `chance`, such as 0.02.")
        return self


class RuleFile(AnswerFile):
    """One rule: the first that fits and has something to do makes the reply."""

    called: ClassVar[str] = "a rule"
    slip: SlipFile | None = Field(
        None, description="A rule that is tried first, by chance.", examples=[{"chance": 0.02, "say": "Tomorrow."}]
    )


class StyleFile(ConditionsFile):
    """One change of everything that is said."""

    called: ClassVar[str] = "a style step"
    start: Text | None = Field(None, description="Puts this in front.", examples=["Great question."])
    end: Text | None = Field(None, description="Puts this behind.", examples=["Have a lovely day."])
    replace: dict[str, Text] = Field({}, description="Replaces each pattern.", examples=[{"colour": "color"}])
    max_words: Count | Text | None = Field(
        None, description="Leaves out sentences from the end; a last question stays.", examples=["{{ prompt.limit }}"]
    )

    @model_validator(mode="after")
    def _changes_something(self) -> StyleFile:
        if all(value in (None, {}) for value in (self.start, self.end, self.replace, self.max_words)):
            raise refusal("this step changes nothing; expected start, end, replace or max_words.")
        return self


class ScriptFile(FileModel):
    """What the stand-in replies for one prompt, in all its versions."""

    called: ClassVar[str] = "a stand-in script"
    words: dict[str, Text | dict[str, Text]] = Field(
        {},
        description="Named words for patterns: a pattern, or patterns by the value that they stand for.",
        examples=[{"order": "/PR\\d\\d-\\d{4}/", "doctor": {"osei": "Osei", "lindqvist": "Lindqvist"}}],
    )
    prompt: dict[str, Text] = Field(
        {},
        description="Sentences that the system prompt may hold, as patterns that survive another wording.",
        examples=[{"emergency": "call 999"}],
    )
    facts: dict[str, Text] = Field(
        {},
        description="What users tell: patterns for their sentences in the request; the newest word counts.",
        examples=[{"name": "my name is *"}],
    )
    texts: dict[str, Text] = Field(
        {},
        description="Templates by name: `{{ text.sorry }}` stands for one.",
        examples=[{"sorry": "Sorry about that."}],
    )
    rules: list[RuleFile] = Field(
        [],
        description="Rules in order; the first that fits makes the reply.",
        examples=[[{"user": "chest pain", "has": "emergency", "say": "Please call 999 at once."}]],
    )
    style: list[StyleFile] = Field(
        [],
        description="Changes of what `say` says, in order.",
        examples=[[{"lacks": "british", "replace": {"colour": "color"}}]],
    )
    judge: list[RuleFile] = Field(
        [],
        description="Rules for a judge's questions; without them judges are not asked.",
        examples=[[{"user": "is polite", "output": {"quote": "", "reason": "It is.", "answer": "yes"}}]],
    )
    simulate: list[RuleFile] = Field(
        [],
        description="Rules for a simulated user, when its case has no `stand_in`.",
        examples=[[{"user": "order number", "say": "TN-20418"}]],
    )
