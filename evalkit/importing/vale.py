"""A team's Vale styles as a voice file: which rules come over, and which do not and why.

Knows Vale's rule files (vale.sh/docs, read November 2026); which keys a rule of a voice file has, and what it may
demand, its class says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import FileProblems, UsageError
from evalkit.graders.registry import BY_KIND
from evalkit.graders.rule import ScopedRule, VoiceRule, action_fault
from evalkit.reading import is_scope
from evalkit.suites.voice import NOT_BUILT, read_voice
from evalkit.suites.writing import flow, quoted
from evalkit.yamlsource import Source, SourceText, load_yaml, parse_yaml, pattern_fault

_VALES = (
    *("existence", "substitution", "occurrence", "repetition", "consistency", "conditional", "capitalization"),
    *("metric", "readability"),
)
"""Vale's kinds that a voice file has too, with Vale's keys."""

_OURS = frozenset({"id", "good", "bad"})
"""Keys of every rule of a voice file that Vale does not have."""

_SET_APART = frozenset({"scope", "ignorecase", "action"})
"""Keys of both that are not simply taken over."""

_HARMLESS = frozenset({"vocab", "limit", "scope", "ignorecase", "name", "capitalize", "prefix"})
"""Keys of Vale that a voice file has no need of, or that every rule may have without effect."""

_SCOPES = {"summary": "text", "heading": "heading", "table.cell": "table.cell", "table.header": "table.header"}


@dataclass(frozen=True)
class StylesImport:
    """A voice file's text, the ids of the rules in it, and what could not be brought over, each with the reason."""

    text: str
    rules: tuple[str, ...]
    left: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, str], ...] = ()


class NoCounterpart(ValueError):
    """A Vale rule has no counterpart here; the message says why."""


def import_vale_styles(folder: Path) -> StylesImport:
    """Return the rules of all YAML files below a folder as one voice file.

    A rule is called by its style (its folder) and file: `Style.Rule`. Raises UsageError when there is no rule at all.
    """
    files = sorted(path for path in folder.rglob("*.y*ml") if path.suffix in {".yml", ".yaml"} and path.is_file())
    if not files:
        raise UsageError(f"{folder} holds no .yml file; expected a folder of Vale styles.")
    rules: list[tuple[str, dict[str, Any]]] = []
    left: list[tuple[str, str]] = []
    changed: list[tuple[str, str]] = []
    for path in files:
        style = path.parent.name if path.parent != folder else folder.resolve().name
        name = "".join(char if char.isalnum() or char in "._-" else "-" for char in f"{style}.{path.stem}")
        try:
            rule, notes = to_rule(name, load_yaml(path, str(path)))
        except FileProblems as problems:
            left.append((name, "; ".join(str(problem.message) for problem in problems.problems)))
        except NoCounterpart as reason:
            left.append((name, str(reason)))
        else:
            rules.append((name, rule))
            changed += [(name, note) for note in notes]
    heading = f"# {len(rules)} rules of the Vale styles in {folder.name}, brought over by `evalkit import vale`.\n"
    text = heading + f"description: From Vale styles\nrules:\n{''.join(rule_text(rule) for _, rule in rules)}"
    return StylesImport(text, tuple(name for name, _ in rules), tuple(left), tuple(changed))


