"""Rate limits kept before the server has to say 429; hours of waiting pass in virtual time."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random

import pytest

from evalkit.engine import ApiReplies, Ask, RateLimiter, RequestFinished, RetryPolicy, SharedLimiter
from evalkit.engine import limiter as limiter_module
from evalkit.engine.limiter import Ticket
from evalkit.engine.ratelimits import CongestionWindow, model_class, read_limits
from evalkit.records import Request, Usage
from evalkit.standin.protocol.ratelimits import RateLimits
from tests.engine.made_up_api import MadeUpApi
from tests.engine.virtual_time import run_virtually

MODEL = "claude-sonnet-5-5"


@dataclass
class Played:
    """What came of many trials: the virtual seconds they took and their requests in the order they ended."""

    took_s: float = 0.0
    requests: list[Request] = field(default_factory=list)


async def play_async(api: MadeUpApi, trials: int, jobs: int) -> Played:
    """Play trials of two turns through one limiter."""
    played, limiter, left = Played(), RateLimiter(), deque(range(trials))

    async def worker() -> None:
        while left:
            seed = left.popleft()
            policy = RetryPolicy(retries=8)
            replies = ApiReplies(api, lambda *_: 0.0, policy=policy, limiter=limiter, random=Random(seed))
            for turn in (1, 2):
                body = {"model": MODEL, "messages": [{"role": "user", "content": "x" * 300}]}
                async for event in replies.ask(Ask(turn, turn, body)):
                    if isinstance(event, RequestFinished):
                        played.requests.append(event.request)

    await asyncio.gather(*(worker() for _ in range(jobs)))
    played.took_s = asyncio.get_running_loop().time()
    return played


def play(api: MadeUpApi, trials: int = 500, jobs: int = 24) -> Played:
    """Play trials in virtual time."""
    return run_virtually(play_async(api, trials, jobs))


def unsteady(n: int) -> tuple[int, int]:
    """Return input and output tokens that vary from request to request, 100 and 50 in the mean."""
    random = Random(n)
    return random.randint(20, 180), random.randint(5, 95)


REGIMES = {
    "requests": (RateLimits(requests=300), (1000 - 300) / (300 / 60)),
    "input tokens": (RateLimits(input_tokens=30_000), (1000 * 100 - 30_000) / (30_000 / 60)),
    "output tokens": (RateLimits(output_tokens=15_000), (1000 * 50 - 15_000) / (15_000 / 60)),
}


@pytest.mark.parametrize("name", REGIMES)
def test_a_run_at_twice_the_limit_is_nearly_ideal_and_hardly_ever_refused(name: str) -> None:
    """500 trials, asked for at twice the allowed rate: within 1.15 of the ideal time, under 2 % of requests refused.

    Ideal is all work, less what the full bucket holds at the start, at the limit's rate.
    """
    limits, ideal_s = REGIMES[name]
    api = MadeUpApi(limits, latency_s=2.0, tokens=unsteady)

    played = play(api)

    assert [request.failure for request in played.requests] == [None] * 1000
    assert ideal_s * 0.97 < played.took_s < ideal_s * 1.15
    assert api.refused < 0.02 * len(api.sent_at)


def test_waiting_for_the_limit_is_never_latency() -> None:
    """A request held back says so in waited_ms; its times are those of the server alone."""
    played = play(MadeUpApi(RateLimits(requests=300), latency_s=2.0))

    assert max(request.waited_ms for request in played.requests) > 1000
    assert {request.total_ms for request in played.requests} == {2000.0}


def test_without_any_limit_in_sight_nothing_waits() -> None:
    """Far below every limit the limiter costs no time."""
    played = play(MadeUpApi(RateLimits(), latency_s=2.0), jobs=8)

    assert {request.waited_ms for request in played.requests} == {0.0}


def test_a_server_that_tells_no_limits_is_found_out_by_its_refusals() -> None:
    """Without headers every 429 pauses the class and cuts the window: slower than with them, but nothing is lost."""
    api = MadeUpApi(RateLimits(requests=300), latency_s=2.0, tells_limits=False)

    played = play(api)

    assert [request.failure for request in played.requests] == [None] * 1000
    assert played.took_s < 140 * 1.15
    assert api.refused < 0.1 * len(api.sent_at)


def test_more_goes_at_once_while_replies_come_well() -> None:
    """The window opens from its first size to what the callers can use."""
    api = MadeUpApi(RateLimits(), latency_s=2.0)

    play(api, jobs=100)

    assert api.sent_at.count(0.0) == 8
    assert api.most_at_once == 100


def with_limiter(limits: RateLimits | None = None) -> tuple[RateLimiter, dict[str, str]]:
    """Return a limiter and the headers of a server whose `requests` bucket is just empty."""
    per_minute = (limits or RateLimits(requests=60)).requests
    prefix = "anthropic-ratelimit-requests-"
    return RateLimiter(), {f"{prefix}limit": str(per_minute), f"{prefix}remaining": "0"}


def test_requests_go_in_the_order_in_which_they_came() -> None:
    """First come, first served; another try of a request that was sent before goes first."""

    async def main() -> list[str]:
        limiter, headers = with_limiter()
        order: list[str] = []

        async def enter(name: str, *, again: bool = False) -> None:
            ticket = await limiter.admit(MODEL, 100, again=again)
            order.append(f"{name} at {asyncio.get_running_loop().time():.0f}")
            ticket.close()

        (await limiter.admit(MODEL, 100)).answered(headers)
        tasks = [asyncio.create_task(enter(name)) for name in "abc"]
        await asyncio.sleep(0.5)
        await asyncio.gather(*tasks, asyncio.create_task(enter("retry", again=True)))
        return order

    assert run_virtually(main()) == ["retry at 1", "a at 2", "b at 3", "c at 4"]


def test_a_refusal_pauses_its_whole_class_and_no_other() -> None:
    """After a 429 no request of the class goes before its time; another class goes at once."""

    async def main() -> tuple[float, float]:
        limiter, _ = with_limiter()
        refused = await limiter.admit(MODEL, 100)
        refused.refused({}, retry_after_s=7)
        refused.close()
        other, same = await asyncio.gather(limiter.admit("claude-opus-5", 100), limiter.admit(MODEL, 100))
        return other.waited_s, same.waited_s

    assert run_virtually(main()) == (0.0, 7.0)


def test_a_waiter_that_gives_up_holds_nobody_back() -> None:
    """A cancelled wait leaves the queue, also when its turn had just come."""

    async def main() -> list[float]:
        limiter, headers = with_limiter()
        (await limiter.admit(MODEL, 100)).answered(headers)
        tasks = [asyncio.create_task(limiter.admit(MODEL, 100)) for _ in range(20)]
        await asyncio.sleep(0.5)
        for task in tasks[:18]:
            task.cancel()
        return [(await task).waited_s for task in tasks[18:]]

    assert run_virtually(main()) == [1.0, 2.0]


def test_a_ticket_given_to_a_caller_cancelled_in_that_moment_is_taken_back() -> None:
    """Room that was given to nobody is given to the next."""

    async def main() -> bool:
        limiter = RateLimiter()
        held = [await limiter.admit(MODEL, 100) for _ in range(8)]  # the first window is full
        gone, next_one = (asyncio.create_task(limiter.admit(MODEL, 100)) for _ in range(2))
        await asyncio.sleep(0)
        held[0].close()  # gives the place to the first waiter, which is cancelled before it runs
        gone.cancel()
        await asyncio.wait([next_one], timeout=1)
        return next_one.done()

    assert run_virtually(main())


def test_cache_reads_do_not_count_as_input() -> None:
    """Once bodies turn out to be mostly cached, many more fit under the input limit than their size says."""
    limits = RateLimits(input_tokens=20_000)  # a body counts 1,000 at first sight, 20 by what the replies say

    async def main() -> float:
        limiter = RateLimiter()
        names = "anthropic-ratelimit-input-tokens-"
        for n in range(200):
            ticket = await limiter.admit(MODEL, 3000)
            ticket.answered({f"{names}limit": str(limits.input_tokens), f"{names}remaining": str(20_000 - 20 * n)})
            ticket.began(Usage(input_tokens=20, cache_read_input_tokens=980))
            ticket.finished(Usage(input_tokens=20, output_tokens=1))
            ticket.close()
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 0.0


def test_a_server_that_refills_more_slowly_than_a_minute_is_believed() -> None:
    """`-reset` far away means a slow bucket, and the pace follows it."""

    async def main() -> float:
        limiter, headers = with_limiter()
        date = {"date": "Sun, 22 Nov 2026 12:00:00 GMT"}
        reset = {"anthropic-ratelimit-requests-reset": "2026-11-22T12:10:01Z"}  # 60 requests in 600 s, not in 60 s
        (await limiter.admit(MODEL, 100)).answered({**headers, **date, **reset})
        return (await limiter.admit(MODEL, 100)).waited_s

    assert run_virtually(main()) == pytest.approx(10.0)


def test_the_window_is_cut_once_for_requests_that_were_under_way_together() -> None:
    """Ten refusals of one moment are one piece of news."""
    window = CongestionWindow(size=20.0)
    for _ in range(10):
        window.refused(sent_at=1.0, now=2.0)
    assert window.size == 14.0

    window.refused(sent_at=2.5, now=3.0)

    assert window.size == pytest.approx(9.8)


def test_closing_a_ticket_twice_frees_one_place() -> None:
    """A ticket counts once, however often it is closed."""

    async def main() -> int:
        limiter = RateLimiter()
        held: list[Ticket] = [await limiter.admit(MODEL, 100) for _ in range(8)]
        tasks = [asyncio.create_task(limiter.admit(MODEL, 100)) for _ in range(3)]
        await asyncio.sleep(0)
        held[0].close()
        held[0].close()
        await asyncio.sleep(0.1)
        done = Counter(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        return done[True]

    assert run_virtually(main()) == 1


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("claude-opus-4-8", "claude-opus-4"),
        ("claude-opus-4-5-20251101", "claude-opus-4"),
        ("anthropic.claude-sonnet-4-6-v1:0", "claude-sonnet-4"),
        ("claude-fable-5-1", "claude-fable-5"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("something-else", "something-else"),
    ],
)
def test_models_that_share_a_limit_share_a_queue(model: str, name: str) -> None:
    """Generations that the API limits together are one class; dates and platform names make no difference."""
    assert model_class(model) == name


@pytest.mark.parametrize(
    "headers", [{}, {"limit": "many", "remaining": "3"}, {"limit": "0", "remaining": "0"}, {"limit": "5"}]
)
def test_headers_that_say_nothing_sound_are_passed_over(headers: dict[str, str]) -> None:
    """Missing or strange limits count as unknown, not as zero."""
    assert read_limits({f"anthropic-ratelimit-requests-{name}": value for name, value in headers.items()}) == []


def test_two_limiters_on_one_key_find_each_other_through_the_headers() -> None:
    """Processes that share a key but no limiter keep within the limit together: hardly refused, and none starves."""
    api = MadeUpApi(RateLimits(requests=300), latency_s=2.0)

    async def both() -> tuple[float, list[Request]]:
        sides = [play_async(api, trials=250, jobs=12) for _ in range(2)]
        played = await asyncio.gather(*sides)
        return asyncio.get_running_loop().time(), [request for side in played for request in side.requests]

    took_s, requests = run_virtually(both())

    assert [request.failure for request in requests] == [None] * 1000
    assert took_s < 140 * 1.15
    assert api.refused < 0.05 * len(api.sent_at)


class Chatbots:
    """Chatbots of one process, each with a limiter made for itself."""

    def __init__(self, api: MadeUpApi, accounts: list[str]) -> None:
        self._api = api
        self._accounts = accounts

    async def ask_all(self) -> list[Request]:
        """Let each of them make two requests, all at once."""
        asked = await asyncio.gather(*(self._ask(account) for account in self._accounts))
        return [request for requests in asked for request in requests]

    async def _ask(self, account: str) -> list[Request]:
        replies = ApiReplies(self._api, lambda *_: 0.0, policy=RetryPolicy(retries=8), limiter=SharedLimiter(account))
        body = {"model": MODEL, "messages": [{"role": "user", "content": "x" * 300}]}
        events = [event for turn in (1, 2) async for event in replies.ask(Ask(turn, turn, body))]
        return [event.request for event in events if isinstance(event, RequestFinished)]


def test_chatbots_with_one_key_keep_its_limit_together() -> None:
    """Sixty of them at 30 requests a minute: the server never has to refuse one."""
    requests = run_virtually(Chatbots(MadeUpApi(RateLimits(requests=30)), ["a"] * 60).ask_all())

    assert len(requests) == 120
    assert not any(request.failure or request.attempts for request in requests)


def test_another_key_waits_for_nobody() -> None:
    """What one key is refused is no reason to hold back the requests of another."""

    async def go() -> float:
        refused, other = SharedLimiter("a"), SharedLimiter("b")
        (await refused.admit(MODEL, 10)).refused({}, retry_after_s=50.0)
        return (await other.admit(MODEL, 10)).waited_s

    assert run_virtually(go()) == 0.0


def test_what_is_known_of_a_key_is_forgotten_with_its_last_user() -> None:
    """A process that opens and drops chatbots of many keys does not grow."""

    async def go() -> tuple[int, int]:
        one, two = SharedLimiter("a"), SharedLimiter("a")
        for limiter in (one, two):
            (await limiter.admit(MODEL, 10)).close()
        of_loop = limiter_module._LIMITERS[asyncio.get_running_loop()]
        del one, limiter
        kept = len(of_loop)
        del two
        gc.collect()
        return kept, len(of_loop)

    assert asyncio.run(go()) == (1, 0)
    gc.collect()
    assert not limiter_module._LIMITERS
