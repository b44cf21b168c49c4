"""The table of failures: which one is tried again, after how long, and how the README shows it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.engine import DoorError, RetryPolicy
from evalkit.engine.attempt import FINAL, RULES, rule_for, wait_before_retry
from evalkit.records import Failure

README = Path(__file__).parents[2] / "README.md"


def test_the_table_reads_as_the_readme_shows_it() -> None:
    """The rules as a Markdown table; what changes here changes there."""
    rows = ["| failure | how it shows | tried again | wait | the trial |", "|---|---|---|---|---|"]
    for rule in (*RULES, FINAL):
        retried = "yes" if rule.retried else "no"
        rows.append(f"| {rule.name} | {rule.shows} | {retried} | {rule.wait} | {rule.becomes} |")

    assert "\n".join(rows) + "\n" in README.read_text("utf-8")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 501, 502, 503, 504, 520, 529])
def test_a_status_that_passes_by_itself_is_tried_again_whatever_its_body_says(status: int) -> None:
    """The status decides, also when a proxy wrote the body."""
    assert rule_for(Failure("http_page", "", status)).retried


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 412, 413, 422, 431, 451])
def test_a_status_that_is_the_callers_doing_is_final(status: int) -> None:
    """The same request would fail again, even under a name that sounds passing."""
    assert rule_for(Failure("overloaded_error", "", status)) is FINAL


@pytest.mark.parametrize("status", [None, 200])
@pytest.mark.parametrize(
    ("kind", "retried"),
    [
        ("overloaded_error", True),
        ("rate_limit_error", True),
        ("api_error", True),
        ("timeout_error", True),
        ("connection_error", True),
        ("stalled_stream", True),
        ("truncated_stream", True),
        ("malformed_stream", True),
        ("invalid_request_error", False),
        ("authentication_error", False),
        ("deadline_exceeded", False),
        ("an_error_of_tomorrow", False),
    ],
)
def test_in_a_stream_the_kind_decides(status: int | None, kind: str, retried: bool) -> None:
    """An error event comes with status 200, a broken line with none."""
    assert rule_for(Failure(kind, "", status)).retried is retried


def waits(error: DoorError, policy: RetryPolicy, tried: int = 1) -> float | None:
    """Return the wait that the policy gives."""
    return wait_before_retry(error, tried, policy, Random(5))


def test_the_servers_word_stands_above_the_table() -> None:
    """x-should-retry and spent limits decide, whatever the failure."""
    policy = RetryPolicy()

    assert waits(DoorError(Failure("api_error", "", 500), final=True), policy) is None
    assert waits(DoorError(Failure("invalid_request_error", "", 400), final=False), policy) is not None


@given(st.integers(1, 40), st.integers(), st.floats(0.01, 5), st.floats(0.01, 60))
def test_back_off_is_full_jitter_under_a_doubling_cap(tried: int, seed: int, first_s: float, longest_s: float) -> None:
    """Every wait lies between nothing and the cap of its try, and the cap never exceeds the longest."""
    policy = RetryPolicy(retries=100, first_s=first_s, longest_s=longest_s)
    error = DoorError(Failure("api_error", "", 500))

    wait_s = wait_before_retry(error, tried, policy, Random(seed))

    assert wait_s is not None
    assert 0 <= wait_s <= min(longest_s, first_s * 2 ** (tried - 1))


def test_the_jitter_uses_the_whole_range() -> None:
    """Clients that failed together do not come back together."""
    policy, random = RetryPolicy(first_s=8.0), Random(1)
    error = DoorError(Failure("api_error", "", 500))
    found = [wait_before_retry(error, 1, policy, random) or 0.0 for _ in range(200)]

    assert min(found) < 0.5
    assert max(found) > 7.5


@pytest.mark.parametrize(("asked", "waited"), [(0.4, 0.4), (100.0, 100.0), (121.0, None)])
def test_what_the_server_asks_for_is_waited_up_to_a_bound(asked: float, waited: float | None) -> None:
    """retry-after is the least that is waited; beyond the bound the failure is final."""
    error = DoorError(Failure("rate_limit_error", "", 429), retry_after_s=asked)

    assert waits(error, RetryPolicy(first_s=0.001)) == waited


def test_the_tries_are_bounded() -> None:
    """After the last retry nothing follows."""
    error = DoorError(Failure("api_error", "", 500))

    assert waits(error, RetryPolicy(retries=3), tried=3) is not None
    assert waits(error, RetryPolicy(retries=3), tried=4) is None
