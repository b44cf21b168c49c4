"""`evalkit replay` and `evalkit report LOG`: from a line in a log to the same bytes on the wire, and to numbers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.analysis.logs import summarise_logs
from evalkit.cli.main import run_command
from evalkit.engine import ApiReplies, Chatbot, Conversation, NoTools, RetryPolicy
from evalkit.engine.claude import ClaudeDoor
from evalkit.engine.functions import Toolset, tools_from
from evalkit.engine.recorder import Content, ProductionLog
from evalkit.engine.requests import resend
from evalkit.errors import NoVerdict
from evalkit.library import Options, open_chatbot
from evalkit.records import PromptVersion
from evalkit.store import read_session, record_files
from tests.engine.platform_server import platform_server
from tests.engine.streams import byte_server, end, http, sse, start, text_block, tool_block
from tests.project_files import write_files
from tests.runner.project import make_project, run

PROMPT = PromptVersion(
    "a" * 64, "bot@v3", "", "claude-sonnet-5-5", {"max_tokens": 99}, ({"type": "text", "text": "Be kind."},), ()
)
HELLO = http(sse(start(cache_read_input_tokens=30), *text_block(0, "Grüß dich"), *end()))
CALL = http(sse(start(), *tool_block(0, "lookup", '{"number": "A-1"}'), *end("tool_use")))
CUT = http(sse(start(), *text_block(0, "Gr")))
BROKEN = http(
    b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "529 No", "application/json"
)


def lookup(number: str) -> str:
    """Look up an order."""
    return f"{number} was sent"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send nothing to the real API, whatever this machine's environment holds."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def record(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    responses: Sequence[bytes],
    sessions: Sequence[tuple[str, Sequence[str]]] = (("anna", ("Hi",)),),
    *,
    content: Content = "full",
    prompt: PromptVersion = PROMPT,
) -> list[dict[str, Any]]:
    """Play sessions against scripted responses into a log; give the bodies that were sent."""
    tools: Toolset = tools_from([lookup])

    async def go() -> list[dict[str, Any]]:
        async with byte_server(responses) as (url, seen):
            with monkeypatch.context() as patch:
                patch.setenv("ANTHROPIC_BASE_URL", url)
                patch.setenv("ANTHROPIC_API_KEY", "k")
                options = Options(retry=RetryPolicy(retries=1, first_s=0.001))
                service = open_chatbot(prompt, tools=tools, log=ProductionLog(folder, content), options=options)
            for name, users in sessions:
                async with service.session(name) as session:
                    for user in users:
                        async for _ in session.send(user):
                            pass
            await service.close()
            return seen

    return asyncio.run(go())


def test_a_logged_request_is_sent_again_byte_for_byte(tmp_path: Path) -> None:
    """What arrives at the server the second time is what arrived the first time, to the byte."""

    async def go() -> list[bytes]:
        async with platform_server(answer=sse(start(), *text_block(0, "Hello"), *end())) as server:
            door = ClaudeDoor(server.url, "k")
            log = ProductionLog(tmp_path).session("anna", PROMPT)
            bot = Chatbot(PROMPT, ApiReplies(door, lambda *_: 0.0), NoTools())
            log.turn(Conversation(), "Grüße, 你好 \u2028")
            async for event in bot.send(Conversation(), "Grüße, 你好 \u2028"):
                log.take(event, 1)
            stored = read_session(f"{tmp_path}#anna", tmp_path).transcript.requests[0]
            await resend(stored, {}, door, lambda *_: 0.0)
            await door.close()
            return [seen.body for seen in server.seen]

    first, again = asyncio.run(go())
    assert first == again


def test_replay_shows_the_old_reply_and_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last request of the session is sent to the stand-in, and both replies stand below each other."""
    record(tmp_path, monkeypatch, [HELLO])
    write_files(tmp_path, {"prompts/bot/stand-in.yaml": "rules: [{say: Good day.}]\n"})
    monkeypatch.chdir(tmp_path)

    assert run_command(["replay", f"{tmp_path}#anna", "--via", "stand-in"]) == 0
    out = capsys.readouterr()
    assert "recorded: end_turn" in out.out
    assert "Grüß dich" in out.out
    assert "── now: end_turn" in out.out
    assert "Good day." in out.out
    assert "request 1 of anna, sent to: stand-in" in out.err


def test_a_dry_run_prints_the_body_and_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --dry-run any request of the session can be looked at as it was sent."""
    sent = record(tmp_path, monkeypatch, [CALL, HELLO])

    for number in (1, 2):
        assert run_command(["replay", f"{tmp_path}#anna", "--request", str(number), "--dry-run"]) == 0
        assert json.loads(capsys.readouterr().out) == sent[number - 1]


def test_a_request_of_a_run_is_replayed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """RUN#SESSION takes a run's folder and a part of the trial's name."""
    folder = run(make_project(tmp_path))
    monkeypatch.chdir(tmp_path)

    assert run_command(["replay", f"{folder}#looks-up@bot@v1#1", "--request", "2", "--via", "stand-in"]) == 0
    assert "It was sent." in capsys.readouterr().out


