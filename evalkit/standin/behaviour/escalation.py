"""Handing over to a person: when the prompt's circumstances are met, and what to say when it is done. Knows the
person tool and the circumstances that instructions found."""

from __future__ import annotations

from ..reply import JsonObject
from .dialogue import Call
from .figures import word_details
from .instructions import Strength
from .lookups import fill_plain, literal_lookups
from .scene import Move, Scene
from .tables import phrase
from .toolbook import Tool
from .words import stems

_NOTE_CHARS = 300


def escalate(scene: Scene) -> Move | None:
    """Hand over when a circumstance of the prompt is met, after looking up what the message names; None otherwise."""
    person = scene.toolbook.person
    if not person:
        return None
    done = [call for call in scene.dialogue.turn.calls if call.name == person.name and not call.is_error]
    if done:
        return Move(say=report(scene, done[-1]), mood="bad news")
    strength = _met(scene, person)
    if strength == "absent" or not scene.keeps_at("escalate", strength):
        return None
    earlier = next((call for call in scene.dialogue.results() if call.name == person.name), None)
    if earlier:
        detail = word_details(earlier, scene.instructions)
        return Move(say=(phrase("passed_on_already").format(detail=detail),))
    open_lookups = tuple(call for call in literal_lookups(scene, scene.message) if not scene.answered(call))
    return Move(calls=open_lookups or (pass_on(scene, person),))


def pass_on(scene: Scene, person: Tool) -> Call:
    """Return the call that hands the conversation over, its arguments filled from the user's words."""
    filled: JsonObject = {}
    for argument in person.arguments:
        codes = next((found for turn in reversed(scene.dialogue.turns) if (found := argument.codes_in(turn.user))), ())
        if argument.kind == "code":
            filled.update({argument.name: codes[0]} if codes else {})
        elif argument.required:
            story = " / ".join(turn.user for turn in scene.dialogue.turns[-3:])
            words = f"The customer wrote: {story[:_NOTE_CHARS]}" if argument.kind == "text" else scene.message
            filled[argument.name] = fill_plain(argument, words)
    return Call(person.name, filled)


def report(scene: Scene, call: Call) -> tuple[str, ...]:
    """Say that a person has it, with the reference that the tool returned."""
    return (phrase("passed_on").format(detail=word_details(call, scene.instructions)),)


def _met(scene: Scene, person: Tool) -> Strength:
    """Return how firmly the prompt asks to hand over what the message or this turn's results speak of."""
    tools = [tool for tool in scene.toolbook.tools if tool is not person]
    common = frozenset[str]().union(*(tool.described | tool.named for tool in tools))
    said = stems(scene.message) | _result_words(scene)
    order: tuple[Strength, ...] = ("shown", "firm", "stated")
    met = {each.strength for each in scene.instructions.escalations if (each.stems - common) & said}
    if not met and "person" in said and "person" in person.described:
        return "stated"
    return next((strength for strength in order if strength in met), "absent")


def _result_words(scene: Scene) -> frozenset[str]:
    found: set[str] = set()
    for call in scene.dialogue.turn.calls:
        if isinstance(call.data, dict) and not call.is_error:
            short = (value for value in call.data.values() if isinstance(value, str) and len(value.split()) <= 3)
            found |= stems(" ".join(short))
    return frozenset(found)
