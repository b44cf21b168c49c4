"""Writes cases: a conversation as the text of a case, and cases added to a suite's text, which stays as it is.

The replies stand as comments and never as expectations: they may be the very thing that was wrong. Knows where the list
of cases ends in the text, and values as YAML that the strict loader reads back. The result is loaded before it is
written, and refused if anything else than the new cases would be different.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

import orjson

from evalkit.errors import FileProblems, UsageError
from evalkit.suites.find import relative_name
from evalkit.suites.load import compile_suite, read_suite
from evalkit.suites.values import Suite
from evalkit.yamlsource import Source, decode, parse_yaml, read_text
from evalkit.yamlsource.nodes import ListNode

STEP = 2


@dataclass(frozen=True)
class Addition:
    """What was added: the file's name, its lines from `first` to `last`, and their text.

    `tools` are tool files that were written with it, and `prompt` the prompt's file that names them now.
    """

    file: str
    first: int
    last: int
    text: str
    prompt: str = ""
    tools: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}:{self.first}-{self.last} added"


def append_cases(path: Path, root: Path, make: Callable[[Suite | None], Sequence[NewCase]], new_suite: str) -> Addition:
    """Add cases to a suite file and return what was added.

    `make` gets the suite as it is (None for a file that is not there, which begins with the text `new_suite`) and gives
    the cases. FileProblems when the suite has errors, UsageError when its cases are written in a way that text can't be
    added to.
    """
    file = relative_name(path, root)
    suite: Suite | None = None
    if path.exists():
        suite, problems = read_suite(path, root)
        if suite is None:
            raise FileProblems(problem for problem in problems if problem.severity == "error")
        text = read_text(path, file).text
        bom = path.read_bytes().startswith(b"\xef\xbb\xbf")
        at, dash = _end_of_cases(parse_yaml(read_text(path, file)), text)
    else:
        text, bom = new_suite.rstrip("\n") + "\ncases:\n", False
        at, dash = len(text), STEP
    lines = [line for case in make(suite) for line in ["", *case_lines(case, dash, STEP)]]
    if suite is None:
        lines = lines[1:]
    ending = "\r\n" if "\r\n" in text else "\n"
    before, after = text[:at], text[at:]
    gap = "" if not before or before.endswith(("\n", "\r")) else ending
    added = ending.join(lines) + ending
    whole = before + gap + added + after
    _write(path, root, whole, bom=bom, known=suite)
    first = len(re.findall(r"\r\n|\r|\n", before + gap)) + (2 if suite else 1)
    return Addition(file, first, first + len(lines) - (2 if suite else 1), "\n".join(lines).strip("\n"))


def new_suite_text(prompt_ref: str, inputs: Mapping[str, Any], voice: str) -> str:
    """Return the beginning of a suite for cases that are added one by one; `voice` relative to the suite."""
    lines = ["description: Cases kept from conversations.", f"prompt: {scalar(prompt_ref)}"]
    lines += [f"voice: {scalar(voice)}"] if voice else []
    lines += _inputs(inputs, "")
    return "\n".join(lines) + "\n"


def _end_of_cases(source: Source, text: str) -> tuple[int, int]:
    """Return the offset where another case can be written, and the column of the cases' dashes."""
    cases = source.node(("cases",))
    if not isinstance(cases, ListNode) or cases.used:
        raise UsageError(
            f"{source.use_place(('cases',))}: the cases are written somewhere else and used here; expected a list of "
            "lines that begin with '- ', to add text behind them. Add the case by hand."
        )
    starts = [source.use_place(("cases", index)) for index in range(len(cases.items))]
    lines = text.splitlines(keepends=True) if "\r" not in text else re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    before = [lines[place.line - 1][: place.column - 1] for place in starts]
    dashes = {text.index("-") if text.strip() == "-" else -1 for text in before}
    if len(dashes) != 1 or -1 in dashes:
        raise UsageError(
            f"{source.file}:{starts[0].line}: the cases are not written as a list of lines that begin with '- '; "
            "expected that, to add text behind them. Add the case by hand."
        )
    [dash] = dashes
    end = starts[-1].line  # the line behind the last one that surely belongs to the last case
    for number in range(starts[-1].line, len(lines)):
        line = lines[number]
        indent = len(line) - len(line.lstrip(" "))
        remark = dash > 0 and indent == dash and line.strip().startswith("#")
        if line.strip() and indent <= dash and not remark:
            break
        if line.strip():
            end = number + 1
    return sum(len(line) for line in lines[:end]), dash


