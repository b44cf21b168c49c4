"""Run folders: what is written comes back, what is torn never happened, secrets stay out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import NoVerdict, UsageError
from evalkit.records import (
    Judgement,
    JudgementLine,
    PromptVersion,
    Request,
    RequestLine,
    RunEnd,
    RunHeader,
    RunLine,
    ScoreLine,
    SideRequest,
    SimulatedLine,
    SimulatedMessage,
    Source,
    ToolCall,
    ToolLine,
    TrialEnd,
    TrialKey,
    TrialScore,
    TrialStart,
    TrialVerdict,
    TurnStart,
    Usage,
)
from evalkit.store import RUN_FILE, RunReader, RunWriter, find_run
from evalkit.store.files import SessionBodies
from evalkit.store.scrubbing import Scrubber

PROMPT = PromptVersion(
    "p" * 64, "p@v1", "", "claude-sonnet-5-5", {"max_tokens": 9}, ({"type": "text", "text": "Be kind."},), ()
)
HEADER = RunHeader("20261122-000000-aaaa", "2026-11-22T00:00:00Z", Source("stand-in"))


def body(*messages: Any) -> dict[str, Any]:
    """Make a request body."""
    return {"model": PROMPT.model, "max_tokens": 9, "system": list(PROMPT.system), "messages": list(messages)}


def session(number: int, text: str = "Hi") -> list[RunLine]:
    """Make the lines of a two-turn trial with a tool call."""
    key = TrialKey("suites/a.yaml", "case", "p@v1", number)
    sid = key.session_id
    user: dict[str, Any] = {"role": "user", "content": text}
    call = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
    asked = {"role": "assistant", "content": [call]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]}
    said = {"type": "text", "text": "Hello"}
    more = {"role": "user", "content": "More"}
    first = Request(1, 1, body(user), (call,), "tool_use", usage=Usage(1, 2, 3, 4, 5), cost_usd=0.5)
    second = Request(2, 1, body(user, asked, result), (said,), "end_turn")
    third = Request(
        3, 2, body(user, asked, result, {"role": "assistant", "content": [said]}, more), (said,), "end_turn"
    )
    return [
        TrialStart(key, sid, PROMPT.sha),
        TurnStart(sid, 1, text),
        RequestLine(sid, first),
        ToolLine(sid, 1, ToolCall("t1", "f", {"a": 1}, "ok", False, 1.5, 1)),
        RequestLine(sid, second),
        TurnStart(sid, 2, "More"),
        RequestLine(sid, third),
        TrialEnd(sid),
        ScoreLine(sid, TrialScore(TrialVerdict.PASSED)),
    ]


def write(folder: Path, *lines: RunLine) -> Path:
    """Write a run."""
    with RunWriter(folder) as writer:
        for line in (HEADER, PROMPT, *lines):
            writer.append(line)
    return folder


def requests_of(lines: list[RunLine]) -> list[Request]:
    """Return the requests in lines."""
    return [line.request for line in lines if isinstance(line, RequestLine)]


def test_a_trial_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Requests, bodies, tool calls, turns and score survive the file."""
    lines = session(1)

    (trial,) = RunReader(write(tmp_path, *lines)).trials()

    assert list(trial.transcript.requests) == requests_of(lines)
    assert [turn.user for turn in trial.transcript.turns] == ["Hi", "More"]
    assert trial.transcript.turns[0].tool_calls[0].output == "ok"
    assert trial.score == TrialScore(TrialVerdict.PASSED)


