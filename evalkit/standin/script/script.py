"""A script file to a script that is ready to be played: rules with compiled patterns and templates, each with its line.

Every mistake in the file is found at once, each at its line and column. Knows which names a script may use; what the
rules do is `play.py`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

import orjson

from evalkit.errors import FileProblems
from evalkit.prompts.expressions import Templates, Value
from evalkit.records import Place, Problem
from evalkit.standin.reply import Part
from evalkit.standin.script.format import AnswerFile, ConditionsFile, RuleFile, ScriptFile, StyleFile
from evalkit.standin.script.patterns import Pattern, PatternFault, TooSlow, Words, compile_pattern, compile_words, plain
from evalkit.yamlsource import (
    Source,
    SourceText,
    ValuePath,
    check_schema,
    did_you_mean,
    parse_yaml,
    read_below,
    shown,
)

Item = TypeVar("Item", RuleFile, StyleFile)


class Stuck(Exception):
    """A script that can't be played on: why, and where the rule to blame stands."""

    def __init__(self, reason: str, place: Place) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


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

    @property
    def may_slip(self) -> bool:
        """Whether this rule, or one that follows on it, has a chance to slip."""
        return self.slip is not None or any(rule.may_slip for rule in self.then)


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

    def sentences_in(self, system: str) -> Mapping[str, str]:
        """Return the entries of `prompt` that a system prompt holds, each with the text it matched; may be Stuck."""
        return _matches(self, "prompt", system)

    def missing_in(self, system: str, *, beside: str) -> tuple[str, ...]:
        """Return the entries of `prompt` that another system prompt holds and this one does not; may be Stuck."""
        held = self.sentences_in(system)
        return tuple(name for name in self.sentences_in(beside) if name not in held)

    def facts_in(self, sentence: str) -> Mapping[str, str]:
        """Return the entries of `facts` that a sentence tells, each with its value; may be Stuck."""
        return _matches(self, "facts", sentence)


# Every request of a run brings the same system prompt, and repeats the sentences of the conversation.
@lru_cache(maxsize=20_000)
def _matches(script: Script, section: Literal["prompt", "facts"], text: str) -> Mapping[str, str]:
    try:
        found = {name: pattern.first(plain(text)) for name, pattern in getattr(script, section).items()}
    except TooSlow as error:
        raise Stuck(f"under `{section}`, {error}", Place(script.file)) from error
    return {name: match.value for name, match in found.items() if match}


FILE = "stand-in.yaml"
PARTS: tuple[Part, ...] = ("rules", "judge", "simulate")
RESERVED = ("prompt", "facts", "found", "text", "calls", "failed", "user", "files", "reply", "system", "told", "match")
_FAILED = frozenset({"tool", "error", "times"})


def script_path(root: Path, prompt: str) -> str:
    """Return where the script of a prompt stands, or would stand, relative to the project.

    A prompt without versions (`prompts/NAME.md`) has it beside its file: `prompts/NAME.stand-in.yaml`.
    """
    folder, beside = f"prompts/{prompt}/{FILE}", f"prompts/{prompt}.{FILE}"
    return beside if (root / f"prompts/{prompt}.md").is_file() else folder


def load_script(root: Path, prompt: str) -> Script | None:
    """Return the script of a prompt, or None where it has none; FileProblems with everything that is wrong."""
    name = script_path(root, prompt)
    if not (root / name).exists():
        return None
    return read_script(read_below(root, name))


def read_script(text: SourceText) -> Script:
    """Return the script that a text holds; FileProblems with everything that is wrong."""
    script, problems = check_script(text)
    if script is None:
        raise FileProblems(problems)
    return script


def check_script(text: SourceText) -> tuple[Script | None, list[Problem]]:
    """Return the script, if it can be played, and every problem, warnings too."""
    try:
        source = parse_yaml(text)
    except FileProblems as error:
        return None, list(error.problems)
    file, problems = check_schema(source, ScriptFile, without=(*PARTS, "style"))
    problems = [*source.problems, *problems]
    script = None
    if file is not None:
        compiler = _Compiler(source, file)
        script = compiler.script(text.sha)
        problems += compiler.problems
    problems.sort(key=lambda problem: (problem.place.line, problem.place.column))
    return (None if any(problem.severity == "error" for problem in problems) else script), problems


