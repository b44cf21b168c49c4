"""Problems of files as text: the line with a caret below it, or annotations for GitHub."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from typing import Literal

import click

from evalkit.records import Problem

Form = Literal["text", "github"]
WIDTH = 160


def print_problems(problems: Iterable[Problem], form: Form = "text", *, err: bool = True, folder: str = "") -> None:
    """Print problems in order of their places; `folder` is where the project stands inside its repository."""
    for problem in sorted(problems, key=lambda one: one.place):
        click.echo(render_github(problem, folder) if form == "github" else render_text(problem), err=err)


def render_text(problem: Problem) -> str:
    """Return `file:line:column: severity: message`, and the line with a caret below the column."""
    colour = "red" if problem.severity == "error" else "yellow"
    head = f"{problem.place}: {_coloured(problem.severity, colour)}: {_visible(problem.message)}"
    line = problem.source_line
    if not line.strip() or problem.place.column < 1:
        return head
    before = line[: problem.place.column - 1]
    cut = max(0, len(before) - WIDTH // 2)
    shown = line[cut : cut + WIDTH]
    return f"{head}\n    {_visible(shown)}\n    {_blank(_visible(before[cut:]))}{_coloured('^', colour)}"


def _coloured(text: str, colour: str) -> str:
    """Return a text in colour; click takes the colour out where the output is no terminal."""
    return text if os.environ.get("NO_COLOR") else click.style(text, fg=colour)


def _blank(text: str) -> str:
    """Return white space as wide as a text is on a terminal."""
    from rich.cells import cell_len

    return "".join("\t" if letter == "\t" else " " * cell_len(letter) for letter in text)


def _is_hidden(letter: str) -> bool:
    """Say whether a character would change how a terminal shows the text around it."""
    return unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp"} and letter != "\t"


def _visible(text: str) -> str:
    """Return a text without control characters and direction marks; each becomes a middle dot."""
    return "".join("·" if _is_hidden(letter) else letter for letter in text)


def render_github(problem: Problem, folder: str = "") -> str:
    """Return a workflow command that GitHub shows at the line, whose files count from the top of the repository.

    Escapes as in docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands, read November 2026.
    """
    place = problem.place.below(folder)
    properties = {"file": place.file, "line": place.line or None, "col": place.column or None, "title": "evalkit check"}
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None)
    return f"::{problem.severity} {listed}::{_data(problem.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
