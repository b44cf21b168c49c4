"""Production logs: moved away at any time, shared by processes, without texts or secrets where that is asked for."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import NoVerdict, UsageError
from evalkit.records import (
    Attempt,
    Failure,
    PromptVersion,
    Request,
    RequestLine,
    RunHeader,
    Source,
    ToolCall,
    ToolLine,
    TrialEnd,
    TrialKey,
    TrialStart,
    TurnStart,
    Usage,
)
from evalkit.records.run import from_json
from evalkit.store import Hasher, LogWriter, read_lines, read_session, record_files
from evalkit.store.scrubbing import Scrubber

PROMPT = PromptVersion(
    "p" * 64, "bot@v1", "", "claude-sonnet-5-5", {"max_tokens": 9}, ({"type": "text", "text": "Be kind."},), ()
)
NEWER = PromptVersion(
    "q" * 64, "bot@v2", "", "claude-sonnet-5-5", {"max_tokens": 9}, ({"type": "text", "text": "Be brief."},), ()
)
HEADER = RunHeader("", "", Source("stand-in"), settings={"log": True, "content": "full"})


class Talk:
    """A conversation that grows turn by turn and keeps what was sent."""

    def __init__(self, name: str, prompt: PromptVersion = PROMPT) -> None:
        self.name = name
        self.prompt = prompt
        self.messages: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.turns = 0

    def start(self) -> TrialStart:
        """Make the line that starts the session from here."""
        return TrialStart(TrialKey("", self.name, self.prompt.ref, 1), self.name, self.prompt.sha, tuple(self.messages))

    def turn(self, user: str) -> list[TurnStart | RequestLine | ToolLine]:
        """Make the lines of a turn with a tool call."""
        self.turns += 1
        begin = TurnStart(self.name, self.turns, user)
        self.messages.append({"role": "user", "content": user})
        call = {"type": "tool_use", "id": f"t{self.turns}", "name": "find", "input": {"who": user, "n": 41}}
        first = self._request((call,), "tool_use")
        ran = ToolCall(call["id"], "find", call["input"], "found it", False, 1.0, first.request.n)
        self.messages.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": ran.id, "content": ran.output}]}
        )
        second = self._request(({"type": "text", "text": f"You said {user}"},), "end_turn")
        return [begin, first, ToolLine(self.name, self.turns, ran), second]

    def _request(self, content: tuple[Any, ...], stop: str) -> RequestLine:
        body = {
            "model": self.prompt.model,
            "max_tokens": 9,
            "system": list(self.prompt.system),
            "messages": list(self.messages),
            "stream": True,
        }
        self.bodies.append(orjson.dumps(body))
        self.messages.append({"role": "assistant", "content": list(content)})
        usage = Usage(10, 0, 0, 90, 5)
        return RequestLine(
            self.name, Request(len(self.bodies), self.turns, body, content, stop, usage=usage, cost_usd=0.25)
        )


def writer(folder: Path, day: str = "2026-11-22", hasher: Hasher | None = None) -> LogWriter:
    """Open a log."""
    return LogWriter(folder, HEADER, lambda: f"{day}T10:00:00.000Z", hasher, Scrubber({}))


def say(log: LogWriter, talk: Talk, user: str = "Hi") -> None:
    """Play and log one turn."""
    log.begin(talk.start(), talk.prompt)
    for line in talk.turn(user):
        log.append(line)


def bodies(folder: Path, name: str) -> list[bytes]:
    """Read a session's bodies from a record."""
    requests = read_session(f"{folder}#{name}", folder).transcript.requests
    return [orjson.dumps(request.body) for request in requests]


def kinds(file: Path) -> list[str]:
    """Return the kinds of a file's lines."""
    return [obj["line"] for _, obj in read_lines(file)]


