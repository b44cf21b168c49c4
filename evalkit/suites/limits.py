"""What a run is measured by, as a suite writes it: budgets, the gate, and the judge."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.registry import keys_of
from evalkit.records import UNLABELLED, Enforce
from evalkit.yamlsource import Count, FileModel, Flag, Number, Text, refusal, shown, unwrapped

HELPING_MODEL = "claude-haiku-5-5"
"""Judges replies and plays users unless a suite names another model."""
MOST_VOTES = 9


class BudgetFile(keys_of("budget")):  # type: ignore[misc]
    """Limits of one trial; a case overrides the suite's key by key."""

    called: ClassVar[str] = "budget"


class IncreaseFile(FileModel):
    """How much more than the baseline a case may use on average, as a share: 0.1 is ten percent.

    The run fails when the increase is proven to be larger.
    """

    called: ClassVar[str] = "max_increase"
    cost_usd: Number | None = Field(None, ge=0, description="Dollars a conversation.", examples=[0.1])
    output_tokens: Number | None = Field(None, ge=0, description="Tokens written a conversation.", examples=[0.2])
    total_ms: Number | None = Field(
        None, ge=0, description="Time a conversation; only where both versions are played side by side.", examples=[0.5]
    )


class GateFile(FileModel):
    """When a run of this suite fails as a whole."""

    called: ClassVar[str] = "gate"
    pass_rate: Number | None = Field(None, ge=0, le=1, description="Share of cases that must pass.", examples=[0.9])
    cost_usd: Number | None = Field(None, gt=0, description="The whole run costs at most this.", examples=[0.6])
    time: Text | None = Field(
        None, pattern=r"^[0-9]+(\.[0-9]+)?(s|m|h)$", description="The whole run takes at most this.", examples=["10m"]
    )
    max_regressions: Count | None = Field(
        None,
        ge=0,
        description="How many cases may be clearly worse than the baseline; the suite then needs one (evalkit bless).",
        examples=[0],
    )
    max_increase: IncreaseFile | None = Field(
        None, description="How much more than the baseline a case may use on average.", examples=[{"cost_usd": 0.1}]
    )
    trade_offs: Flag | None = Field(
        None, description="true: cases may break as long as the suite as a whole is not worse.", examples=[True]
    )
    adaptive: Flag | None = Field(
        None,
        description="false: every case gets five rounds at least and one look decides; no stages.",
        examples=[False],
    )
    resolve: Flag | None = Field(
        None,
        description="true: where the first look can't exclude a drop of 5 points, more rounds are played.",
        examples=[True],
    )
    max_trials: Count | None = Field(
        None,
        ge=1,
        description="A comparison plays at most this many trials: a stage that does not fit is not begun. "
        "With several suites their limits add up, and a suite without one has none.",
        examples=[300],
    )


def _enforce(value: Any) -> Any:
    plain = unwrapped(value)
    if isinstance(plain, bool) or plain == UNLABELLED:
        return plain
    raise refusal(f"expected true, false or {UNLABELLED}, not {shown(str(plain))}.")


class JudgeFile(FileModel):
    """The model that answers the suite's judge criteria."""

    called: ClassVar[str] = "judge"
    model: Text = Field(
        HELPING_MODEL, min_length=1, description="The model that is asked.", examples=["claude-haiku-5-5"]
    )
    enforce: Annotated[Enforce, BeforeValidator(_enforce)] = Field(
        False,
        description="Whether a no fails a trial. true: it may, as 50 labels and agreement 0.85 on each criterion show "
        "that people agree with the judge (evalkit label); the way to go. unlabelled: it may although nothing shows "
        "that, and every verdict says so.",
        examples=["unlabelled"],
    )
    votes: Count = Field(
        1, ge=1, le=MOST_VOTES, description="How often each question is asked at most; the majority decides.",
        examples=[3],
    )  # fmt: skip

    @model_validator(mode="after")
    def _has_a_majority(self) -> JudgeFile:
        if self.votes % 2 == 0:
            raise refusal(f"{self.votes} votes can be split; expected an odd number.", "votes")
        return self
