"""The schema of `expect`: what a reply or a conversation must do.

Only the shape of the file; what each expectation means is in `compile.py`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evalkit.graders.registry import keys_of
from evalkit.suites.tools_schema import AnyTools, Outcome
from evalkit.yamlsource import FileModel, Text

Texts = Annotated[list[Text], Field(min_length=1)]


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
    outcome: Outcome | None = Field(
        None,
        description="What the conversation changed, and that it ended.",
        examples=[{"write_tools": ["start_return"], "writes": []}],
    )
    voice: VoiceExpect | None = Field(
        None, description="Switches brand-voice rules off.", examples=[{"except": ["brief"]}]
    )
