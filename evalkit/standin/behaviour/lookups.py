"""Which read-only calls a message asks for: by a code in it, by a name that the prompt or a result gives a code, by
`it`. Knows tools as read by toolbook; says nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from ..reply import JsonObject
from .arguments import Argument
from .catalogue import Entry, entries_in_results, entries_in_text, named_in
from .dialogue import Call
from .scene import Scene
from .statements import cut_prompt
from .toolbook import Tool
from .words import stems

_PRONOUN = re.compile(r"\b(it|its|they|them|this|that|these|those|one)\b", re.IGNORECASE)


def entries(scene: Scene, argument: Argument) -> tuple[Entry, ...]:
    """Return all named codes of this form: those of tool results first, then those of the prompt."""
    found = {entry.code: entry for entry in listed(scene, argument)}
    found.update({entry.code: entry for entry in entries_in_results(argument, scene.dialogue.results())})
    return tuple(found.values())


def listed(scene: Scene, argument: Argument) -> tuple[Entry, ...]:
    """Return the named codes of this form that the prompt itself lists."""
    return _listed(argument, scene.instructions.text) if argument.kind == "code" else ()


@lru_cache(maxsize=256)
def _listed(argument: Argument, system: str) -> tuple[Entry, ...]:
    return entries_in_text(argument, (each.text for each in cut_prompt(system).statements))


def literal_lookups(scene: Scene, text: str) -> tuple[Call, ...]:
    """Return the read calls for the codes in a text; of several tools for such a code, those the words ask for."""
    calls: list[Call] = []
    for tools in _by_pattern(scene).values():
        codes = tools[0][1].codes_in(text)
        wanted = [pair for pair in tools if pair[0].own & stems(text)] or tools[:1]
        calls += [Call(tool.name, _input(scene, tool, argument, code)) for code in codes for tool, argument in wanted]
    return tuple(calls)


def named_lookups(scene: Scene, text: str) -> tuple[Call, ...]:
    """Return the read calls for things named in a text, or meant by `it`, where the words ask for the tool."""
    calls: list[Call] = []
    for tools in _by_pattern(scene).values():
        wanted = [pair for pair in tools if pair[0].own & stems(text)]
        if not wanted:
            continue
        codes = [entry.code for entry in named_in(entries(scene, wanted[0][1]), text)]
        if not codes and _PRONOUN.search(text):
            codes = _last_codes(scene, wanted[0][1])
        calls += [Call(tool.name, _input(scene, tool, argument, code)) for code in codes for tool, argument in wanted]
    return tuple(calls)


def simple_lookups(scene: Scene, text: str) -> tuple[Call, ...]:
    """Return the calls of read tools that need no code and whose words the text uses; a search takes the text."""
    return tuple(
        Call(tool.name, {each.name: fill_plain(each, text) for each in _required(tool)})
        for tool in scene.toolbook.of_kind("read")
        if not tool.codes
        and tool.own & stems(text)
        and all(each.kind in ("text", "choice", "flag") for each in _required(tool))
    )


def fill_plain(argument: Argument, text: str) -> object:
    """Fill an argument that is not a code from the user's words; a choice falls back to `other`, or to the last one."""
    if argument.many:
        return [fill_plain(replace(argument, many=False), text)]
    if argument.kind == "choice":
        said = stems(text)
        best = max(argument.choices, key=lambda choice: len(stems(choice) & said))
        if stems(best) & said:
            return best
        return next(
            (choice for choice in argument.choices if choice.lower() in ("other", "unknown")), argument.choices[-1]
        )
    if argument.kind == "number":
        number = re.search(r"\d+", text)
        return int(number.group(0)) if number else 1
    return {"flag": True, "other": argument.fixed}.get(argument.kind, text)


def names_of_things(scene: Scene) -> frozenset[str]:
    """Return the words of all names that the prompt lists beside codes."""
    arguments = {each.pattern: each for tool in scene.toolbook.tools for each in tool.codes}
    return frozenset[str]().union(*(stems(entry.name) for each in arguments.values() for entry in listed(scene, each)))


def needed_code(tool: Tool) -> Argument | None:
    """Return the first code without which a tool cannot be called."""
    return next((each for each in tool.codes if each.required), None)


def _required(tool: Tool) -> list[Argument]:
    return [each for each in tool.arguments if each.required]


def _by_pattern(scene: Scene) -> dict[str, list[tuple[Tool, Argument]]]:
    """Group the read tools that need exactly one code by the form of that code."""
    groups: dict[str, list[tuple[Tool, Argument]]] = {}
    for tool in scene.toolbook.of_kind("read"):
        needed = [each for each in tool.codes if each.required] or list(tool.codes)
        if len(needed) == 1:
            groups.setdefault(needed[0].pattern, []).append((tool, needed[0]))
    return groups


def _input(scene: Scene, tool: Tool, argument: Argument, code: str) -> JsonObject:
    rest = {each.name: fill_plain(each, scene.message) for each in _required(tool) if each is not argument}
    return {argument.name: argument.holding(code), **rest}


def _last_codes(scene: Scene, argument: Argument) -> list[str]:
    for call in scene.dialogue.results():
        codes = [code for value in call.input.values() for code in argument.codes_in(str(value))]
        if codes:
            return codes[:1]
    return []
