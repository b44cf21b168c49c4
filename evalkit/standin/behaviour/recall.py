"""Answers about what the user told before, from the statements in the request and from nothing else. Knows how such a
question looks and how much of it a statement must share."""

from __future__ import annotations

from .scene import Move, Scene
from .tables import compiled, load_table, phrase
from .told import Told, everything_told, second_person, statements_in, weak_words
from .words import fold, sentences, stems

_ENOUGH = 0.5  # share of a question's words that a statement must have


def recall_told(scene: Scene) -> Move | None:
    """Answer a question about what the user told; None when it is no such question, or nothing fits it."""
    asked = _asked_about(scene)
    if not asked:
        return None
    found = _best(everything_told(scene.dialogue), asked, _ENOUGH if not _asks_tool(scene, asked) else 1.0)
    return Move(say=(second_person(found.text),)) if found else None


def miss_told(scene: Scene) -> Move | None:
    """Say that something was not told, for a question about it that nothing else has answered."""
    return Move(say=(phrase("not_told"),)) if _asked_about(scene) else None


def acknowledge(scene: Scene) -> Move | None:
    """Take note of a message that states something and asks nothing."""
    noted = "?" not in scene.message and statements_in(scene.message)
    return Move(say=(phrase("noted"),)) if noted else None


def _asked_about(scene: Scene) -> frozenset[str]:
    """Return the words of a question about something told: `do you remember ...`, `what is my ...`; else nothing."""
    if scene.dialogue.turn.rounds:
        return frozenset()
    table = load_table("told")
    recalls, personal = compiled(table["recalls"]), compiled(table["personal"])
    for part in reversed(sentences(scene.message.replace("’", "'"))):
        by_name = recalls.search(part)
        plainly = part.endswith("?") and personal.search(part) and not compiled(table["asks_more"]).search(part)
        if by_name or plainly:
            return stems(part) - frozenset(fold(word) for word in table["fillers"].split())
    return frozenset()


def _asks_tool(scene: Scene, asked: frozenset[str]) -> bool:
    """Say whether the question could be one for a tool, so that only a statement with all its words may answer it."""
    named = compiled(load_table("told")["recalls"]).search(scene.message)
    return not named and any(tool.own & asked for tool in scene.toolbook.tools)


def _best(told: tuple[Told, ...], asked: frozenset[str], enough: float) -> Told | None:
    """Return the statement that shares most of the words; the newest of equals, as it may correct the others."""
    matter = asked - weak_words() or asked
    found, best = None, (0.0, 0)
    for each in told:
        fit = (len(each.about & matter) / len(matter), len(each.weakly & asked))
        if fit[0] >= enough and fit >= best:
            found, best = each, fit
    return found
