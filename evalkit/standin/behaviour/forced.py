"""A call where the request leaves no choice (`tool_choice` any or tool): the tool that fits best, its arguments from
the conversation, placeholders for the rest. Knows schemas; whether a model may be forced is the protocol's matter."""

from __future__ import annotations

import re
from typing import Any

from ..reply import JsonObject
from .arguments import Argument
from .catalogue import named_in
from .dialogue import Call
from .lookups import entries, fill_plain
from .placeholder import value_for
from .scene import Move, Scene
from .toolbook import Tool


def must_call(request: JsonObject) -> bool:
    """Say whether the reply has to be a call."""
    return (request.get("tool_choice") or {}).get("type") in ("any", "tool")


def force(scene: Scene, move: Move, request: JsonObject) -> Move:
    """Return the move's own calls where they are allowed, else one call of the named or best fitting tool."""
    choice = request["tool_choice"]
    wanted = choice.get("name") if choice["type"] == "tool" else None
    allowed = tuple(call for call in move.calls if wanted in (None, call.name))
    if allowed:
        return Move(calls=allowed)
    tool = scene.toolbook.get(wanted) if wanted else _fitting(scene)
    if tool is None:  # a tool whose schema the API keeps to itself
        return Move(calls=(Call(wanted or str(request["tools"][0].get("name", "")), {}),))
    schema = next(each["input_schema"] for each in request["tools"] if each.get("name") == tool.name)
    return Move(calls=(Call(tool.name, _filled(scene, tool, schema)),))


def _fitting(scene: Scene) -> Tool | None:
    """Return the tool whose words and codes the message uses most; handing over is the last resort."""

    def fit(tool: Tool) -> tuple[bool, int]:
        codes = sum(bool(argument.codes_in(scene.message)) for argument in tool.codes)
        return tool.kind != "person", len(tool.own & scene.asked) + codes

    return max(scene.toolbook.tools, key=fit, default=None)


def _filled(scene: Scene, tool: Tool, schema: JsonObject) -> JsonObject:
    """Return the input: every required argument, and others that the conversation names a code for."""
    given: JsonObject = {}
    for argument in tool.arguments:
        found = _found(scene, argument)
        part = (schema.get("properties") or {}).get(argument.name)
        within = {**part, "$defs": schema.get("$defs") or {}} if isinstance(part, dict) else {}
        if found is not None and _fits(found, within):
            given[argument.name] = found
        elif argument.required:
            given[argument.name] = value_for(within)
    return given if _fits(given, schema) else value_for(schema)


def _found(scene: Scene, argument: Argument) -> Any:
    """Return what the conversation says about an argument, the newest message first; None if nothing."""
    if argument.kind == "code":
        for turn in reversed(scene.dialogue.turns):
            named = [entry.code for entry in named_in(entries(scene, argument), turn.user)]
            codes = (*argument.codes_in(turn.user), *named)
            if codes:
                return argument.holding(codes[0])
        return None
    return fill_plain(argument, scene.message) if argument.required and scene.message else None


def _fits(value: Any, schema: JsonObject) -> bool:
    import jsonschema
    from referencing.exceptions import Unresolvable

    try:
        jsonschema.validate(value, schema)
    except (jsonschema.ValidationError, jsonschema.SchemaError, Unresolvable, re.error):
        return False
    return True
