"""The front matter of a prompt file: what it may say and what each key means.

The schema behind `evalkit schema prompt`. Must not know models, templates or the API's body; those read the values. How
a memory strategy works is `evalkit/engine/memory.py`'s business.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.prompts.inputs import InputValue
from evalkit.records import JsonObject, Problem
from evalkit.yamlsource import (
    Count,
    FileModel,
    Flag,
    JsonMap,
    Number,
    Source,
    SourceText,
    Text,
    check_schema,
    parse_yaml,
    refusal,
    unwrapped,
)

_INSTRUCTIONS = 16_384  # the API's own limit for instructions of a compaction


class SummaryMemory(FileModel):
    """When and how older turns are summarised."""

    called: ClassVar[str] = "memory.summary"
    above_tokens: Count = Field(
        30_000,
        ge=500,
        description="Summarise when a request would be longer than this, system prompt and tools included.",
        examples=[30000],
    )
    keep_turns: Count = Field(6, ge=1, le=1000, description="So many finished turns stay word for word.", examples=[6])
    tokens: Count = Field(1024, ge=64, le=32_000, description="Room for the summary, in tokens.", examples=[1024])
    instructions: Text = Field(
        "",
        max_length=_INSTRUCTIONS,
        description="What a summary must never leave out.",
        examples=["Keep every measurement with its room."],
    )
    in_: Literal["messages", "system"] = Field(
        "messages",
        alias="in",
        description="Where the summary stands: in the first message, or behind the system prompt. Both leave tools and "
        "system prompt in the cache.",
        examples=["system"],
    )


class CompactMemory(FileModel):
    """When the API shortens the conversation itself."""

    called: ClassVar[str] = "memory.compact"
    above_tokens: Count = Field(
        150_000, ge=50_000, description="Compact when the input is longer than this.", examples=[150000]
    )
    instructions: Text = Field(
        "",
        max_length=_INSTRUCTIONS,
        description="What the compacted text must never leave out.",
        examples=["Keep every order number."],
    )


class MemoryKey(FileModel):
    """One strategy with its settings."""

    called: ClassVar[str] = "memory"
    window: Count | None = Field(
        None, ge=1, le=10_000, description="Send only the last so many turns, the new one included.", examples=[20]
    )
    summary: SummaryMemory | None = Field(
        None, description="Fold older turns into a memory block that the model writes.", examples=[{"keep_turns": 6}]
    )
    compact: CompactMemory | None = Field(
        None, description="Leave it to the API (a beta).", examples=[{"above_tokens": 150000}]
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> MemoryKey:
        if len(self.model_fields_set) != 1 or not any((self.window, self.summary, self.compact)):
            raise refusal("memory is exactly one of window, summary, compact; or leave the key out.")
        return self

    def to_json(self) -> JsonObject:
        """Return the strategy with every value filled in, as PromptVersion has it."""
        return self.model_dump(exclude_none=True, by_alias=True)


def _memory(value: Any) -> Any:
    """Let `summary` and `compact` stand alone, with their own defaults; `none` is no memory."""
    if value == "none":
        return None
    return {value: {}} if value in ("summary", "compact") else value


Memory = Annotated[
    MemoryKey | None,
    BeforeValidator(_memory, json_schema_input_type=Literal["none", "summary", "compact"] | MemoryKey),
]


_RESERVED = frozenset(
    {"and", "or", "not", "in", "is", "if", "else", "for", "true", "false", "none", "True", "False", "None", "loop"}
    | {"range", "namespace"}
)
_FENCE = re.compile(r"---[ \t]*(\r\n|\r|\n|$)")
_END = re.compile(r"(?:^|(?<=[\r\n]))---[ \t]*(\r\n|\r|\n|$)")


class Thinking(FileModel):
    """How the model may think before it answers; the API's own object."""

    called: ClassVar[str] = "thinking"
    type: Literal["adaptive", "enabled", "disabled", "between_tools"] = Field(
        description="The kind of thinking; which ones a model takes is checked against a table.", examples=["adaptive"]
    )
    budget_tokens: Count | None = Field(
        None, ge=1024, description="Only with `enabled`: tokens for thinking, less than max_tokens.", examples=[2048]
    )
    display: Literal["summarized", "omitted"] | None = Field(
        None, description="Whether replies carry a summary of the thinking.", examples=["omitted"]
    )