def to_rule(name: str, source: Source) -> tuple[dict[str, Any], list[str]]:
    """Return a Vale rule as a rule of a voice file, and notes on what became different.

    Raises NoCounterpart, with the reason, when it can't be.
    """
    if source.problems:
        raise NoCounterpart("; ".join(problem.message for problem in source.problems))
    given = source.value()
    if not isinstance(given, dict) or not isinstance(given.get("extends"), str):
        raise NoCounterpart("it is no Vale rule: the key `extends` is missing.")
    kind = given["extends"]
    if kind not in _VALES:
        why = f"it {NOT_BUILT[kind]}" if kind in NOT_BUILT else "unknown kind"
        raise NoCounterpart(f"rules of kind {kind!r} can't be brought over: {why}.")
    model = BY_KIND[f"voice.{kind}"]
    keys = [field.alias or key for key, field in model.model_fields.items() if key not in _OURS | model.given]
    unknown = [key for key in given if key not in (*keys, *_HARMLESS)]
    if unknown:
        raise NoCounterpart(f"key {unknown[0]!r} of a rule of kind {kind!r} is not known here.")
    notes: list[str] = []
    rule = {"id": name[:80], "extends": kind, "message": f"{name}: '%s'"}
    rule |= {key: given[key] for key in keys if key not in _SET_APART and given.get(key) is not None}
    if "swap" in rule:
        rule["swap"] = {str(key): str(value) for key, value in rule["swap"].items()}
    if issubclass(model, VoiceRule):  # a message has at most as many %s as a rule of its kind has texts for
        parts, most = str(rule["message"]).split("%s"), model.placeholders
        if len(parts) - 1 > most:
            rule["message"] = "%s".join(parts[: most + 1]) + "…".join(["", *parts[most + 1 :]])
            notes.append(f"its message keeps {most} of {len(parts) - 1} %s.")
    if issubclass(model, ScopedRule):
        rule["ignorecase"] = given.get("ignorecase") is True
        rule["scope"] = _scope(given.get("scope"), notes)
    _take_patterns(rule, notes)
    _take_action(rule, given.get("action"), notes)
    try:
        voice, problems = read_voice(parse_yaml(SourceText("rule", "rules:\n" + rule_text(rule))))
    except FileProblems as error:
        raise NoCounterpart(error.problems[0].message) from error
    if voice is None or problems:
        raise NoCounterpart(problems[0].message if problems else "it is empty.")
    return rule, notes


def _scope(scope: Any, notes: list[str]) -> str | list[str]:
    """Return the scope's counterpart; parts of a document that a chat does not have are left out."""
    asked = [scope] if isinstance(scope, str) else [str(one) for one in scope or ["text"]]
    kept = [found for one in asked if is_scope(found := _SCOPES.get(one, one))]
    lost = [one for one in asked if not is_scope(_SCOPES.get(one, one))]
    if not kept:
        raise NoCounterpart(f"its scope {', '.join(asked)} does not exist in a chat.")
    if lost:
        notes.append(f"its scope {', '.join(lost)} does not exist in a chat; {', '.join(kept)} stays.")
    return kept[0] if len(kept) == 1 else kept


def _take_patterns(rule: dict[str, Any], notes: list[str]) -> None:
    """Leave out single patterns that our engine can't compile, as long as others remain."""
    for key in ("tokens", "exceptions"):
        if key in rule:
            kept = [str(token) for token in rule[key] if not pattern_fault(str(token))]
            notes += [f"{token!r} {pattern_fault(str(token))}" for token in rule[key] if str(token) not in kept]
            rule[key] = kept
    if "swap" in rule:
        bad = {key: fault for key in rule["swap"] if (fault := pattern_fault(key))}
        notes += [f"{key!r} {fault}" for key, fault in bad.items()]
        rule["swap"] = {key: value for key, value in rule["swap"].items() if key not in bad}
    for key in [key for key in ("exceptions", "indicators") if rule.get(key) == []]:
        del rule[key]


def _take_action(rule: dict[str, Any], action: Any, notes: list[str]) -> None:
    """Keep an action that can be told in words; a rule is as good without one."""
    if not isinstance(action, dict) or not action.get("name"):
        return
    name, params = str(action["name"]), [str(value) for value in action.get("params") or ()]
    fault = action_fault(name, params)
    if fault:
        notes.append(f"its action {fault}")
    else:
        rule["action"] = {"name": name, "params": params} if params else {"name": name}


def rule_text(rule: Mapping[str, Any]) -> str:
    """Return a rule as YAML, an item of the list `rules`."""
    lines = [line for key, value in rule.items() for line in _lines(key, value)]
    return "".join(f"  {'- ' if number == 0 else '  '}{line}\n" for number, line in enumerate(lines))


def _lines(key: str, value: Any) -> Iterator[str]:
    on_one_line = f"{key}: {flow(value)}"
    if isinstance(value, dict) and key in ("swap", "either"):
        yield f"{key}:"
        yield from (f"  {quoted(one)}: {quoted(other)}" for one, other in value.items())
    elif isinstance(value, list) and len(on_one_line) > 90:
        yield f"{key}:"
        yield from (f"  - {flow(one)}" for one in value)
    else:
        yield on_one_line
