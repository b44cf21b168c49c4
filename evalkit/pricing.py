"""What tokens cost in US dollars.

Knows the price table of the genai-prices package, the few models missing from it (`pricing_gaps.yaml`) and the
project's own prices, which win. Knows nothing of runs or requests beyond their usage. Never asks the network: only the
table that is installed is read, and the package is loaded when the first price is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any

from evalkit.errors import FileProblems
from evalkit.records import Place, Problem, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

_MILLION = Decimal(1_000_000)
_BATCH_FACTOR = Decimal("0.5")
"""Message Batches cost half, caching too: https://platform.claude.com/docs/en/about-claude/pricing (November 2026)."""

_CLAUDE_NAME = re.compile(r"(?:^|[./:])(claude-[^/]+)$")
_DATE_OR_LATEST = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")


@dataclass(frozen=True)
class Cost:
    """Dollars for one request, by kind of token."""

    input_usd: float
    cache_write_usd: float
    cache_read_usd: float
    output_usd: float

    @property
    def total(self) -> float:
        """All four together."""
        return self.input_usd + self.cache_write_usd + self.cache_read_usd + self.output_usd


@dataclass(frozen=True)
class Rates:
    """Dollars per million tokens, by kind of token."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal


_RATE_KEYS = tuple(field.name for field in fields(Rates))


@dataclass(frozen=True)
class Price(Rates):
    """A price of the project's own, valid from the day `since` (always, when None)."""

    model: str
    since: date | None = None


def cost_of(
    model: str, usage: Usage, *, batch: bool = False, when: date | None = None, overrides: Sequence[Price] = ()
) -> Cost | None:
    """Return what a request cost, or None when the model's price is unknown: never 0.

    `when` is the day of the request (today for None). A usage whose service tier is `batch` is charged as a batch too.
    Prices that rise with the prompt's length hold for the whole request, cached tokens counted in.
    """
    rates = _rates(resolve_model(model), usage.prompt_tokens, when or datetime.now(UTC).date(), overrides)
    if rates is None:
        return None
    factor = (_BATCH_FACTOR if batch or usage.service_tier == "batch" else Decimal(1)) / _MILLION
    written = (
        usage.ephemeral_5m_input_tokens * rates.cache_write_5m + usage.ephemeral_1h_input_tokens * rates.cache_write_1h
    )
    return Cost(
        input_usd=float(usage.input_tokens * rates.input * factor),
        cache_write_usd=float(written * factor),
        cache_read_usd=float(usage.cache_read_input_tokens * rates.cache_read * factor),
        output_usd=float(usage.output_tokens * rates.output * factor),
    )


def price_with(overrides: Sequence[Price] = ()) -> Callable[[str, Usage], float | None]:
    """Return a function from model and usage to dollars by today's prices; None stands for an unknown price."""

    def price(model: str, usage: Usage) -> float | None:
        cost = cost_of(model, usage, overrides=overrides)
        return cost.total if cost is not None else None

    return price


def resolve_model(model: str) -> str:
    """Return the plain model name behind a platform's spelling of it.

    `us.anthropic.claude-haiku-4-5-20251001-v1:0`, `claude-haiku-4-5@20251001` and `anthropic/claude-haiku-4.5` are all
    `claude-haiku-4-5`. A name that is no Claude model's is returned in lower case.
    """
    name = model.strip().lower()
    found = _CLAUDE_NAME.search(name)
    if found is None:
        return name
    plain = re.split(r"[@:\[]", found.group(1))[0].replace(".", "-")
    plain = re.sub(r"(?<=\d)-v\d+$", "", plain)
    return _DATE_OR_LATEST.sub("", plain)


def price_table(overrides: Sequence[Price] = ()) -> str:
    """Return which prices are used, for the record: package, version, newest dated price, own prices."""
    own = f", {len(overrides)} of the project" if overrides else ""
    return f"genai-prices {metadata.version('genai-prices')} (newest dated price {_newest_date()}){own}"