def test_a_hashed_log_can_not_be_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where texts are not kept, replay says so in one sentence and points at what is kept."""
    record(tmp_path, monkeypatch, [HELLO], content="hashed")

    assert run_command(["replay", f"{tmp_path}#anna"]) == 2
    err = capsys.readouterr().err
    assert "keeps hashes instead of texts" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["#anna", "--request", "9"], "no request 9; expected one of 1 to 1"),
        (["#berta"], "no session 'berta'; expected one of anna"),
        ([""], "no session named; expected RECORD#SESSION"),
    ],
)
def test_what_can_not_be_found_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    words: str,
) -> None:
    """A session or request that is not there ends with code 2 and with what is there."""
    record(tmp_path, monkeypatch, [HELLO])

    assert run_command(["replay", f"{tmp_path}{arguments[0]}", *arguments[1:]]) == 2
    assert words in capsys.readouterr().err


def test_a_replay_without_a_reply_ends_without_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the request fails again the command says why and ends with code 3."""
    record(tmp_path, monkeypatch, [HELLO], prompt=replace(PROMPT, model="claude-of-yesterday"))

    assert run_command(["replay", f"{tmp_path}#anna", "--via", "stand-in"]) == 3
    assert "request 1 got no reply: not_found_error" in capsys.readouterr().err


def test_a_log_is_summed_up_by_session_prompt_and_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns, requests, tokens, abandoned streams, failures and tool calls add up to what was played."""
    responses = [CALL, HELLO, HELLO, CUT, HELLO, BROKEN, BROKEN]
    record(tmp_path, monkeypatch, responses, [("anna", ("Hi", "And?")), ("berta", ("Hi",)), ("carl", ("Hi",))])
    summary = summarise_logs(record_files(tmp_path))

    assert (summary.sessions, summary.turns, summary.requests) == (3, 4, 5)
    assert (summary.failed, summary.retries, summary.abandoned) == (1, 2, 0)
    assert (summary.tool_calls, summary.tool_errors) == (1, 0)
    assert summary.input_tokens == 10 * 5
    assert summary.read_tokens == 30 * 3
    assert summary.output_tokens == 7 * 4 + 1
    assert {failure.kind: (failure.final, failure.retried) for failure in summary.failures} == {
        "overloaded_error": (1, 1),
        "truncated_stream": (0, 1),
    }
    assert summary.first_token.n == summary.whole_reply.n == 3
    assert [use.ref for use in summary.prompts] == ["bot@v3"]
    assert (summary.prompts[0].sessions, summary.prompts[0].failed) == (3, 1)
    assert [row.session_id for row in summary.dearest] == ["anna", "berta", "carl"]


def test_the_costs_of_sessions_prompts_and_log_are_the_same_money(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever way the money is split, it adds up to the records' costs with those of abandoned streams."""
    record(tmp_path, monkeypatch, [CUT, HELLO, HELLO], [("anna", ("Hi",)), ("berta", ("Hi",))])
    summary = summarise_logs(record_files(tmp_path))
    requests = [
        request
        for name in ("anna", "berta")
        for request in read_session(f"{tmp_path}#{name}", tmp_path).transcript.requests
    ]
    recorded = sum((each.cost_usd or 0) + sum(a.cost_usd or 0 for a in each.attempts) for each in requests)

    assert summary.cost_usd == pytest.approx(recorded)
    assert sum(row.cost_usd or 0 for row in summary.dearest) == pytest.approx(recorded)
    assert sum(use.cost_usd or 0 for use in summary.prompts) == pytest.approx(recorded)


def test_a_hashed_log_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates, tokens and costs do not depend on whether texts are kept."""
    contents: tuple[Content, ...] = ("full", "hashed")
    for content in contents:
        record(tmp_path / content, monkeypatch, [CALL, HELLO, CUT, HELLO], [("anna", ("Hi", "And?"))], content=content)
    full, hashed = (summarise_logs(record_files(tmp_path / content)) for content in contents)

    assert hashed.hashed
    for name in ("turns", "requests", "retries", "cost_usd", "input_tokens", "output_tokens", "tool_calls"):
        assert getattr(full, name) == getattr(hashed, name)
    assert [failure.kind for failure in full.failures] == [failure.kind for failure in hashed.failures]


def test_report_sums_up_a_folder_of_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`evalkit report LOGS` prints sessions, money, times and failures; JSON holds the same values."""
    record(tmp_path / "logs", monkeypatch, [CALL, HELLO])

    assert run_command(["report", str(tmp_path / "logs")]) == 0
    text = capsys.readouterr().out
    assert "1 session, 1 turn, 2 requests" in text
    assert "bot@v3 (" in text
    assert run_command(["report", str(record_files(tmp_path / "logs")[0]), "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 2


def test_the_page_of_a_log_shows_the_same_and_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the text a page is written; what sessions are called is text there, never mark-up."""
    logs = tmp_path / "logs"
    record(logs, monkeypatch, [CUT, HELLO], [("<script>alert(1)</script>", ("Hi",))])

    assert run_command(["report", str(logs)]) == 0
    page = (logs / "report.html").read_text("utf-8")
    assert "1 session, 1 turn, 1 request" in page
    assert "truncated_stream" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert len(record_files(logs)) == 1


def test_a_log_without_a_session_has_no_numbers(tmp_path: Path) -> None:
    """An empty log is no report of zeros."""
    with pytest.raises(NoVerdict, match="no session in this log"):
        summarise_logs(record_files(tmp_path))
