"""The order in which the stand-in considers what to do with a request. Knows the parts by name; each part knows its
own matter."""

from __future__ import annotations

from collections.abc import Callable

from .actions import act, ask_for, guess
from .dialogue import Call
from .escalation import escalate
from .facts import Fact, best_fact
from .figures import Field, fields_of, word_result
from .lookups import literal_lookups, named_lookups, names_of_things, needed_code, simple_lookups
from .recall import acknowledge, miss_told, recall_told
from .recovery import recover
from .scene import Move, Scene
from .smalltalk import chat, defend, fall_back, redirect, refuse
from .sources import quote_source
from .tables import compiled, habit, load_table, matches_any, phrase

_SURE = 2.0  # words shared with a fact before it may answer without a question that is plainly general


def decide(scene: Scene) -> Move:
    """Return what to do next in the open turn."""
    for part in _PARTS:
        move = part(scene)
        if move:
            return move
    return fall_back(scene)


def _recall(scene: Scene) -> Move | None:
    """Answer a question about a field of an earlier result from that result."""
    if scene.dialogue.turn.rounds or literal_lookups(scene, scene.message) or "?" not in scene.message:
        return None
    fact = best_fact(scene.instructions, scene.message)
    for call in scene.dialogue.results():
        fields = [each for each in fields_of(call, scene.instructions) if _asked_for(each, scene.asked)]
        if fields and len(fields[0].stems) > (fact.score if fact else 0) and not _other_thing(scene, call):
            return Move(say=("; ".join(f"{each.label.capitalize()}: {each.value}" for each in fields) + ".",))
    return None


def _asked_for(field: Field, asked: frozenset[str]) -> bool:
    return bool(field.stems) and field.stems <= asked and field.key not in ("name", "items")


def _other_thing(scene: Scene, call: Call) -> bool:
    """Say whether the message names another thing than the one that the call was about."""
    named = named_lookups(scene, scene.message)
    return bool(named) and not any(each.input == call.input for each in named)


def _look_up(scene: Scene) -> Move | None:
    """Call the read tools that the message asks for, then answer from their results."""
    text = scene.message
    wanted = tuple(dict.fromkeys(_keys(literal_lookups(scene, text) or named_lookups(scene, text) or _searches(scene))))
    calls = [Call(name, dict(items)) for name, items in wanted]
    open_calls = [call for call in calls if not scene.answered(call)]
    if open_calls and not scene.dialogue.turn.rounds and not scene.keeps("look_up_first"):
        return _guess(scene, open_calls[0])
    if open_calls:
        return Move(calls=tuple(open_calls if scene.keeps("together") else open_calls[:1]))
    return Move(say=_told(scene, calls)) if calls else None


def _searches(scene: Scene) -> tuple[Call, ...]:
    """Return code-less lookups, unless the question is one that the prompt's facts answer."""
    fact = best_fact(scene.instructions, scene.message)
    return () if fact and fact.score >= _SURE else simple_lookups(scene, scene.message)


def _keys(calls: tuple[Call, ...]) -> list[tuple[str, tuple[tuple[str, object], ...]]]:
    return [(call.name, tuple(call.input.items())) for call in calls]


def _guess(scene: Scene, call: Call) -> Move:
    tool = scene.toolbook.get(call.name)
    return Move(say=(guess(tool) if tool else habit("guess"),))


def _told(scene: Scene, calls: list[Call]) -> tuple[str, ...]:
    fact = best_fact(scene.instructions, scene.message, ignoring=names_of_things(scene))
    told = []
    for call in calls:
        answered = scene.answered(call)
        if answered:
            told.append(word_result(answered, scene.toolbook.get(call.name), scene.asked, scene.instructions))
    return (*((fact.text,) if fact and fact.score >= _SURE else ()), *told)


def _answer_from_facts(scene: Scene) -> Move | None:
    """Quote the prompt's fact that fits; now and then a loose answer, as with every rule that is stated once."""
    fact = best_fact(scene.instructions, scene.message)
    if not fact or fact.score < 1:
        return None
    if not scene.keeps_at("facts", "stated"):
        return Move(say=(habit("guess_policy"),))
    return Move(say=(fact.text,))


def _general_question(scene: Scene) -> Move | None:
    """Answer a question that is about no order and no product in particular, before any tool is thought of."""
    intents = load_table("intents")
    if literal_lookups(scene, scene.message) or not matches_any(intents["general"], scene.message):
        return None
    if named_lookups(scene, scene.message):
        return None
    fact = best_fact(scene.instructions, scene.message)
    if compiled(intents["sells"]).search(scene.message) and not _fits(fact):
        return Move(say=(phrase("no_stock") if scene.keeps("not_stocked") else habit("sells"),))
    return _answer_from_facts(scene)


def _sure_fact(scene: Scene) -> Move | None:
    fact = best_fact(scene.instructions, scene.message, ignoring=names_of_things(scene))
    return _answer_from_facts(scene) if _fits(fact) else None


def _fits(fact: Fact | None) -> bool:
    return fact is not None and fact.score >= _SURE


def _ask(scene: Scene) -> Move | None:
    """Ask for the code that the best fitting tool needs."""
    fitting = [(len(tool.own & scene.asked), tool) for tool in scene.toolbook.tools if tool.kind != "person"]
    score, tool = max(fitting, key=lambda pair: pair[0], default=(0, None))
    missing = needed_code(tool) if tool and score else None
    return ask_for(scene, tool, missing) if tool and missing else None


_PARTS: tuple[Callable[[Scene], Move | None], ...] = (
    recover,
    defend,
    escalate,
    recall_told,
    redirect,
    refuse,
    chat,
    _recall,
    quote_source,
    act,
    _general_question,
    _look_up,
    _sure_fact,
    _ask,
    _answer_from_facts,
    miss_told,
    acknowledge,
)
