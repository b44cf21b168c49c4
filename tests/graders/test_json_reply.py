"""Graders of replies that programs read, and of how replies ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from evalkit.graders.registry import BY_KIND
from evalkit.records import JsonObject, PromptVersion, Request, Transcript, TrialVerdict, Turn
from tests.graders.build import OVERLOADED, finding, request, requirement, said, verdict

TRIAGE: JsonObject = {
    "type": "object",
    "properties": {
        "urgency": {"enum": ["Now", "Today", "Later"]},
        "symptoms": {"type": "array", "items": {"$ref": "#/$defs/symptom"}},
        "callback": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["urgency", "symptoms"],
    "additionalProperties": False,
    "$defs": {
        "symptom": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["name"],
            "additionalProperties": False,
        }
    },
}
REPLY = '{"urgency": "today", "symptoms": [{"name": "dry cough", "days": 3}, {"name": "fever"}]}'
PASSED, FAILED, NOT_MEASURED = TrialVerdict.PASSED, TrialVerdict.FAILED, TrialVerdict.NOT_MEASURED


def asked(*replies: str, purposes: tuple[str, ...] = ("reply",), **fields: Any) -> Transcript:
    """Return a turn whose requests asked for JSON of the schema."""
    body = {"output_config": {"format": {"type": "json_schema", "schema": TRIAGE}}, "messages": []}
    made = (
        replace(request(n, 1, reply, **fields), body=body, purpose=purpose)
        for n, (reply, purpose) in enumerate(zip(replies, purposes, strict=True), 1)
    )
    return Transcript("s", "p", (Turn(1, "My chest hurts", tuple(made)),))


def fields(transcript: Transcript, fields: Mapping[str, Any], **more: Any) -> TrialVerdict:
    """Grade one path."""
    return verdict(transcript, "json", {"json": {"fields": fields, **more}})


@pytest.mark.parametrize(
    ("path", "expected", "found"),
    [
        ("urgency", "Today", PASSED),  # spelled as the schema spells it, whatever the reply's case
        ("urgency", "today", FAILED),
        ("urgency", {"one_of": ["Now", "Today"]}, PASSED),
        ("symptoms[0].name", "/cough/", PASSED),
        ("symptoms[0].days", {"min": 2, "max": 4}, PASSED),
        ("symptoms[0].days", {"max": 2}, FAILED),
        ("symptoms[1]", {"name": "fever"}, PASSED),
        ("symptoms[1].days", {"absent": True}, PASSED),
        ("symptoms[1].days", {"value": 2, "optional": True}, PASSED),
        ("symptoms[1].days", 2, FAILED),
        ("symptoms[2].name", "fever", FAILED),
        ('["urgency"]', "Today", PASSED),
    ],
)
def test_a_path_leads_to_a_value_that_is_matched_like_a_tools_argument(path: str, expected: Any, found: Any) -> None:
    """With the schema of the prompt's output, the value is the one that production reads."""
    assert fields(asked(REPLY), {path: expected}) is found


def test_the_evidence_is_the_path_what_stands_there_and_its_place() -> None:
    """The report marks the value in the reply, also behind words of the same turn."""
    told = finding(asked(REPLY), "json", {"json": {"fields": {"symptoms[0].days": 5}}})
    fenced = said(f"Noted.\n\n```json\n{REPLY}\n```")
    again = finding(fenced, "json", {"json": {"fields": {"symptoms[0].days": 5}}})

    assert (told.observed, told.expected) == ("symptoms[0].days: 3", "symptoms[0].days: 5")
    for found, transcript in ((told, asked(REPLY)), (again, fenced)):
        (span,) = found.spans
        assert transcript.turns[0].reply[span.start : span.end] == "3"


def test_where_a_path_breaks_off_the_note_says_what_there_is() -> None:
    """The reader sees the keys that could have been meant."""
    told = finding(asked(REPLY), "json", {"json": {"fields": {"symptoms[1].day": 1}}})

    assert (told.observed, told.note) == ("no symptoms[1].day", "symptoms[1] has name")


@pytest.mark.parametrize("reply", ["I can't say.", '{"urgency": "soon", "symptoms": []}', '{"urgency": "Now"}'])
def test_a_reply_without_a_value_for_production_breaks_every_path(reply: str) -> None:
    """What is no JSON of the prompt's schema is none for the suite, whatever stands at the path."""
    assert fields(asked(reply), {"urgency": "/./"}) is FAILED


def test_the_repair_of_a_reply_is_what_counts() -> None:
    """The suite measures what production does: asks once more, and reads the second reply."""
    repaired = asked("Today, I think.", REPLY, purposes=("reply", "repair"))
    told = finding(repaired, "json", {"json": {"fields": {"urgency": "Now"}}})

    assert fields(repaired, {"urgency": "Today"}) is PASSED
    (span,) = told.spans
    assert repaired.turns[0].reply[span.start : span.end] == '"today"'


def test_a_schema_of_the_suite_may_ask_for_more_than_the_apis() -> None:
    """All of JSON Schema may be used; the misfit is marked where it stands."""
    schema = {"properties": {"symptoms": {"items": {"properties": {"days": {"maximum": 2}}}}}}
    told = finding(asked(REPLY), "json", {"json": {"schema": schema}})

    assert told.verdict is FAILED
    assert told.observed == "symptoms[0].days: 3 is greater than the maximum of 2"
    assert [(span.start, span.end) for span in told.spans] == [(REPLY.index("3"), REPLY.index("3") + 1)]
    assert verdict(asked(REPLY), "json", {"json": {"schema": {"required": ["urgency"]}}}) is PASSED


