"""The format of a suite file, key by key; behind `evalkit schema suite`.

Only the shape: which keys there are, their types, limits and examples. What a reply or conversation must do is made
from the keys of all graders; here is only what holds between those keys. What needs another key, file or place to be
checked is in `compiler.py`, `load.py` and `check.py`; `limits.py` has budgets, gate and judge.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.graders.registry import keys_of
from evalkit.prompts.inputs import InputValue
from evalkit.suites.limits import HELPING_MODEL, BudgetFile, GateFile, JudgeFile
from evalkit.suites.messages import HistoryEntry, Message, PartFile
from evalkit.suites.rows import RowsFile
from evalkit.world import WorldFile
from evalkit.yamlsource import Count, FileModel, Flag, Json, JsonMap, Number, Text, Texts, refusal


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
    """What the conversation changed, and what closed it."""

    called: ClassVar[str] = "outcome"

    @model_validator(mode="after")
    def _demands_something(self) -> OutcomeExpect:
        if self.writes is None and self.state is None and self.closed_by is None:
            raise refusal("'outcome' needs one of writes, state, closed_by.")
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
        description="What the conversation changed, and what closed it.",
        examples=[{"write_tools": ["start_return"], "writes": []}],
    )
    voice: VoiceExpect | None = Field(
        None, description="Switches brand-voice rules off.", examples=[{"except": ["brief"]}]
    )


MAX_DELAY_MS = 10_000
MAX_TRIALS = 1_000
_JUDGE = "'judge' names the judge of a whole suite; in a case, criteria stand in expect: {judge: [...]}."
_SIMULATE = "'simulate' belongs to a case: simulate: {goal: ..., persona: ...}."


class FixtureFile(FileModel):
    """One answer of a tool."""

    called: ClassVar[str] = "a tool's answer"
    when: JsonMap = Field(
        {},
        description="Answers calls whose input contains this; every call when left out.",
        examples=[{"order_id": "TN-1"}],
    )
    returns: Json = Field(None, description="The result, any JSON value.", examples=[{"status": "delivered"}])
    error: Text | None = Field(
        None, min_length=1, description="The tool fails with this message.", examples=["upstream timeout"]
    )
    times: Count | None = Field(
        None,
        ge=1,
        le=1000,
        description="Answers only this many calls; then the next entry that fits does.",
        examples=[1],
    )
    delay_ms: Count = Field(0, ge=0, le=MAX_DELAY_MS, description="Milliseconds the tool takes.", examples=[200])

    @model_validator(mode="after")
    def _answers_once(self) -> FixtureFile:
        if ("returns" in self.model_fields_set) == ("error" in self.model_fields_set):
            raise refusal("an answer has either `returns` or `error`; write exactly one of them.")
        return self


Fixtures = dict[str, list[FixtureFile]]


class SimulateFile(FileModel):
    """A user that a model plays."""

    called: ClassVar[str] = "simulate"
    goal: Text = Field(
        min_length=1,
        description="What the user wants to reach, and what they know.",
        examples=["Return the rain jacket of order TN-20418, because it is too small."],
    )
    persona: Text = Field("", description="Who the user is and how they write.", examples=["In a hurry, writes little"])
    max_turns: Count = Field(8, ge=1, le=50, description="At most this many messages of the user.", examples=[6])
    model: Text = Field(
        HELPING_MODEL, min_length=1, description="The model that plays the user.", examples=["claude-haiku-5-5"]
    )
    stand_in: list[Annotated[Text, Field(min_length=1)]] = Field(
        [],
        max_length=50,
        description="What the user says on the stand-in, message by message; the goal when left out.",
        examples=[["I want to return a jacket.", "TN-20418"]],
    )


class TurnFile(FileModel):
    """A user message, and what the reply must do."""

    called: ClassVar[str] = "a turn"
    user: Message = Field(
        description="What the user says: a text, or a list of texts, pictures and documents.",
        examples=["Where is my parcel?", [{"text": "Is this covered?"}, {"image": "photos/dent.png"}]],
    )
    expect: Expect | None = Field(None, description="About this turn.", examples=[{"says": ["Northpost"]}])


Inputs = dict[str, InputValue]
_IN_INPUTS = "text, a number, true or false, a list, a mapping, or {file: ../docs/a.md} for the text of a file."


class VariantFile(FileModel):
    """One way of saying a case's message, or one user who says it."""

    called: ClassVar[str] = "a variant"
    user: Message = Field(
        description="What the user says: a text, or a list of texts, pictures and documents.", examples=["parcel??"]
    )
    inputs: Inputs = Field(
        {}, description="Inputs of the prompt here, over those of the case.", examples=[{"plan": "team"}]
    )


