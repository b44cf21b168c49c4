"""The x-evalkit headers: trial, attempt, script, steps and fault of one request."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import anthropic
import pytest

from evalkit.engine import attempt
from evalkit.standin import directions
from evalkit.standin.directions import read_directions
from evalkit.standin.errors import ApiError

Plan = tuple[str | None, list[dict[str, Any]]]


def script(*steps: dict[str, Any], start: int = 0) -> str:
    """Return the value of the header with the steps."""
    return b64encode(json.dumps({"steps": steps, "from": start}).encode()).decode()


def plan(header: str, assistants: int = 0, attempt: int = 0) -> Plan:
    """Return the fault and steps for a request with that many assistant messages behind it."""
    given = read_directions({"x-evalkit-steps": header, "x-evalkit-attempt": str(attempt)})
    fault, cue = given.fault_and_cue({"messages": [{"role": "assistant"}] * assistants})
    return (fault.name if fault else None, [cue.step] if cue.step else [])


SAY = {"say": "On its way."}
CALL = {"call": "lookup_order", "input": {"order_id": "TN-40000"}}


def test_steps_are_used_up_one_per_assistant_reply() -> None:
    """The number of assistant messages picks the step; behind the last one there is none."""
    header = script(CALL, SAY)
    assert [plan(header, count) for count in range(3)] == [(None, [CALL]), (None, [SAY]), (None, [])]


def test_steps_start_behind_the_history() -> None:
    """With `from` the assistant messages of a given history are not counted."""
    assert plan(script(SAY, start=2), 2) == (None, [SAY])
    assert plan(script(SAY, start=2), 1) == (None, [])


def test_fault_without_times_strikes_every_attempt() -> None:
    """A bare fault step never lets the request through."""
    assert [plan(script({"fault": "overloaded"}), attempt=n)[0] for n in (0, 1, 9)] == ["overloaded"] * 3


def test_fault_with_times_is_a_prelude_to_the_next_step() -> None:
    """Failed attempts make no assistant message, so the step behind them answers the same request."""
    header = script({"fault": "overloaded", "times": 2}, {"fault": "dropped", "times": 1}, SAY, CALL)
    fates = [plan(header, attempt=attempt) for attempt in range(4)]
    assert [fault for fault, _ in fates] == ["overloaded", "overloaded", "dropped", None]
    assert fates[3] == (None, [SAY])
    assert plan(header, 1, attempt=0) == (None, [CALL])


def test_prelude_at_the_end_precedes_an_ordinary_reply() -> None:
    """Preludes that nothing follows strike before the script answers on its own."""
    header = script(SAY, {"fault": "overloaded", "times": 1})
    assert [plan(header, 1, attempt=attempt) for attempt in (0, 1)] == [("overloaded", []), (None, [])]


def test_fault_and_words_in_one_step() -> None:
    """A step may carry its own fault, and the script gets the rest of it."""
    header = script({"fault": "truncated", "times": 1, **SAY}, CALL)
    assert plan(header) == ("truncated", [SAY])
    assert plan(header, attempt=1) == (None, [SAY])
    assert plan(header, 1) == (None, [CALL])


def test_fault_that_ends_in_a_message_uses_up_its_step() -> None:
    """A refusal is a reply, so it counts as one."""
    header = script({"fault": "refusal"}, SAY)
    assert [plan(header, count) for count in (0, 1)] == [("refusal", []), (None, [SAY])]


def test_header_fault_comes_before_the_script() -> None:
    """The fault header wins over a fault step."""
    given = read_directions({"x-evalkit-steps": script({"fault": "stall"}), "x-evalkit-fault": "overloaded"})
    fault, _ = given.fault_and_cue({"messages": []})
    assert fault is not None
    assert fault.name == "overloaded"


def test_sdk_retry_count_stands_for_the_attempt() -> None:
    """Without evalkit's own header the SDK's retry counter says which attempt it is."""
    assert read_directions({"x-stainless-retry-count": "2"}).attempt == 2
    assert read_directions({"x-stainless-retry-count": "2", "x-evalkit-attempt": "5"}).attempt == 5


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"x-evalkit-trial": "two"}, "x-evalkit-trial: 'two' is not a number"),
        ({"x-evalkit-steps": "%%%"}, "x-evalkit-steps: not base64 of JSON"),
        ({"x-evalkit-steps": b64encode(b"[1]").decode()}, 'expected {"steps"'),
        ({"x-evalkit-steps": script({"fault": "stal"})}, "did you mean 'stall'?"),
        ({"x-evalkit-steps": script({"fault": "stall", "times": 0})}, "times is 0; expected 1, 2, 3"),
        ({"x-evalkit-fault": "stall;times=x"}, "expected NAME or NAME;times=N"),
    ],
)
def test_wrong_directions_are_a_400(headers: dict[str, str], message: str) -> None:
    """A header that can't be read is refused by name."""
    with pytest.raises(ApiError) as caught:
        read_directions(headers)
    assert caught.value.answer.status == 400
    assert message in caught.value.answer.message


def test_script_and_trial_travel_in_headers(client: anthropic.Anthropic) -> None:
    """Over a socket the scripted step is said, and the script learns the trial."""
    said = {"model": "claude-haiku-5-5", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}
    scripted = client.messages.create(**said, extra_headers={"x-evalkit-steps": script(SAY)})
    third = client.messages.create(**said, extra_headers={"x-evalkit-trial": "3"})
    assert scripted.content[-1].text == "On its way."
    assert third.content[-1].text.startswith("Trial 3: hi")


def test_long_scripts_fit_into_the_header(client: anthropic.Anthropic) -> None:
    """A script of a few hundred kilobytes is accepted."""
    long = {"say": "word " * 40_000}
    message = client.messages.create(
        model="claude-haiku-5-5",
        max_tokens=100_000,
        messages=[{"role": "user", "content": "hi"}],
        timeout=60,
        extra_headers={"x-evalkit-steps": script(long)},
    )
    assert message.content[-1].text == long["say"]


def test_both_sides_call_the_mark_of_a_placeholder_the_same() -> None:
    """Engine and stand-in may not import each other, so each knows the header's name itself."""
    assert attempt.NO_SCRIPT == directions.NO_SCRIPT