class ToolChoice(FileModel):
    """Whether the model calls tools; `any` and `tool` hold for the first request of a turn, then it chooses itself."""

    called: ClassVar[str] = "tool_choice"
    refused: ClassVar[dict[str, str]] = {"name": "'name' is not a key here: force one tool with `tool: NAME`."}
    type: Literal["auto", "any", "none"] = Field(
        "auto",
        description="auto: the model decides; any: it calls some tool first; none: it calls none.",
        examples=["any"],
    )
    tool: Text | None = Field(None, min_length=1, description="It calls this tool first.", examples=["lookup_order"])
    disable_parallel_tool_use: Flag = Field(
        False, description="One call at a time; with `any` or `tool`, exactly one.", examples=[True]
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> ToolChoice:
        if self.tool and "type" in self.model_fields_set:
            raise refusal("`tool` names the tool to call and says it all; remove `type`.", "type")
        if self.type == "none" and self.disable_parallel_tool_use:
            raise refusal("no tool is called with `none`; remove `disable_parallel_tool_use`.")
        return self

    def to_json(self) -> JsonObject:
        """Return the API's own object."""
        choice: JsonObject = {"type": "tool", "name": self.tool} if self.tool else {"type": self.type}
        return {**choice, "disable_parallel_tool_use": True} if self.disable_parallel_tool_use else choice


AnyToolChoice = Annotated[
    ToolChoice,
    BeforeValidator(
        lambda value: {"type": value} if isinstance(value, str) else value,
        json_schema_input_type=Literal["auto", "any", "none"] | ToolChoice,
    ),
]


def _schema_or_file(value: Any) -> Any:
    value = unwrapped(value)
    if not isinstance(value, dict | str) or not value:
        raise refusal("'schema' is a JSON Schema, or the name of a file with one below the prompt's folder.")
    return value


class OutputKey(FileModel):
    """What a reply must be: JSON of a schema. The API holds the model to it; what does not fit is asked for again."""

    called: ClassVar[str] = "output"
    schema_: Annotated[Any, BeforeValidator(_schema_or_file, json_schema_input_type=dict[str, Any] | str)] = Field(
        alias="schema",
        description="A JSON Schema as strict tools have it, or a file with one, relative to the prompt's folder.",
        examples=[
            {
                "type": "object",
                "properties": {"urgent": {"type": "boolean"}},
                "required": ["urgent"],
                "additionalProperties": False,
            }
        ],
    )


AnyThinking = Annotated[
    Thinking,
    BeforeValidator(
        lambda value: {"type": value} if isinstance(value, str) else value, json_schema_input_type=str | Thinking
    ),
]


class Input(FileModel):
    """A value the prompt is filled with: a default, or `required: true`."""

    called: ClassVar[str] = "an input"
    default: InputValue = Field(
        None,
        description="Used where nothing else is given: text, number, true or false, list, mapping, or {file: ...}.",
        examples=["Tandle"],
    )
    required: Flag = Field(False, description="Every case, suite or chat must give it.", examples=[True])
    description: Text = Field("", description="What it is, for people.", examples=["The day of the conversation"])

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Input:
        if self.required == ("default" in self.model_fields_set):
            raise refusal("an input has either a default or `required: true`; write exactly one of them.")
        return self


def _input(value: Any) -> Any:
    """Take a plain value, a list and a file for the default; any other mapping says what the input is."""
    return value if isinstance(value, dict) and set(value) != {"file"} else {"default": value}


AnyInput = Annotated[Input, BeforeValidator(_input, json_schema_input_type=str | float | bool | list[Any] | Input)]


StopSequence = Annotated[Text, Field(pattern=r"\S")]
"""The API refuses one of nothing but white space."""


class Header(FileModel):
    """Front matter of `prompts/<name>/<version>.md`; the text below it is the system prompt, a Jinja template."""

    called: ClassVar[str] = "the front matter"
    refused: ClassVar[dict[str, str]] = {
        "name": "'name' is not a key: a prompt is named by its folder. Remove it.",
        "version": "'version' is not a key: a version is named by its file. Remove it.",
        "fallbacks": "not built yet: 'fallbacks'. Remove it.",
        "mcp_servers": "not built yet: 'mcp_servers'. Remove it.",
        "context_management": "not built yet: 'context_management'. Remove it.",
    }

    description: Text = Field(
        "",
        description="One line, shown in lists, reports and pull request comments.",
        examples=["Checks the order before answering anything about it."],
    )
    model: Text = Field(min_length=1, description="The model's id.", examples=["claude-sonnet-5-5"])
    max_tokens: Count = Field(
        1024, ge=1, description="At most this many tokens in one reply, thinking included.", examples=[700]
    )
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = Field(
        None, description="How hard the model works; the model's own default where it is left out.", examples=["medium"]
    )
    thinking: AnyThinking | None = Field(
        None, description="A kind of thinking, or the API's `thinking` object.", examples=["adaptive"]
    )
    output: OutputKey | None = Field(
        None,
        description="Every reply is JSON of a schema instead of text.",
        examples=[{"schema": {"type": "object", "properties": {}, "additionalProperties": False}}],
    )
    tool_choice: AnyToolChoice | None = Field(
        None,
        description="Whether tools are called: auto (as without it), any, none, or {tool: NAME}.",
        examples=[{"disable_parallel_tool_use": True}],
    )
    stop_sequences: Annotated[list[StopSequence], Field(min_length=1)] | None = Field(
        None, description="A reply ends before the first of these.", examples=[["###"]]
    )
    temperature: Number | None = Field(
        None,
        ge=0,
        le=1,
        description="How freely words are drawn; only for models up to 4.6, which are then asked under the API's older "
        "version 2023-06-01.",
        examples=[0.3],
    )
    top_p: Number | None = Field(
        None, ge=0, le=1, description="Draws from the most likely words up to this sum; as temperature.", examples=[0.9]
    )
    top_k: Count | None = Field(
        None, ge=0, description="Draws from so many of the most likely words; as temperature.", examples=[40]
    )
    cache: Literal["off", "5m", "1h"] = Field(
        "5m",
        description="Lifetime of the prompt cache, or off; `{# evalkit: cache here #}` in the text ends what is kept.",
        examples=["5m"],
    )
    memory: Memory = Field(
        None,
        description="How a long conversation is kept short: window, summary or compact; everything is sent without it.",
        examples=[{"window": 20}],
    )
    tools: list[Text] = Field(
        [],
        description="Files with one tool each, relative to the prompt's folder, in the order they are sent.",
        examples=[["tools/lookup_order.yaml"]],
    )
    inputs: dict[str, AnyInput] = Field(
        {},
        description="What the text may use: a value is the default (a mapping stands under `default`, a file below the "
        "prompt's folder is {file: ...}); or {required: true}.",
        examples=[{"shop": "Tandle", "articles": [], "today": {"required": True}}],
    )
    metadata: JsonMap = Field({}, description="Yours; never read and never sent.", examples=[{"owner": "support"}])


def split_header(text: SourceText) -> tuple[SourceText, SourceText] | None:
    """Return the front matter and the text below it, or None when the file does not begin with front matter."""
    opening = _FENCE.match(text.text)
    closing = _END.search(text.text, opening.end()) if opening else None
    if not opening or not closing:
        return None
    head = SourceText(text.file, text.text[opening.end() : closing.start()], text.sha, first_line=2)
    return head, text.part(closing.end())


def read_header(text: SourceText) -> tuple[Header | None, Source | None, list[Problem]]:
    """Return a prompt file's front matter, the YAML behind it, and all its problems."""
    parts = split_header(text)
    if parts is None:
        message = "has no front matter; expected `---`, `model: ...` and `---` above the text of the prompt."
        return None, None, [text.problem(text.place(0), message)]
    source = parse_yaml(parts[0])
    header, problems = check_schema(source, Header)
    problems = [*source.problems, *problems]
    for name in header.inputs if header else ():
        if not is_input_name(name):
            message = f"{name!r} can't be the name of an input; expected a letter, then letters, digits or _."
            problems.append(source.problem(("inputs", name), message, key=True))
    return header, source, problems


def is_input_name(name: str) -> bool:
    """Say whether a template could use an input of this name."""
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)) and name not in _RESERVED