AnyVariant = Annotated[
    VariantFile,
    BeforeValidator(
        lambda value: value if isinstance(value, dict) else {"user": value},
        json_schema_input_type=str | list[PartFile] | VariantFile,
    ),
]


class ScriptedCall(FileModel):
    """A tool call the stand-in makes."""

    called: ClassVar[str] = "a scripted call"
    call: Text = Field(description="The tool's name.", examples=["lookup_order"])
    input: JsonMap = Field({}, description="Its input.", examples=[{"order_id": "TN-40000"}])


class StepFile(FileModel):
    """What the stand-in does in one reply."""

    called: ClassVar[str] = "a stand_in step"
    call: Text | None = Field(None, description="Calls this tool.", examples=["lookup_order"])
    input: JsonMap | None = Field(None, description="The call's input.", examples=[{"order_id": "TN-40000"}])
    calls: list[ScriptedCall] | None = Field(
        None, min_length=1, description="Calls several tools at once.", examples=[[{"call": "lookup_order"}]]
    )
    say: Text | None = Field(None, description="Says this.", examples=["Your parcel is on its way."])
    fault: Text | None = Field(None, description="Fails in this way.", examples=["overloaded_mid_stream"])
    times: Count | None = Field(
        None, ge=1, le=100, description="How many attempts fail; all when left out.", examples=[1]
    )

    @model_validator(mode="after")
    def _does_one_thing(self) -> StepFile:
        done = [name for name in ("call", "calls", "say", "fault") if getattr(self, name) is not None]
        if len(done) != 1:
            raise refusal("a stand_in step does one thing: call, calls, say or fault.")
        if self.input is not None and done != ["call"]:
            raise refusal("`input` belongs to `call`.", "input")
        if self.times is not None and done != ["fault"]:
            raise refusal("`times` belongs to `fault`.", "times")
        return self


def _reason(value: Any) -> Any:
    if not isinstance(value, str):
        raise refusal("'skip' needs its reason as text, such as skip: \"waits for the new returns policy\".")
    return value


class CaseFile(FileModel):
    """A conversation and what must be true of it."""

    called: ClassVar[str] = "case"
    refused: ClassVar[dict[str, str]] = {"judge": _JUDGE}
    id: Text = Field(
        pattern=r"^[\w][\w.+/-]{0,119}$",
        description="Its name for ever: unique in the file; letters, digits and . _ - + /",
        examples=["return-inside-window"],
    )
    rows: Text | RowsFile | None = Field(
        None,
        description="A table, CSV or JSON Lines: the case is played once for each of its rows, with `{{ column }}` "
        "filled in wherever it stands in a value of the case. Alone in a value it is the row's value with its type, "
        "inside a text it is put in as it was typed. The id needs the column that tells rows apart.",
        examples=["loans.csv"],
    )
    tags: list[Text] = Field([], description="Words to select cases by.", examples=[["returns", "smoke"]])
    critical: Flag = Field(False, description="All trials must pass, and its failure fails the run.", examples=[True])
    gate: Flag = Field(True, description="false: watched, never gated.", examples=[False])
    skip: Annotated[Text, BeforeValidator(_reason)] | None = Field(
        None, min_length=1, description="Why it is not run.", examples=["waits for the new policy"]
    )
    user: Message | None = Field(
        None,
        description="One message, one turn: a text, or a list of texts, pictures and documents.",
        examples=["Where is TN-20977?", [{"text": "Is this covered?"}, {"image": "photos/dent.png"}]],
    )
    turns: list[TurnFile] | None = Field(
        None, min_length=1, description="Several turns.", examples=[[{"user": "Hello"}, {"user": "And now?"}]]
    )
    variants: list[AnyVariant] | None = Field(
        None, min_length=1, description="The same message said in several ways, or with other inputs: cases ID/1, "
        "ID/2, ... of one cluster.",
        examples=[["Where is my parcel?", {"user": "parcel??", "inputs": {"plan": "team"}}]],
    )  # fmt: skip
    inputs: Inputs = Field(
        {},
        description=f"Inputs of the prompt here, over the suite's: {_IN_INPUTS}",
        examples=[{"plan": "free", "articles": [{"title": "Limits", "text": {"file": "docs/limits.md"}}]}],
    )
    simulate: SimulateFile | None = Field(
        None, description="A model plays the user.", examples=[{"goal": "Return the jacket of TN-20418."}]
    )
    cluster: Text | None = Field(
        None, min_length=1, description="Cases that stand or fall together share one.", examples=["parcel-20977"]
    )
    history: list[HistoryEntry] = Field(
        [],
        description="What was said before the first turn, with the tool calls that were made.",
        examples=[[{"user": "Hello"}, {"assistant": "Hello."}]],
    )
    tools: Fixtures = Field(
        {}, description="What tools answer here, before the suite's answers.",
        examples=[{"lookup_order": [{"error": "timeout"}]}],
    )  # fmt: skip
    world: WorldFile | None = Field(
        None,
        description="What is different here in the suite's world, or a world of its own.",
        examples=[{"entities": {"booking": {"KX4P2A": {"status": "cancelled"}}}}],
    )
    budget: BudgetFile | None = Field(None, description="Limits of a trial here.", examples=[{"requests": 5}])
    expect: Expect | None = Field(None, description="About the whole conversation.", examples=[{"tools": "none"}])
    trials: Count | None = Field(
        None,
        ge=1,
        le=MAX_TRIALS,
        description="How often it is played; a critical case that leaves it out is played five times at least wherever "
        "the run is compared with a baseline.",
        examples=[5],
    )
    min_pass: Count | None = Field(None, ge=1, description="How many trials must pass.", examples=[4])
    min_rate: Number | None = Field(
        None, gt=0, lt=1, description="The pass rate that a critical case's clean trials are to prove; the report says "
        "how many that takes.", examples=[0.95],
    )  # fmt: skip
    stand_in: list[StepFile] = Field(
        [],
        description="What the stand-in does here, reply by reply; ignored live.",
        examples=[[{"say": "It has shipped."}]],
    )
    from_: Text | None = Field(None, alias="from", description="Where the case came from.", examples=["logs/a.jsonl#3"])

    @model_validator(mode="after")
    def _one_way_to_speak(self) -> CaseFile:
        given = [name for name in ("user", "turns", "variants", "simulate") if getattr(self, name) is not None]
        if len(given) > 1:
            named = " and ".join(given)
            raise refusal(f"a case has one of user, turns, variants, simulate; case {self.id!r} has {named}.")
        return self


