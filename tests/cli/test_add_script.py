"""`evalkit add --script`: what was said live is said offline from then on, in any domain."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli.main import run_command
from evalkit.errors import ExitCode
from evalkit.records import Trial
from evalkit.standin import StandIn
from evalkit.standin.reply import Answer, Cue, JsonObject, Reply
from evalkit.store import RunReader, find_run
from tests.project_files import write_files

TOOL = """\
name: {name}
description: {name} at the clinic's front desk, by day and time, for one patient.
input_schema: {{type: object, properties: {{doctor: {{type: string, description: Whom.}}, card: {{type: string, description: Their card.}}, slot: {{type: string, description: When.}}}}}}
"""  # noqa: E501
SUITE = """\
prompt: clinic
trials: 1
tools:
  find_slots: [{returns: {slots: [{id: sl-1, day: 2026-11-30, time: "09:20"}, {id: sl-2, day: 2026-12-01, time: "14:00"}]}}]
  book_slot: [{error: the calendar is locked, times: 1}, {returns: {reference: B-771, fee: 24.5}}]
cases:
  - {id: books, turns: [{user: "Can Dr Osei see me? My card is {C-204}."}, {user: "The second"}, {user: "Thanks"}]}
"""  # noqa: E501
FOUND = (
    "Free: [30 November] at 09:20, or {{ soon }}: 1 December # at 14:00.\n\n- `{% raw %}`\n  Which one would you like?"
)
BOOKED = "It is booked: B-771, 24.50 for card C-204, 1 December."


def _use(name: str, **given: str) -> Reply:
    return Reply(({"type": "tool_use", "name": name, "input": given},), "tool_use")


def clinic(request: JsonObject, trial: int, cue: Cue) -> Reply:
    """Answer as a model would: by how far the conversation is."""
    last = request["messages"][-1]["content"]
    asked = last if isinstance(last, str) else json.dumps(last)
    results = json.dumps(request["messages"]).count('"tool_result"')
    if "Thanks" in asked:
        return Reply(({"type": "text", "text": "Get well soon."},))
    steps = [
        _use("find_slots", doctor="osei", card="C-204"),
        Reply(({"type": "text", "text": FOUND},)),
        _use("book_slot", slot="sl-2"),
        Reply(({"type": "text", "text": BOOKED},)),
    ]
    if results >= 2:  # the calendar was locked: once more
        return steps[2] if results == 2 else steps[3]
    return steps[(results and 1) + ("The second" in asked)]


def trial_of(root: Path) -> Trial:
    """Return the only trial of the newest run."""
    [trial] = RunReader(find_run("last", root)).trials()
    return trial


def said(trial: Trial) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Return what was said and called in each turn."""
    return [(turn.reply, [(one.name, dict(one.input)) for one in turn.tool_calls]) for turn in trial.transcript.turns]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clinic's project without a script, as the working directory."""
    header = "---\nmodel: claude-sonnet-5-5\nmax_tokens: 300\ntools: [tools/find.yaml, tools/book.yaml]\n---\n"
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ANTHROPIC")]:
        monkeypatch.delenv(name)
    return write_files(
        tmp_path,
        {
            "evalkit.yaml": "",
            "prompts/clinic/CURRENT": "v1\n",
            "prompts/clinic/v1.md": header + "You are the clinic's front desk. Book only what was chosen.\n",
            "prompts/clinic/tools/find.yaml": TOOL.format(name="find_slots"),
            "prompts/clinic/tools/book.yaml": TOOL.format(name="book_slot"),
            "suites/visits.yaml": SUITE,
        },
    )


def run_live(monkeypatch: pytest.MonkeyPatch, model: Answer = clinic) -> None:
    """Play the suite with a model behind a server."""
    with StandIn(model) as server, monkeypatch.context() as patched:
        patched.setenv("ANTHROPIC_BASE_URL", server.base_url)
        patched.setenv("ANTHROPIC_API_KEY", "any")
        patched.setenv("NO_PROXY", "127.0.0.1")
        run_command(["run", "--via", "live", "-q"])


