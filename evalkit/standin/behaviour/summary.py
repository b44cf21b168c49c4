"""A summary of the conversation, when a request asks for one: what the user told and what tools returned, a line each.
Knows how the request for one looks; words nothing in the prompt's style, for a summary is no reply to the user."""

from __future__ import annotations

from collections.abc import Iterator

from .dialogue import Dialogue
from .figures import word_result
from .scene import Scene
from .tables import compiled, load_table, matches_any, phrase
from .told import everything_told, noted_in, statements_in

_PROMPT_CHARS = 400  # a prompt that is for nothing but summaries says so at its beginning
_RESULTS = 12


def wants_summary(scene: Scene) -> bool:
    """Say whether the last message asks to sum the conversation up, or the prompt does and the message is a script."""
    if scene.dialogue.turn.rounds:
        return False
    asking = load_table("told")["summarise"]
    by_prompt = matches_any(asking, scene.dialogue.system[:_PROMPT_CHARS]) and any(_spoken(scene.message))
    return by_prompt or matches_any(asking, scene.message)


def summarise(scene: Scene) -> str:
    """Return the summary: what earlier memory blocks hold comes first and word for word."""
    before = Dialogue("", scene.dialogue.past, scene.dialogue.memory)
    noted = [each.text for memory in before.memory for each in noted_in(memory)]
    told = [each.text for each in everything_told(before) if each.text not in noted]
    told += [each.text for line in _before_asking(scene.message) for each in statements_in(line)]
    told += [each.text for line in _spoken(scene.message) for each in statements_in(line)]
    lines = [f"- {text}" for text in noted]
    lines += [phrase("summary_told").format(text=text) for text in told]
    lines += [phrase("summary_result").format(text=text) for text in _results(scene, before) if text not in noted]
    return "\n".join(dict.fromkeys(lines)) or phrase("summary_empty")


def _before_asking(text: str) -> Iterator[str]:
    """Yield the lines in front of the request for a summary: what the user wrote last, if nothing answered it yet."""
    asking = load_table("told")["summarise"]
    lines = text.splitlines()
    at = next((number for number, line in enumerate(lines) if matches_any(asking, line)), 0)
    yield from lines[:at]


def _spoken(text: str) -> Iterator[str]:
    """Yield what the user says in a conversation that is written out in one message."""
    speaker = compiled(load_table("told")["speaker"])
    yield from (match.group(1) for line in text.splitlines() if (match := speaker.match(line)))


def _results(scene: Scene, before: Dialogue) -> list[str]:
    """Word the newest results, oldest first."""
    newest = [call for call, _ in zip(before.results(), range(_RESULTS), strict=False)]
    worded = [
        word_result(call, scene.toolbook.get(call.name), frozenset(), scene.instructions) for call in reversed(newest)
    ]
    return list(dict.fromkeys(worded))
