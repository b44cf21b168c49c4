"""The cache as it should have been used and as it was, lost prefixes, and costs as billed and as if first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.analysis import summarise
from evalkit.graders.budget import cache_use
from evalkit.records import Request, Transcript, TrialVerdict, Turn, Usage
from evalkit.store import RunReader
from tests.graders.build import finding, verdict
from tests.runner.project import make_project, run, trials_of

SYSTEM = [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]


def body(*texts: str, system: Any = SYSTEM) -> dict[str, Any]:
    """Return a request body with automatic caching; texts alternate between user and assistant."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return {"model": "m", "system": system, "messages": messages, "cache_control": {"type": "ephemeral"}}


def request(n: int, turn: int, sent: dict[str, Any], usage: Usage | None, **fields: Any) -> Request:
    """Return a finished request."""
    content = ({"type": "text", "text": "ok"},)
    return Request(n, turn, sent, content, "end_turn", usage=usage, **fields)


def session(*requests: Request) -> Transcript:
    """Return a conversation of one request a turn."""
    return Transcript("s", "p", tuple(Turn(one.turn, "q", (one,)) for one in requests))


GOOD = session(
    request(1, 1, body("a"), Usage(10, 1000, 0, 0, 5), cost_usd=0.010, cost_as_first_usd=0.010),
    request(2, 2, body("a", "ok", "b"), Usage(10, 50, 0, 1000, 5), cost_usd=0.002, cost_as_first_usd=0.012),
)
CHANGED = [{"type": "text", "text": "Be mean.", "cache_control": {"type": "ephemeral"}}]
LOST = session(
    request(1, 1, body("a"), Usage(10, 1000, 0, 0, 5), cost_usd=0.010, cost_as_first_usd=0.010),
    request(
        2,
        2,
        body("a", "ok", "b", system=CHANGED),
        Usage(10, 1050, 0, 0, 5),
        cost_usd=0.012,
        cost_as_first_usd=0.012,
        cache_miss_reason="system_changed",
    ),
)


def test_what_is_expected_is_what_the_request_before_left_in_the_cache() -> None:
    """The first request is cold; the second could read all tokens up to the first one's last marker."""
    cold, warm = cache_use(GOOD)

    assert (cold.expected, cold.is_warm) == (0, False)
    assert (warm.expected, warm.read, warm.missed, warm.lost) == (1000, 1000, 0, None)


@pytest.mark.parametrize(
    ("kind", "params", "good", "lost"),
    [
        ("cache_kept", {"cache_kept": 0.9}, "passed", "failed"),
        ("turn_cache_kept", {"turn_cache_kept": 0.9}, "passed", "failed"),
        ("prefix_kept", {"prefix_kept": True}, "passed", "failed"),
        ("miss_reasons", {"miss_reasons": []}, "passed", "failed"),
        ("miss_reasons", {"miss_reasons": ["system_changed"]}, "passed", "passed"),
        ("cold_cache_hit", {"cold_cache_hit": 0.5}, "failed", "failed"),
        ("turn_cost_usd", {"turn_cost_usd": 0.011}, "passed", "failed"),
        ("cost_as_first_usd", {"cost_as_first_usd": 0.022}, "passed", "passed"),
        ("cost_as_first_usd", {"cost_as_first_usd": 0.021}, "failed", "failed"),
        ("turn_cost_as_first_usd", {"turn_cost_as_first_usd": 0.012}, "passed", "passed"),
        ("turn_cost_as_first_usd", {"turn_cost_as_first_usd": 0.011}, "failed", "failed"),
    ],
)
def test_each_limit_holds_or_breaks(kind: str, params: dict[str, Any], good: str, lost: str) -> None:
    """A session that reads its cache, and one whose system prompt changed on the way."""
    assert verdict(GOOD, f"budget.{kind}", params).value == good
    assert verdict(LOST, f"budget.{kind}", params).value == lost


def test_a_lost_cache_is_explained() -> None:
    """Expected and read tokens, the API's reason, and the first byte that differs with what stood there."""
    found = finding(LOST, "budget.cache_kept", {"cache_kept": 0.9})

    assert found.turn == 2
    assert "0 of 1000 tokens read" in found.note
    assert "the API says system_changed" in found.note
    assert "in system[0]" in found.note
    assert "kind" in found.note
    assert "mean" in found.note


@pytest.mark.parametrize(
    "kind", ["cold_cache_hit", "cache_kept", "turn_cache_kept", "miss_reasons", "turn_cost_usd", "cost_as_first_usd"]
)
def test_without_usage_nothing_is_claimed(kind: str) -> None:
    """A record without tokens or prices leaves every one of them not measured."""
    limit = [] if kind == "miss_reasons" else 9.0 if kind.endswith("_usd") else 0.0
    unknown = session(request(1, 1, body("a"), None))

    assert verdict(unknown, f"budget.{kind}", {kind: limit}) is TrialVerdict.NOT_MEASURED


def test_a_single_request_has_no_prefix_to_keep() -> None:
    """One request proves nothing about prefixes or warm reads."""
    one = session(GOOD.requests[0])

    assert verdict(one, "budget.prefix_kept", {"prefix_kept": True}) is TrialVerdict.NOT_MEASURED
    assert verdict(one, "budget.cache_kept", {"cache_kept": 0.1}) is TrialVerdict.NOT_MEASURED


def test_requests_of_the_engine_itself_are_not_compared() -> None:
    """A summary has a prompt of its own between two replies, and loses nobody's cache."""
    first, second = GOOD.requests
    summary = Request(2, 2, body("fold"), usage=Usage(10, 0, 0, 0, 5), purpose="summary")
    turns = (Turn(1, "q", (first,)), Turn(2, "q", (summary, second)))

    assert verdict(Transcript("s", "p", turns), "budget.prefix_kept", {"prefix_kept": True}) is TrialVerdict.PASSED


def test_sessions_on_the_stand_in_keep_their_prefix(tmp_path: Path) -> None:
    """Played over real sockets, the engine loses nothing of its cache, and each request knows its cost as if first."""
    budget = {
        "cache_kept": 1,
        "turn_cache_kept": 1,
        "prefix_kept": True,
        "miss_reasons": [],
        "turn_cost_usd": 1,
        "cost_as_first_usd": 1,
        "turn_cost_as_first_usd": 1,
    }
    trial = trials_of(run(make_project(tmp_path, budget=budget, trials=2)))["looks-up", 2]

    assert trial.score is not None
    scores = {one.assertion.kind: one.finding for one in trial.score.scores}
    assert {name: scores[f"budget.{name}"].verdict for name in budget} == dict.fromkeys(budget, TrialVerdict.PASSED)
    warm = trial.transcript.requests[-1]
    assert warm.cost_usd is not None
    assert warm.cost_as_first_usd is not None
    assert warm.cost_as_first_usd > warm.cost_usd


def test_a_run_tells_what_the_cache_could_have_served(tmp_path: Path) -> None:
    """Cold and warm requests apart, what was kept of what could be read, and the cost with an empty cache."""
    summary = summarise(RunReader(run(make_project(tmp_path), jobs=1)))

    assert summary.cache.kept_share == 1
    assert summary.cache.cold_share is not None
    assert 0 < summary.cache.cold_share < 1  # the first of four sessions found an empty cache
    assert summary.cache.cost_as_first_usd is not None
    assert summary.money.cost_usd is not None
    assert summary.cache.cost_as_first_usd > summary.money.cost_usd