def test_a_live_conversation_becomes_an_offline_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drafted rules pass check and say, call and fail as it went; values of results and the user are templated."""
    run_live(monkeypatch)
    live = said(trial_of(root))
    assert [reply for reply, _ in live] == [FOUND, BOOKED, "Get well soon."]

    assert run_command(["add", "--script", "--from", "last#books"]) == ExitCode.PASSED
    assert run_command(["check"]) == ExitCode.PASSED
    run_command(["run", "--via", "stand-in", "-q"])

    assert said(trial_of(root)) == live
    text = (root / "prompts/clinic/stand-in.yaml").read_text()
    for wanted in ("find_slots.slots[1].id", "book_slot.reference", "{{ card }}", "| day", "call: again"):
        assert wanted in text
    assert run_command(["add", "--script", "--from", "last#books"]) == ExitCode.NOTHING_SELECTED


def test_rules_are_put_in_front_and_the_rest_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments and rules of the file are as they were, and a rule that would have answered before does not."""
    head = "# ours\nprompt: {chosen: what was chosen}\nrules:   # in order\n"
    tail = '# the second\n- {user: second, say: "No: [x]."}\n\n# end\n'
    path = root / "prompts/clinic/stand-in.yaml"
    path.write_text(head + tail)
    run_live(monkeypatch)
    live = said(trial_of(root))

    assert run_command(["add", "--script", "--from", "last#books"]) == ExitCode.PASSED

    text = path.read_text()
    assert text.startswith(head)
    assert text.endswith(tail)
    run_command(["run", "--via", "stand-in", "-q"])
    assert said(trial_of(root)) == live


def test_a_tool_that_stays_broken_is_spoken_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said after a failed call stands above the call, under the failure as its condition."""

    def sorry(request: JsonObject, trial: int, cue: Cue) -> Reply:
        results = json.dumps(request["messages"]).count('"tool_result"')
        words = ({"type": "text", "text": "I can't see the calendar: [call 9-5]."},)
        return Reply(words) if results == 2 else _use("find_slots", doctor=["osei", "lindqvist"][results])

    broken = "tools: {find_slots: [{error: down}]}\ncases:\n  - {id: books, user: Can anybody see me today?}\n"
    (root / "suites/visits.yaml").write_text(f"prompt: clinic\ntrials: 1\n{broken}")
    run_live(monkeypatch, sorry)
    live = said(trial_of(root))
    assert [len(calls) for _, calls in live] == [2]

    assert run_command(["add", "--script", "--from", "last#books"]) == ExitCode.PASSED
    run_command(["run", "--via", "stand-in", "-q"])

    assert said(trial_of(root)) == live


def test_a_log_of_another_program_is_taken(root: Path) -> None:
    """Messages that cannot be told apart get the reply before as a condition."""
    call = {"id": "t1", "type": "function", "function": {"name": "find_slots", "arguments": '{"doctor": "osei"}'}}
    messages = [
        {"role": "user", "content": "Yes"},
        {"role": "assistant", "content": "Yes what? {{"},
        {"role": "user", "content": "yes"},
        {"role": "assistant", "content": "One moment.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "closed"},
        {"role": "assistant", "content": "We are closed: come [tomorrow]."},
    ]
    (root / "old.jsonl").write_text(json.dumps({"id": "a", "messages": messages}) + "\n")

    assert run_command(["add", "--script", "--from", "old.jsonl#a", "-p", "clinic"]) == ExitCode.PASSED
    assert run_command(["check"]) == ExitCode.PASSED

    text = (root / "prompts/clinic/stand-in.yaml").read_text()
    assert text.index("reply: '/") < text.index('say: "Yes what?')
    assert "One moment." in text


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--from", "old.jsonl"), "names no prompt; add: --prompt REF"),
        (("--from", "old.jsonl", "-p", "desk"), "no prompt 'desk'"),
        (("--from", "nowhere#x", "-p", "clinic"), "no run 'nowhere'"),
        (("--from", "empty.jsonl", "-p", "clinic"), "no turn has a complete reply"),
        (("kept", "--from", "old.jsonl"), "--script takes --from and --prompt only"),
    ],
)
def test_a_wrong_call_is_one_line(
    root: Path, args: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written."""
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    (root / "old.jsonl").write_text(json.dumps({"id": "a", "messages": talk}) + "\n")
    (root / "empty.jsonl").write_text(json.dumps({"id": "a", "messages": talk[:1]}) + "\n")

    assert run_command(["add", "--script", *args]) == ExitCode.WRONG_INPUT

    assert words in capsys.readouterr().err
    assert not (root / "prompts/clinic/stand-in.yaml").exists()
