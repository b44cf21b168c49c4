"""A script file to a script: every mistake in it at once, each at its line and column.

Knows which names a script may use; what the rules do is `play.py`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import orjson

from evalkit.errors import FileProblems
from evalkit.records import Problem
from evalkit.standin.reply import Part
from evalkit.standin.script.format import AnswerFile, ConditionsFile, RuleFile, ScriptFile, StyleFile
from evalkit.standin.script.patterns import Pattern, PatternFault, Words, compile_pattern, compile_words
from evalkit.standin.script.rules import Conditions, Rule, Script, StyleStep
from evalkit.standin.script.templates import Templates, Value
from evalkit.yamlsource import (
    Source,
    SourceText,
    ValuePath,
    check_schema,
    did_you_mean,
    parse_yaml,
    raise_problems,
    read_below,
    shown,
)

FILE = "stand-in.yaml"
PARTS: tuple[Part, ...] = ("rules", "judge", "simulate")
_OWN_NAMES = ("prompt", "facts", "found", "text", "calls", "failed", "user", "reply", "system", "told", "match")
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
    raise_problems(problems)
    if script is None:
        raise FileProblems(problems)
    return script


def check_script(text: SourceText) -> tuple[Script | None, list[Problem]]:
    """Return the script, if it can be played, and every problem, warnings too."""
    try:
        source = parse_yaml(text)
    except FileProblems as error:
        return None, list(error.problems)
    file, problems = check_schema(source, ScriptFile)
    problems = [*source.problems, *problems]
    if file is None or problems:
        return None, problems
    compiler = _Compiler(source, file)
    script = compiler.script(text.sha)
    problems = compiler.problems
    return (None if any(problem.severity == "error" for problem in problems) else script), problems


class _Compiler:
    """Compiles one file and gathers what is wrong with it."""

    def __init__(self, source: Source, file: ScriptFile) -> None:
        self._source = source
        self._file = file
        self._templates = Templates()
        self._words: dict[str, Words] = {}
        self._tools = _called_tools([rule for part in PARTS for rule in getattr(file, part)])
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
        texts = {name: self._text(text, ("texts", name), self._anything) for name, text in file.texts.items()}
        parts = {part: self._rules(getattr(file, part), (part,), frozenset()) for part in PARTS}
        style = tuple(self._style(step, ("style", index)) for index, step in enumerate(file.style))
        return Script(self._source.file, sha, self._templates, self._words, prompt, facts, texts, parts, style)

    @property
    def _anything(self) -> frozenset[str]:
        """Every name that some rule may bind: a text is shared by rules that bind different ones."""
        return frozenset(self._file.words)

    def _rules(self, rules: Sequence[RuleFile], path: ValuePath, bound: frozenset[str]) -> tuple[Rule, ...]:
        made = tuple(self._rule(rule, (*path, index), bound) for index, rule in enumerate(rules))
        for index, rule in enumerate(made[:-1]):
            if rule.when.ask_nothing and rule.slip is None and not rule.calls and not rule.each and not rule.then:
                self._report((*path, index), "this rule has no conditions, so no rule below it is reached.", warn=True)
        if len(path) == 1 and made and made[-1].when.ask_nothing:
            message = "this rule has no conditions: it answers whatever nobody wrote a rule for, and hides that."
            self._report((*path, len(made) - 1), message, warn=True)
        return made

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
            then=self._rules(rule.then, (*path, "then"), bound),
            say=None if rule.say is None else self._text(rule.say, (*path, "say"), bound),
            styled=rule.style,
            stop=rule.stop,
            output=None if rule.output is None else self._value(rule.output, (*path, "output"), bound),
            refuse=rule.refuse or "",
            each=rule.each or "",
            slip=self._rule(slip, (*path, "slip"), bound) if slip else None,
            hint=_hint(rule, self._file.words),
        )

    def _style(self, step: StyleFile, path: ValuePath) -> StyleStep:
        when = self._conditions(step, path, frozenset())
        bound = frozenset(name for pattern in when.user + when.reply for name in pattern.names)
        limit = step.max_words
        return StyleStep(
            place=self._source.place(path),
            when=when,
            start=None if step.start is None else self._text(step.start, (*path, "start"), bound),
            end=None if step.end is None else self._text(step.end, (*path, "end"), bound),
            replace=tuple((self._pattern(old, (*path, "replace", old)), new) for old, new in step.replace.items()),
            max_words=None if limit is None else self._value(limit, (*path, "max_words"), bound),
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

    def _text(self, text: str, path: ValuePath, bound: frozenset[str]) -> Value:
        self._check_template(text, path, bound)
        return self._templates.text(text)

    def _value(self, value: object, path: ValuePath, bound: frozenset[str]) -> Value:
        for inner, text in _texts_in(value, path):
            self._check_template(text, inner, bound)
        return self._templates.value(value)

    def _check_template(self, text: str, path: ValuePath, bound: frozenset[str], *, expression: bool = False) -> None:
        file = self._file
        known: dict[str, frozenset[str] | None] = dict.fromkeys((*_OWN_NAMES, *self._tools, *bound))
        sections: dict[str, Iterable[str]] = {
            "prompt": file.prompt,
            "facts": file.facts,
            "found": file.words,
            "text": file.texts,
        }
        known |= {name: frozenset(entries) for name, entries in sections.items()}
        known |= {"calls": frozenset(self._tools), "failed": _FAILED}
        for fault in self._templates.faults(text, known, expression=expression):
            self._report(path, f"the {'expression' if expression else 'text'} {shown(text)} {fault}")

    def _check_name(self, section: str, name: str) -> None:
        if not name.isidentifier() or name != name.lower():
            message = f"{name!r} can't be a name; expected letters, digits and _, in lower case."
            self._report((section, name), message, key=True)
        elif section == "words" and (name in _OWN_NAMES or name in self._tools):
            self._report((section, name), f"{name!r} means something else in a script; choose another word.", key=True)

    def _known(self, name: str, entries: Mapping[str, object], section: str, path: ValuePath) -> None:
        if name not in entries:
            message = f"{name!r} stands nowhere under `{section}`{did_you_mean(name, entries)}."
            self._report(path, message)

    def _report(self, path: ValuePath, message: str, *, warn: bool = False, key: bool = False) -> None:
        self.problems.append(self._source.problem(path, message, "warning" if warn else "error", key=key))


def _called_tools(rules: Sequence[AnswerFile]) -> frozenset[str]:
    tools: set[str] = set()
    for rule in rules:
        tools |= set(rule.call) if isinstance(rule.call, dict) else set()
        tools |= _called_tools(rule.then)
        if isinstance(rule, RuleFile) and rule.slip:
            tools |= _called_tools([rule.slip])
    return frozenset(tools)


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
