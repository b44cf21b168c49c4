"""The chat in a real terminal: a pseudo-terminal that reads what is drawn and types keys."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from evalkit.errors import ExitCode
from evalkit.store import RunReader
from tests.repl.shop import write_shop

CTRL_C, CTRL_D = "\x03", "\x04"
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])")
_COLOURS = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38)")


class Terminal:
    """A chat in a pseudo-terminal of a size."""

    def __init__(self, root: Path, *args: str, columns: int = 100, **environment: str) -> None:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC", "NO_COLOR"))
        }
        env = {
            **inherited,
            "TERM": "xterm-256color",
            "XDG_STATE_HOME": str(root / "state"),
            "PROMPT_TOOLKIT_NO_CPR": "1",
            **environment,
        }
        command = [sys.executable, "-m", "evalkit", "chat", *args]
        self.seen = ""
        self.child = pexpect.spawn(
            command[0], command[1:], cwd=root, env=env, dimensions=(50, columns), timeout=60, encoding="utf-8"
        )

    def wait(self, text: str) -> str:
        """Return what was printed until this text is, escape sequences left out; pexpect's TIMEOUT when it never is."""
        # what is drawn skips cells that are blank already, and sets styles between letters
        letters = (r"(?: |\x1b\[\d*C)" if letter == " " else re.escape(letter) for letter in text)
        pattern = r"(?:\x1b[^A-Za-z]*[A-Za-z])*?".join(letters)
        self.child.expect(pattern)
        raw = str(self.child.before) + str(self.child.after)
        self.seen += raw
        return _ESCAPES.sub("", raw)

    def type(self, text: str) -> None:
        """Type a line and Enter."""
        self.child.send(text + "\r")

    def leave(self) -> int:
        """Leave with Ctrl-D and return the exit code."""
        self.wait("you>")
        self.child.send(CTRL_D)
        return self.end()

    def end(self) -> int:
        """Wait for the program to end and return its exit code."""
        self.child.expect(pexpect.EOF)
        self.seen += str(self.child.before)
        self.child.close()
        return int(self.child.exitstatus or 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a fresh project."""
    return write_shop(tmp_path)


@pytest.fixture
def opened(root: Path) -> Iterator[Terminal]:
    """Open a chat whose banner is on the screen."""
    terminal = Terminal(root, "support@v2")
    terminal.wait("/help")
    yield terminal
    terminal.child.close(force=True)


def users(root: Path) -> list[str]:
    """Return every message of the newest chat, in the order of its sessions."""
    folder = max((root / "reports/chat").glob("2*"))
    return [turn.user for trial in RunReader(folder).trials() for turn in trial.transcript.turns]


def test_a_conversation_with_a_tool(opened: Terminal, root: Path) -> None:
    """Call, result and reply are shown, Ctrl-C does not leave, Ctrl-D does, and the record is named."""
    opened.type("Where is order TN-20977?")
    opened.wait("→ lookup_order")
    opened.wait("Northpost")
    opened.wait("voice ✓")
    opened.wait("you>")
    opened.child.send(CTRL_C)
    opened.wait("To leave: /exit or Ctrl-D")

    assert opened.leave() == ExitCode.PASSED
    assert "reports/chat/" in opened.seen
    assert users(root) == ["Where is order TN-20977?"]


def test_forty_pasted_lines_are_one_message(opened: Terminal, root: Path) -> None:
    """A paste does not send line by line; Enter sends it whole."""
    lines = [f"line {number}" for number in range(1, 41)]
    opened.child.send("\x1b[200~" + "\n".join(lines) + "\x1b[201~")
    opened.wait("line 40")
    opened.child.send("\r")
    opened.wait("voice")

    assert opened.leave() == ExitCode.PASSED
    assert users(root) == ["\n".join(lines)]


def test_lines_are_joined_by_backslash_and_quotes(opened: Terminal, root: Path) -> None:
    """A trailing backslash and triple quotes hold a message open."""
    opened.type("one\\")
    opened.type("two")
    opened.wait("voice")
    opened.wait("you>")
    opened.type('"""three')
    opened.type("")
    opened.type('four"""')
    opened.wait("voice")

    assert opened.leave() == ExitCode.PASSED
    assert users(root) == ["one\ntwo", "three\n\nfour"]


def test_ctrl_c_stops_a_reply_and_the_chat_goes_on(root: Path) -> None:
    """What came is kept; /retry asks again, /clear begins anew, and the next reply is whole."""
    terminal = Terminal(root, "--load", "faults/faults.yaml::stalls")
    terminal.wait("waits on the line")
    terminal.wait("Tell me about lamps.")
    terminal.child.send("\r")
    terminal.wait("Tess  ")
    terminal.child.send(CTRL_C)
    terminal.wait("stopped; what came is kept")
    terminal.wait("you>")
    terminal.type("/retry")
    terminal.wait("Tess  ")
    terminal.child.send(CTRL_C)
    terminal.wait("2/2: this reply counts")
    terminal.wait("you>")
    terminal.type("/clear")
    terminal.wait("new conversation")
    terminal.wait("you>")
    terminal.type("Hello")
    terminal.wait("first token")

    assert terminal.leave() == ExitCode.PASSED
    assert users(root) == ["Tell me about lamps.", "Tell me about lamps.", "Hello"]


def test_a_missing_result_is_typed(opened: Terminal, root: Path) -> None:
    """A call without a fixture asks; Ctrl-C there stops the reply and not the chat."""
    opened.type("Where is order TN-55555?")
    opened.wait("has no fixture for")
    opened.wait("result>")
    opened.type('{"status": "shipped"}')
    opened.wait("typed by you")
    opened.wait("voice")
    opened.wait("you>")
    opened.type("Where is order TN-66666?")
    opened.wait("result>")
    opened.child.send(CTRL_C)
    opened.wait("stopped")

    assert opened.leave() == ExitCode.PASSED
    assert len(users(root)) == 2


def test_two_versions_stand_below_each_other_or_side_by_side(root: Path) -> None:
    """One after the other on 100 columns, in two columns once the window is 160 wide."""
    terminal = Terminal(root, "support@v2", "--vs", "support@v1")
    terminal.wait("goes to both")
    terminal.type("Hello")
    narrow = terminal.wait("B: ")
    terminal.wait("you>")
    terminal.child.setwinsize(50, 160)
    terminal.type("Where is order TN-20977?")
    wide = terminal.wait("B: ")

    assert terminal.leave() == ExitCode.PASSED
    assert "── B support@v1 ──" in narrow
    rows = [line for line in wide.splitlines() if " │ " in line]
    assert rows[0].startswith("A support@v2")
    assert rows[0].rstrip().endswith("B support@v1")
    assert len({line.index(" │ ") for line in rows}) == 1


def test_an_edited_prompt_is_noticed(opened: Terminal, root: Path) -> None:
    """The line says so, and Enter takes the new text."""
    path = root / "prompts/support/v2.md"
    path.write_text(path.read_text().replace("a shop", "a cheese shop"))
    opened.wait("was edited. reload?")
    opened.child.send("\r")
    opened.wait("support@v2 (")

    assert opened.leave() == ExitCode.PASSED


def test_the_failing_trial_of_a_run_is_taken_up(root: Path) -> None:
    """--load last#CASE says why it failed and waits with the message; Enter gets a new reply."""
    done = pexpect.run(
        f"{sys.executable} -m evalkit run faults/faults.yaml::fails --via stand-in -q",
        cwd=root, withexitstatus=True, timeout=120,
    )  # fmt: skip
    assert done[1] in {ExitCode.FAILED, ExitCode.NO_VERDICT}, done[0]
    terminal = Terminal(root, "--load", "last#fails")
    terminal.wait("the recorded reply, left out: Great lamps!")
    terminal.wait("why it failed: never_says")
    terminal.wait("Tell me about lamps.")
    terminal.child.send("\r")
    terminal.wait("first token")

    assert terminal.leave() == ExitCode.PASSED


def test_no_colour_means_no_colour(root: Path) -> None:
    """With NO_COLOR nothing on the screen has a colour."""
    terminal = Terminal(root, "support@v2", NO_COLOR="1")
    terminal.wait("/help")
    terminal.type("Where is order TN-20977?")
    terminal.wait("voice ✓")

    assert terminal.leave() == ExitCode.PASSED
    assert not _COLOURS.search(terminal.seen)


def test_a_dumb_terminal_gets_plain_lines(root: Path) -> None:
    """No escape sequence reaches a terminal that knows none."""
    terminal = Terminal(root, "support@v2", TERM="dumb")
    terminal.wait("you>")
    terminal.type("Where is order TN-20977?")
    terminal.wait("voice ✓")
    terminal.type("/exit")

    assert terminal.end() == ExitCode.PASSED
    assert "\x1b" not in terminal.seen


def test_a_prompt_that_is_not_there_ends_the_chat_with_one_line(root: Path) -> None:
    """The mistake is named with a suggestion, and the exit code says that the command was wrong."""
    terminal = Terminal(root, "suport")

    assert terminal.end() == ExitCode.WRONG_INPUT
    assert "did you mean 'support'?" in terminal.seen
    assert "Traceback" not in terminal.seen


def test_a_message_without_a_rule_gets_no_words_of_the_bot(root: Path) -> None:
    """What the stand-in can't say is told as such, with messages that it knows; the chat goes on."""
    (root / "prompts/support/stand-in.yaml").write_text("rules: [{user: lamps, say: They glow.}]\n")
    terminal = Terminal(root, "support@v2")
    terminal.wait("/help")
    terminal.type("Sing of moss")
    before = terminal.wait('no script for this: no rule fits. It knows, for example: "lamps".')
    assert "Tess" not in before
    terminal.wait("you>")
    terminal.type("lamps")
    terminal.wait("They glow.")

    assert terminal.leave() == ExitCode.PASSED


def test_a_prompt_without_a_script_says_what_to_do(root: Path) -> None:
    """The first message is answered by what one can do: a key, a local model, a script, kept replies."""
    (root / "prompts/support/stand-in.yaml").unlink()
    terminal = Terminal(root, "support@v2", "--via", "stand-in", columns=250)
    terminal.wait("/help")
    terminal.type("Where is order TN-20977?")
    line = terminal.wait("(--via RUN).")
    assert "set a key, name a local model in ANTHROPIC_BASE_URL, write prompts/NAME/stand-in.yaml" in line

    assert terminal.leave() == ExitCode.PASSED
