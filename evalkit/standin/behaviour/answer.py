"""A reply to one request: scripted, structured, or decided and worded. Knows the parts; pure for (request, trial,
script)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson

from ..reply import JsonObject, Reply
from .decide import decide
from .forced import force, must_call
from .placeholder import value_for
from .scene import read_scene
from .script import play_script
from .sources import cite, read_sources
from .structured import requested_schema
from .style import word_move
from .summary import summarise, wants_summary


def answer(request: JsonObject, trial: int, script: Sequence[JsonObject]) -> Reply:
    """Reply to the body of a Messages request in a trial; an empty script means behave."""
    if script:
        return play_script(script)
    if schema := requested_schema(request):
        return Reply(({"type": "text", "text": orjson.dumps(value_for(schema)).decode()},))
    scene = replace(read_scene(request, trial), sources=read_sources(request))
    if wants_summary(scene) and not must_call(request):
        return Reply(({"type": "text", "text": summarise(scene)},))
    move = decide(scene)
    if must_call(request):
        move = force(scene, move, request)
    if move.calls:
        calls = move.calls[:1] if scene.one_call_at_a_time else move.calls
        return Reply(tuple({"type": "tool_use", "name": call.name, "input": call.input} for call in calls), "tool_use")
    return Reply(tuple(cite(word_move(scene, move), move)))
