"""A script that is ready to be played: its rules with compiled patterns and templates, each knowing its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from evalkit.records import Place
from evalkit.standin.reply import Part
from evalkit.standin.script.patterns import Pattern, Words, plain
from evalkit.standin.script.templates import Templates, Value


@dataclass(frozen=True)
class Conditions:
    """What must hold. `seed` is the content of the rule that `chance` is drawn with."""

    user: tuple[Pattern, ...] = ()
    reply: tuple[Pattern, ...] = ()
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    expression: Value | None = None
    chance: float | None = None
    seed: bytes = b""

    @property
    def ask_nothing(self) -> bool:
        """Whether they hold for every request."""
        return not (self.user or self.reply or self.has or self.lacks or self.expression or self.chance)


@dataclass(frozen=True)
class Rule:
    """Conditions and what is done; `again` repeats the call that failed, `hint` is a message that the rule fits."""

    place: Place
    when: Conditions
    calls: Mapping[str, Value] = field(default_factory=dict)
    again: bool = False
    then: tuple[Rule, ...] = ()
    say: Value | None = None
    styled: bool = True
    stop: str = "end_turn"
    output: Value | None = None
    refuse: str = ""
    each: str = ""
    slip: Rule | None = None
    hint: str = ""

    def walk(self) -> Iterator[Rule]:
        """Yield the rule and all rules in it."""
        yield self
        for inner in (*((self.slip,) if self.slip else ()), *self.then):
            yield from inner.walk()


@dataclass(frozen=True)
class StyleStep:
    """One change of what is said."""

    place: Place
    when: Conditions
    start: Value | None = None
    end: Value | None = None
    replace: tuple[tuple[Pattern, str], ...] = ()
    max_words: Value | None = None


@dataclass(frozen=True, eq=False)
class Script:
    """What the stand-in says for one prompt; `sha` is of the file's bytes."""

    file: str
    sha: str
    templates: Templates
    words: Mapping[str, Words]
    prompt: Mapping[str, Pattern]
    facts: Mapping[str, Pattern]
    texts: Mapping[str, Value]
    parts: Mapping[Part, tuple[Rule, ...]]
    style: tuple[StyleStep, ...]

    def rules(self) -> Iterator[Rule]:
        """Yield every rule of every part, inner rules behind their outer one."""
        for rules in self.parts.values():
            for rule in rules:
                yield from rule.walk()

    def sentences_in(self, system: str) -> Mapping[str, str]:
        """Return the entries of `prompt` that a system prompt holds, each with the text it matched."""
        return _sentences_in(self, system)

    def missing_in(self, system: str, *, beside: str) -> tuple[str, ...]:
        """Return the entries of `prompt` that another system prompt holds and this one does not."""
        held = self.sentences_in(system)
        return tuple(name for name in self.sentences_in(beside) if name not in held)


@lru_cache(maxsize=64)
def _sentences_in(script: Script, system: str) -> Mapping[str, str]:
    """Search a system prompt once: every request of a run brings the same ones."""
    found = {name: pattern.first(plain(system)) for name, pattern in script.prompt.items()}
    return {name: match.value for name, match in found.items() if match}
