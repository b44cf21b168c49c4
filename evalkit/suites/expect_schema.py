"""The schema of `expect`: what a reply or a conversation must do.

Only the shape of the file; what each expectation means is in `compile.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from evalkit.yamlsource import Count, FileModel, JsonMap, Text, refusal

_PATTERN = " A text between slashes (`/.../`) is a regular expression."
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


Calls = list[Annotated[Call, BeforeValidator(_call, json_schema_input_type=str | dict[str, dict[str, Any]])]]


class ToolsExpect(FileModel):
    """Which tools must, may and must not be called."""

    called: ClassVar[str] = "tools"
    calls: Calls | None = Field(
        None,
        min_length=1,
        description="Calls that must happen. Inputs are a subset match; texts between slashes are regular expressions.",
        examples=[["lookup_order", {"start_return": {"order_id": "TN-20418"}}]],
    )
    order: Literal["relative", "exact", "any"] = Field(
        "relative",
        description="relative: in this order, others may come between; exact: these and no others; any: in any order.",
        examples=["exact"],
    )
    never: Calls | None = Field(
        None, min_length=1, description="Calls that must not happen.", examples=[["start_return"]]
    )
    max_calls: Count | None = Field(None, ge=0, description="At most this many calls.", examples=[2])


class NoTools(ToolsExpect):
    """`tools: none`."""


def _tools(value: Any) -> Any:
    if value == "none":
        return NoTools.model_validate({})
    if isinstance(value, dict):
        if "order" in value and "calls" not in value:
            raise refusal("`order` says nothing without `calls`; add them, or remove it.", "order")
        if not value:
            raise refusal("'tools' is empty; expected `none`, or calls, order, never, max_calls.")
        return value
    raise refusal("'tools' must be `none`, or a mapping of calls, order, never, max_calls.")


class VoiceExpect(FileModel):
    """Which brand-voice rules do not apply here."""

    called: ClassVar[str] = "voice"
    except_: Texts = Field(
        alias="except", description="Ids of rules of the voice file that are switched off here.", examples=[["brief"]]
    )


class Expect(FileModel):
    """What must be true of the reply (in a turn), or of the whole conversation (in a case or suite)."""

    called: ClassVar[str] = "expect"
    refused: ClassVar[dict[str, str]] = {
        "judge": "not built yet: 'judge' (a model's verdict on a statement). Remove it, or use says/never_says.",
        "similar": "'similar' does not exist; name texts with says_any.",
    }
    says: Texts | None = Field(
        None,
        description="Each appears in the reply, ignoring case." + _PATTERN,
        examples=[["30 days", "/free( of charge)?/"]],
    )
    says_any: Texts | None = Field(
        None, description="At least one appears, ignoring case." + _PATTERN, examples=[["24 November", "tomorrow"]]
    )
    never_says: Texts | None = Field(
        None, description="None appears, ignoring case." + _PATTERN, examples=[["on its way", "/refund(ed)?/"]]
    )
    max_words: Count | None = Field(None, ge=1, description="No reply has more words.", examples=[90])
    tools: (
        Annotated[ToolsExpect, BeforeValidator(_tools, json_schema_input_type=Literal["none"] | ToolsExpect)] | None
    ) = Field(None, description="`none`, or which calls must and must not happen.", examples=["none"])
    voice: VoiceExpect | None = Field(
        None, description="Switches brand-voice rules off.", examples=[{"except": ["brief"]}]
    )
