"""The schema of what tools must be called for, and what a conversation must change.

Only the shape of the file; what each means is in `compile_tools.py` and the graders.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.findings import AnyLimits
from evalkit.graders.registry import keys_of
from evalkit.yamlsource import Count, FileModel, JsonMap, Text, refusal

CONSENT = "consent"
Texts = Annotated[list[Text], Field(min_length=1)]


class Call(FileModel):
    """A tool call: its name, and what its input must contain."""

    called: ClassVar[str] = "a tool call"
    name: Text
    input: JsonMap | None = None


def _call(value: Any) -> Any:
    """Accept `lookup_order` and `lookup_order: {order_id: TN-20418}`."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1:
        (name, given), *_ = value.items()
        if isinstance(given, dict):
            return {"name": name, "input": given}
        raise refusal(f"the input of {name!r} must be a mapping; to expect any input, write just {name}.")
    raise refusal("a call is a tool's name, or one `name: {argument: value}`.")


AnyCall = Annotated[Call, BeforeValidator(_call, json_schema_input_type=str | dict[str, dict[str, Any]])]
Calls = list[AnyCall]


class Needed(FileModel):
    """What must come before: a call, or the user's consent."""

    called: ClassVar[str] = "what is needed"
    call: AnyCall | None = None
    consent: Text | None = None


def _needed(value: Any) -> Any:
    """Accept `consent`, `consent: /yes|ja/` and everything that names a call."""
    if value == CONSENT:
        return {"consent": ""}
    if isinstance(value, dict) and [*value] == [CONSENT] and not isinstance(value[CONSENT], dict):
        return {"consent": value[CONSENT]}
    return {"call": value}


AnyNeeded = Annotated[Needed, BeforeValidator(_needed, json_schema_input_type=str | dict[str, str | dict[str, Any]])]
NeededLists = dict[
    str,
    Annotated[
        list[AnyNeeded],
        Field(min_length=1),
        BeforeValidator(
            lambda value: value if isinstance(value, list) else [value],
            json_schema_input_type=str | dict[str, Any] | list[str | dict[str, Any]],
        ),
    ],
]


class Match(FileModel):
    """How strictly expected and actual inputs are compared."""

    called: ClassVar[str] = "match"
    arguments: Literal["subset", "exact"] = Field(
        "subset", description="exact: no argument that is not named.", examples=["exact"]
    )
    strings: Literal["exact", "loose"] = Field(
        "exact", description="loose: case, spaces and , . / - _ * ^ do not count.", examples=["loose"]
    )
    types: Literal["lenient", "strict"] = Field(
        "lenient", description="strict: 1.0 is not 1 (1 may stand for 1.0).", examples=["strict"]
    )
    lists: Literal["ordered", "any_order"] = Field(
        "ordered", description="any_order: lists are compared whatever their order.", examples=["any_order"]
    )


class Recovers(FileModel):
    """What may follow a tool error beside a retry."""

    called: ClassVar[str] = "recovers"
    hand_over: Texts | None = Field(None, description="Tools that hand over to a person.", examples=[["hand_over"]])