def test_a_logged_session_is_read_with_every_body_byte_for_byte(tmp_path: Path) -> None:
    """Two sessions side by side in one file come back apart, each request as it was sent."""
    log, one, two = writer(tmp_path), Talk("one"), Talk("two")
    for talk in (one, two, one, two):
        say(log, talk, f"Hi from {talk.name}")

    transcript = read_session(f"{tmp_path}#one", tmp_path).transcript
    assert bodies(tmp_path, "one") == one.bodies
    assert bodies(tmp_path, "two") == two.bodies
    assert [turn.user for turn in transcript.turns] == ["Hi from one", "Hi from one"]
    assert [len(turn.tool_calls) for turn in transcript.turns] == [1, 1]


def test_a_file_says_prompt_and_session_once_and_grows_linearly(tmp_path: Path) -> None:
    """What is known already is not written again, also when each turn starts the session anew as a web server does."""
    log, talk = writer(tmp_path), Talk("one")
    sizes = []
    for _ in range(30):
        say(log, talk, "Hello there")
        sizes.append(record_files(tmp_path)[0].stat().st_size)

    lines = kinds(record_files(tmp_path)[0])
    grown = [after - before for before, after in pairwise(sizes[1:])]
    assert lines[:3] == ["run", "prompt", "session"]
    assert (lines.count("prompt"), lines.count("session")) == (1, 1)
    assert max(grown) - min(grown) < 40


@given(st.lists(st.sampled_from(["one", "two", "three", "move", "cut", "fork", "day"]), max_size=14), st.data())
def test_logs_survive_being_moved_cut_or_shared_at_any_line(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[str], data: st.DataObject
) -> None:
    """Whatever happens to the files between two lines, what they still hold reads whole, and each file reads alone."""
    folder = tmp_path_factory.mktemp("logs")
    talks = {name: Talk(name) for name in ("one", "two", "three")}
    logs, kept = [writer(folder)], 0
    for step in steps:
        if step in talks:
            log = data.draw(st.sampled_from(logs))
            log.begin(talks[step].start(), talks[step].prompt)
            turn = talks[step].turn("Hi")
            moved_at = data.draw(st.integers(0, len(turn)))
            for number, line in enumerate(turn):
                if number == moved_at:
                    kept += 1
                    move_all(folder, kept)
                log.append(line)
        elif step == "move":
            kept += 1
            move_all(folder, kept)
        elif step == "cut":
            kept += 1
            copy_and_cut_all(folder, kept)
        else:
            logs.append(writer(folder, "2026-11-23" if step == "day" else "2026-11-22"))

    for name, talk in talks.items():
        if talk.turns:
            assert bodies(folder, name) == talk.bodies
    for file in record_files(folder):
        assert reads_alone(file)
    for log in logs:
        log.close()


def move_all(folder: Path, number: int) -> None:
    """Move every open log away, as logrotate does."""
    for file in folder.glob("*.jsonl"):
        file.rename(file.with_suffix(f".jsonl.{number}"))


def copy_and_cut_all(folder: Path, number: int) -> None:
    """Copy every open log and cut it to nothing, as logrotate's copytruncate does."""
    for file in folder.glob("*.jsonl"):
        file.with_suffix(f".jsonl.{number}").write_bytes(file.read_bytes())
        os.truncate(file, 0)


def reads_alone(file: Path) -> bool:
    """Tell whether a file begins with its header and starts every session it tells of."""
    lines = [obj for _, obj in read_lines(file)]
    started: set[str] = set()
    prompts: set[str] = set()
    for obj in lines:
        if obj["line"] == "prompt":
            prompts.add(obj["sha"])
        elif obj["line"] == "session":
            assert obj["prompt_sha"] in prompts
            started.add(obj["session_id"])
        elif obj["line"] != "run":
            assert obj["session_id"] in started
    return not lines or lines[0]["line"] == "run"