def parse_prices(tables: Sequence[Mapping[str, Any]], file: str = "pyproject.toml") -> tuple[Price, ...]:
    """Return the prices of `[[tool.evalkit.prices]]`. Raises FileProblems with everything that is wrong in them."""
    prices: list[Price] = []
    problems: list[str] = []
    for number, table in enumerate(tables, start=1):
        wrong = list(_problems_of(table))
        problems += [f"[[tool.evalkit.prices]] {number}: {text}" for text in wrong]
        if not wrong:
            rates = {key: Decimal(str(table[key])) for key in _RATE_KEYS}
            prices.append(Price(model=resolve_model(table["model"]), since=table.get("from"), **rates))
            if any((one.model, one.since) == (prices[-1].model, prices[-1].since) for one in prices[:-1]):
                day = f" from {prices[-1].since}" if prices[-1].since else ""
                problems.append(f"[[tool.evalkit.prices]] {number}: {table['model']!r}{day} is given twice; keep one.")
    if problems:
        raise FileProblems(Problem(Place(file), text) for text in problems)
    return tuple(prices)


def _problems_of(table: Mapping[str, Any]) -> Iterator[str]:
    for key in table:
        if key not in ("model", "from", *_RATE_KEYS):
            yield f"unknown key {key!r}; expected model, from, {', '.join(_RATE_KEYS)}."
    if not isinstance(table.get("model"), str) or not table["model"].strip():
        yield f"model is {table.get('model')!r}; expected a model's name."
    since = table.get("from")
    if since is not None and (not isinstance(since, date) or isinstance(since, datetime)):
        yield f"from is {since!r}; expected a date without quotes, such as 2026-10-07."
    for key in _RATE_KEYS:
        if key not in table:
            yield f"{key} is missing; expected dollars per million tokens."
        elif not _is_amount(table[key]):
            yield f"{key} is {table[key]!r}; expected dollars per million tokens, 0 or more."


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _rates(model: str, prompt_tokens: int, when: date, overrides: Sequence[Price]) -> Rates | None:
    valid = [price for price in overrides if resolve_model(price.model) == model and (price.since or when) <= when]
    if valid:
        return max(valid, key=lambda price: price.since or date.min)
    # A tier holds for prompts that are longer than its start.
    tier = max((start for start in _tier_starts(model, when) if prompt_tokens > start), default=0)
    return _listed_rates(model, when, tier)


@lru_cache(maxsize=1024)
def _tier_starts(model: str, when: date) -> tuple[int, ...]:
    listed = _listed_price(model, when)
    prices = vars(listed).values() if listed is not None else ()
    return tuple(sorted({tier.start for price in prices for tier in getattr(price, "tiers", ())}))


@lru_cache(maxsize=1024)
def _listed_rates(model: str, when: date, tier: int) -> Rates | None:
    listed = _listed_price(model, when)
    if listed is None:
        return None

    def rate(*names: str) -> Decimal:
        """Return the first of these prices that the table has; a kind without its own price costs as plain input."""
        price = next(found for name in names if (found := getattr(listed, name, None)) is not None)
        tiers = [step.price for step in getattr(price, "tiers", ()) if step.start <= tier and tier > 0]
        return Decimal(tiers[-1] if tiers else getattr(price, "base", price))

    return Rates(
        input=rate("input_mtok"),
        output=rate("output_mtok"),
        cache_write_5m=rate("cache_write_mtok", "input_mtok"),
        cache_write_1h=rate("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
        cache_read=rate("cache_read_mtok", "input_mtok"),
    )


def _listed_price(model: str, when: date) -> Any:
    info = _listed_models().get(_same_price_as().get(model, model))
    return info.get_prices(datetime.combine(when, time(12), UTC)) if info is not None else None


@cache
def _listed_models() -> Mapping[str, ModelInfo]:
    """Return Anthropic's models of the installed table by plain name.

    Names are compared whole: the table's own patterns also match names that merely begin like a known model.
    """
    from genai_prices.data import providers

    models = next(provider.models for provider in providers if provider.id == "anthropic")
    return {resolve_model(name): info for info in models for name in (*_names(info.match), info.id)}


def _names(clause: Any) -> Iterator[str]:
    for part in getattr(clause, "or_", None) or [clause]:
        name = getattr(part, "equals", None) or getattr(part, "starts_with", None)
        if isinstance(name, str):
            yield name


@cache
def _same_price_as() -> Mapping[str, str]:
    import yaml

    text = resources.files("evalkit").joinpath("pricing_gaps.yaml").read_text(encoding="utf-8")
    gaps: dict[str, str] = yaml.safe_load(text)["same_price_as"]
    return gaps


def _newest_date() -> date | None:
    conditions = [
        condition
        for info in _listed_models().values()
        for condition in (*(info.prices if isinstance(info.prices, list) else ()), *(info.price_variants or ()))
    ]
    dates = [getattr(condition.constraint, "start_date", None) for condition in conditions]
    return max((day for day in dates if day is not None), default=None)
