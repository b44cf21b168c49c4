"""The schema of `expect`: what a reply or a conversation must do.

Only the shape of the file; what each expectation means is in `compile.py`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evalkit.graders.registry import keys_of
from evalkit.suites.tools_schema import AnyTools, Outcome
from evalkit.yamlsource import FileModel, JsonMap, Text

Texts = Annotated[list[Text], Field(min_length=1)]


class VoiceExpect(FileModel):
    """Which brand-voice rules do not apply here."""

    called: ClassVar[str] = "voice"
    except_: Texts = Field(
        alias="except", description="Ids of rules of the voice file that are switched off here.", examples=[["brief"]]
    )


class TeamCheck(FileModel):
    """A grader of the team's own, registered by an installed package."""

    called: ClassVar[str] = "a team grader"
    grader: Text = Field(
        min_length=1, description="Its name in the entry point group evalkit.graders.", examples=["polite_close"]
    )
    with_: JsonMap = Field({}, alias="with", description="Its parameters.", examples=[{"words": 3}])
    level: Literal["error", "warning"] = Field(
        "error", description="error fails the trial; warning is counted and shown."
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
    judge: Texts | None = Field(
        None,
        description="Statements that a judge model must hold true; advice unless the suite's judge has `enforce`.",
        examples=[["Asks whether to open the return"]],
    )
    team: list[TeamCheck] | None = Field(
        None,
        min_length=1,
        description="Graders of the team's own.",
        examples=[[{"grader": "polite_close", "with": {"words": 3}}]],
    )
    voice: VoiceExpect | None = Field(
        None, description="Switches brand-voice rules off.", examples=[{"except": ["brief"]}]
    )