def test_a_session_goes_on_in_another_process(tmp_path: Path) -> None:
    """Turns that two processes took in turn are joined; no turn is counted twice and no message lost."""
    one, two, talk = writer(tmp_path), writer(tmp_path), Talk("one")
    for log in (one, two, one, two):
        say(log, talk)

    transcript = read_session(f"{tmp_path}#one", tmp_path).transcript
    assert len(record_files(tmp_path)) == 2
    assert bodies(tmp_path, "one") == talk.bodies
    assert [turn.n for turn in transcript.turns] == [1, 2, 3, 4]
    assert transcript.history == ()


def test_a_forked_child_writes_its_own_file(tmp_path: Path) -> None:
    """A pre-forking server's workers do not write into the file that their parent has opened."""
    log, talk = writer(tmp_path), Talk("parent")
    say(log, talk)
    child = os.fork()
    if child == 0:
        try:
            say(log, Talk("child"))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    say(log, talk)

    sessions = [
        {obj["session_id"] for _, obj in read_lines(file) if "session_id" in obj} for file in record_files(tmp_path)
    ]
    assert {"child"} in sessions
    assert {"parent"} in sessions
    assert len(sessions) == 2
    assert bodies(tmp_path, "parent") == talk.bodies
    assert len(bodies(tmp_path, "child")) == 2


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    """Sessions of several threads in one log come back whole."""
    log = writer(tmp_path)
    talks = [Talk(f"session-{number}") for number in range(8)]

    def play(talk: Talk) -> None:
        for _ in range(10):
            say(log, talk)

    threads = [threading.Thread(target=play, args=(talk,)) for talk in talks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for talk in talks:
        assert bodies(tmp_path, talk.name) == talk.bodies


def test_a_session_that_was_forgotten_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many sessions are remembered; an older one that goes on loses nothing."""
    monkeypatch.setattr("evalkit.store.writer.SESSIONS_KEPT", 2)
    log, talk = writer(tmp_path), Talk("old")
    say(log, talk)
    for number in range(5):
        say(log, Talk(f"other-{number}"))
    say(log, talk)

    assert len(log._sessions) == 2
    assert bodies(tmp_path, "old") == talk.bodies


def test_a_new_prompt_version_in_the_middle_of_a_session_is_recorded(tmp_path: Path) -> None:
    """After a deployment the session goes on with the newer prompt, and both are in the record."""
    log, talk = writer(tmp_path), Talk("one")
    say(log, talk)
    talk.prompt = NEWER
    say(log, talk)

    stored = read_session(f"{tmp_path}#one", tmp_path)
    assert [prompt.ref for prompt in stored.prompts] == ["bot@v1", "bot@v2"]
    assert bodies(tmp_path, "one") == talk.bodies


def test_an_ended_session_is_let_go(tmp_path: Path) -> None:
    """The end of a session is written and frees what was remembered of it."""
    log, talk = writer(tmp_path), Talk("one")
    say(log, talk)
    log.append(TrialEnd("one"))

    assert kinds(record_files(tmp_path)[0])[-1] == "session_end"
    assert not log._sessions


def test_hashed_logs_hold_no_text_and_all_numbers(tmp_path: Path) -> None:
    """No word that was said, asked of a tool or answered by one is in the file; usage and cost are."""
    log = writer(tmp_path, hasher=Hasher(b"k" * 32))
    talk = Talk("one")
    say(log, talk, "my name is Wilhelmina")
    refused = Request(
        9,
        1,
        {"messages": [], "metadata": {"user_id": "wilhelmina@example.com"}},
        stop_details={"type": "refusal", "explanation": "about Wilhelmina"},
        failure=Failure("malformed_stream", "got 'Wilhelmina'", 200, mid_stream=True),
        attempts=(Attempt(Failure("overloaded_error", "Overloaded", 529), 1.0),),
        partial=({"type": "text", "text": "Wilhelmina"},),
    )
    log.append(RequestLine("one", refused))
    log.append(TrialEnd("one", "KeyError: Wilhelmina"))

    raw = record_files(tmp_path)[0].read_text("utf-8")
    for word in ("Wilhelmina", "wilhelmina", "Be kind", "found it", "You said", ":41"):
        assert word not in raw
    assert "Overloaded" in raw
    stored = [from_json(obj) for _, obj in read_lines(record_files(tmp_path)[0]) if obj["line"] == "request"]
    assert [line.request.usage for line in stored if isinstance(line, RequestLine)][:2] == [Usage(10, 0, 0, 90, 5)] * 2
    assert [line.request.cost_usd for line in stored if isinstance(line, RequestLine)][:2] == [0.25, 0.25]
    assert '"name":"find"' in raw


def test_hashes_can_be_compared_under_one_key_only() -> None:
    """Equal texts stay equal under a key; another key gives other hashes, so that nobody can look texts up."""
    line = TurnStart("one", 1, "yes")
    first, again, other = Hasher(b"a" * 32)(line), Hasher(b"a" * 32)(line), Hasher(b"b" * 32)(line)

    assert first == again != other
    assert first.user.endswith(":3")


def test_secrets_do_not_reach_the_log(tmp_path: Path) -> None:
    """A key that a user pastes is removed."""
    log = writer(tmp_path)
    say(log, Talk("one"), "my key is sk-ant-REDACTED")

    assert "abcdefgh12345678" not in record_files(tmp_path)[0].read_text("utf-8")


def test_a_log_is_private(tmp_path: Path) -> None:
    """Only its owner can read a log: it holds what people said."""
    say(writer(tmp_path), Talk("one"))

    assert record_files(tmp_path)[0].stat().st_mode & 0o777 == 0o600


def test_a_torn_last_line_is_passed_over_and_a_damaged_one_named(tmp_path: Path) -> None:
    """A crash in the middle of a write loses that line only; damage elsewhere is said with file and line."""
    log, talk = writer(tmp_path), Talk("one")
    say(log, talk)
    file = record_files(tmp_path)[0]
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"line":"turn","sess')
    assert bodies(tmp_path, "one") == talk.bodies

    file.write_bytes(whole.replace(b'{"line":"turn"', b'{"line":turn"', 1))
    with pytest.raises(NoVerdict, match=r"jsonl:4: this line is damaged"):
        bodies(tmp_path, "one")


def test_compressed_logs_are_read(tmp_path: Path) -> None:
    """What logrotate has compressed is read like the rest."""
    log, talk = writer(tmp_path), Talk("one")
    say(log, talk)
    file = record_files(tmp_path)[0]
    file.with_suffix(".jsonl.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    say(log, talk)

    assert bodies(tmp_path, "one") == talk.bodies


def test_a_session_is_named_by_a_part_of_its_id(tmp_path: Path) -> None:
    """A part that one session has is enough; otherwise the sessions to choose from are listed."""
    log = writer(tmp_path)
    for name in ("customer-41", "customer-42"):
        say(log, Talk(name))

    assert read_session(f"{tmp_path}#42", tmp_path).transcript.session_id == "customer-42"
    with pytest.raises(UsageError, match=r"2 sessions have 'customer'.*customer-41, customer-42"):
        read_session(f"{tmp_path}#customer", tmp_path)
    with pytest.raises(UsageError, match=r"no session 'anna'; expected one of customer-41"):
        read_session(f"{tmp_path}#anna", tmp_path)
    with pytest.raises(UsageError, match="no session named"):
        read_session(str(tmp_path), tmp_path)


def test_a_newer_log_is_refused(tmp_path: Path) -> None:
    """A log of a later evalkit is refused with both versions named."""
    (tmp_path / "a.jsonl").write_text(json.dumps({"line": "run", "schema_version": 99}) + "\n")

    with pytest.raises(UsageError, match="record version 99"):
        read_session(f"{tmp_path}#x", tmp_path)
