"""What several commands ask a person for: durations and KEY=VALUE pairs as options, a key that is pressed."""

from __future__ import annotations

from typing import Any

import click


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


QUIT_KEYS = frozenset({"q", "\x03", "\x04", "\x1b", ""})
"""The keys that leave a review: q, Ctrl-C, Ctrl-D, Escape, and nothing more to read."""


def next_key() -> str:
    """Return the next key; the end of the input counts as quitting."""
    try:
        return click.getchar().lower()
    except (EOFError, KeyboardInterrupt):
        return "q"
