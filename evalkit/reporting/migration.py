"""What a change of the model means, in the lines that terminal, page, comment and Markdown show.

Knows how the facts of a migration read; where they stand is for each report to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date

from evalkit.records import Migration, ModelSide, Pair, PromptVersion, Uses
from evalkit.wording import adapted, duration, number, percent, percent_change, usd

Line = tuple[str, str]
"""What is told of, and the words."""


def migration_lines(migration: Migration) -> list[Line]:
    """Return what the other model takes otherwise, counts otherwise and costs, and how long it is there."""
    before, after = migration.baseline, migration.candidate
    lines = [("model", f"{before.model} → {after.model}")]
    lines += [
        ("not as written", adapted(change, side.model)) for side in (before, after) for change in side.adaptations
    ]
    lines += _habits(before, after)
    lines += _money(migration)
    lines += _counting(migration)
    return [*lines, *_too_short(after), *_end(before), *_end(after)]


def adaptations_in_words(asked: ModelSide | PromptVersion) -> list[str]:
    """Return what becomes of each setting that the model does not take."""
    return [adapted(change, asked.model) for change in asked.adaptations]


def use_lines(uses: Uses) -> list[Line]:
    """Return cost, cache and times of both sides, without what is not known."""
    return [
        line
        for line in (
            ("cost of 100 conversations", beside(uses.cost_usd, usd) + _growth(uses.cost_usd)),
            ("input from the cache", beside(uses.cached, percent)),
            ("first token", beside(uses.first_token_ms, duration)),
            ("whole conversation", beside(uses.total_ms, duration)),
        )
        if line[1]
    ]


def _habits(before: ModelSide, after: ModelSide) -> Iterator[Line]:
    """Yield what the models do where the prompt does not say, as far as it is not the same."""
    if before.effort != after.effort:
        yield "effort", f"{before.effort or 'none'} → {after.effort or 'none'}"
    if before.thinking != after.thinking and before.thinking and after.thinking:
        yield "thinking", f"{before.thinking} → {after.thinking}"


def _money(migration: Migration) -> Iterator[Line]:
    rates = (migration.baseline.rate, migration.candidate.rate)
    parts = [
        f"{name} {beside(Pair(old, new), usd)}"
        for name, old, new in (
            ("input", rates[0].input_usd, rates[1].input_usd),
            ("output", rates[0].output_usd, rates[1].output_usd),
            ("cache reads", rates[0].cache_read_usd, rates[1].cache_read_usd),
        )
        if (old, new) != (None, None)
    ]
    if parts:
        yield "a million tokens", ", ".join(parts)
    cost, priced = migration.uses.cost_usd, migration.repriced_usd
    if cost.baseline and priced is not None and cost.candidate is not None:
        prices = percent_change(priced / cost.baseline)
        tokens = percent_change(cost.candidate / priced) if priced else "0 %"
        yield "what the cost comes from", f"the prices alone {prices} (to {usd(priced)}), tokens and cache {tokens}"


def _counting(migration: Migration) -> Iterator[Line]:
    before, after, uses = migration.baseline, migration.candidate, migration.uses
    read, written = (f"{beside(pair, _count)}{_growth(pair)}" for pair in (uses.prompt_tokens, uses.output_tokens))
    if uses.prompt_tokens.baseline is not None or uses.prompt_tokens.candidate is not None:
        yield "tokens of a conversation", f"read {read}, written {written}"
    if before.characters and after.characters and before.characters != after.characters:
        ratio = before.characters / after.characters
        more, room = ("more", "less") if ratio > 1 else ("fewer", "more")
        share = percent(abs(ratio - 1))
        yield "tokenizer", f"about {share} {more} tokens for the same text, so a limit in tokens holds {room} of it"


def _too_short(side: ModelSide) -> Iterator[Line]:
    if side.is_too_short:
        yield (
            "too short to be cached",
            (
                f"about {number(side.prefix_tokens or 0)} tokens stand before the cache point, and {side.model} keeps "
                f"nothing shorter than {number(side.cacheable or 0)}"
            ),
        )


def _end(side: ModelSide) -> Iterator[Line]:
    if side.retires:
        day = date.fromisoformat(side.retires)
        yield "end of a model", f"{side.model} answers until {day.day} {day:%B %Y}"


def short_lines(migrations: Iterable[Migration]) -> list[str]:
    """Return each migration in a sentence, for a comment: models, cost, cache, time, what is not as written."""
    told = []
    for migration in migrations:
        uses = "; ".join(f"{name} {words}" for name, words in use_lines(migration.uses))
        changes = adaptations_in_words(migration.candidate)
        short = (f"{name}: {words}" for name, words in _too_short(migration.candidate))
        head = f"{migration.baseline.model} → {migration.candidate.model}"
        told.append("; ".join([f"{head}: {uses}" if uses else head, *changes, *short]))
    return told


def _count(value: float | None) -> str:
    return "–" if value is None else number(value)


def beside(pair: Pair, words: Callable[[float | None], str]) -> str:
    """Return both numbers, `81 % → 0 %`; empty when neither is known."""
    if pair.baseline is None and pair.candidate is None:
        return ""
    return f"{words(pair.baseline)} → {words(pair.candidate)}"


def _growth(pair: Pair) -> str:
    if not pair.baseline or pair.candidate is None:
        return ""
    return f" ({percent_change(pair.candidate / pair.baseline)})"
