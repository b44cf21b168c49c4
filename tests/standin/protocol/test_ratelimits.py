"""Token buckets: what is let through, when it comes back, and what the headers say."""

from __future__ import annotations

import pytest

from evalkit.standin.errors import ApiError
from evalkit.standin.models import MODELS
from evalkit.standin.protocol.ratelimits import RateLimiter, RateLimits

MODEL = "claude-haiku-5-5"


class Clock:
    """A clock that moves when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock at rest."""
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    """Return a limiter of 60 requests, 60,000 input and 6,000 output tokens a minute."""
    return RateLimiter(RateLimits(60, 60_000, 6_000), clock, lambda: 1_800_000_000)


def header(limiter: RateLimiter, name: str) -> str:
    """Return one rate-limit header."""
    return dict(limiter.headers(MODEL))[f"anthropic-ratelimit-{name}".encode()].decode()


def test_requests_beyond_the_limit_get_a_429_that_says_when(limiter: RateLimiter, clock: Clock) -> None:
    """The 61st request of a minute is refused for a second, then let through."""
    for _ in range(60):
        limiter.admit(MODEL, 10)
    with pytest.raises(ApiError, match="60 requests per minute") as caught:
        limiter.admit(MODEL, 10)
    assert caught.value.answer.status == 429
    assert caught.value.answer.headers["anthropic-ratelimit-requests-remaining"] == "0"
    clock.now += int(caught.value.answer.headers["retry-after"])
    limiter.admit(MODEL, 10)


def test_input_tokens_are_limited(limiter: RateLimiter) -> None:
    """A request whose uncached input exceeds what is left is refused."""
    limiter.admit(MODEL, 50_000)
    with pytest.raises(ApiError, match="60,000 input tokens per minute"):
        limiter.admit(MODEL, 20_000)


def test_output_may_overdraw_and_then_blocks(limiter: RateLimiter, clock: Clock) -> None:
    """What was generated counts afterwards, and the next request waits until the bucket is positive again."""
    limiter.spend_output(MODEL, 9_000)
    with pytest.raises(ApiError, match="6,000 output tokens per minute") as caught:
        limiter.admit(MODEL, 1)
    assert caught.value.answer.headers["retry-after"] == "31"
    clock.now += 31
    limiter.admit(MODEL, 1)


def test_a_prompt_above_the_whole_limit_is_let_through_when_the_bucket_is_full(limiter: RateLimiter) -> None:
    """A single large prompt is not refused for ever."""
    limiter.admit(MODEL, 100_000)


def test_models_have_buckets_of_their_own(limiter: RateLimiter) -> None:
    """Using one model up leaves the others alone."""
    for _ in range(60):
        limiter.admit(MODEL, 1)
    limiter.admit("claude-opus-5", 1)


def test_headers_show_limit_rest_and_reset(limiter: RateLimiter) -> None:
    """Remaining tokens are rounded to thousands, resets are RFC 3339, `tokens` repeats the tighter limit."""
    limiter.admit(MODEL, 30_400)
    assert (header(limiter, "requests-limit"), header(limiter, "requests-remaining")) == ("60", "59")
    assert (header(limiter, "input-tokens-remaining"), header(limiter, "tokens-remaining")) == ("30000", "30000")
    assert header(limiter, "input-tokens-reset") == "2027-01-15T08:00:30Z"


def test_counting_tokens_has_a_bucket_of_its_own(clock: Clock) -> None:
    """Requests to count tokens use up neither each other's class nor the requests of messages."""
    limiter = RateLimiter(RateLimits(requests=1, counts=2), clock, lambda: 1_800_000_000)
    for _ in range(2):
        limiter.admit_count(MODEL)
    with pytest.raises(ApiError, match="2 token counting requests per minute"):
        limiter.admit_count(MODEL)
    limiter.admit_count("claude-opus-5")
    limiter.admit(MODEL, 10)


def test_models_of_one_class_share_their_limits() -> None:
    """Opus 4.x is one class, Sonnet 4.x another, Fable 5 and 5.1 a third; every other model is by itself."""
    classes: dict[str, set[str]] = {}
    for model in MODELS.values():
        classes.setdefault(model.rate_class, set()).add(model.id)
    shared = sorted(sorted(ids) for ids in classes.values() if len(ids) > 1)
    assert shared == [
        ["claude-fable-5", "claude-fable-5-1"],
        ["claude-opus-4-5-20251101", "claude-opus-4-6", "claude-opus-4-7", "claude-opus-4-8"],
        ["claude-sonnet-4-5-20250929", "claude-sonnet-4-6"],
    ]
