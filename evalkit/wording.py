"""How numbers and lists read in English, the same in every report, command and verdict.

Numbers and other small facts in, text out: nothing here knows of runs, cases or screens. What is unknown is called so,
never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalkit.records import Adaptation

MINUS = "\N{MINUS SIGN}"
METRIC_WORDS = {"cost_usd": "cost", "output_tokens": "tokens written", "total_ms": "time"}
"""What people call the metrics that a comparison has by their field."""


def number(value: float) -> str:
    """Return a count with its thousands apart: `12,400`."""
    return f"{value:,.0f}"


def either(count: int, one: str, many: str) -> str:
    """Return the word that agrees with a count: `either(3, "passes", "pass")` is `pass`."""
    return one if count == 1 else many


def plural(count: int, noun: str, many: str = "") -> str:
    """Return a count with its noun: `1 case`, `2 cases`; `many` is the plural of a noun that takes no plain s."""
    return f"{number(count)} {either(count, noun, many or noun + 's')}"


def listed(texts: Sequence[str], last: str = "and") -> str:
    """Return a list as people write it: `a`, `a and b`, `a, b and c`; `last` is the word before the last one."""
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} {last} {texts[-1]}"


def first_of(texts: Iterable[str], most: int, separator: str = ", ") -> str:
    """Return the first few of a list and how many it leaves out: `a, b, c and 4 more`."""
    whole = list(texts)
    return separator.join(whole[:most]) + and_more(len(whole), most)


def and_more(count: int, shown: int) -> str:
    """Return ` and 4 more` for what a list of `count` leaves out after its first `shown`; else nothing."""
    return f" and {number(count - shown)} more" if count > shown else ""


def watched_part(failing: int, watched: int) -> str:
    """Return how many of the failing cases are only watched: ` (watched only)`, ` (2 watched only)`, or nothing."""
    if not watched:
        return ""
    return " (watched only)" if watched == failing else f" ({watched} watched only)"


def unlabelled_judges(judges: Mapping[str, str | None]) -> str:
    """Return whose no fails trials without labels, given each suite's such judge or None; nothing where none does."""
    named = {suite: model for suite, model in judges.items() if model}
    if not named:
        return ""
    models = listed([*dict.fromkeys(named.values())])
    return f"judged without labels: a no of {models} fails trials in {first_of(named, 3)}"


def usd(amount: float | None) -> str:
    """Return an amount of dollars: two decimals from ten cents on, up to four below, "unknown" for None."""
    if amount is None:
        return "unknown"
    if amount == 0 or amount >= 0.0995:
        return f"${amount:,.2f}"
    if amount < 0.0001:
        return "<$0.0001"
    dollars, decimals = f"{amount:.4f}".split(".")
    return f"${dollars}.{decimals[:2]}{decimals[2:].rstrip('0')}"


def usd_exact(amount: float | None) -> str:
    """Return an amount of dollars with four decimals, for columns; "unknown" for None."""
    return "unknown" if amount is None else f"${amount:,.4f}"


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 in whole percent; never 100 or 0 for what is only nearly so; a dash for None."""
    if share is None:
        return "–"
    if 0.99 < share < 1:
        return "99 %"
    if 0 < share < 0.01:
        return "<1 %"
    return f"{share * 100:.0f} %"


def points(share: float) -> str:
    """Return a difference of two shares in percentage points with its sign: `+3.0`, `−7.1`, and `0.0` without one."""
    return _signed(f"{share * 100:+.1f}")


def percent_change(ratio: float) -> str:
    """Return what became of 1 as a change in whole percent: 1.12 is `+12 %`, 0.9 is `−10 %`, 1 is `0 %`."""
    return f"{_signed(f'{(ratio - 1) * 100:+.0f}')} %"


def _signed(text: str) -> str:
    """Return a number with a typographic minus; zero, also what rounds to it from below, has no sign."""
    return text.replace("-", MINUS) if float(text) else text.lstrip("+-")


def chance(p: float) -> str:
    """Return a p or q value with two digits that count; below a thousandth only that it is."""
    return "<0.001" if p < 0.001 else f"{p:.2f}" if p >= 0.01 else f"{p:.3f}"


def duration(milliseconds: float | None) -> str:
    """Return a time in seconds or minutes; a dash for None."""
    if milliseconds is None:
        return "–"
    seconds = milliseconds / 1000
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def adapted(change: Adaptation, model: str) -> str:
    """Return what becomes of a prompt's setting on another model: `effort: high is left out, because …`."""
    written = _setting(change.written)
    if change.sent is None:
        return f"{change.key}: {written} is left out, because {model} does not take it"
    refused = change.written["type"] if isinstance(change.written, Mapping) else written
    return f"{change.key}: {written} becomes {_setting(change.sent)}, because {model} does not take {refused}"


def _setting(value: Any) -> str:
    """Return a setting as people say it: `high`, `64,000`, `enabled (budget_tokens 2,048)`."""
    if isinstance(value, Mapping):
        rest = ", ".join(f"{key} {_setting(part)}" for key, part in value.items() if key != "type")
        return f"{value['type']} ({rest})" if rest else str(value["type"])
    return number(value) if isinstance(value, int) else str(value)


def size(characters: int) -> str:
    """Return the length of a text for people: characters below 1,000, then KB."""
    return f"{characters} characters" if characters < 1000 else f"{characters / 1000:.0f} KB"