def _recovers(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    if getattr(value, "value", None) is True:
        return {}
    raise refusal("'recovers' must be true, or a mapping with hand_over.")


class ToolsExpect(keys_of("tools")):  # type: ignore[misc]
    """Which tools must, may and must not be called."""

    called: ClassVar[str] = "tools"
    calls: Calls | None = Field(
        None,
        min_length=1,
        description=(
            "Calls that must happen. An argument is a value, /regex/, {one_of: [..]}, {min:, max:}, "
            "{value:, optional: true} or {absent: true}; others are free."
        ),
        examples=[["lookup_order", {"start_return": {"order_id": "TN-20418", "qty": {"max": 2}}}]],
    )
    order: Literal["relative", "exact", "any"] = Field(
        "relative",
        description="relative: in this order, others may come between; exact: these and no others; any: in any order.",
        examples=["exact"],
    )
    match: Match | None = Field(
        None, description="How strictly inputs are compared here.", examples=[{"arguments": "exact"}]
    )
    never: Calls | None = Field(
        None, min_length=1, description="Calls that must not happen.", examples=[["start_return"]]
    )
    min_calls: Count | None = Field(None, ge=1, description="At least this many calls, whichever.", examples=[1])
    times: dict[str, AnyLimits] | None = Field(
        None,
        min_length=1,
        description="How often single tools are called; a number alone means exactly.",
        examples=[{"start_return": 1, "lookup_order": {"max": 3}}],
    )
    after: NeededLists | None = Field(
        None,
        min_length=1,
        description="TOOL: what must have come before each of its calls: a call that worked, or `consent`.",
        examples=[{"start_return": ["lookup_order", "consent"]}],
    )
    before: NeededLists | None = Field(
        None,
        min_length=1,
        description="TOOL: a call before which all its calls must come.",
        examples=[{"check_stock": "place_order"}],
    )
    recovers: Annotated[Recovers, BeforeValidator(_recovers, json_schema_input_type=bool | Recovers)] | None = Field(
        None,
        description="Each tool error is followed by a sound retry, or by a hand-over.",
        examples=[{"hand_over": ["hand_over"]}],
    )
    max_redundant: Count | None = Field(
        None, ge=0, description="At most this many calls repeat one with the same result.", examples=[0]
    )


class NoTools(ToolsExpect):
    """`tools: none`."""


_KEYS = ", ".join(ToolsExpect.model_fields)


def _tools(value: Any) -> Any:
    if value == "none":
        return NoTools.model_validate({})
    if isinstance(value, dict):
        if "order" in value and "calls" not in value:
            raise refusal("`order` says nothing without `calls`; add them, or remove it.", "order")
        if "match" in value and not value.keys() & {"calls", "never", "after", "before"}:
            raise refusal("`match` says nothing without calls to compare; add `calls`, or remove it.", "match")
        if not value:
            raise refusal(f"'tools' is empty; expected `none`, or {_KEYS}.")
        return value
    raise refusal(f"'tools' must be `none`, or a mapping of {_KEYS}.")


AnyTools = Annotated[ToolsExpect, BeforeValidator(_tools, json_schema_input_type=Literal["none"] | ToolsExpect)]


class Ended(FileModel):
    """How a conversation comes to its end."""

    called: ClassVar[str] = "ended"
    user_says: Text | None = Field(None, min_length=1, description="The last user message says this.", examples=["bye"])
    calls: Texts | None = Field(None, description="One of these tools was called.", examples=[["hand_over"]])

    @model_validator(mode="after")
    def _some_way(self) -> Ended:
        if self.user_says is None and self.calls is None:
            raise refusal("'ended' needs `user_says`, `calls` or both.")
        return self


class Outcome(FileModel):
    """What the conversation changed, and that it ended."""

    called: ClassVar[str] = "outcome"
    write_tools: Texts | None = Field(
        None, description="The tools that change something.", examples=[["start_return", "cancel_order"]]
    )
    writes: Calls | None = Field(
        None,
        description="The calls of these tools that worked, exactly these in any order; [] means nothing is changed.",
        examples=[[{"start_return": {"order_id": "TN-20418"}}]],
    )
    state: list[JsonMap] | None = Field(
        None,
        description="The records that the tools last returned, and no other record changed.",
        examples=[[{"order_id": "TN-20418", "status": "return requested"}]],
    )
    match: Literal["exact", "subset"] = Field(
        "exact", description="subset: records in `state` may have more keys.", examples=["subset"]
    )
    ids: Texts | None = Field(
        None, description="Keys that tell records apart, first come first; keys ending in _id when left out.",
        examples=[["order_id", "user_id"]],
    )  # fmt: skip
    ended: Ended | None = Field(None, description="How the conversation ends.", examples=[{"calls": ["hand_over"]}])

    @model_validator(mode="after")
    def _knows_writes(self) -> Outcome:
        asked = [key for key in ("writes", "state") if getattr(self, key) is not None]
        if asked and self.write_tools is None:
            raise refusal(f"`{asked[0]}` needs `write_tools`, the tools that change something.", asked[0])
        if not asked and self.ended is None:
            raise refusal("'outcome' needs one of writes, state, ended.")
        return self