class _Compiler:
    """Compiles one file and gathers what is wrong with it.

    `file` comes without its lists: their items are read one by one, so that one malformed rule hides nothing about the
    others.
    """

    def __init__(self, source: Source, file: ScriptFile) -> None:
        self._source = source
        self._file = file
        self._templates = Templates()
        self._words: dict[str, Words] = {}
        self._tools = frozenset(_called_tools([source.value((part,)) for part in PARTS if source.raw((part,))]))
        self.problems: list[Problem] = []

    def script(self, sha: str) -> Script:
        """Compile everything."""
        file = self._file
        for name, text in file.words.items():
            self._check_name("words", name)
            try:
                self._words[name] = compile_words(text)
            except PatternFault as fault:
                self._report(("words", name), f"{name} {fault}")
        for section in ("prompt", "facts", "texts"):
            for name in getattr(file, section):
                self._check_name(section, name)
        prompt = {name: self._pattern(text, ("prompt", name)) for name, text in file.prompt.items()}
        facts = {name: self._pattern(text, ("facts", name)) for name, text in file.facts.items()}
        # A text is shared by rules that bind different names, so it may use all of them.
        anything = frozenset(file.words)
        texts = {name: self._value(text, ("texts", name), anything) for name, text in file.texts.items()}
        parts = {part: self._rules(self._items(part, RuleFile), (part,), frozenset()) for part in PARTS}
        style = tuple(self._style(step, ("style", index)) for index, step in self._items("style", StyleFile))
        return Script(self._source.file, sha, self._templates, self._words, prompt, facts, texts, parts, style)

    def _items(self, section: str, model: type[Item]) -> list[tuple[int, Item]]:
        """Return the well-formed items of a list, each with its index in the file."""
        items = self._source.raw((section,))
        found = []
        for index in range(len(items) if isinstance(items, list) else 0):
            item, problems = check_schema(self._source, model, (section, index))
            self.problems += problems
            found += [(index, item)] if item else []
        return found

    def _rules(self, rules: Iterable[tuple[int, RuleFile]], path: ValuePath, bound: frozenset[str]) -> tuple[Rule, ...]:
        made = [(index, self._rule(rule, (*path, index), bound)) for index, rule in rules]
        for index, rule in made[:-1]:
            if rule.when.ask_nothing and rule.slip is None and not rule.calls and not rule.each and not rule.then:
                self._report((*path, index), "this rule has no conditions, so no rule below it is reached.", warn=True)
        if len(path) == 1 and made and made[-1][1].when.ask_nothing:
            message = "this rule has no conditions: it answers whatever nobody wrote a rule for, and hides that."
            self._report((*path, made[-1][0]), message, warn=True)
        return tuple(rule for _, rule in made)

    def _rule(self, rule: AnswerFile, path: ValuePath, bound: frozenset[str]) -> Rule:
        when = self._conditions(rule, path, bound)
        bound |= {name for pattern in when.user + when.reply for name in pattern.names}
        if rule.each is not None:
            self._known(rule.each, self._file.words, "words", (*path, "each"))
            bound |= {rule.each}
        slip = rule.slip if isinstance(rule, RuleFile) else None
        calls = rule.call if isinstance(rule.call, dict) else {}
        return Rule(
            place=self._source.place(path),
            when=when,
            calls={tool: self._value(given, (*path, "call", tool), bound) for tool, given in calls.items()},
            again=rule.call == "again",
            then=self._rules(enumerate(rule.then), (*path, "then"), bound),
            say=self._maybe(rule.say, (*path, "say"), bound),
            styled=rule.style,
            stop=rule.stop,
            output=self._maybe(rule.output, (*path, "output"), bound),
            refuse=rule.refuse or "",
            each=rule.each or "",
            slip=self._rule(slip, (*path, "slip"), bound) if slip else None,
            hint=_hint(rule, self._file.words),
        )

    def _style(self, step: StyleFile, path: ValuePath) -> StyleStep:
        when = self._conditions(step, path, frozenset())
        bound = frozenset(name for pattern in when.user + when.reply for name in pattern.names)
        return StyleStep(
            place=self._source.place(path),
            when=when,
            start=self._maybe(step.start, (*path, "start"), bound),
            end=self._maybe(step.end, (*path, "end"), bound),
            replace=tuple((self._pattern(old, (*path, "replace", old)), new) for old, new in step.replace.items()),
            max_words=self._maybe(step.max_words, (*path, "max_words"), bound),
        )

    def _conditions(self, given: ConditionsFile, path: ValuePath, bound: frozenset[str]) -> Conditions:
        for key in ("has", "lacks"):
            for name in getattr(given, key):
                self._known(name, self._file.prompt, "prompt", (*path, key))
        user = tuple(self._pattern(text, (*path, "user")) for text in given.user)
        reply = tuple(self._pattern(text, (*path, "reply")) for text in given.reply)
        bound |= {name for pattern in user + reply for name in pattern.names}
        if given.if_ is not None:
            self._check_template(given.if_, (*path, "if"), bound, expression=True)
        return Conditions(
            user=user,
            reply=reply,
            has=tuple(given.has),
            lacks=tuple(given.lacks),
            expression=None if given.if_ is None else self._templates.expression(given.if_),
            chance=given.chance,
            seed=orjson.dumps(self._source.value(path), option=orjson.OPT_SORT_KEYS),
        )

    def _pattern(self, text: str, path: ValuePath) -> Pattern:
        try:
            return compile_pattern(text, self._words)
        except PatternFault as fault:
            self._report(path, f"the pattern {shown(text)} {fault}")
            return Pattern("(?!)", {})

    def _maybe(self, value: object, path: ValuePath, bound: frozenset[str]) -> Value | None:
        return None if value is None else self._value(value, path, bound)

    def _value(self, value: object, path: ValuePath, bound: frozenset[str]) -> Value:
        for inner, text in _texts_in(value, path):
            self._check_template(text, inner, bound)
        return self._templates.value(value)

    def _check_template(self, text: str, path: ValuePath, bound: frozenset[str], *, expression: bool = False) -> None:
        file = self._file
        known: dict[str, frozenset[str] | None] = dict.fromkeys((*RESERVED, *self._tools, *bound))
        known |= {"prompt": frozenset(file.prompt), "facts": frozenset(file.facts), "found": frozenset(file.words)}
        known |= {"text": frozenset(file.texts), "calls": self._tools, "failed": _FAILED}
        for fault in self._templates.faults(text, known, expression=expression):
            self._report(path, f"the {'expression' if expression else 'text'} {shown(text)} {fault}")

    def _check_name(self, section: str, name: str) -> None:
        if not name.isidentifier() or name != name.lower():
            message = f"{name!r} can't be a name; expected letters, digits and _, in lower case."
            self._report((section, name), message, key=True)
        elif section == "words" and (name in RESERVED or name in self._tools):
            self._report((section, name), f"{name!r} means something else in a script; choose another word.", key=True)

    def _known(self, name: str, entries: Mapping[str, object], section: str, path: ValuePath) -> None:
        if name not in entries:
            self._report(path, f"{name!r} stands nowhere under `{section}`{did_you_mean(name, entries)}.")

    def _report(self, path: ValuePath, message: str, *, warn: bool = False, key: bool = False) -> None:
        self.problems.append(self._source.problem(path, message, "warning" if warn else "error", key=key))


