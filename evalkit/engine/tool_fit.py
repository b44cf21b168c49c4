"""How the functions of a product fit the tools that a prompt declares, before anything is played.

The prompt's definitions are what is sent. Where a function's own differs, the model is told something else than the
product's code says; where one side lacks a tool, somebody must know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from evalkit.engine.tool_module import ToolModule
from evalkit.records import JsonObject, PromptVersion
from evalkit.wording import listed

SHOWN = 4
"""Differences of one tool that are shown."""
_ABSENT = object()
_LONGEST = 80


@dataclass(frozen=True)
class Difference:
    """One place where a definition differs: its path, and both sides; None stands for nothing there."""

    path: tuple[str, ...]
    declared: Any
    function: Any


@dataclass(frozen=True)
class ToolFit:
    """How functions fit one prompt: tools without a function, definitions that differ, functions it lacks."""

    prompt_ref: str
    module: str
    unanswered: tuple[str, ...] = ()
    different: tuple[tuple[str, tuple[Difference, ...]], ...] = ()
    undeclared: tuple[str, ...] = ()


def fit_tools(prompt: PromptVersion, module: ToolModule) -> ToolFit:
    """Compare the tools that a prompt declares with the functions of a module."""
    made = {str(tool["name"]): tool for tool in module.definitions}
    declared = {str(tool["name"]): tool for tool in prompt.tools}
    pairs = [(name, tuple(_differences(tool, made[name]))) for name, tool in declared.items() if name in made]
    return ToolFit(
        prompt.ref,
        module.record.module,
        unanswered=tuple(name for name in declared if name not in made),
        different=tuple((name, found) for name, found in pairs if found),
        undeclared=tuple(name for name in made if name not in declared),
    )


def notes_of(fits: Iterable[ToolFit]) -> Iterator[str]:
    """Yield what people should know of each fit, a line each."""
    for fit in fits:
        if fit.unanswered:
            names = listed(fit.unanswered)
            yield f"{fit.prompt_ref}: {fit.module} has no function for {names}; only what the suites say answers."
        for name, differences in fit.different:
            shown = "; ".join(_worded(each) for each in differences[:SHOWN])
            more = f"; and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
            yield f"{fit.prompt_ref}: the prompt's {name} is sent, and {fit.module} says otherwise: {shown}{more}."
        if fit.undeclared:
            folder = f"prompts/{fit.prompt_ref.partition('@')[0]}/tools"
            yield (
                f"{fit.prompt_ref} has no tool {listed(fit.undeclared, 'or')}, so the model is not told of it; "
                f"to add it: evalkit tools export {fit.module} -o {folder}, and name its file under the prompt's tools."
            )


def _differences(declared: JsonObject, made: JsonObject) -> Iterator[Difference]:
    """Yield what differs in what the model reads; `strict`, caching and examples are the prompt's own business."""
    for key in ("description", "input_schema"):
        yield from _compare(declared.get(key, _ABSENT), made.get(key, _ABSENT), (key,))


def _compare(declared: Any, made: Any, path: tuple[str, ...]) -> Iterator[Difference]:
    if isinstance(declared, dict) and isinstance(made, dict):
        for key in dict.fromkeys((*declared, *made)):
            yield from _compare(declared.get(key, _ABSENT), made.get(key, _ABSENT), (*path, str(key)))
    elif path[-1] == "required" and isinstance(declared, list) and isinstance(made, list):
        if set(declared) != set(made):
            yield Difference(path, sorted(declared), sorted(made))
    elif declared != made:
        yield Difference(path, *(None if side is _ABSENT else side for side in (declared, made)))


def _worded(difference: Difference) -> str:
    declared, function = (_short(side) for side in (difference.declared, difference.function))
    return f"{'.'.join(difference.path)}: {declared} in the prompt, {function} in the function"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