def test_what_was_asked_beside_a_conversation_comes_back_with_it(tmp_path: Path) -> None:
    """A judge's answers and the messages of a simulated user belong to their trial; the judge's own test to the run."""
    start, *lines = session(1)
    side = SideRequest("claude-haiku-5-5", "ab", '{"answer":"yes"}', "end_turn", Usage(5, 0, 0, 0, 7), 0.001)
    said = SimulatedMessage(1, "Hi", side)
    judged = Judgement("Is kind", 1, "claude-haiku-5-5", "w", "e", 1, "yes", side, "Hello", "It greets.")
    sid = start.session_id  # type: ignore[union-attr]
    beside = [SimulatedLine(sid, said), *lines[:-2], JudgementLine(sid, judged), *lines[-2:]]

    reader = RunReader(write(tmp_path, JudgementLine("", judged), start, *beside))

    (trial,) = reader.trials()
    assert trial.transcript.simulated == (said,)
    assert trial.transcript.judgements == (judged,)
    assert reader.judge_tests == [judged]


def test_a_request_can_be_sent_again_byte_for_byte(tmp_path: Path) -> None:
    """The body put together from the record has the same bytes, order of keys included."""
    lines = session(1)

    (trial,) = RunReader(write(tmp_path, *lines)).trials()

    for before, after in zip(requests_of(lines), trial.transcript.requests, strict=True):
        assert json.dumps(after.body) == json.dumps(before.body)


def test_a_schema_that_replies_are_held_to_comes_back(tmp_path: Path) -> None:
    """The prompt's own is written once, and a request of the engine's own, which has none, stays without it."""
    config = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    prompt = replace(PROMPT, params={**PROMPT.params, "output_config": config})
    packer, unpacker = SessionBodies(prompt, ()), SessionBodies(prompt, ())

    for n, sent in enumerate([config, {"effort": "low"}, config], 1):
        request = Request(n, 1, {**body(), "output_config": sent})
        packed = orjson.loads(orjson.dumps(packer.pack(request)))
        assert (packed["output_config"] == {"from": "prompt"}) == (sent is config)
        assert unpacker.unpack(packed, request)["output_config"] == sent


def test_notes_behind_the_system_prompt_are_written_once(tmp_path: Path) -> None:
    """Requests that carry the notes of the request before say so, also where a log goes on in another file."""
    notes = {"type": "text", "text": "The cat is called Tom. " * 50}
    whole = [{**body({"role": "user", "content": f"Hello {n}"}), "system": [*PROMPT.system, notes]} for n in range(4)]
    bodies, other_file = SessionBodies(PROMPT, ()), SessionBodies(PROMPT, ())

    packed = [bodies.pack(Request(n, 1, each)) for n, each in enumerate(whole[:3], 1)]
    bodies.begin_file()
    alone = bodies.pack(Request(4, 1, whole[3]))

    assert [str(one).count("called Tom") for one in packed] == [50, 0, 0]
    assert packed[1]["system"] == {"from": "before"}
    assert (
        other_file.unpack({**alone, "messages": {"keep": 0, "new": []}}, Request(4, 1, {}))["system"]
        == whole[3]["system"]
    )


def test_interleaved_sessions_are_told_apart(tmp_path: Path) -> None:
    """Lines of trials that ran side by side find their own trial."""
    pairs = zip(session(1, "one"), session(2, "two"), strict=True)

    trials = list(RunReader(write(tmp_path, *(line for pair in pairs for line in pair))).trials())

    assert [trial.key.trial for trial in trials] == [1, 2]
    assert [trial.transcript.turns[0].user for trial in trials] == ["one", "two"]


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_torn_last_line_never_happened(tmp_path: Path, cut: int) -> None:
    """A crash in the middle of a write costs that line only, for the reader and for the next writer."""
    write(tmp_path, *session(1), *session(2)[:3])
    file = tmp_path / RUN_FILE
    file.write_bytes(file.read_bytes()[:-cut])

    assert [trial.key.trial for trial in RunReader(tmp_path).trials()] == [1]
    with RunWriter(tmp_path) as writer:
        writer.append(RunEnd("finished", "", 1.0))
    assert RunReader(tmp_path).end == RunEnd("finished", "", 1.0)
    assert all(orjson.loads(line) for line in file.read_bytes().splitlines())


