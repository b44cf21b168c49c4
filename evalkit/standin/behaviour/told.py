"""What the user told in the conversation, and what a memory block says they told, as statements. Knows sentence forms
(told.yaml); what is not in the messages of the request it cannot know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from .dialogue import Dialogue
from .remember import remembered
from .tables import compiled, load_table, matches_any
from .words import fold, sentences, stems


@dataclass(frozen=True)
class Told:
    """One statement; `about` are its words and those it answers to besides, `weakly` those that decide in a tie."""

    text: str
    about: frozenset[str]
    weakly: frozenset[str]


@remembered(4096)
def statements_in(text: str) -> tuple[Told, ...]:
    """Return the sentences of a user's message that state something."""
    bare = (_bare(part) for line in text.splitlines() for part in sentences(line.strip()))
    return tuple(_told(each) for each in bare if _states(each))


@remembered(512)
def noted_in(memory: str) -> tuple[Told, ...]:
    """Return the lines of a memory block, each as one statement."""
    prefix = compiled(load_table("told")["memory_prefix"])
    lines = (prefix.sub("", line.strip()) for line in memory.splitlines())
    return tuple(_told(line) for line in lines if stems(line))


def everything_told(dialogue: Dialogue) -> tuple[Told, ...]:
    """Return what the request's memory and messages say that the user told, oldest first, the same text once."""
    noted = (each for memory in dialogue.memory for each in noted_in(memory))
    said = (each for turn in dialogue.turns for each in statements_in(turn.user))
    newest_last = {each.text: each for each in (*noted, *said)}
    return tuple(newest_last.values())


def second_person(text: str) -> str:
    """Say a user's sentence back to them."""
    for pattern, words in load_table("told")["second_person"]:
        text = compiled(pattern).sub(words, text)
    text = text.strip().rstrip(".!") + "."
    return text[:1].upper() + text[1:]


def _bare(sentence: str) -> str:
    """Return a sentence without the words that only lead in to it."""
    sentence = compiled(load_table("told")["lead_in"]).sub("", sentence.strip().replace("’", "'"))
    return sentence[:1].upper() + sentence[1:]


def _states(sentence: str) -> bool:
    table = load_table("told")
    if sentence.endswith("?") or len(sentence.split()) < 2 or matches_any(table["not_told"], sentence):
        return False
    speaks = compiled(table["first_person"]).search(sentence) or compiled(table["states"]).search(sentence)
    return bool(speaks or _also_about(sentence)) and bool(stems(sentence) | _also_about(sentence))


def _told(text: str) -> Told:
    about = stems(text) | _also_about(text)
    return Told(text, about, (about & weak_words()) | _weakly_about(text))


@cache
def weak_words() -> frozenset[str]:
    """Return the words that decide between statements about one thing, but say nothing of what it is."""
    return frozenset(map(fold, load_table("told")["weak"].split()))


def _also_about(text: str) -> frozenset[str]:
    """Return what a statement answers to without saying so: `Call me Ann` to `name`."""
    table = load_table("told")
    found = [name for name, pattern in table["also_about"].items() if _exactly(pattern).search(text)]
    return frozenset(map(fold, found))


def _weakly_about(text: str) -> frozenset[str]:
    forms: dict[str, str] = load_table("told")["weak_forms"]
    return frozenset(fold(name) for name, pattern in forms.items() if compiled(pattern).search(text))


@cache
def _exactly(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which capitals count."""
    return re.compile(pattern)