@pytest.mark.parametrize("reason", ["refusal", "max_tokens"])
def test_a_reply_that_was_ended_early_is_told_as_what_it_is(reason: str) -> None:
    """It is no invalid JSON: the note names the refusal or the cut."""
    for transcript in (asked('{"urgency"', stop_reason=reason), said('{"urgency"', stop_reason=reason)):
        told = finding(transcript, "json", {"json": {"fields": {"urgency": "Now"}}})
        assert told.verdict is FAILED
        assert ("refus" if reason == "refusal" else "max_tokens") in told.note


def test_loose_strings_are_compared_as_in_tool_calls() -> None:
    """`match` stands beside `fields`."""
    assert fields(asked(REPLY), {"symptoms[0].name": "Dry-Cough"}, match={"strings": "loose"}) is PASSED


def test_schema_and_each_path_are_assertions_of_their_own() -> None:
    """A report names the path that is wrong, not all of them."""
    whole = requirement("json", {"json": {"schema": {}, "fields": {"a": 1, "b": 2}}}).grader

    assert [(path, part.label()) for path, part in whole.parts()] == [
        (("json", "schema"), "json schema"),
        (("json", "fields", "a"), "json a"),
        (("json", "fields", "b"), "json b"),
    ]


@pytest.mark.parametrize(
    ("keys", "path", "words"),
    [
        ({"fields": {"a..b": 1}}, ("json", "fields", "a..b"), "'a..b' is no path: at character 2"),
        ({"fields": {"a": "/(/"}}, ("json", "fields", "a"), "'('"),
        ({"fields": {"a": {"min": 2, "max": 1}}}, ("json", "fields", "a"), "min 2 is more than max 1"),
        ({"schema": {"type": "text"}}, ("json", "schema", "type"), "not a JSON Schema"),
        ({"schema": {"$ref": "http://x/"}}, ("json", "schema", "$ref"), "'$ref' to"),
    ],
)
def test_what_can_never_be_is_a_problem_at_its_place(keys: Any, path: Any, words: str) -> None:
    """Wrong paths, patterns, limits and schemas are found before anything is played."""
    (fault,) = BY_KIND["json"].model_validate({"json": keys}).problems()

    assert fault.path == path
    assert words in fault.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"urgency": "Now", "symptoms[3].name": "/x/", "callback": None, "symptoms": []}, ""),
        ({"callback": "020"}, ""),
        ({"severity": 3}, "there is no 'severity'; there are urgency, symptoms, callback"),
        ({"severity": {"absent": True}}, ""),
        ({"symptoms[0].day": 3}, "there is no 'day'; there are name, days"),
        ({"symptoms.name": "x"}, "there is no 'name'"),
        ({"urgency[0]": "x"}, ""),
        ({"callback.number": "x"}, "there is no 'number'"),
        ({"urgency": "now"}, "'now' is not one of ['Now', 'Today', 'Later']"),
        ({"callback": 20}, "20 is not of type 'string'"),
    ],
)
def test_what_no_reply_of_the_prompt_can_ever_hold_is_named(fields: Any, words: str) -> None:
    """By the schema that the model is held to; what the schema leaves open stays open."""
    form = {"format": {"type": "json_schema", "schema": TRIAGE}}
    prompt = PromptVersion("", "triage@v1", "", "m", {"output_config": form}, (), ())
    found = list(BY_KIND["json"].model_validate({"json": {"fields": fields}}).misfits(prompt))

    assert len(found) == bool(words)
    assert all(words in message and "triage@v1" in message for message in found)
    assert not list(BY_KIND["json"].model_validate({"json": {"fields": fields}}).misfits(replace(prompt, params={})))


@pytest.mark.parametrize(
    ("stop_reason", "ended", "found"),
    [
        ("end_turn", "end_turn", PASSED),
        ("max_tokens", "end_turn", FAILED),
        ("refusal", ["refusal"], PASSED),
        ("stop_sequence", ["end_turn", "stop_sequence"], PASSED),
        (None, "end_turn", NOT_MEASURED),
    ],
)
def test_a_reply_must_end_in_one_of_the_ways_that_are_named(stop_reason: str, ended: Any, found: Any) -> None:
    """Each reply counts; a recording that does not say how it ended decides nothing."""
    assert verdict(said("Fine.", stop_reason=stop_reason), "ended", {"ended": ended}) is found


def test_ends_of_evalkits_own_are_told_apart_from_the_apis() -> None:
    """JSON that was asked for and is none has ended its turn and is invalid; a failed turn is not measured."""
    failed = Transcript("s", "p", (Turn(1, "Hi", (Request(1, 1, {}, failure=OVERLOADED),)),))
    call = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    looping = Transcript("s", "p", (Turn(1, "Hi", (request(1, 1, None, content=(call,), stop_reason="tool_use"),)),))

    assert verdict(asked("No."), "ended", {"ended": "invalid_output"}) is PASSED
    assert verdict(asked("No."), "ended", {"ended": "end_turn"}) is FAILED
    assert verdict(asked(REPLY), "ended", {"ended": "end_turn"}) is PASSED
    assert verdict(looping, "ended", {"ended": "too_many_requests"}) is PASSED
    assert verdict(failed, "ended", {"ended": "end_turn"}) is NOT_MEASURED
    refused = said("", stop_reason="refusal", stop_details={"category": "cyber", "explanation": "no"})
    assert finding(refused, "ended", {"ended": "end_turn"}).note == "cyber: no"
