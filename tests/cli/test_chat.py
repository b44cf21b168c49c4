"""`evalkit chat` with one message: what goes where, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.cli.main import run_command
from evalkit.errors import ExitCode
from tests.repl.shop import write_shop


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a fresh project."""
    return write_shop(tmp_path)


def evalkit(root: Path, *args: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a project, without a key."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")}
    stdin = {"input": given} if given is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(
        [sys.executable, "-m", "evalkit", *args],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        **stdin,
    )


def test_standard_output_holds_the_reply_alone(root: Path) -> None:
    """Calls and footer go to standard error."""
    done = evalkit(root, "chat", "support", "-m", "Where is order TN-20977?")

    assert done.returncode == ExitCode.PASSED
    assert "Northpost" in done.stdout
    assert "lookup_order" not in done.stdout
    assert "→ lookup_order" in done.stderr
    assert "first token" in done.stderr


def test_standard_input_is_the_message(root: Path) -> None:
    """All of it is one message, to the project's only prompt."""
    done = evalkit(root, "chat", "--json", given="Where is\norder TN-20977?\n")

    record = json.loads(done.stdout)
    assert record["user"] == "Where is\norder TN-20977?"
    assert record["usage"]["output_tokens"] > 0
    assert record["prompt"] == "support@v2"
    assert record["source"] == "stand-in"
    assert record["failure"] is None
    assert (root / record["record"].partition("#")[0] / "run.jsonl").is_file()


def test_only_the_json_that_was_asked_for_reaches_a_pipe(root: Path) -> None:
    """A reply that is void is told on standard error, and the one that takes its place is the output."""
    schema = "{type: object, properties: {day: {type: string}}, required: [day], additionalProperties: false}"
    rules = '[{user: "can\'t be used", output: {day: Monday}}, {user: when, say: On Monday.}]'
    header = f"---\nmodel: claude-haiku-5-5\noutput: {{schema: {schema}}}\n---\n"
    (root / "prompts/dates.md").write_text(f"{header}You name days.")
    (root / "prompts/dates.stand-in.yaml").write_text(f"rules: {rules}")
    done = evalkit(root, "chat", "dates", "-m", "When is it?")

    assert (done.returncode, done.stdout) == (ExitCode.PASSED, '{"day":"Monday"}\n')
    assert "the reply is no JSON" in done.stderr


def test_a_broken_reply_is_printed_once_and_ends_with_3(root: Path) -> None:
    """The words of tries that were given up are not in the output; the error is on standard error."""
    (root / "faults/faults.yaml").write_text(
        "prompt: support\ninputs: {today: x}\ncases:\n"
        "  - {id: always, user: Hello, stand_in: [{fault: overloaded_mid_stream}]}\n"
    )
    done = evalkit(root, "chat", "--load", "faults/faults.yaml::always", given="")

    assert done.returncode == ExitCode.NO_VERDICT
    assert "overloaded" in done.stderr
    assert "Traceback" not in done.stderr
    first = done.stdout.strip()[:12]
    assert first
    assert done.stdout.count(first) == 1


def test_a_call_without_a_fixture_is_down_where_nobody_can_be_asked(root: Path) -> None:
    """The model hears that the tool is not available, and the record says why."""
    done = evalkit(root, "chat", "-m", "Where is order TN-55555?", "--json")

    (call, *_) = json.loads(done.stdout)["tool_calls"]
    assert call["is_error"]
    assert call["origin"] == "no fixture"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("suport", "-m", "hi"), "did you mean 'support'?"),
        (("-m", "  "), "nothing to send"),
        (("--via", "reports/x", "-m", "hi"), "expected live or stand-in"),
        (("--via", "live", "-m", "hi"), "set ANTHROPIC_API_KEY"),
        (("--load", "parcels::nothing", "-m", "hi"), "no case 'nothing'"),
        (("-c", "-m", "hi"), "no chat in reports/chat/"),
        (("--blind", "-m", "hi"), "add --vs REF"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(
    root: Path, args: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code says that the command is wrong, and nothing is sent."""
    monkeypatch.chdir(root)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    assert run_command(["chat", *args]) == ExitCode.WRONG_INPUT
    assert words in capsys.readouterr().err
    assert not (root / "reports").exists()


def test_a_chat_is_a_run_for_report_and_scoring(root: Path) -> None:
    """`report` takes its record, and `run --via` scores its replies without a call."""
    done = evalkit(root, "chat", "-m", "Where is order TN-20977?", "--json")
    record = json.loads(done.stdout)["record"].partition("#")[0]
    (root / "suites/chats.yaml").write_text(
        'prompt: support\ninputs: {today: "2026-11-22"}\n'
        "cases:\n  - {id: chat, trials: 1, min_pass: 1, expect: {says: [Northpost]}}\n"
    )

    assert evalkit(root, "report", record).returncode == ExitCode.PASSED
    scored = evalkit(root, "run", "suites/chats.yaml", "--via", record, "-q")
    assert scored.returncode == ExitCode.PASSED, scored.stdout + scored.stderr
