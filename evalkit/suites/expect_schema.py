"""The schema of `expect`: what a reply or a conversation must do.

Only the shape of the file; what each expectation means is in `compile.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.registry import keys_of
from evalkit.yamlsource import FileModel, Texts, refusal


class ToolsExpect(keys_of("tools")):  # type: ignore[misc]
    """Which tools must, may and must not be called."""

    called: ClassVar[str] = "tools"


class NoToolsExpect(ToolsExpect):
    """`tools: none`."""


_TOOLS_KEYS = ", ".join(ToolsExpect.model_fields)


def _tools(value: Any) -> Any:
    if value == "none":
        return NoToolsExpect.model_validate({})
    if isinstance(value, dict):
        if "order" in value and "calls" not in value:
            raise refusal("`order` says nothing without `calls`; add them, or remove it.", "order")
        if "match" in value and not value.keys() & {"calls", "never", "after", "before"}:
            raise refusal("`match` says nothing without calls to compare; add `calls`, or remove it.", "match")
        if not value:
            raise refusal(f"'tools' is empty; expected `none`, or {_TOOLS_KEYS}.")
        return value
    raise refusal(f"'tools' must be `none`, or a mapping of {_TOOLS_KEYS}.")


AnyTools = Annotated[ToolsExpect, BeforeValidator(_tools, json_schema_input_type=Literal["none"] | ToolsExpect)]


class OutcomeExpect(keys_of("outcome")):  # type: ignore[misc]
    """What the conversation changed, and that it ended."""

    called: ClassVar[str] = "outcome"

    @model_validator(mode="after")
    def _knows_writes(self) -> OutcomeExpect:
        asked = [key for key in ("writes", "state") if getattr(self, key) is not None]
        if asked and self.write_tools is None:
            raise refusal(f"`{asked[0]}` needs `write_tools`, the tools that change something.", asked[0])
        if not asked and self.ended is None:
            raise refusal("'outcome' needs one of writes, state, ended.")
        return self


class VoiceExpect(FileModel):
    """Which brand-voice rules do not apply here."""

    called: ClassVar[str] = "voice"
    except_: Texts = Field(
        alias="except", description="Ids of rules of the voice file that are switched off here.", examples=[["brief"]]
    )


class Expect(keys_of("")):  # type: ignore[misc]
    """What must be true of the reply (in a turn), or of the whole conversation (in a case or suite)."""

    called: ClassVar[str] = "expect"
    refused: ClassVar[dict[str, str]] = {
        "similar": "'similar' does not exist; name texts with says_any.",
    }
    tools: AnyTools | None = Field(
        None, description="`none`, or which calls must and must not happen.", examples=["none"]
    )
    outcome: OutcomeExpect | None = Field(
        None,
        description="What the conversation changed, and that it ended.",
        examples=[{"write_tools": ["start_return"], "writes": []}],
    )
    voice: VoiceExpect | None = Field(
        None, description="Switches brand-voice rules off.", examples=[{"except": ["brief"]}]
    )
