"""Who answers on the stand-in: a case's own step, else the script that the request names, else a marked placeholder.

A placeholder says in the reply's text that nobody wrote one, in the form that the request asks for, so that any client
can read it; that it is one travels beside the message (`Reply.no_script`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from evalkit.standin.reply import Answer, Cue, JsonObject, NoScript, Reply
from evalkit.standin.script.play import Stuck, known_messages, play
from evalkit.standin.script.rules import Script

_NOTHING = (
    "this prompt has no script; set a key, name a local model in ANTHROPIC_BASE_URL, write prompts/NAME/stand-in.yaml, "
    "or score kept replies again (--via RUN)"
)
_DEPTH = 8
_EMPTY: Mapping[str, Any] = {"string": "stand-in", "boolean": False, "integer": 0, "number": 0, "array": []}


def player(scripts: Mapping[str, Script], default: str = "") -> Answer:
    """Return who answers with these scripts, by their sha; `default` plays where a request names none.

    The mapping may grow while the server runs.
    """

    def answer(request: JsonObject, trial: int, cue: Cue) -> Reply:
        if cue.step:
            return step_reply(cue.step)
        script = scripts.get(cue.script or default)
        if script is None:
            return placeholder(request, NoScript(_NOTHING))
        try:
            reply = play(script, request, trial, cue.part)
        except Stuck as stuck:
            return placeholder(request, NoScript(stuck.reason, str(stuck.place)))
        if reply is None:
            known = known_messages(script, request, trial) if cue.part == "rules" else ()
            return placeholder(request, NoScript("no rule fits", script.file), known)
        if forced_tool(request) is not None and reply.stop_reason != "tool_use":
            return placeholder(request, NoScript("no rule calls a tool, which the request demands", script.file))
        return reply

    return answer


def step_reply(step: JsonObject) -> Reply:
    """Return the reply of a case's own step: `say`, `call` or `calls`."""
    if "say" in step:
        return Reply(({"type": "text", "text": str(step["say"])},))
    calls = [step] if "call" in step else step["calls"]
    made = ({"type": "tool_use", "name": str(one["call"]), "input": dict(one.get("input") or {})} for one in calls)
    return Reply(tuple(made), "tool_use")


def placeholder(request: JsonObject, why: NoScript, known: Iterable[str] = ()) -> Reply:
    """Return what is said where there is nothing to say, in the form that the request asks for."""
    if (tool := forced_tool(request)) is not None:
        call = {"type": "tool_use", "name": tool.get("name"), "input": value_for(tool.get("input_schema"))}
        return Reply((call,), "tool_use", no_script=why)
    wanted = (request.get("output_config") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        text = orjson.dumps(value_for(wanted.get("schema"))).decode()
    else:
        text = f"The stand-in has no script for this: {why.reason}."
        if listed := ", ".join(f'"{message}"' for message in known):
            text += f" It knows, for example: {listed}."
    return Reply(({"type": "text", "text": text},), no_script=why)


def forced_tool(request: JsonObject) -> JsonObject | None:
    """Return the tool that has to be called: the one that `tool_choice` names, or the first where any will do."""
    choice = request.get("tool_choice") or {}
    if choice.get("type") not in {"any", "tool"}:
        return None
    tools = [dict(tool) for tool in request.get("tools") or ()]
    named = [tool for tool in tools if choice.get("name") in (None, tool.get("name"))]
    return (named or [{"name": choice.get("name", "")}])[0]


def value_for(schema: Any, definitions: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """Return a small value of a schema's types: first choices, required properties only. It means nothing."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    known = definitions or schema.get("$defs") or schema.get("definitions") or {}
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples", "anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            first = schema[key][0]
            return first if key in {"enum", "examples"} else value_for(first, known, depth + 1)
    if "$ref" in schema:
        return value_for(known.get(str(schema["$ref"]).rpartition("/")[2]), known, depth + 1)
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind != "object":
        return _EMPTY.get(str(kind))
    needed = schema.get("required") or ()
    properties = (schema.get("properties") or {}).items()
    return {key: value_for(value, known, depth + 1) for key, value in properties if key in needed} or {}
