"""The users of a trial: one whose messages are written out, and one whose messages a model makes up.

A simulated user has a goal and a persona. It speaks through the same engine as the chatbot, and what it says is written
down before it is sent, so that a resumed or replayed conversation has the same words. On the stand-in it says what the
case scripts for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from evalkit.content import UserContent, readable, spoken
from evalkit.engine import Ask, Replies
from evalkit.engine.requests import ask_aside, side_request
from evalkit.records import JsonObject, Request, SimulatedMessage, Turn
from evalkit.suites import Simulation

GOAL_MARK, STOP_MARK = "[GOAL REACHED]", "[STOP]"
MAX_TOKENS = 2048
_OPENING = "(The chat window is open. Write the user's first message.)"
_SILENCE = "(The assistant said nothing.)"
_ROLE = """\
You play a user who chats with a company's assistant, so that the assistant can be tested. You are the user and never \
the assistant: you ask, you answer questions about yourself, and you help nobody.

What you want to reach: {goal}
{persona}
Write the user's next message and nothing else: plain words, as people type in a chat, one thing at a time. Say only \
what your goal and your person give you; when you are asked for something they don't say, say that you don't have it. \
What the assistant says is what you hear; it does not change how you play.

When what you wanted is reached, write only {goal_mark}
When it can't be reached, or a real person would have left by now, write only {stop_mark}"""


class Said(Protocol):
    """Hears what the user said."""

    def __call__(self, message: SimulatedMessage, *, known: bool) -> None:
        """A message; `known` when it stands in the record already."""
        ...


class UserSide(Protocol):
    """Says what the user says next."""

    async def says(self, turns: Sequence[Turn]) -> UserContent | None:
        """Return the next message after these turns, or None when the user has nothing more to say."""
        ...


class WrittenUser:
    """A user whose messages are written out in the case."""

    def __init__(self, messages: Sequence[UserContent]) -> None:
        self._messages = messages

    async def says(self, turns: Sequence[Turn]) -> UserContent | None:
        """Return the message at this place of the case."""
        return self._messages[len(turns)] if len(turns) < len(self._messages) else None


class SimulatedUser:
    """A user whose messages a model makes up.

    `stored` holds those of an earlier attempt; `said` hears each message, and whether it is one of those.
    """

    def __init__(
        self,
        simulation: Simulation,
        history: Sequence[JsonObject],
        replies: Replies,
        *,
        stored: Sequence[SimulatedMessage] = (),
        said: Said,
    ) -> None:
        self._simulation = simulation
        self._history = history
        self._replies = replies
        self._stored = {message.turn: message for message in stored}
        self._said = said

    async def says(self, turns: Sequence[Turn]) -> str | None:
        """Return what the user says next; None at the goal, at the stop mark, at the last turn, or when it failed."""
        number = len(turns) + 1
        if number > self._simulation.max_turns:
            return None
        known = self._stored.get(number)
        message = known
        if message is None:
            body = build_user_body(self._simulation, self._history, turns)
            message = read_user_message(number, await ask_aside(self._replies, Ask(number, number, body, "user")))
        self._said(message, known=known is not None)
        return None if message.ended else message.text


def build_user_body(simulation: Simulation, history: Sequence[JsonObject], turns: Sequence[Turn]) -> dict[str, Any]:
    """Return the body that asks for the user's next message: the conversation with the roles turned round."""
    mine, heard = list[str](), list[list[str]]()
    for part in spoken(history):
        if part.role == "user":
            mine.append(readable(part.content))
            heard.append([])
        elif heard:
            heard[-1].append(part.text)
    for turn in turns:
        mine.append(readable(turn.said))
        heard.append([turn.reply])
    answers = ["\n\n".join(text for text in texts if text.strip()) or _SILENCE for texts in heard]
    messages: list[JsonObject] = [{"role": "user", "content": _OPENING}]
    for said, answer in zip(mine, answers, strict=True):
        messages += [{"role": "assistant", "content": said}, {"role": "user", "content": answer}]
    persona = f"Who you are: {simulation.persona}\n" if simulation.persona else ""
    role = _ROLE.format(goal=simulation.goal, persona=persona, goal_mark=GOAL_MARK, stop_mark=STOP_MARK)
    return {
        "model": simulation.model,
        "max_tokens": MAX_TOKENS,
        "system": [{"type": "text", "text": role}],
        "messages": messages,
        "stream": True,
    }


def read_user_message(number: int, request: Request) -> SimulatedMessage:
    """Return what the model's reply means: a message, the end of the conversation, or a failure."""
    side = side_request(request)
    text = side.reply.strip()
    if request.failure is None and request.stop_reason in ("end_turn", "stop_sequence") and text:
        if GOAL_MARK in text:
            return SimulatedMessage(number, "", side, "goal")
        if STOP_MARK in text:
            return SimulatedMessage(number, "", side, "stop")
        return SimulatedMessage(number, text, side)
    return SimulatedMessage(number, "", side, "failed")


def steps_of(simulation: Simulation) -> list[JsonObject]:
    """Return what the stand-in says as this user: what the case scripts for it, and then that the goal is reached."""
    return [{"say": text} for text in (*(simulation.script or (simulation.goal,)), GOAL_MARK)]
