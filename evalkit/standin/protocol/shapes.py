"""Which keys each object of a request may have: content blocks, tools, settings, the body of each endpoint.

The models are data, each named after what the API calls it; pydantic holds requests against them strictly: no unknown
key, no number in a string. A key with a default may be null. They follow the request types of the Python SDK 2.12 and
the API reference of November 2026. What exists only with a beta is here too; validate.py refuses it without its beta.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError, WrapValidator
from pydantic_core import CoreSchema, core_schema

from evalkit.standin.errors import bad_request


def _pass(kind: type) -> WrapValidator:
    """Accept values of one type without a union, whose branches pydantic would name in the path of an error."""

    def validate(value: Any, inner: Callable[[Any], Any]) -> Any:
        return value if isinstance(value, kind) else inner(value)

    return WrapValidator(validate)


class _OnlyTag:
    """A union of one member: its tag is part of an error's path, as it is with more (`system.0.text.foo`)."""

    def __init__(self, tag: str) -> None:
        self._tag = tag

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.tagged_union_schema({self._tag: handler(source)}, discriminator="type")


_BY_TYPE = Field(discriminator="type")
_STRING, _FLAG = _pass(str), _pass(bool)
_CallId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
_ServerCallId = Annotated[str, Field(pattern=r"^srvtoolu_[a-zA-Z0-9_]+$")]
_Positive = Annotated[int, Field(ge=1)]
_NotNegative = Annotated[int, Field(ge=0)]
_Type = TypeVar("_Type")
_Value = TypeVar("_Value")
_Share = Annotated[float, Field(ge=0, le=1)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Bare(Shape, Generic[_Type]):
    type: _Type


class Amount(Shape, Generic[_Type, _Value]):
    type: _Type
    value: _Value


class Data(Shape, Generic[_Type, _Value]):
    type: _Type
    media_type: _Value
    data: str


class CacheControl(Shape):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Markable(Shape):
    cache_control: CacheControl | None = None


Base64Image = Data[Literal["base64"], Literal["image/jpeg", "image/png", "image/gif", "image/webp"]]
Base64Pdf = Data[Literal["base64"], Literal["application/pdf"]]
PlainText = Data[Literal["text"], Literal["text/plain"]]


class ContentSource(Shape):
    type: Literal["content"]
    content: Annotated[list[ResultPart], _STRING]


class Url(Shape):
    type: Literal["url"]
    url: str


class File(Shape):
    type: Literal["file"]
    file_id: str


class Citations(Shape):
    enabled: bool | None = None


class Text(Markable):
    type: Literal["text"]
    text: str
    citations: list[Any] | None = None


class Image(Markable):
    type: Literal["image"]
    source: Annotated[Base64Image | Url | File, _BY_TYPE]
    transformations: list[Any] | None = None


class Document(Markable):
    type: Literal["document"]
    source: Annotated[Base64Pdf | PlainText | ContentSource | Url | File, _BY_TYPE]
    title: str | None = None
    context: str | None = None
    citations: Citations | None = None


class SearchResult(Markable):
    type: Literal["search_result"]
    source: str
    title: str
    content: list[Annotated[Text, _OnlyTag("text")]]
    citations: Citations | None = None


class ToolReference(Markable):
    type: Literal["tool_reference"]
    tool_name: str


ResultPart = Annotated[Text | Image | Document | SearchResult | ToolReference, _BY_TYPE]


class ToolResult(Markable):
    type: Literal["tool_result"]
    tool_use_id: _CallId
    content: Annotated[list[ResultPart], _STRING] | None = None
    is_error: bool | None = None
    toolset_name: str | None = None


class ContainerUpload(Markable):
    type: Literal["container_upload"]
    file_id: str


class Thinking(Shape):  # the one block beside redacted_thinking that can't carry a cache marker
    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinking(Shape):
    type: Literal["redacted_thinking"]
    data: str


class ToolUse(Markable):
    type: Literal["tool_use"]
    id: _CallId
    name: str
    input: dict[str, Any]
    caller: dict[str, Any] | None = None
    toolset_name: str | None = None


class ServerToolUse(Markable):
    type: Literal["server_tool_use"]
    id: _ServerCallId
    name: str
    input: dict[str, Any]
    caller: dict[str, Any] | None = None


ServerResultType = Literal[
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
]


class ServerResult(Markable):
    type: ServerResultType
    tool_use_id: _ServerCallId
    content: Any
    caller: dict[str, Any] | None = None


class Compaction(Markable):
    type: Literal["compaction"]
    content: str | None = None
    encrypted_content: str | None = None
    signature: str | None = None
    tool_changes: list[Any] | None = None


UserBlock = Text | Image | Document | SearchResult | ToolResult | ContainerUpload
AssistantBlock = Text | Thinking | RedactedThinking | ToolUse | ServerToolUse | ServerResult


class Message(Shape):
    role: Literal["user", "assistant", "system"]
    content: Annotated[list[Annotated[UserBlock | AssistantBlock | Compaction, _BY_TYPE]], _STRING]
    clear_at: Literal["next_user_message", "never"] | None = None


class Binding(Shape):
    prefix_mismatch_behavior: Literal["error", "drop_block"] | None = None


class ThinkingOn(Shape):
    type: Literal["adaptive", "between_tools"]
    display: Literal["summarized", "omitted", "updates"] | None = None
    block_binding: Binding | None = None


class ThinkingBudget(ThinkingOn):
    type: Literal["enabled"]  # type: ignore[assignment]
    budget_tokens: Annotated[int, Field(ge=1024)]


class AnyTool(Shape):
    type: Literal["auto", "any"]
    disable_parallel_tool_use: bool | None = None


class NamedTool(Shape):
    type: Literal["tool"]
    name: str
    disable_parallel_tool_use: bool | None = None


class JsonFormat(Shape):
    type: Literal["json_schema"]
    json_schema: dict[str, Any] = Field(alias="schema")


class TaskBudget(Shape):
    type: str
    total: _Positive
    remaining: _NotNegative | None = None


class OutputConfig(Shape):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None
    task_budget: TaskBudget | None = None


InputTokens = Amount[Literal["input_tokens"], _Positive]
LongPrompt = Amount[Literal["input_tokens"], Annotated[int, Field(ge=50_000)]]
ToolUses = Amount[Literal["tool_uses"], _Positive]
KeptToolUses = Amount[Literal["tool_uses"], _NotNegative]
ThinkingTurns = Amount[Literal["thinking_turns"], _Positive]


class ClearToolUses(Shape):
    type: Literal["clear_tool_uses_20250919"]
    trigger: Annotated[InputTokens | ToolUses, _BY_TYPE] | None = None
    keep: Annotated[KeptToolUses, _OnlyTag("tool_uses")] | None = None
    clear_at_least: Annotated[InputTokens, _OnlyTag("input_tokens")] | None = None
    exclude_tools: list[str] | None = None
    clear_tool_inputs: Annotated[list[str], _FLAG] | None = None


class ClearThinking(Shape):
    type: Literal["clear_thinking_20251015"]
    keep: Annotated[ThinkingTurns | Bare[Literal["all"]], _BY_TYPE, _STRING] | None = None


class CompactAtThreshold(Shape):
    type: Literal["compact_20260112"]
    trigger: Annotated[LongPrompt, _OnlyTag("input_tokens")] | None = None
    instructions: str | None = None
    pause_after_compaction: bool | None = None


class ContextManagement(Shape):
    edits: list[Annotated[ClearToolUses | ClearThinking | CompactAtThreshold, _BY_TYPE]] | None = None


class Summarize(Shape):
    type: Literal["summarize"]
    instructions: str | None = None


class CountBody(Markable):
    model: str
    messages: list[Message]
    system: Annotated[list[Annotated[Text, _OnlyTag("text")]], _STRING] | None = None
    tools: list[dict[str, Any]] | None = None  # tools.py holds each against one of the three below
    tool_choice: Annotated[AnyTool | NamedTool | Bare[Literal["none"]], _BY_TYPE] | None = None
    thinking: Annotated[ThinkingOn | ThinkingBudget | Bare[Literal["disabled"]], _BY_TYPE] | None = None
    output_config: OutputConfig | None = None
    speed: Literal["standard", "fast"] | None = None
    context_management: ContextManagement | None = None
    compaction: Annotated[Summarize, _OnlyTag("summarize")] | None = None
    thread: Any = None
    mcp_servers: Any = None
    fallbacks: Any = None
    fallback_credit_token: Any = None
    billing_policy: Any = None


class Metadata(Shape):
    user_id: str | None = None


class PreviousMessage(Shape):
    previous_message_id: str | None = None


class MessagesBody(CountBody):
    max_tokens: _NotNegative
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    inference_geo: str | None = None
    container: Annotated[dict[str, Any], _STRING] | None = None
    diagnostics: PreviousMessage | None = None
    temperature: _Share | None = None  # these three under version 2023-06-01 only
    top_p: _Share | None = None
    top_k: _NotNegative | None = None


class BatchItem(Shape):
    model_config = ConfigDict(extra="ignore")  # `x_evalkit` stands in it too
    custom_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    params: dict[str, Any]  # checked only when the batch is worked off, as on the API


class BatchBody(Shape):
    requests: Annotated[list[BatchItem], Field(min_length=1)]


class InputSchema(Shape):
    model_config = ConfigDict(extra="ignore")
    type: Literal["object"]


class CustomTool(Markable):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    input_schema: InputSchema
    type: Literal["custom"] | None = None
    description: str | None = None
    strict: bool | None = None
    eager_input_streaming: bool | None = None
    input_examples: list[dict[str, Any]] | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None


class ApiToolset(Markable):
    model_config = ConfigDict(extra="ignore")  # what else the API's own tools take is not modelled
    type: str


class ApiTool(ApiToolset):
    name: str


def types_of(union: Any) -> frozenset[str]:
    """Return the values of `type` in a union of blocks."""
    return frozenset(tag for block in get_args(union) for tag in get_args(block.model_fields["type"].annotation))


def check_shape(value: object, shape: type[Shape], place: str = "") -> None:
    """Raise the API's 400 for the first thing in `value` that does not fit; `place` leads its path."""
    try:
        shape.model_validate(value)
    except ValidationError as error:
        # the API's words are pydantic's, but for what a Python caller would be told
        first = error.errors(include_url=False, include_input=False)[0]
        path = [each for each in (place, *map(str, first["loc"])) if each]
        words = first["msg"]
        if first["type"] == "union_tag_not_found":
            path, words = [*path, "type"], "Field required"
        elif first["type"] in {"model_type", "model_attributes_type"}:
            words = "Input should be a valid dictionary"
        raise bad_request(f"{'.'.join(path) or 'body'}: {words}") from error
