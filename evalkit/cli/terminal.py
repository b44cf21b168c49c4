"""What the commands share at the terminal: types of options, a key that is pressed, problems of files.

A problem is shown as its line with a caret below it, or as an annotation for GitHub.
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Iterable
from typing import Any, Literal

import click

from evalkit.github import annotation
from evalkit.records import Problem


class Duration(click.ParamType[float]):
    """A time span such as `90`, `90s`, `10m` or `1h`, in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, int | float):
            return float(value)
        from evalkit.yamlsource import seconds_of

        seconds = seconds_of(value)
        if not seconds:
            self.fail(f"{value!r} is no time span; expected something like 90s, 10m or 1h.", param, ctx)
        return seconds


class Dollars(click.ParamType[float]):
    """An amount of US dollars, 0 or more."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return dollars."""
        try:
            return dollars_of(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


def dollars_of(value: Any) -> float:
    """Return an amount of money; ValueError for a negative one and for one that no spending would ever exceed."""
    try:
        dollars = float(value)
    except ValueError:
        dollars = math.nan
    if not (math.isfinite(dollars) and dollars >= 0):
        raise ValueError(f"{value!r} is no amount of dollars; expected something like 0.60.")
    return dollars


class Pair(click.ParamType[tuple[str, str]]):
    """A `KEY=VALUE` pair."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return key and value."""
        if isinstance(value, tuple):
            return value
        key, sign, rest = value.partition("=")
        if not sign or not key.strip():
            self.fail(f"{value!r} is no KEY=VALUE pair; expected something like today=2026-11-22.", param, ctx)
        return key.strip(), rest


inputs_option = click.option(
    "--set",
    "inputs",
    type=Pair(),
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a prompt input: text, JSON or @FILE.",
)
"""An input of the prompt, as every command that has prompts rendered takes it."""

QUIT_KEYS = frozenset({"q", "\x03", "\x04", "\x1b", ""})
"""The keys that leave a review: q, Ctrl-C, Ctrl-D, Escape, and nothing more to read."""


def next_key() -> str:
    """Return the next key; the end of the input counts as quitting. UsageError where there is no terminal."""
    from evalkit.errors import UsageError

    try:
        return click.getchar().lower()
    except (EOFError, KeyboardInterrupt):
        return "q"
    except OSError as exc:
        raise UsageError("there is no terminal to read keys from; run this command in one.") from exc


Form = Literal["text", "github"]
WIDTH = 160


def print_problems(problems: Iterable[Problem], form: Form = "text", *, err: bool = True, folder: str = "") -> None:
    """Print problems in order of their places; `folder` is where the project stands inside its repository."""
    for problem in sorted(problems, key=lambda one: one.place):
        click.echo(render_github(problem, folder) if form == "github" else render_text(problem), err=err)


def render_text(problem: Problem) -> str:
    """Return `file:line:column: severity: message`, and the line with a caret below the column."""
    from rich.cells import cell_len

    colour = "red" if problem.severity == "error" else "yellow"
    head = f"{problem.place}: {_coloured(problem.severity, colour)}: {_visible(problem.sentence)}"
    line = problem.source_line
    if not line.strip() or problem.place.column < 1:
        return head
    before = line[: problem.place.column - 1]
    cut = max(0, len(before) - WIDTH // 2)
    shown = line[cut : cut + WIDTH]
    # white space as wide as what stands before the column
    blank = "".join("\t" if letter == "\t" else " " * cell_len(letter) for letter in _visible(before[cut:]))
    return f"{head}\n    {_visible(shown)}\n    {blank}{_coloured('^', colour)}"


def _coloured(text: str, colour: str) -> str:
    """Return a text in colour; click takes the colour out where the output is no terminal."""
    return text if os.environ.get("NO_COLOR") else click.style(text, fg=colour)


def _visible(text: str) -> str:
    """Return a text without control characters and direction marks; each becomes a middle dot, as wide as it was."""
    hidden = {"Cc", "Cf", "Zl", "Zp"}
    return "".join("·" if unicodedata.category(one) in hidden and one != "\t" else one for one in text)


def render_github(problem: Problem, folder: str = "") -> str:
    """Return the annotation that GitHub shows at the line, whose files count from the top of the repository."""
    return annotation(problem.severity, problem.place.below(folder), "evalkit check", problem.sentence)
