"""What a request's tools are for, read from their names, descriptions and schemas: what kind each is, which words
call for it, how each argument is recognised. Knows JSON Schema as far as tools use it; calls nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import orjson

from ..reply import JsonObject
from .arguments import Argument, read_argument
from .words import sentences, stems

Kind = Literal["read", "act", "person"]

_READ = re.compile(
    r"^(look|get|check|find|search|list|fetch|read|query|show|track|retrieve|lookup|describe|view)", re.IGNORECASE
)
_PERSON = re.compile(r"(hand_?over|hand_?off|escalat|transfer_to|human|to_agent|contact_(a_)?person)", re.IGNORECASE)
_DENIED = re.compile(r"\b(not|cannot|never|nothing|only|no longer)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Tool:
    """One tool. `own` are the words that call for this tool and no other."""

    name: str
    kind: Kind
    arguments: tuple[Argument, ...]
    named: frozenset[str]
    described: frozenset[str]
    own: frozenset[str] = frozenset()

    @property
    def words(self) -> str:
        """Return the tool's name in words."""
        return self.name.replace("_", " ").replace("-", " ")

    @property
    def subject(self) -> str:
        """Return what the tool is about: its name without the verb."""
        return self.words.split(" ")[-1]

    @property
    def codes(self) -> tuple[Argument, ...]:
        """Return the arguments that are recognised by their form."""
        return tuple(each for each in self.arguments if each.kind == "code")


@dataclass(frozen=True)
class Toolbook:
    """All tools of a request."""

    tools: tuple[Tool, ...]

    def of_kind(self, kind: Kind) -> tuple[Tool, ...]:
        """Return the tools of one kind in the request's order."""
        return tuple(tool for tool in self.tools if tool.kind == kind)

    def get(self, name: str) -> Tool | None:
        """Return the tool of that name."""
        return next((tool for tool in self.tools if tool.name == name), None)

    @property
    def person(self) -> Tool | None:
        """Return the tool that hands over to a person."""
        return next(iter(self.of_kind("person")), None)


def read_toolbook(request: JsonObject) -> Toolbook:
    """Read the tools that the request defines and allows; server tools (no input_schema) are passed over."""
    if (request.get("tool_choice") or {}).get("type") == "none":
        return Toolbook(())
    return _read_toolbook(orjson.dumps(request.get("tools") or []))


@lru_cache(maxsize=64)
def _read_toolbook(tools_json: bytes) -> Toolbook:
    tools = [_read_tool(tool) for tool in orjson.loads(tools_json) if isinstance(tool.get("input_schema"), dict)]
    finished = []
    for tool in tools:
        others = frozenset[str]().union(*(other.described | other.named for other in tools if other is not tool))
        only_here = frozenset(word for word in tool.described if not any(_alike(word, other) for other in others))
        own = only_here | (tool.named - stems(tool.words.split(" ")[0]))
        finished.append(Tool(tool.name, tool.kind, tool.arguments, tool.named, tool.described, own))
    return Toolbook(tuple(finished))


def _alike(word: str, other: str) -> bool:
    return word == other or (len(word) > 5 and len(other) > 5 and word[:6] == other[:6])


def _read_tool(tool: JsonObject) -> Tool:
    name, schema = str(tool.get("name", "")), tool["input_schema"]
    told = [part for part in sentences(str(tool.get("description", ""))) if not _DENIED.search(part)]
    required = set(schema.get("required") or [])
    properties: JsonObject = schema.get("properties") or {}
    arguments = tuple(
        read_argument(key, _with_hint(key, value, tool), key in required) for key, value in properties.items()
    )
    kind: Kind = "person" if _PERSON.search(name) else "read" if _READ.match(name) else "act"
    return Tool(name, kind, arguments, stems(name), stems(" ".join(told)))


def _with_hint(key: str, schema: object, tool: JsonObject) -> object:
    """Return an argument's schema; one that says nothing gets the sentence of the tool's description that names it."""
    if not isinstance(schema, dict) or schema.get("description"):
        return schema
    named = re.compile(rf"\b{re.escape(key)}\b|\b{re.escape(key.replace('_', ' '))}\b", re.IGNORECASE)
    told = sentences(str(tool.get("description", "")))
    hint = next((each for each in told if named.search(each)), "")
    return {**schema, "description": hint} if hint else schema
