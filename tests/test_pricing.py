"""What tokens cost."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import FileProblems
from evalkit.pricing import (
    Cost,
    cost_of,
    parse_prices,
    price_table,
    price_with,
    resolve_model,
)
from evalkit.records import Usage

DAY = date(2026, 11, 22)
MILLION = 1_000_000
CURRENT = [
    "claude-fable-5-2", "claude-mythos-5-2", "claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5",
    "claude-haiku-5-5", "claude-opus-5", "claude-sonnet-5", "claude-fable-5", "claude-opus-4-8", "claude-opus-4-7",
    "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5",
]  # fmt: skip
OWN = {"input": 2.0, "output": 10.0, "cache_write_5m": 2.5, "cache_write_1h": 4.0, "cache_read": 0.1}
tokens = st.integers(0, 300_000)
usages = st.builds(Usage, tokens, tokens, tokens, tokens, tokens)


def cost(model: str, usage: Usage, **settings_of_call: Any) -> Cost:
    found = cost_of(model, usage, when=settings_of_call.pop("when", DAY), **settings_of_call)
    assert found is not None
    return found


def test_each_kind_of_token_has_its_own_price() -> None:
    """Plain, 5-minute and 1-hour writes, reads and output are charged apart and never twice."""
    usage = Usage(MILLION, 2 * MILLION, MILLION, 10 * MILLION, MILLION)
    found = cost("claude-sonnet-5-5", usage)
    assert found == Cost(input_usd=2.0, cache_write_usd=2 * 2.5 + 4.0, cache_read_usd=1.0, output_usd=10.0)
    assert found.total == pytest.approx(22.0)


@pytest.mark.parametrize(
    ("model", "read_factor"),
    [("claude-sonnet-5-5", 0.05), ("claude-opus-5-5", 0.05), ("claude-fable-5-1", 0.025), ("claude-fable-5-2", 0.025),
     ("claude-haiku-5-5", 0.1), ("claude-opus-5", 0.1), ("claude-mythos-5", 0.1), ("claude-mythos-5-1", 0.025)],
)  # fmt: skip
def test_cache_prices_are_the_published_multiples_of_input(model: str, read_factor: float) -> None:
    """Writes cost 1.25 and 2 times the input, reads what the model's row says."""
    plain = cost(model, Usage(input_tokens=1000)).total
    assert cost(model, Usage(ephemeral_5m_input_tokens=1000)).total == pytest.approx(plain * 1.25)
    assert cost(model, Usage(ephemeral_1h_input_tokens=1000)).total == pytest.approx(plain * 2)
    assert cost(model, Usage(cache_read_input_tokens=1000)).total == pytest.approx(plain * read_factor)


@pytest.mark.parametrize("kind", ["input_tokens", "cache_read_input_tokens", "ephemeral_5m_input_tokens"])
def test_a_long_prompt_makes_the_whole_request_dearer(kind: str) -> None:
    """Above 100,000 prompt tokens of any kind, haiku-5-5 costs five times more, output too; at 100,000 not yet."""
    short = cost("claude-haiku-5-5", Usage(**{kind: 100_000}, output_tokens=1000))
    long = cost("claude-haiku-5-5", Usage(**{kind: 100_001}, output_tokens=1000))
    assert long.output_usd == pytest.approx(short.output_usd * 5)
    assert long.total == pytest.approx(short.total * 5, rel=1e-4)