def test_the_file_grows_linearly_with_the_conversation(tmp_path: Path) -> None:
    """A request line holds what is new, not the whole conversation again."""
    sid = session(1)[0].session_id  # type: ignore[union-attr]
    messages: list[Any] = []
    sizes = []
    with RunWriter(write(tmp_path, *session(1)[:1])) as writer:
        writer.know_prompt(PROMPT)
        writer.open_session(session(1)[0])  # type: ignore[arg-type]
        for n in range(1, 30):
            messages.append({"role": "user", "content": "x" * 500})
            reply = {"type": "text", "text": "y" * 500}
            before = (tmp_path / RUN_FILE).stat().st_size
            writer.append(RequestLine(sid, Request(n, n, body(*messages), (reply,))))
            sizes.append((tmp_path / RUN_FILE).stat().st_size - before)
            messages.append({"role": "assistant", "content": [reply]})

    assert max(sizes) - min(sizes) < 50


def test_two_writers_of_one_run_are_refused(tmp_path: Path) -> None:
    """A run folder has one writer at a time."""
    with RunWriter(tmp_path), pytest.raises(UsageError, match="another evalkit"):
        RunWriter(tmp_path)


def test_a_newer_record_version_is_refused_by_name(tmp_path: Path) -> None:
    """A reader that is too old says so, with both versions."""
    (tmp_path / RUN_FILE).write_bytes(orjson.dumps({"line": "run", "schema_version": 99}) + b"\n")

    with pytest.raises(UsageError, match="record version 99, this evalkit reads up to 1"):
        RunReader(tmp_path)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    """Damage in the middle of the file is an error with its line, never a silently lost trial."""
    write(tmp_path, *session(1))
    file = tmp_path / RUN_FILE
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:4], b'{"line":"request","oops"\n', *lines[5:]]))

    with pytest.raises(NoVerdict, match=r"run\.jsonl:5: this line is damaged"):
        list(RunReader(tmp_path).trials())


def test_secrets_are_scrubbed_before_they_are_written(tmp_path: Path) -> None:
    """Values of key variables and known shapes of keys never reach the file."""
    scrub = Scrubber({"MY_API_KEY": "hunter2hunter2", "PATH": "/usr/bin/something"})
    key = "sk-ant-" + "a1" * 20
    with RunWriter(tmp_path, scrub) as writer:
        for line in (HEADER, PROMPT, *session(1, f"my key is {key} or hunter2hunter2")):
            writer.append(line)

    text = (tmp_path / RUN_FILE).read_text()
    assert key not in text
    assert "hunter2" not in text
    assert text.count("[secret removed]") >= 2


def test_a_run_is_found_by_id_folder_file_and_last(tmp_path: Path) -> None:
    """All spellings of a run mean the same folder; an unknown one is refused."""
    folder = write(tmp_path / "reports" / "r1")

    assert {find_run(name, tmp_path) for name in ("last", "r1", "reports/r1", str(folder), str(folder / RUN_FILE))} == {
        folder
    }
    with pytest.raises(UsageError, match="no run 'r2'"):
        find_run("r2", tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.lists(st.dictionaries(st.sampled_from(["role", "content"]), JSON, max_size=2), max_size=5)


@given(st.lists(st.tuples(MESSAGES, MESSAGES, MESSAGES), max_size=5))
def test_packing_and_unpacking_any_bodies_gives_the_same_bytes(rounds: list[tuple[list[Any], ...]]) -> None:
    """Whatever a memory strategy does to messages and system prompt between requests, the body comes back exactly."""
    packer, unpacker = SessionBodies(PROMPT, ()), SessionBodies(PROMPT, ())
    for n, (messages, content, notes) in enumerate(rounds, 1):
        sent = body(*messages)
        request = Request(n, 1, {**sent, "system": [*sent["system"], *notes]}, tuple(content))
        packed = orjson.loads(orjson.dumps(packer.pack(request)))

        assert json.dumps(unpacker.unpack(packed, request)) == json.dumps(request.body)
