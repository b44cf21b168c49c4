"""Memory over real sockets: the API's own compaction, and thinking that is bound to its prefix."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from evalkit.engine import ApiReplies, Chatbot, Conversation, NoTools, TurnFinished
from evalkit.engine.claude import STAND_IN_KEY, ClaudeDoor
from evalkit.pricing import price_with
from evalkit.records import JsonObject, Turn
from evalkit.standin import Answer, Cue, Reply, StandIn
from evalkit.standin.script import player, read_script
from evalkit.yamlsource import SourceText
from tests.engine.talk import PROMPT

FILLER = " Is it blue?" * 2500  # a question states nothing, so it is no part of a summary


SUMMARY = {"above_tokens": 400, "keep_turns": 2, "tokens": 300, "instructions": ""}
SCRIPT = """
facts:
  code: /my (?:\\w+) code is \\d+|my number \\d+ is \\d+/
  cellar: my cellar code is *
rules:
  - {user: write a summary of the conversation|write a memory of the conversation, say: "{{ told or 'Nothing.' }}"}
  - {user: what is my cellar code, if: facts.cellar, say: "Your cellar code is {{ facts.cellar }}"}
  - {say: I have noted that.}
"""


def scripted() -> Answer:
    """Return who answers here: one script, whatever is asked."""
    return player({"": read_script(SourceText("stand-in.yaml", SCRIPT))})


def thoughtful(request: JsonObject, trial: int, cue: Cue) -> Reply:
    """Answer as the script says, with a thought before it."""
    reply = scripted()(dict(request), trial, cue)
    return replace(reply, content=({"type": "thinking", "thinking": "Let me see."}, *reply.content))


def converse(memory: JsonObject, users: list[str], *, thinks: bool = False) -> list[Turn]:
    """Play a conversation with a prompt of this memory against a stand-in."""

    async def play(url: str) -> list[Turn]:
        door, turns, conversation = ClaudeDoor(url, STAND_IN_KEY), [], Conversation()
        prompt = replace(PROMPT, memory=memory, params={**PROMPT.params, "max_tokens": 2000})
        bot = Chatbot(prompt, ApiReplies(door, price_with()), NoTools())
        for user in users:
            async for event in bot.send(conversation, user):
                if isinstance(event, TurnFinished):
                    turns.append(event.turn)
                    conversation = event.conversation
        await door.close()
        return turns

    stand_in = StandIn(answer=thoughtful if thinks else scripted())
    url = stand_in.start()
    try:
        return asyncio.run(play(url))
    finally:
        stand_in.stop()


def test_the_api_compacts_and_the_conversation_goes_on() -> None:
    """The block comes in a reply, is sent back, is paid for, and what it noted is still known."""
    rooms = ("hallway", "attic", "cellar", "kitchen", "garage", "bathroom", "bedroom")
    told = [f"My {room} code is {n * 111}.{FILLER}" for n, room in enumerate(rooms)]

    turns = converse({"compact": {"above_tokens": 50_000, "instructions": ""}}, [*told, "What is my cellar code?"])

    assert [turn.failure for turn in turns] == [None] * 8
    compacted = next(turn for turn in turns if turn.requests[0].content[0]["type"] == "compaction")
    assert compacted.requests[0].usage is not None
    assert compacted.requests[0].usage.prompt_tokens > 50_000
    assert turns[-1].requests[0].body["messages"][2 * compacted.n - 1]["content"][0]["type"] == "compaction"
    assert "222" in turns[-1].reply


@pytest.mark.parametrize(
    "memory",
    [{"window": 3}, {"summary": SUMMARY}, {"summary": {**SUMMARY, "in": "system"}}],
    ids=["window", "summary", "summary in system"],
)
def test_thinking_bound_to_its_prefix_survives_every_fold(memory: JsonObject) -> None:
    """A model that refuses thinking whose prefix changed refuses nothing, although older turns are gone."""
    users = [f"My number {n} is {n * 111}." for n in range(14)]

    turns = converse(memory, users, thinks=True)

    assert [turn.failure for turn in turns] == [None] * 14
    kinds = [block["type"] for block in turns[-1].requests[-1].content]
    assert kinds == ["thinking", "text"]
    assert any("thinking" in str(turn.requests[-1].body["messages"]) for turn in turns)


@pytest.mark.parametrize("place", ["messages", "system"])
def test_what_was_folded_is_still_known_wherever_the_notes_stand(place: str) -> None:
    """A fact that only the notes carry is answered from them, and the static prompt is read from the cache."""
    users = ["My cellar code is 4711.", *(f"My number {n} is {n * 111}." for n in range(24)), "What is my cellar code?"]

    turns = converse({"summary": {**SUMMARY, "in": place}}, users)

    assert turns[-1].reply == "Your cellar code is 4711."
    assert "4711" not in str(turns[-1].requests[-1].body["messages"][1:])
    assert ("4711" in str(turns[-1].requests[-1].body["system"])) == (place == "system")
