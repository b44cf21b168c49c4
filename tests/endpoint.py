"""The README's endpoint as it stands there: served over real sockets, and many customers who use it at once."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import httpx2
import uvicorn

from evalkit.standin.server import open_listener, url_of

ROOT = Path(__file__).parent.parent


def example() -> str:
    """Return the code of the README's library section."""
    found = re.search(
        r"<!-- library example -->\n```python\n(.*?)```\n<!-- /library example -->",
        (ROOT / "README.md").read_text("utf-8"),
        re.DOTALL,
    )
    assert found is not None
    return found[1]


def load_example(folder: Path) -> ModuleType:
    """Run the example as the module that its comment names."""
    path = folder / "shop.py"
    path.write_text(example())
    spec = spec_from_file_location("shop", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def served(module: ModuleType) -> Iterator[str]:
    """Serve a module's app with uvicorn in a thread and close its chatbot at the end; give host and port."""
    listener = open_listener()
    server = uvicorn.Server(uvicorn.Config(module.app, log_config=None, lifespan="off", ws="none"))

    async def serve() -> None:
        await server.serve(sockets=[listener])
        await module.chatbot.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield url_of(listener).removeprefix("http://")
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class Played:
    """What became of turns: ended whole, ended with an apology, refused by the server, or cut off on their way."""

    whole: int = 0
    apologies: int = 0
    refused: int = 0
    lost: int = 0
    retries: int = 0


async def play_sessions(host: str, sessions: int, turns: int = 2) -> Played:
    """Let so many customers talk to the endpoint at once, each one turn after the other."""
    played = Played()
    # no limit and no time-out: what is measured is the endpoint
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(limits=limits, timeout=None, trust_env=False) as http:

        async def talk(n: int) -> None:
            for turn in range(turns):
                message = f"Where is my order PR26-{n:04}?" if turn == 0 else "Thank you!"
                asked = {"message": message, "customer": f"Customer {n}"}
                try:
                    async with http.stream("POST", f"http://{host}/chat/s{n}", json=asked) as answer:
                        if answer.status_code != 200:
                            played.refused += 1
                            continue
                        lines = [line async for line in answer.aiter_lines() if line.strip()]
                except httpx2.TransportError:
                    played.lost += 1
                    continue
                kinds = [json.loads(line.removeprefix("data: "))["kind"] for line in lines]
                played.retries += kinds.count("Retrying")
                if "Apology" in kinds or not kinds:
                    played.apologies += 1
                else:
                    played.whole += 1

        await asyncio.gather(*(talk(n) for n in range(sessions)))
    return played