@given(model=st.sampled_from(CURRENT), usage=usages)
def test_totals_agree_with_the_price_package(model: str, usage: Usage) -> None:
    """Our split adds up to what genai-prices charges, its inclusive token counts minded."""
    from genai_prices import Usage as TheirUsage
    from genai_prices import calc_price

    theirs = calc_price(
        TheirUsage(
            input_tokens=usage.prompt_tokens,
            cache_write_tokens=usage.cache_creation_input_tokens,
            cache_write_5m_tokens=usage.ephemeral_5m_input_tokens,
            cache_write_1h_tokens=usage.ephemeral_1h_input_tokens,
            cache_read_tokens=usage.cache_read_input_tokens,
            output_tokens=usage.output_tokens,
        ),
        model,
        provider_id="anthropic",
        genai_request_timestamp=datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert cost(model, usage).total == pytest.approx(float(theirs.total_price))


@given(model=st.sampled_from(CURRENT), usage=usages)
def test_a_batch_costs_half(model: str, usage: Usage) -> None:
    """Invocation for or told by the usage's service tier, once and not twice."""
    whole = cost(model, usage).total
    assert cost(model, usage, batch=True).total == pytest.approx(whole / 2)
    assert cost(model, Usage(input_tokens=7, service_tier="batch"), batch=True) == cost(
        model, Usage(input_tokens=7), batch=True
    )


@pytest.mark.parametrize(
    "model", ["claude-sonnet-9", "claude-sonnet-5-5-turbo", "claude-opus-4-60", "gpt-4o", "", "claude-mythos-preview"]
)
def test_an_unknown_model_has_no_cost(model: str) -> None:
    """Neither a new model nor one whose name only begins like a known one is priced; 0 is never the answer."""
    assert cost_of(model, Usage(input_tokens=5), when=DAY) is None


@pytest.mark.parametrize(
    ("spelling", "model"),
    [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-sonnet-5", "claude-sonnet-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("anthropic/claude-haiku-4.5", "claude-haiku-4-5"),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5"),
        ("Claude-Opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("claude-fable-5-2", "claude-fable-5-2"),
        ("my-claude-sonnet-5", "my-claude-sonnet-5"),
    ],
)
def test_a_platforms_spelling_is_the_same_model(spelling: str, model: str) -> None:
    """Prefixes, dates, versions and dots make no other model; a name of one's own stays."""
    assert resolve_model(spelling) == model
    assert cost_of(spelling, Usage(input_tokens=9), when=DAY) == cost_of(model, Usage(input_tokens=9), when=DAY)
    assert resolve_model(model) == model


def test_a_price_depends_on_the_day_of_the_request() -> None:
    """Opus 4.6 cost more for long prompts until March 2026."""
    usage = Usage(input_tokens=300_000)
    before, after = date(2026, 3, 12), date(2026, 3, 13)
    assert cost("claude-opus-4-6", usage, when=before).total == pytest.approx(3.0)
    assert cost("claude-opus-4-6", usage, when=after).total == pytest.approx(1.5)


def test_own_prices_win_from_their_day_on() -> None:
    """Before that day the table's price holds; of several the newest valid one counts; spelling does not matter."""
    own = parse_prices(
        [
            {"model": "anthropic/claude-sonnet-5", "from": date(2026, 12, 1), **OWN, "input": 5},
            {"model": "claude-sonnet-5", "from": date(2027, 1, 1), **OWN, "input": 7},
        ]
    )
    usage = Usage(input_tokens=MILLION)
    days = (date(2026, 11, 30), date(2026, 12, 1), date(2027, 1, 1))
    assert [cost("claude-sonnet-5-20260601", usage, when=day, overrides=own).total for day in days] == [2.0, 5.0, 7.0]


def test_an_own_price_makes_an_unknown_model_known() -> None:
    """A model of a proxy is charged as the project says, for each kind of token."""
    own = parse_prices([{"model": "our-proxy", **OWN}])
    usage = Usage(MILLION, MILLION, MILLION, MILLION, MILLION)
    assert cost("Our-Proxy", usage, overrides=own) == Cost(2.0, 6.5, 0.1, 10.0)


def test_prices_read_from_toml_keep_their_digits() -> None:
    """The table of the README is read as it stands."""
    text = """
        [[tool.evalkit.prices]]
        model = "claude-sonnet-5-5"
        from = 2026-10-07
        input = 2.00
        output = 10
        cache_write_5m = 2.50
        cache_write_1h = 4.00
        cache_read = 0.10
    """
    (price,) = parse_prices(tomllib.loads(text)["tool"]["evalkit"]["prices"])
    assert (price.since, price.cache_read, price.output) == (date(2026, 10, 7), Decimal("0.1"), Decimal(10))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"model": "a", **OWN, "cache": 1}, "unknown key 'cache'"),
        ({**OWN}, "model is None; expected a model's name."),
        ({"model": "a", **OWN, "from": "2026-10-07"}, "expected a date without quotes"),
        ({"model": "a", **OWN, "from": datetime(2026, 10, 7, tzinfo=UTC)}, "expected a date without quotes"),
        ({"model": "a", **OWN, "input": -1}, "input is -1; expected dollars per million tokens, 0 or more."),
        ({"model": "a", **OWN, "input": True}, "input is True"),
        ({"model": "a", **OWN, "input": float("nan")}, "input is nan"),
        ({"model": "a", **OWN, "input": "2"}, "input is '2'"),
        ({"model": "a", "input": 1, "output": 1}, "cache_read is missing"),
    ],
)
def test_a_wrong_price_table_is_refused(table: dict[str, Any], message: str) -> None:
    """The message says where, what is wrong, and what was expected."""
    with pytest.raises(FileProblems) as caught:
        parse_prices([{"model": "fine", **OWN}, table])
    assert message in str(caught.value)
    assert str(caught.value).startswith("pyproject.toml: error: [[tool.evalkit.prices]] 2: ")


def test_every_problem_is_listed_and_doubles_are_found() -> None:
    """All tables are looked at before anything is refused."""
    with pytest.raises(FileProblems) as caught:
        parse_prices([{"model": "a", **OWN}, {"model": "", **OWN}, {"model": "A", **OWN}, {"model": "b"}])
    assert len(caught.value.problems) == 1 + 1 + 5
    assert "'A' is given twice" in str(caught.value)


def test_a_price_function_gives_totals_with_own_prices() -> None:
    """What the engine is given: model and usage to dollars, None for an unknown model."""
    price = price_with(parse_prices([{"model": "our-proxy", **OWN}]))
    assert price("our-proxy", Usage(MILLION, 0, 0, 0, MILLION)) == pytest.approx(12.0)
    assert price("their-proxy", Usage(MILLION)) is None


def test_the_price_table_is_named_for_the_record() -> None:
    """Package version, newest dated price and the number of own prices."""
    assert price_table().startswith("genai-prices 0.")
    assert "(newest dated price 2026-" in price_table()
    assert price_table(parse_prices([{"model": "a", **OWN}])).endswith(", 1 of the project")


def test_importing_pricing_loads_no_price_table() -> None:
    """Commands that price nothing do not wait for it."""
    code = "import sys, evalkit.pricing; print('genai_prices' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
