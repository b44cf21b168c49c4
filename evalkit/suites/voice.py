"""A voice file to brand-voice rules, and the rules to assertions about a case.

Knows which rule is switched off where; must not know how a rule is graded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from evalkit.graders import Requirement, requirement_of
from evalkit.graders.form import language_faults
from evalkit.graders.rule import VoiceRule
from evalkit.records import Assertion, JsonObject, Level, Place, Problem
from evalkit.suites.builtin import read_pack
from evalkit.suites.compiled import pattern_problem
from evalkit.suites.voice_rules import (
    Capitalization,
    Conditional,
    Consistency,
    Language,
    Occurrence,
    Repetition,
    Substitution,
)
from evalkit.suites.voice_schema import VoiceFile
from evalkit.yamlsource import Source, ValuePath, check_schema, did_you_mean, parse_yaml, read_below


@dataclass(frozen=True)
class FileRule:
    """A rule, ready for graders. `examples` are texts with where they stand and whether they keep the rule."""

    id: str
    kind: str
    level: Level
    message: str
    params: JsonObject
    place: Place
    examples: tuple[tuple[str, ValuePath, bool], ...]
    grader: VoiceRule | None = None

    @cached_property
    def everywhere(self) -> Requirement:
        """The rule as a requirement on every turn: one value for all cases, of which there may be thousands."""
        return self._requirement([])

    def requirement(self, skip_turns: Collection[int] = ()) -> Requirement:
        """Return the rule as a requirement on every turn but the skipped ones."""
        return self._requirement(sorted(skip_turns)) if skip_turns else self.everywhere

    def _requirement(self, skip_turns: list[int]) -> Requirement:
        if self.grader is not None:
            return Requirement.of(self.grader.model_copy(update={"skip_turns": skip_turns}), self.place)
        params = {**self.params, "message": self.message, "skip_turns": skip_turns}
        label = f"voice/{self.id}"
        return requirement_of(
            Assertion(f"voice.{self.kind}", params, self.place, label, level=self.level, rule=self.id)
        )


@dataclass(frozen=True)
class Voice:
    """A voice file: its rules in order."""

    source: Source
    rules: tuple[FileRule, ...]

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
    if not parsed.rules and not parsed.extends:
        problems.append(source.problem(("rules",), "there are no rules; expected at least one."))
    ready = _ready_made(source, parsed, problems)
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
    return Voice(source, (*(rule for rule in ready if rule.id not in first), *rules)), problems


def _ready_made(source: Source, file: VoiceFile, problems: list[Problem]) -> list[FileRule]:
    """Return the rules of the packs a file extends, placed where the file names them; their examples are tried here."""
    rules: list[FileRule] = []
    for index, name in enumerate(file.extends):
        pack, found = read_voice(parse_yaml(read_pack(name)))
        problems += found
        place = source.place(("extends", index))
        rules += [replace(rule, place=place, examples=()) for rule in (pack.rules if pack else ())]
    known = [rule.id for rule in rules]
    for index, rule_id in enumerate(file.without):
        if rule_id not in known:
            message = f"no ready-made rule {rule_id!r}{did_you_mean(rule_id, known)}; there are {', '.join(known)}."
            problems.append(source.problem(("without", index), message))
    return [rule for rule in rules if rule.id not in file.without]


def _rule(source: Source, rule: VoiceRule, path: ValuePath) -> FileRule:
    examples = [
        (text, (*path, key, index), keeps)
        for key, texts, keeps in (("good", rule.good, True), ("bad", rule.bad, False))
        for index, text in enumerate(texts)
    ]
    return FileRule(
        rule.id,
        _kind(rule),
        Level(rule.level),
        rule.message,
        _params(rule),
        source.place(path),
        tuple(examples),
        rule if rule.kind else None,
    )


def _kind(rule: VoiceRule) -> str:
    return str(rule.model_dump(include={"extends"})["extends"])


def _params(rule: VoiceRule) -> dict[str, Any]:
    about = {"id", "extends", "message", "level", "description", "link", "action", "good", "bad"}
    params = rule.model_dump(by_alias=True, exclude=about if rule.action is None else about - {"action"})
    unused = [key for key in ("tokens", "raw") if key in params and params[key] is None]
    return {
        key: value for key, value in params.items() if key not in unused and not (key == "append" and "raw" in unused)
    }


def _pattern_problems(source: Source, rule: VoiceRule, path: ValuePath) -> Iterator[Problem]:
    if rule.kind:
        yield from (source.problem((*path, *one.path), one.message, key=one.on_key) for one in rule.problems())
        return
    for at, pattern, key in _patterns(rule):
        problem = pattern_problem(source, (*path, *at), pattern, key=key)
        if problem:
            yield problem
    if rule.message.count("%s") > (2 if isinstance(rule, Substitution) else 1):
        yield source.problem((*path, "message"), "has more %s than there are texts to put in.")
    if isinstance(rule, Language):
        yield from (
            source.problem((*path, *one.path), one.message) for one in language_faults(("language",), rule.language)
        )


def _patterns(rule: VoiceRule) -> Iterator[tuple[ValuePath, str, bool]]:
    """Yield every regular expression of a rule with where it stands and whether it is a key."""
    if isinstance(rule, Repetition):
        yield from ((("tokens", n), token, False) for n, token in enumerate(rule.tokens or ()))
    if isinstance(rule, Substitution):
        yield from ((("swap", wrong), wrong, True) for wrong in rule.swap)
    if isinstance(rule, Consistency):
        yield from (
            (("either", left), side, side == left) for left, right in rule.either.items() for side in (left, right)
        )
    if isinstance(rule, Substitution | Repetition | Conditional | Capitalization):
        yield from ((("exceptions", n), text, False) for n, text in enumerate(rule.exceptions))
    if isinstance(rule, Conditional):
        yield from ((("first",), rule.first, False), (("second",), rule.second, False))
    if isinstance(rule, Capitalization) and not rule.match.startswith("$"):
        yield ("match",), rule.match, False
    if isinstance(rule, Occurrence):
        yield ("token",), rule.token, False
