"""How a reply sounds: the prompt's own opening and closing, its limits, and the habits of a generic chatbot wherever
no rule forbids them. Knows phrases and rules; not what the reply is about."""

from __future__ import annotations

import re

from .instructions import Instructions
from .scene import Move, Scene
from .tables import habit, load_table, phrase
from .words import sentences

_CODE = re.compile(r"\b(?=[A-Z\d-]*\d)(?=[A-Z\d-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)+\b")


def word_move(scene: Scene, move: Move) -> str:
    """Return the text of a reply: its sentences, dressed by the rules that are kept and the habits that are not."""
    parts = list(move.say)
    parts = _opening(scene, move) + parts + _closing(scene, move)
    allowed = [part for part in parts if not _banned(scene.instructions, part, move)]
    parts = _limited(allowed, scene.instructions.max_words)
    text = " ".join(part.strip() for part in parts if part.strip())
    return _marked(scene, _spelled(scene, text))


def _opening(scene: Scene, move: Move) -> list[str]:
    found = [scene.instructions.opening.rstrip(".") + "."] if scene.instructions.opening else []
    if not scene.keeps("answer_first"):
        found.append(str(scene.dice.pick("filler", load_table("phrases")["habits"]["filler"])))
    if move.mood == "bad news" and not scene.keeps("plain_apology"):
        found.append(habit("apology"))
    return found


def _closing(scene: Scene, move: Move) -> list[str]:
    found = []
    if any(part.endswith("?") for part in move.say) and not scene.keeps("one_question"):
        found.append(phrase("asks_second"))
    if not scene.keeps("short_reply"):
        found.append(habit("long_closing"))
    if move.mood == "closing" and scene.instructions.closing:
        found.append(scene.instructions.closing.rstrip(".") + ".")
    return found


def _banned(instructions: Instructions, part: str, move: Move) -> bool:
    """Say whether a habitual part holds a phrase that the prompt bans; what the move itself says is never dropped."""
    if part in move.say or part.rstrip(".") == instructions.closing.rstrip("."):
        return False
    return any(word.lower() in part.lower() for word in instructions.banned)


def _limited(parts: list[str], limit: int | None) -> list[str]:
    """Drop whole parts from the end while the reply is over the prompt's word limit, but never all."""
    if limit is None:
        return parts
    while len(parts) > 1 and sum(len(part.split()) for part in parts) >= limit:
        parts = [*parts[:-2], parts[-1]] if parts[-1].endswith("?") and len(parts) > 2 else parts[:-1]
    return parts


def _spelled(scene: Scene, text: str) -> str:
    if scene.keeps("british"):
        return text
    for british, american in load_table("phrases")["spelling"].items():
        text = re.sub(rf"\b{british}", american, text)
    return text


def _marked(scene: Scene, text: str) -> str:
    """Add the marks that no rule forbids: bold codes, an exclamation mark, an emoji."""
    if not scene.keeps("plain_text"):
        text = _CODE.sub(lambda match: f"**{match.group(0)}**", text)
    if not scene.keeps("no_exclamation"):
        first, *rest = sentences(text) or [text]
        text = " ".join([first.removesuffix(".") + ("" if first.endswith(("?", "!")) else "!"), *rest])
    if not scene.keeps("no_emoji"):
        text += " " + str(scene.dice.pick("emoji", load_table("phrases")["habits"]["emoji"]))
    return text
