"""Words as the stand-in compares them: lower case, without endings, synonyms folded. Knows English endings, no
meaning."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from .remember import remembered
from .tables import load_table

_WORD = re.compile(r"[a-z0-9]+(?:-[a-z]+)*")
_DOUBLED = re.compile(r"([bdfgklmnprtv])\1$")


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Cut the ending off one lower-case word, so that `returning`, `returned` and `returns` are one."""
    if len(word) <= 3 or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(word) > 3 and not (word.endswith("ll") and len(word) == 4):
                word = _DOUBLED.sub(r"\1", word)
            break
    else:
        if word.endswith(("sses", "xes", "ches", "shes")):
            word = word[:-2]
        elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(load_table("words")["stop"].split())


@cache
def _synonyms() -> dict[str, str]:
    groups: dict[str, list[str]] = load_table("words")["synonyms"]
    return {stem(word): name for name, group in groups.items() for word in group}


def fold(word: str) -> str:
    """Return the stem of a word, or the name of its group of synonyms."""
    stemmed = stem(word)
    return _synonyms().get(stemmed, stemmed)


@remembered(8192)
def stems(text: str) -> frozenset[str]:
    """Return the folded words of a text that carry meaning, underscores and apostrophes taken as word ends."""
    plain = text.lower().replace("’", "'").replace("_", " ")
    plain = re.sub(r"'(s|m|re|ve|ll|d|t)\b", "", plain)
    for idiom, name in load_table("words")["idioms"].items():
        plain = plain.replace(idiom, name)
    found = (word for word in _WORD.findall(plain) if len(word) > 1)
    return frozenset(fold(word) for word in found if word not in _stop_words())


_SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"”]))(?<!e\.g\.)(?<!i\.e\.)\s+(?=[\"“(`]?[A-Z0-9])")


def sentences(text: str) -> list[str]:
    """Split prose at sentence ends; a quotation that ends a sentence stays with it."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]
