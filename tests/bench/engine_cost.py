"""What a streamed 30-event reply costs the client in CPU time: evalkit's engine beside the SDK's own stream helper.

Run with `make bench`. Both ways talk to the same server process in turns, in the same client process, so that a slow
or busy machine slows both; the ratio is what travels.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from statistics import median

import anthropic

from evalkit.engine import ApiReplies, Ask, Chatbot, Conversation, NoTools, RequestFinished
from evalkit.engine.chat import build_body
from evalkit.engine.claude import ClaudeDoor
from evalkit.records import PromptVersion
from tests.bench.canned_server import canned_server

ROUNDS, REPLIES, AT_ONCE = 9, 200, 8
PROMPT = PromptVersion(
    sha="0" * 64,
    ref="bench@v1",
    description="",
    model="claude-sonnet-5-5",
    params={"max_tokens": 300},
    system=({"type": "text", "text": "Be kind and brief. " * 100},),
    tools=(),
)
OneReply = Callable[[], Awaitable[None]]


async def cpu_ms(one: OneReply) -> float:
    """Return the CPU milliseconds of one reply, many being read side by side."""

    async def worker() -> None:
        for _ in range(REPLIES // AT_ONCE):
            await one()

    gc.collect()
    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return (time.process_time() - began) * 1000 / REPLIES


def engine_request(door: ClaudeDoor) -> OneReply:
    """Return one request through the engine, as the chatbot makes it."""
    replies = ApiReplies(door, lambda _model, _usage: 0.0)
    body = build_body(PROMPT, [{"role": "user", "content": "Hello"}], None)

    async def one() -> None:
        async for event in replies.ask(Ask(1, 1, body)):
            if isinstance(event, RequestFinished):
                assert event.request.failure is None, event.request.failure

    return one


def engine_turn(door: ClaudeDoor) -> OneReply:
    """Return one whole turn of a chatbot."""
    bot = Chatbot(PROMPT, ApiReplies(door, lambda _model, _usage: 0.0), NoTools())

    async def one() -> None:
        async for _ in bot.send(Conversation(), "Hello"):
            pass

    return one


def helper(client: anthropic.AsyncAnthropic) -> OneReply:
    """Return one reply through the SDK's stream helper."""

    async def one() -> None:
        async with client.messages.stream(
            model=PROMPT.model,
            max_tokens=300,
            system=[{"type": "text", "text": str(block["text"])} for block in PROMPT.system],
            messages=[{"role": "user", "content": "Hello"}],
        ) as stream:
            async for _ in stream:
                pass
            assert (await stream.get_final_message()).stop_reason == "end_turn"

    return one


async def measure(url: str) -> dict[str, list[float]]:
    """Measure every way in turns, after a round that warms up."""
    door = ClaudeDoor(url, "key")
    plain = anthropic.AsyncAnthropic(base_url=url, api_key="key", max_retries=0)
    over_aiohttp = anthropic.AsyncAnthropic(
        base_url=url, api_key="key", max_retries=0, http_client=anthropic.DefaultAioHttpClient()
    )
    ways = {
        "engine, one request": engine_request(door),
        "engine, one chatbot turn": engine_turn(door),
        "SDK stream helper (httpx2)": helper(plain),
        "SDK stream helper (aiohttp)": helper(over_aiohttp),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for round_n in range(ROUNDS + 1):
        for name, one in ways.items():
            cost = await cpu_ms(one)
            if round_n:
                found[name].append(cost)
    await door.close()
    await plain.close()
    await over_aiohttp.close()
    return found


def main() -> None:
    """Print the table."""
    with canned_server() as url:
        at_once, slowly = asyncio.run(measure(url)), asyncio.run(measure(f"{url}/slowly"))
    print(f"CPU of the client for one streamed reply of 30 events ({ROUNDS} rounds of {REPLIES}, {AT_ONCE} at once)\n")
    print("| way | events in one burst: median ms (best) | share | one by one: median ms (best) | share |")
    print("|---|---|---|---|---|")
    for name in at_once:
        print(f"| {name} | {cells(at_once, name)} | {cells(slowly, name)} |")


def cells(found: dict[str, list[float]], name: str) -> str:
    """Return a way's median and best cost, and its share of the SDK helper's."""
    base = median(found["SDK stream helper (httpx2)"])
    return f"{median(found[name]):.2f} ({min(found[name]):.2f}) | {median(found[name]) / base:.2f}"


if __name__ == "__main__":
    main()
