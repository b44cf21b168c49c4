"""A product whose users send pictures: what is sent, logged and sent again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson

from evalkit import Options, ProductionLog, make_block, open_chatbot
from evalkit.records import Failure
from evalkit.store import read_session
from tests.claims import write_claims
from tests.content.pictures import png

PHOTO = make_block("image", png(640, 480), "dent.png")


def talk(root: Path, log: ProductionLog, *users: Any) -> list[Any]:
    """Play turns in one session on the stand-in; return all events."""

    async def go() -> list[Any]:
        def find_policy(policy: str) -> dict[str, Any]:
            """Find a policy."""
            return {"policy": policy, "excess": 250}

        service = open_chatbot("claims", tools=[find_policy], log=log, options=Options(root=root, via="stand-in"))
        async with service.session("ada") as session:
            heard = [event for user in users for event in [one async for one in session.send(user)]]
        await service.close()
        return heard

    return asyncio.run(go())


def test_a_picture_is_sent_and_logged_once_however_long_the_conversation_grows(tmp_path: Path) -> None:
    """Each request of the log can be sent again byte for byte, and names what the person called the file."""
    root, logs = write_claims(tmp_path), tmp_path / "logs"
    asks = [[PHOTO, {"type": "text", "text": "What do I pay myself?"}], "And again, what do I pay myself?"]
    heard = talk(root, ProductionLog(logs), *asks)

    turns = [event.turn for event in heard if hasattr(event, "turn")]
    assert [turn.user for turn in turns] == ["What do I pay myself?", "And again, what do I pay myself?"]
    stored = read_session(f"{logs}#ada", tmp_path).transcript
    sent = [request.body for turn in turns for request in turn.requests]
    assert [orjson.dumps(request.body) for request in stored.requests] == [orjson.dumps(body) for body in sent]
    assert stored.turns[0].content[0]["file"] == "dent.png"
    text = b"".join(file.read_bytes() for file in logs.glob("*.jsonl"))
    assert text.count(PHOTO["source"]["data"].encode()) == 1


def test_a_picture_that_the_api_refuses_is_a_failed_turn_with_its_reason(tmp_path: Path) -> None:
    """A product may build blocks itself; nothing is raised."""
    wrong = {**PHOTO, "source": {**PHOTO["source"], "media_type": "image/gif"}}
    heard = talk(write_claims(tmp_path), ProductionLog(tmp_path / "logs"), [wrong])
    [turn] = [event.turn for event in heard if hasattr(event, "turn")]
    assert isinstance(turn.failure, Failure)
    assert "appears to be a image/png image" in turn.failure.message
