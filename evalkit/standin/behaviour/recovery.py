"""What to do when a tool call came back as an error: try again, hand over, say so, or (where the prompt is silent)
make something up. Knows attempts; not why a call failed."""

from __future__ import annotations

from .actions import guess
from .escalation import pass_on, report
from .figures import word_step
from .scene import Move, Scene
from .tables import habit, phrase


def recover(scene: Scene) -> Move | None:
    """Decide after a round of calls with an error in it; None when the turn has none left to deal with."""
    turn = scene.dialogue.turn
    open_errors = [
        call
        for call in turn.calls
        if call.is_error and not any(done.same_as(call) and not done.is_error for done in turn.calls)
    ]
    if not open_errors:
        return None
    person = scene.toolbook.person
    failed = tuple(dict.fromkeys(word_step(call, scene.toolbook.get(call.name)) for call in open_errors))
    told = tuple(phrase("failed").format(what=what) for what in failed)
    handed = [call for call in turn.calls if person and call.name == person.name]
    if handed:
        return Move(say=told if handed[-1].is_error else (*told[:1], *report(scene, handed[-1])), mood="bad news")
    first_time = [
        call for call in turn.rounds[-1] if call.is_error and sum(call.same_as(other) for other in turn.calls) == 1
    ]
    if first_time and scene.keeps("retry_once"):
        return Move(calls=tuple(first_time))
    if person and scene.keeps("failure_hand_over"):
        return Move(calls=(pass_on(scene, person),))
    if scene.keeps("failure_honest"):
        return Move(say=told, mood="bad news")
    tool = scene.toolbook.get(open_errors[0].name)
    return Move(say=(guess(tool) if tool else habit("guess"),))
