"""Real support conversations, imported and graded; the data stays outside the repository.

EVALKIT_AGREEMENT_DATA names its folder; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evalkit.records import Assertion, Place, Trial, TrialVerdict
from tests.graders.build import grade
from tests.importing.recorded import imported, trials

DATA = Path(os.environ.get("EVALKIT_AGREEMENT_DATA", "/nonexistent")) / "tau" / "transcripts.jsonl"
pytestmark = pytest.mark.skipif(not DATA.is_file(), reason="EVALKIT_AGREEMENT_DATA names no folder with tau/")


@pytest.fixture(scope="module")
def recorded() -> dict[str, dict[str, Any]]:
    """The conversations as they were recorded, by id."""
    return {entry["id"]: entry for entry in map(json.loads, DATA.read_text("utf-8").splitlines())}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    """The same conversations after import, by id."""
    folder = tmp_path_factory.mktemp("tau") / "run"
    imported(DATA, folder=folder)
    return {trial.transcript.session_id: trial for trial in trials(folder)}


def test_every_conversation_is_imported_once(recorded: dict[str, Any], stored: dict[str, Trial]) -> None:
    """All ids, and no trial twice."""
    assert list(stored) == list(recorded)
    assert len({trial.key for trial in stored.values()}) == len(recorded)


def test_tool_errors_and_text_beside_calls_are_all_there(recorded: dict[str, Any], stored: dict[str, Trial]) -> None:
    """In each conversation as many errors, calls and texts beside calls as were recorded."""
    for identity, entry in recorded.items():
        messages, transcript = entry["messages"], stored[identity].transcript
        calls = [call for turn in transcript.turns for call in turn.tool_calls]
        assert sum(call.is_error for call in calls) == sum(bool(message.get("is_error")) for message in messages)
        assert [call.name for call in calls] == [
            call["name"] for message in messages for call in message.get("tool_calls") or ()
        ]
        beside = [
            request for request in transcript.requests if {b["type"] for b in request.content} >= {"text", "tool_use"}
        ]
        assert len(beside) == sum(bool(message.get("tool_calls") and message["content"]) for message in messages)


def test_graders_agree_with_a_look_at_the_raw_text(recorded: dict[str, Any], stored: dict[str, Trial]) -> None:
    """A phrase and a tool are found by the graders exactly where the recording has them."""
    says = Assertion("never_says", {"never_says": ["apologize"]}, Place("x"), "x")
    hands_over = Assertion("tools.never", {"never": ["transfer_to_human_agents"]}, Place("x"), "x")
    for identity, entry in recorded.items():
        transcript = stored[identity].transcript
        spoken = [m["content"] or "" for m in entry["messages"] if m["role"] == "assistant"]
        called = {call["name"] for m in entry["messages"] for call in m.get("tool_calls") or ()}
        said = any("apologize" in text.lower() for text in spoken)
        assert (grade(transcript, says).finding.verdict is TrialVerdict.FAILED) is said
        handed_over = "transfer_to_human_agents" in called
        assert (grade(transcript, hands_over).finding.verdict is TrialVerdict.FAILED) is handed_over