class SuiteFile(FileModel):
    """Cases for one prompt, and what their conversations must do."""

    called: ClassVar[str] = "the suite"
    refused: ClassVar[dict[str, str]] = {"simulate": _SIMULATE}
    description: Text = Field("", description="One line about what is tested.", examples=["Returns and late parcels"])
    prompt: Text = Field(
        min_length=1,
        description="NAME, NAME@v4 or NAME@<git revision>; NAME is the version in CURRENT.",
        examples=["support"],
    )
    voice: Text | None = Field(
        None, min_length=1, description="The brand-voice file, relative to this file.", examples=["voice.yaml"]
    )
    inputs: Inputs = Field(
        {},
        description=f"Inputs of the prompt, pinned so that a run means the same next month: {_IN_INPUTS}",
        examples=[{"today": "2026-11-22"}],
    )
    trials: Count = Field(3, ge=1, le=MAX_TRIALS, description="How often each case is played.", examples=[3])
    min_pass: Count | None = Field(
        None,
        ge=1,
        description="How many trials must pass for a case to pass; more than half when left out.",
        examples=[2],
    )
    gate: GateFile | None = Field(None, description="When the run fails as a whole.", examples=[{"pass_rate": 0.9}])
    judge: JudgeFile | None = Field(
        None, description="The model that answers judge criteria.", examples=[{"model": "claude-haiku-5-5"}]
    )
    budget: BudgetFile | None = Field(None, description="Limits of every trial.", examples=[{"cost_usd": 0.02}])
    tools: Fixtures = Field(
        {}, description="What the tools answer. The first entry that fits does.",
        examples=[{"lookup_order": [{"when": {"order_id": "TN-1"}, "returns": {"status": "delivered"}}]}],
    )  # fmt: skip
    world: WorldFile | None = Field(
        None,
        description="Entities, and the tools that read and write them; every trial begins with it anew.",
        examples=[
            {
                "entities": {"booking": {"KX4P2A": {"seat": "14C"}}},
                "tools": {"get_booking": {"get": "booking", "by": "input.code"}},
            }
        ],
    )
    expect: Expect | None = Field(None, description="About every case.", examples=[{"never_says": ["as an AI"]}])
    shared: Json = Field(
        None,
        description="Values that are written once, with an anchor (`&name`), and used further down by alias (`*name`) "
        "or merge key (`<<: *name`). Nothing is read of them here.",
        examples=[{"polite": {"never_says": ["you must"]}}],
    )
    cases: list[CaseFile] = Field(description="The cases.", examples=[[{"id": "greeting", "user": "Hello"}]])
