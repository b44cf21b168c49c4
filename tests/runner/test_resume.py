"""Cut anywhere, resume, and nothing is lost, doubled or paid for twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from evalkit.engine import ToolFailed, ToolOutcome
from evalkit.errors import UsageError
from evalkit.records import JsonObject, ToolCall
from evalkit.runner import resume_run
from evalkit.runner.trial import StoredCalls
from evalkit.standin.reply import Cue, Reply
from evalkit.standin.server import StandIn
from evalkit.store import RUN_FILE, RunReader
from tests.runner.project import SUITE, make_project, run, write_suite

VOLATILE = {
    "ts",
    "ms",
    "request_id",
    "first_token_ms",
    "total_ms",
    "message_id",
    "usage",
    "cost_usd",
    "previous_message_id",
}
VOLATILE |= {"cache_miss_reason"}


def normal(value: Any) -> Any:
    """Drop what differs between two runs of the same thing: times, ids of the server, state of its cache."""
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items() if key not in VOLATILE}
    return [normal(item) for item in value] if isinstance(value, list) else value


def sessions(folder: Path) -> dict[str, list[Any]]:
    """Return the lines of every session, in order."""
    found: dict[str, list[Any]] = {}
    for line in (folder / RUN_FILE).read_bytes().splitlines():
        obj = orjson.loads(line)
        session_id = obj.get("session_id")
        if session_id:
            found.setdefault(session_id, []).append(normal(obj))
    return found


def test_a_run_cut_at_any_byte_resumes_to_the_same_records(tmp_path: Path) -> None:
    """Every prefix of the file that holds the header grows into the records of the unbroken run."""
    project = make_project(tmp_path)
    whole = run(project, tmp_path / "whole")
    data = (whole / RUN_FILE).read_bytes()
    header = data.index(b"\n") + 1
    cuts = sorted(Random(7).sample(range(header, len(data)), 14))

    for cut in [header, *cuts]:
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        (folder / RUN_FILE).write_bytes(data[:cut])

        resume_run(project, str(folder))

        assert sessions(folder) == sessions(whole), cut
        before = {obj for obj in data[:cut].splitlines(keepends=True) if obj.endswith(b"\n")}
        assert before <= set((folder / RUN_FILE).read_bytes().splitlines(keepends=True)), cut


def test_a_message_that_looks_like_a_secret_can_be_resumed_and_scored(tmp_path: Path) -> None:
    """What is scrubbed from the record is no other question than what was asked."""
    turns = [{"user": f"My key is sk-ant-{'a' * 20}.", "expect": {"tools": "none"}}, {"user": "So?"}]
    project = make_project(tmp_path, cases=[{"id": "key", "turns": turns, "stand_in": [{"say": "Hm."}] * 2}], trials=1)
    whole = run(project, tmp_path / "whole")
    lines = (whole / RUN_FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    last = max(n for n, line in enumerate(lines) if line.startswith(b'{"line":"request"'))
    (tmp_path / "cut" / RUN_FILE).write_bytes(b"".join(lines[:last]))

    resume_run(project, "cut")

    resumed, unbroken = (next(RunReader(folder).trials()) for folder in (tmp_path / "cut", whole))
    assert [request.body for request in resumed.transcript.requests] == [
        request.body for request in unbroken.transcript.requests
    ]
    assert resumed.score == unbroken.score
    assert b"sk-ant-" not in (whole / RUN_FILE).read_bytes()


def test_resuming_a_finished_run_asks_nothing(tmp_path: Path) -> None:
    """What is finished is never played again."""
    project = make_project(tmp_path)
    folder = run(project)
    before = sessions(folder)

    resume_run(project, "last")

    assert sessions(folder) == before


@pytest.mark.parametrize("change", ["suite", "prompt"])
def test_a_run_of_something_else_is_not_resumed(tmp_path: Path, change: str) -> None:
    """A suite or prompt that changed meanwhile makes two halves that do not fit."""
    project = make_project(tmp_path)
    run(project)
    if change == "suite":
        write_suite(tmp_path, description="another")
    else:
        prompt = tmp_path / "prompts/bot/v1.md"
        prompt.write_text(prompt.read_text() + "And be quick.")

    with pytest.raises(UsageError, match="has changed since"):
        resume_run(project, "last")


class KillingModel:
    """Answers requests and kills a process at the given request numbers, before or after it answers."""

    def __init__(self, kill_at: Sequence[int]) -> None:
        self.kill_at = set(kill_at)
        self.asked: Counter[bytes] = Counter()
        self.process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def answer(self, request: dict[str, Any], trial: int, cue: Cue) -> Reply:
        """Answer one request."""
        with self._lock:
            self.asked[orjson.dumps(request["messages"])] += 1
            if sum(self.asked.values()) in self.kill_at and self.process:
                self.process.send_signal(signal.SIGKILL)
        last = request["messages"][-1]["content"]
        if isinstance(last, str) and "A-" in last:
            return Reply(({"type": "tool_use", "name": "lookup", "input": {"id": last}},), "tool_use")
        return Reply(({"type": "text", "text": "Good day, it was sent."},))


def test_a_killed_process_repeats_no_request_that_had_finished(tmp_path: Path) -> None:
    """kill -9 in the middle of requests: resuming asks only what had no recorded reply."""
    cases = [{**SUITE["cases"][0], "id": f"c{n}", "user": f"A-{n}", "stand_in": []} for n in range(6)]
    make_project(tmp_path, cases=cases, trials=1)
    model = KillingModel(kill_at=[3, 8])
    with StandIn(model.answer) as server:
        env = {**os.environ, "ANTHROPIC_BASE_URL": server.base_url, "ANTHROPIC_API_KEY": "a-key-for-tests"}
        command = [sys.executable, "-m", "evalkit", "run", "--via", "live", "-n", "2", "-o", "run", "-q"]
        codes, recorded = [], Counter[bytes]()
        while not codes or codes[-1] == -signal.SIGKILL:
            model.process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL)
            codes.append(model.process.wait(120))
            command = [sys.executable, "-m", "evalkit", "run", "--resume", "run", "-q"]
        asked_twice = {body for body, count in model.asked.items() if count > 1}

    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]
    reader = RunReader(tmp_path / "run")
    trials = list(reader.trials())
    assert len(trials) == 6
    recorded.update(orjson.dumps(request.body["messages"]) for trial in trials for request in trial.transcript.requests)
    assert set(recorded) == set(model.asked)
    assert set(recorded.values()) == {1}
    assert len(asked_twice) <= 4  # only what was in flight when the process died: two jobs, two kills


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_run_keeps_what_is_done_and_ends_with_130(tmp_path: Path, number: signal.Signals) -> None:
    """After Ctrl-C, or when its terminal is closed, a run writes what it has, says so, and can be resumed."""
    case = {**SUITE["cases"][1], "tools": {"lookup": [{"returns": "sent", "delay_ms": 10_000}]}}
    make_project(tmp_path, cases=[SUITE["cases"][0], case], trials=1)
    command = [sys.executable, "-m", "evalkit", "run", "--via", "stand-in", "-o", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    file = tmp_path / "run" / RUN_FILE
    while not (file.is_file() and b'"tool_use"' in file.read_bytes()):
        assert process.poll() is None
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    reader = RunReader(tmp_path / "run")
    assert reader.end is not None
    assert reader.end.reason == "interrupted"
    assert (tmp_path / "run" / "report.html").is_file()
    assert b"interrupted" in out


def test_a_recorded_call_is_made_again_and_answered_as_it_was() -> None:
    """What calls change stands where it stood, and the stored replies rest on what was said then."""
    made: list[JsonObject] = []

    class Counting:
        """Says something else each time."""

        async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
            made.append(tool_input)
            if tool_input == {"n": 2}:
                raise ToolFailed("not today")
            return ToolOutcome(f"today's {len(made)}")

    before = [ToolCall(str(n), "count", {"n": n}, f"then {n}", n == 2, 1.0, 1, "then") for n in (1, 1, 2)]
    tools = StoredCalls(before, Counting())

    async def go() -> list[str]:
        return [(await tools.call("count", {"n": n})).output for n in (1, 1, 2, 1)]

    assert asyncio.run(go()) == ["then 1", "then 1", "then 2", "today's 4"]
    assert len(made) == 4
