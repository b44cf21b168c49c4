"""A voice file to brand-voice rules, and the rules to assertions about a case.

Knows which rule is switched off where; must not know how a rule is graded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evalkit.records import Assertion, JsonObject, Level, Place, Problem
from evalkit.suites.compiled import pattern_problem
from evalkit.suites.voice_schema import Existence, Length, Occurrence, Substitution, VoiceFile
from evalkit.yamlsource import Source, ValuePath, check_schema, parse_yaml, read_below

AnyRuleFile = Existence | Substitution | Occurrence | Length


@dataclass(frozen=True)
class VoiceRule:
    """A rule, ready for graders. `examples` are texts with where they stand and whether they keep the rule."""

    id: str
    kind: str
    level: Level
    message: str
    params: JsonObject
    place: Place
    examples: tuple[tuple[str, ValuePath, bool], ...]

    @cached_property
    def everywhere(self) -> Assertion:
        """The rule as an assertion about every turn: one value for all cases, of which there may be thousands."""
        return self._assertion([])

    def assertion(self, skip_turns: Collection[int] = ()) -> Assertion:
        """Return the rule as an assertion about every turn but the skipped ones."""
        return self._assertion(sorted(skip_turns)) if skip_turns else self.everywhere

    def _assertion(self, skip_turns: list[int]) -> Assertion:
        params = {**self.params, "message": self.message, "skip_turns": skip_turns}
        return Assertion(f"voice.{self.kind}", params, self.place, f"voice/{self.id}", level=self.level, rule=self.id)


@dataclass(frozen=True)
class Voice:
    """A voice file: its rules in order."""

    source: Source
    rules: tuple[VoiceRule, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all rules."""
        return tuple(rule.id for rule in self.rules)

    def described(self) -> Mapping[str, JsonObject]:
        """Return what reports say of each rule."""
        return {
            rule.id: {"kind": rule.kind, "level": rule.level.value, "message": rule.message, "place": str(rule.place)}
            for rule in self.rules
        }


def load_voice(root: Path, file: str) -> tuple[Voice | None, list[Problem]]:
    """Read the voice file `file` (relative to `root`); raises FileProblems when it can't be parsed."""
    return read_voice(parse_yaml(read_below(root, file)))


def read_voice(source: Source) -> tuple[Voice | None, list[Problem]]:
    """Return the rules of a parsed voice file, or None, and every problem."""
    parsed, problems = check_schema(source, VoiceFile)
    problems = [*source.problems, *problems]
    if parsed is None:
        return None, problems
    if not parsed.rules:
        problems.append(source.problem(("rules",), "there are no rules; expected at least one."))
    first: dict[str, int] = {}
    rules = []
    for index, rule in enumerate(parsed.rules):
        path = ("rules", index)
        if rule.id in first:
            line = source.place(("rules", first[rule.id])).line
            message = f"rule id {rule.id!r} is already used on line {line}; ids must differ."
            problems.append(source.problem((*path, "id"), message))
        first.setdefault(rule.id, index)
        problems.extend(_pattern_problems(source, rule, path))
        rules.append(_rule(source, rule, path))
    return Voice(source, tuple(rules)), problems


def _rule(source: Source, rule: AnyRuleFile, path: ValuePath) -> VoiceRule:
    examples = [
        (text, (*path, key, index), keeps)
        for key, texts, keeps in (("good", rule.good, True), ("bad", rule.bad, False))
        for index, text in enumerate(texts)
    ]
    return VoiceRule(
        rule.id, rule.extends, Level(rule.level), rule.message, _params(rule), source.place(path), tuple(examples)
    )


def _params(rule: AnyRuleFile) -> dict[str, Any]:
    about = {"id", "extends", "message", "level", "description", "link", "good", "bad"}
    return rule.model_dump(exclude=about)


def _pattern_problems(source: Source, rule: AnyRuleFile, path: ValuePath) -> Iterator[Problem]:
    for at, pattern, key in _patterns(rule):
        problem = pattern_problem(source, (*path, *at), pattern, key=key)
        if problem:
            yield problem
    if rule.message.count("%s") > (2 if isinstance(rule, Substitution) else 1):
        yield source.problem((*path, "message"), "has more %s than there are texts to put in.")


def _patterns(rule: AnyRuleFile) -> Iterator[tuple[ValuePath, str, bool]]:
    if isinstance(rule, Existence):
        yield from ((("tokens", n), token, False) for n, token in enumerate(rule.tokens))
    if isinstance(rule, Substitution):
        yield from ((("swap", wrong), wrong, True) for wrong in rule.swap)
    if isinstance(rule, Existence | Substitution):
        yield from ((("exceptions", n), text, False) for n, text in enumerate(rule.exceptions))
    if isinstance(rule, Occurrence):
        yield ("token",), rule.token, False