def _called_tools(value: object) -> Iterator[str]:
    """Yield the tools that rules call, as the file has them: those of malformed rules are names too."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping):
            yield from item["call"] if isinstance(item.get("call"), Mapping) else ()
            yield from _called_tools([item.get("then"), item.get("slip")])
        elif isinstance(item, list):
            yield from _called_tools(item)


def _texts_in(value: object, path: ValuePath) -> list[tuple[ValuePath, str]]:
    if isinstance(value, Mapping):
        return [found for key, item in value.items() for found in _texts_in(item, (*path, key))]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in _texts_in(item, (*path, index))]
    return [(path, value)] if isinstance(value, str) else []


def _hint(rule: AnswerFile, words: Mapping[str, str | Mapping[str, str]]) -> str:
    """Return a message that fits the `user` patterns of a rule, of their first words; "" where there is none."""
    first = [text.split("|")[0].strip() for text in rule.user]
    for name, meaning in words.items():
        shown_word = next(iter(meaning.values()), "") if isinstance(meaning, Mapping) else meaning
        first = [text.replace(f"{{{name}}}", shown_word.split("|")[0].strip()) for text in first]
    if any("/" in text or "{" in text for text in first):
        return ""
    return " ".join(" ".join(first).removesuffix("*").replace("*", "…").split())