def _write(path: Path, root: Path, text: str, *, bom: bool, known: Suite | None) -> None:
    """Write the file if it loads, and if what was in it means the same as before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    data = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    suite, problems = compile_suite(decode(data, relative_name(path, root)), root)
    errors = [problem for problem in problems if problem.severity == "error"]
    if suite is None or errors:
        raise FileProblems(errors)
    for old, new in zip(known.cases if known else (), suite.cases, strict=False):
        if (old.record.case_id, old.record.sha) != (new.record.case_id, new.record.sha):
            raise UsageError(f"{path.name}: adding text would change case {old.record.case_id!r}; add it by hand.")
    handle, name = tempfile.mkstemp(prefix=".", suffix=".yaml", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(mode)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


COMMENT_WIDTH = 160


@dataclass(frozen=True)
class NewFixture:
    """What a tool answered to an input: a JSON value, or the message of an error; `once` for the next call only."""

    tool: str
    when: Any
    returns: Any = None
    error: str | None = None
    once: bool = False


NewMessage = str | tuple[Mapping[str, str], ...]
"""What a user said: a text, or parts as a suite writes them, each with its keys."""


@dataclass(frozen=True)
class NewTurn:
    """A user message, the calls that the assistant made, and what it replied."""

    user: NewMessage
    calls: tuple[tuple[str, Any], ...] = ()
    reply: str = ""


@dataclass(frozen=True)
class NewEntry:
    """What one side said before a case begins; `calls` are the assistant's, each with what it brought."""

    role: str
    said: NewMessage
    calls: tuple[NewFixture, ...] = ()


@dataclass(frozen=True)
class NewCase:
    """A case to be written. `history` holds what was said before, `origin` says where the case came from."""

    id: str
    turns: tuple[NewTurn, ...]
    origin: str = ""
    history: tuple[NewEntry, ...] = ()
    fixtures: tuple[NewFixture, ...] = ()
    notes: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)


def case_id_of(text: str, taken: Iterable[str] = ()) -> str:
    """Return an id for a case that begins with a message: its first words, and a number where they are taken."""
    words = re.findall(r"[A-Za-z0-9]+", text.lower())
    made = ""
    for word in words:
        if made and len(made) + len(word) > 40:
            break
        made = f"{made}-{word}" if made else word[:40]
    made = made or "case"
    known = set(taken)
    return next(name for name in chain([made], (f"{made}-{n}" for n in count(2))) if name not in known)


def case_lines(case: NewCase, dash: int, step: int) -> list[str]:
    """Return the lines of a case as an item of a list whose dashes stand at column `dash`, indented by `step`."""
    key, pad = dash + step, " " * (dash + step)
    lines = [f"{' ' * dash}-{' ' * (step - 1)}id: {scalar(case.id)}"]
    lines += [f"{pad}from: {quoted(case.origin)}"] if case.origin else []
    lines += [f"{pad}gate: false   # only watched: write what you expect (see the comments), then remove this line"]
    lines += [f"{pad}# {note}" for note in case.notes]
    lines += _inputs(case.inputs, pad)
    if case.history:
        lines.append(f"{pad}history:")
        lines += [line for entry in case.history for line in _entry(entry, key + 2)]
    if len(case.turns) == 1:
        turn = case.turns[0]
        lines.append(f"{pad}user:{_message(turn.user, key + 2)}")
        lines += _suggestions(turn, pad)
    else:
        lines.append(f"{pad}turns:")
        for turn in case.turns:
            lines.append(f"{pad}  - user:{_message(turn.user, key + 6)}")
            lines += _suggestions(turn, f"{pad}    ")
    return [line for part in [*lines, *_fixtures(case.fixtures, pad)] for line in part.split("\n")]


def _message(said: NewMessage, indent: int) -> str:
    """Return a message as it stands behind the colon of its key: a text, or on lines of their own its parts."""
    if isinstance(said, str):
        return f" {block(said, indent)}"
    pad = " " * indent
    lines = []
    for part in said:
        keys = [f"{key}: {block(text, indent + 4)}" for key, text in part.items()]
        lines += [f"{pad}- {keys[0]}", *(f"{pad}  {key}" for key in keys[1:])]
    return "\n" + "\n".join(lines)


