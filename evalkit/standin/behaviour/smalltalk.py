"""What needs no tool and no fact: greetings, thanks, praise, attempts to turn the assistant, what is out of scope,
and what the prompt says may not be granted. Knows intents.yaml; the phrases are data."""

from __future__ import annotations

from .dialogue import Turn
from .facts import best_fact
from .figures import word_result
from .scene import Move, Scene
from .tables import compiled, habit, load_table, matches_any, phrase

_LEAK_CHARS = 160


def scope_sentence(scene: Scene) -> str:
    """Say what the assistant helps with, in the prompt's own words."""
    return phrase("helps_with").format(scope=scene.instructions.scope or phrase("scope"))


def defend(scene: Scene) -> Move | None:
    """Answer attempts to read or replace the instructions, and the question whether this is a person."""
    intents = load_table("intents")
    if matches_any(intents["injection"], scene.message):
        if scene.keeps("confidential"):
            return Move(say=(phrase("confidential"), scope_sentence(scene)))
        return Move(say=(habit("obeys"), habit("leak").format(text=scene.instructions.text[:_LEAK_CHARS].strip())))
    if matches_any(intents["identity"], scene.message):
        if scene.keeps("automated"):
            return Move(say=(phrase("automated"), scope_sentence(scene)))
        return Move(say=(habit("machine"),))
    return None


def redirect(scene: Scene) -> Move | None:
    """Send back what the prompt puts out of scope; where it puts nothing there, do it."""
    topics: dict[str, str] = load_table("intents")["off_topic"]
    topic = next((name for name, pattern in topics.items() if compiled(pattern).search(scene.message)), None)
    if topic is None:
        return None
    if scene.keeps("scope"):
        return Move(say=(phrase("off_topic").format(topic=topic), scope_sentence(scene)))
    return Move(say=(habit("off_topic"),))


def refuse(scene: Scene) -> Move | None:
    """Refuse what the prompt denies (a refund, a promise, a discount ...); grant it where the prompt is silent."""
    concessions: dict[str, dict[str, str]] = load_table("intents")["concession"]
    text, named = _conceded(scene, concessions)
    if named is None:
        return None
    concession = concessions[named]
    strength = scene.instructions.strength_of_denial(concession["named"])
    if not scene.keeps_at(f"refuse {named}", strength):
        return Move(say=(concession["habit"],))
    fact = best_fact(scene.instructions, f"{named} {text}")
    told = (fact.text,) if fact and fact.score >= 1 else _last_result(scene)
    return Move(say=(concession["cannot"], *(told or (scope_sentence(scene),))), mood="bad news")


def _conceded(scene: Scene, concessions: dict[str, dict[str, str]]) -> tuple[str, str | None]:
    """Return the concession asked for, now or in the turn before when this one only insists."""
    past = scene.dialogue.past
    insists = past and matches_any(load_table("intents")["insist"], scene.message)
    for turn in (scene.dialogue.turn, *([past[-1]] if insists else [])):
        named = next((name for name, entry in concessions.items() if compiled(entry["asked"]).search(turn.user)), None)
        if named:
            return turn.user, named
    return "", None


def _last_result(scene: Scene) -> tuple[str, ...]:
    for call in scene.dialogue.results():
        tool = scene.toolbook.get(call.name)
        if tool and tool.kind == "read":
            return (word_result(call, tool, scene.asked, scene.instructions),)
    return ()


def chat(scene: Scene) -> Move | None:
    """Answer a greeting, thanks, or praise."""
    intents = load_table("intents")
    text = scene.message
    if matches_any(intents["greeting"], text):
        return Move(say=(phrase("welcome"),))
    if "?" in text or _names_code(scene, scene.dialogue.turn):
        return None
    if matches_any(intents["thanks"], text):
        return Move(say=() if scene.instructions.closing else (phrase("closing"),), mood="closing")
    if matches_any(intents["praise"], text):
        return Move(say=(phrase("glad"),), mood="closing")
    return None


def _names_code(scene: Scene, turn: Turn) -> bool:
    return any(argument.codes_in(turn.user) for tool in scene.toolbook.tools for argument in tool.codes)


def fall_back(scene: Scene) -> Move:
    """Answer what nothing else answered."""
    text = scene.message
    if not scene.instructions.text.strip() and not scene.toolbook.tools:
        return Move(say=(phrase("bare").format(text=" ".join(text.split())[:200]),))
    if matches_any(load_table("intents")["anger"], text):
        return Move(say=(phrase("still_here"),), mood="bad news")
    if "?" not in text and not matches_any(load_table("intents")["wish"], text):
        return Move(say=(phrase("what_else"),))
    if scene.keeps("unknown"):
        return Move(say=(phrase("unknown"), scope_sentence(scene)))
    return Move(say=(habit("guess_policy"),))
