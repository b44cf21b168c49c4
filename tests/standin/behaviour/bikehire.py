"""A second project, so that behaviour is tested on a prompt and tools it was not tuned with: a bike hire in Ghent."""

from __future__ import annotations

import json
from typing import Any

from evalkit.standin.behaviour import answer
from evalkit.standin.reply import Reply

INTRO = "You are the desk assistant of Spoke, a bike hire. You help riders with bookings and bikes."
QUIET = (
    "Never use emoji. Never use exclamation marks. Plain text only, no markdown. Answer first. Keep replies short, "
    'for example two sentences. Never say "sorry for any inconvenience", without exception. Ask one question at a time.'
)
TOOLS: list[dict[str, Any]] = [
    {
        "name": "find_booking",
        "description": "Find a booking: which bike, when it starts and ends, and its deposit.",
        "input_schema": {
            "type": "object",
            "properties": {"booking_id": {"type": "string", "description": "Booking id, such as 'GH/4417'"}},
            "required": ["booking_id"],
        },
    },
    {
        "name": "cancel_booking",
        "description": "Cancel a booking for a rider.",
        "input_schema": {
            "type": "object",
            "properties": {
                "booking_id": {"type": "string", "description": "Booking id, such as 'GH/4417'"},
                "notify": {"type": "boolean"},
            },
            "required": ["booking_id", "notify"],
        },
    },
    {
        "name": "escalate_to_staff",
        "description": "Pass the conversation to a person at the desk. Use it when a rider asks for a person.",
        "input_schema": {
            "type": "object",
            "properties": {"note": {"type": "string"}, "urgent": {"type": "boolean"}},
            "required": ["note", "urgent"],
        },
    },
]
BOOKING = {"booking_id": "GH/4417", "bike": "cargo bike", "starts_on": "2026-11-25", "deposit_eur": 80}


def ask(system: str, *messages: dict[str, Any] | str, trial: int = 1) -> Reply:
    """Answer a conversation; strings are user and assistant texts in turn."""
    roles = ("user", "assistant")
    listed = [
        {"role": roles[number % 2], "content": message} if isinstance(message, str) else message
        for number, message in enumerate(messages)
    ]
    return answer({"model": "m", "system": system, "tools": TOOLS, "messages": listed}, trial, [])


def called(name: str, given: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """Return an assistant message with one tool call."""
    block = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}
    return {"role": "assistant", "content": [block]}


def returned(value: Any, number: int = 1, *, error: bool = False) -> dict[str, Any]:
    """Return a user message with the result of a call."""
    content = value if isinstance(value, str) else json.dumps(value)
    block = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content, "is_error": error}
    return {"role": "user", "content": [block]}


def text(reply: Reply) -> str:
    """Return what a reply says."""
    return "".join(block.get("text", "") for block in reply.content)


def calls(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls of a reply."""
    return [(block["name"], block["input"]) for block in reply.content if block["type"] == "tool_use"]


def over_trials(system: str, *messages: dict[str, Any] | str, trials: int = 40) -> list[Reply]:
    """Answer the same conversation in many trials."""
    return [ask(system, *messages, trial=trial) for trial in range(trials)]