def _entry(entry: NewEntry, indent: int) -> list[str]:
    """Return a history entry as an item of a list whose dashes stand at column `indent`."""
    pad = " " * indent
    keys = [f"{entry.role}:{_message(entry.said, indent + 4)}"] if entry.said else []
    if entry.calls:
        keys.append("calls:")
    lines = [f"{pad}{'  ' if n else '- '}{key}" for n, key in enumerate(keys)]
    for call in entry.calls:
        answer = f"error: {scalar(call.error)}" if call.error is not None else f"returns: {flow(call.returns)}"
        lines += [f"{pad}    - {scalar(call.tool)}: {flow(call.when)}", f"{pad}      {answer}"]
    return lines


def _inputs(inputs: Mapping[str, Any], pad: str) -> list[str]:
    """Return inputs as a mapping of their own, texts of several lines as blocks."""
    if not inputs:
        return []
    written = {
        name: block(value, len(pad) + 4) if isinstance(value, str) else flow(value) for name, value in inputs.items()
    }
    return [f"{pad}inputs:", *(f"{pad}  {scalar(name)}: {value}" for name, value in written.items())]


def _suggestions(turn: NewTurn, pad: str) -> list[str]:
    """Return the calls as an expectation to be uncommented, and the reply to be read."""
    tools = "none"
    if turn.calls:
        calls = ", ".join(
            f"{{{flow(name)}: {flow(tool_input)}}}" if tool_input else flow(name) for name, tool_input in turn.calls
        )
        tools = f"{{calls: [{calls}]}}"
    lines = [f"{pad}# expect:", f"{pad}#   tools: {tools}"]
    reply = " ".join("".join(char if char.isprintable() else " " for char in turn.reply).split())
    shown = reply if len(reply) <= COMMENT_WIDTH else f"{reply[: COMMENT_WIDTH - 1]}…"
    return [*lines, f"{pad}# it replied: {shown}"] if shown else lines


def _fixtures(fixtures: Sequence[NewFixture], pad: str) -> list[str]:
    if not fixtures:
        return []
    lines = [f"{pad}tools:"]
    for tool in dict.fromkeys(one.tool for one in fixtures):
        lines.append(f"{pad}  {scalar(tool)}:")
        for one in (one for one in fixtures if one.tool == tool):
            answer = f"error: {scalar(one.error)}" if one.error is not None else f"returns: {flow(one.returns)}"
            keys = [f"when: {flow(one.when)}"] if one.when else []
            keys += [answer, *(["times: 1"] if one.once else [])]
            lines += [f"{pad}    {'  ' if index else '- '}{key}" for index, key in enumerate(keys)]
    return lines


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _./@#-]*")
_BLOCK_UNSAFE = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NAMED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def scalar(text: str) -> str:
    """Return text as a YAML scalar on one line: plain where that is safe, else in double quotes."""
    ends_well = text == text.strip() and not text.endswith(":") and " #" not in text
    if _PLAIN.fullmatch(text) and ends_well and text.lower() not in _WORDS:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """Return text as a double-quoted YAML scalar on one line; what can't be printed is escaped."""
    return f'"{"".join(map(_escaped, text))}"'


def block(text: str, indent: int) -> str:
    """Return text as a scalar behind a key: as a block of lines where it has several, else on one line.

    `indent` is that of the block's lines.
    """
    lines = text.split("\n")
    clean = all(line == line.rstrip() for line in lines) and not _BLOCK_UNSAFE.search(text)
    if len(lines) < 2 or not clean or not lines[0] or lines[0].startswith(" ") or not lines[-1]:
        return scalar(text)
    pad = " " * indent
    return "|-\n" + "\n".join(f"{pad}{line}" if line else "" for line in lines)


def flow(value: Any) -> str:
    """Return a JSON value on one line: flow style with plain words where that is safe."""
    if isinstance(value, str):
        return scalar(value) if not re.search(r"[,\[\]{}]", value) else quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return orjson.dumps(value).decode()


def _escaped(char: str) -> str:
    if char in _NAMED or char.isprintable():
        return _NAMED.get(char, char)
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
