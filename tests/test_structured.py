"""Replies that must be JSON of a schema."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.records import Failure, JsonObject, Request
from evalkit.structured import NoValue, Output, Value, read_structured

SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "verdict": {"enum": ["Pass", "Fail"]},
        "size": {"$ref": "#/$defs/size"},
        "tags": {"type": "array", "items": {"anyOf": [{"const": "URGENT"}, {"type": "integer"}]}},
    },
    "required": ["verdict"],
    "additionalProperties": False,
    "$defs": {"size": {"enum": ["S", "M", "s"]}},
}


def reply(*texts: str, stop_reason: str = "end_turn", **fields: Any) -> Request:
    """Make a finished request."""
    content = ({"type": "thinking", "thinking": "{", "signature": "s"}, *({"type": "text", "text": t} for t in texts))
    return Request(1, 1, {}, content=content, stop_reason=stop_reason, **fields)


def test_a_reply_that_fits_is_its_value() -> None:
    """Text blocks are joined, thinking is passed over, nothing is converted."""
    assert read_structured(reply('{"verdict": "Pass", ', '"tags": [1]}'), Output(SCHEMA)) == Value(
        {"verdict": "Pass", "tags": [1]}
    )


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ('{"verdict": "pass"}', {"verdict": "Pass"}),
        ('{"verdict": "FAIL", "tags": ["urgent", 2]}', {"verdict": "Fail", "tags": ["URGENT", 2]}),
        ('{"verdict": "Pass", "size": "m"}', {"verdict": "Pass", "size": "M"}),
        ('{"verdict": "Pass", "size": "s"}', {"verdict": "Pass", "size": "s"}),
    ],
)
def test_enumerated_words_are_compared_without_case(sent: str, read: Any) -> None:
    """The API does not promise the case; the value has the schema's spelling, also behind $ref, anyOf and items."""
    assert read_structured(reply(sent), Output(SCHEMA)) == Value(read)


@pytest.mark.parametrize(
    ("request_", "trouble", "said"),
    [
        (reply('{"verdict": "maybe"}'), "invalid", "at 'verdict'"),
        (reply('{"verdict": "Pass", "more": 1}'), "invalid", "'more' was unexpected"),
        (reply('{"verdict": '), "not JSON", "no JSON"),
        (reply("I would rather not."), "not JSON", "rather not"),
        (reply('{"verdict": NaN}'), "not JSON", "NaN"),
        (reply(), "empty", "end_turn"),
        (reply('{"verdict": "Pass"}', stop_reason="refusal", stop_details={"category": "cyber"}), "refusal", "cyber"),
        (reply('{"verdict": "Pass"}', stop_reason="max_tokens"), "max_tokens", "max_tokens"),
        (reply('{"verdict": "Pass"}', stop_reason="model_context_window_exceeded"), "max_tokens", "cut off"),
        (Request(1, 1, {}, failure=Failure("overloaded_error", "busy", 529)), "failed", "overloaded_error: busy"),
    ],
)
def test_a_reply_without_a_value_says_why(request_: Request, trouble: str, said: str) -> None:
    """A refusal, a cut, a failure and words that do not fit are told apart, each with its reason."""
    result = read_structured(request_, Output(SCHEMA))

    assert isinstance(result, NoValue)
    assert result.trouble == trouble
    assert said in result.reason


def test_a_schema_that_leads_to_itself_ends() -> None:
    """Reading stops, whatever a recursive schema says."""
    fine: JsonObject = {"properties": {"next": {"$ref": "#"}, "word": {"const": "Yes"}}}

    assert read_structured(reply('{"next": {"word": "YES"}}'), Output(fine)) == Value({"next": {"word": "Yes"}})
