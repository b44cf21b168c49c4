"""Replies that end differently from what the client hoped for, and streams whose events say something is wrong.

Functions of a Reply or of the events of a stream; nothing here touches a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from evalkit.standin.reply import JsonObject, Reply

ReplyEdit = Callable[[Reply, JsonObject], Reply]
EventsEdit = Callable[[list[JsonObject]], list[JsonObject]]
OVERLOADED_EVENT: JsonObject = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
BROKEN_INPUT = '{"standin": tru3}'


def refusal(reply: Reply, _request: JsonObject) -> Reply:
    """Refuse after the first half of the text."""
    texts = [block for block in reply.content if block["type"] == "text"][:1]
    content = tuple({**block, "text": _half(block["text"])} for block in texts)
    return _refused(content)


def refusal_mid_tool(reply: Reply, request: JsonObject) -> Reply:
    """Refuse although a tool call is already part of the reply; it must not be run."""
    return _refused(with_tool_call(reply, request).content)


def _refused(content: tuple[JsonObject, ...]) -> Reply:
    explanation = "The stand-in was told to refuse."
    details = {"type": "refusal", "category": "general_harms", "explanation": explanation}
    return Reply(content, "refusal", details)


def max_tokens_mid_tool(reply: Reply, request: JsonObject) -> Reply:
    """Run out of tokens inside the JSON of a tool call, or inside the text where the request has no tools."""
    called = with_tool_call(reply, request)
    if called.stop_reason == "tool_use":
        return replace(called, stop_reason="max_tokens", cut_input_after=8)
    return _cut_text(reply, "max_tokens")


def context_exceeded(reply: Reply, _request: JsonObject) -> Reply:
    """Run out of the model's context window inside the text."""
    return _cut_text(reply, "model_context_window_exceeded")


def pause_turn(reply: Reply, _request: JsonObject) -> Reply:
    """Pause in the middle of a server-side tool; the client sends the content back to go on."""
    texts = tuple(block for block in reply.content if block["type"] == "text")
    search = {
        "type": "server_tool_use",
        "name": "web_search",
        "input": {"query": "stand-in"},
        "caller": {"type": "direct"},
    }
    return Reply((*texts, search), "pause_turn")


def empty_end_turn(_reply: Reply, _request: JsonObject) -> Reply:
    """End the turn without saying anything."""
    return Reply((), "end_turn")


def with_tool_call(reply: Reply, request: JsonObject) -> Reply:
    """Return the reply up to its first tool call, or with a call of the request's first tool added if it has none."""
    for index, block in enumerate(reply.content):
        if block["type"] == "tool_use":
            return Reply(reply.content[: index + 1], "tool_use")
    tool = next((each for each in request.get("tools") or () if "input_schema" in each), None)
    if tool is None:
        return reply
    properties = tool["input_schema"].get("properties") or {"standin": {}}
    call = {"type": "tool_use", "name": tool["name"], "input": dict.fromkeys(properties, "stand-in")}
    return Reply((*reply.content, call), "tool_use")


def overloaded_mid_stream(events: list[JsonObject]) -> list[JsonObject]:
    """Break off with an error event behind the first deltas."""
    return [*events[: _behind_first_deltas(events)], OVERLOADED_EVENT]


def error_first_event(_events: list[JsonObject]) -> list[JsonObject]:
    """Send nothing but an error event."""
    return [OVERLOADED_EVENT]


def error_after_stop(events: list[JsonObject]) -> list[JsonObject]:
    """Send an error event behind a complete message."""
    return [*events, OVERLOADED_EVENT]


def bad_tool_json(events: list[JsonObject]) -> list[JsonObject]:
    """Replace the input of every tool call by something that is not JSON."""
    edited: list[JsonObject] = []
    for event in events:
        delta = event.get("delta", {})
        if delta.get("type") != "input_json_delta":
            edited.append(event)
        elif delta["partial_json"] == "" or edited[-1]["type"] == "content_block_start":
            edited.append({**event, "delta": {**delta, "partial_json": BROKEN_INPUT}})
    return edited


def _behind_first_deltas(events: Sequence[JsonObject]) -> int:
    deltas = [index for index, event in enumerate(events) if event["type"] == "content_block_delta"]
    return deltas[min(2, len(deltas) - 1)] + 1 if deltas else 1


def _cut_text(reply: Reply, stop_reason: str) -> Reply:
    texts = [block for block in reply.content if block["type"] == "text"][:1]
    return Reply(tuple({**block, "text": _half(block["text"])} for block in texts), stop_reason)


def _half(text: str) -> str:
    return text[: (len(text) + 1) // 2]
