"""Adds cases to a suite by adding text: what stands in the file stays as it is, comments and all.

Knows where the list of cases ends in the text. The result is loaded before it is written, and refused if anything else
than the new cases would be different.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import FileProblems, UsageError
from evalkit.suites.load import read_suite, relative_name
from evalkit.suites.new_case import NewCase, case_lines
from evalkit.suites.values import Suite
from evalkit.suites.yaml_text import scalar
from evalkit.yamlsource import Source, decode, parse_yaml, read_text

STEP = 2


@dataclass(frozen=True)
class Appended:
    """What was added: the file's name, its lines from `first` to `last`, and their text."""

    file: str
    first: int
    last: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.first}-{self.last} added"


def append_cases(path: Path, root: Path, make: Callable[[Suite | None], Sequence[NewCase]], new_suite: str) -> Appended:
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
    return Appended(file, first, first + len(lines) - (2 if suite else 1), "\n".join(lines).strip("\n"))


def new_suite_text(prompt_ref: str, inputs: Sequence[tuple[str, str]], voice: str) -> str:
    """Return the beginning of a suite for cases that are added one by one; `voice` relative to the suite."""
    lines = ["description: Cases kept from conversations.", f"prompt: {scalar(prompt_ref)}"]
    lines += [f"voice: {scalar(voice)}"] if voice else []
    if inputs:
        lines += ["inputs:", *(f"  {scalar(name)}: {scalar(value)}" for name, value in inputs)]
    return "\n".join(lines) + "\n"


def _end_of_cases(source: Source, text: str) -> tuple[int, int]:
    """Return the offset where another case can be written, and the column of the cases' dashes."""
    items = source.value(("cases",))
    starts = [source.place(("cases", index)) for index in range(len(items))]
    lines = text.splitlines(keepends=True) if "\r" not in text else re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    dashes = {_dash(lines[place.line - 1], place.column) for place in starts}
    if len(dashes) != 1 or None in dashes:
        raise UsageError(
            f"{source.file}:{starts[0].line}: the cases are not written as a list of lines that begin with '- '; "
            "expected that, to add text behind them. Add the case by hand."
        )
    dash = next(iter(dashes)) or 0
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


def _dash(line: str, column: int) -> int | None:
    """Return the column of the dash before an item that begins in a column, None when there is none."""
    before = line[: column - 1]
    return len(before) - len(before.lstrip(" ")) if before.strip() == "-" else None


def _write(path: Path, root: Path, text: str, *, bom: bool, known: Suite | None) -> None:
    """Write the file if it loads, and if what was in it means the same as before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    data = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    decode(data, relative_name(path, root))
    handle, name = tempfile.mkstemp(prefix=".", suffix=".yaml", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        suite, problems = read_suite(Path(name), root)
        errors = [problem for problem in problems if problem.severity == "error"]
        if suite is None or errors:
            raise FileProblems(errors)
        for old, new in zip(known.cases if known else (), suite.cases, strict=False):
            if (old.record.case_id, old.record.sha) != (new.record.case_id, new.record.sha):
                raise UsageError(f"{path.name}: adding text would change case {old.record.case_id!r}; add it by hand.")
        Path(name).chmod(mode)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
