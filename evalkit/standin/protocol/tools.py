"""The rules for tool definitions and for schemas that promise valid output (`strict: true`, `output_config.format`).

Knows which JSON Schema keywords the API's grammar compiler takes; knows nothing of messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

from evalkit.standin.errors import bad_request
from evalkit.standin.protocol.shapes import ApiTool, ApiToolset, CustomTool, check_shape
from evalkit.standin.reply import JsonObject

MAX_STRICT_TOOLS = 20
MAX_OPTIONAL_PARAMETERS = 24
MAX_UNION_PARAMETERS = 16
_REMEMBERED_BYTES = 65_536
_SERVER_TOOL = re.compile(
    r"(web_search|web_fetch|code_execution|tool_search_tool_regex|tool_search_tool_bm25|advisor)_\d{8}"
)
_CLIENT_TOOL = re.compile(r"(bash|text_editor|memory)_\d{8}|(computer|browser)_toolset_\d{8}|mcp_toolset")
_PROPERTY_NAME = re.compile(r"^[a-zA-Z0-9_.-]{1,64}$")
_UNSUPPORTED = {
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("maxItems", "uniqueItems", "contains", "prefixItems"),
    "object": ("patternProperties", "minProperties", "maxProperties", "propertyNames"),
}
_PATTERN_LIMITS = (
    (re.compile(r"\(\?<?[=!]"), "lookaround"),
    (re.compile(r"\\[1-9]"), "back-references"),
    (re.compile(r"\\[bB]"), "word boundaries"),
)


def check_tools(tools: Sequence[Any]) -> None:
    """Raise the API's 400 for the first tool definition that it would refuse; tools that passed are remembered."""
    encoded = orjson.dumps(tools)
    if len(encoded) > _REMEMBERED_BYTES:
        _check_all(tools)
    else:
        _check_encoded(encoded)


# A run sends the same tools with every request, and strict schemas take longer to check than all the rest.
@lru_cache(maxsize=64)
def _check_encoded(encoded: bytes) -> None:
    _check_all(orjson.loads(encoded))


def _check_all(tools: Sequence[Any]) -> None:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        place = f"tools.{index}"
        kind = str(tool.get("type") or "custom")
        if kind == "custom":
            _check_custom(tool, f"{place}.custom")
            if tool.get("strict"):
                check_strict_schema(tool["input_schema"], f"{place}.custom")
        else:
            # the API defines this tool by its type; its options are not modelled, only its name and marker
            if not (_SERVER_TOOL.fullmatch(kind) or _CLIENT_TOOL.fullmatch(kind)):
                raise bad_request(
                    f"{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
                    "'custom', 'bash_20250124', 'code_execution_20260521', 'memory_20250818', 'text_editor_20250728', "
                    "'web_fetch_20260318', 'web_search_20260318'"
                )
            check_shape(tool, ApiToolset if "toolset" in kind else ApiTool, f"{place}.{kind}")
        if tool.get("name") in names:
            raise bad_request("tools: Tool names must be unique.")
        names.add(tool.get("name") or f"#{index}")
    check_strict_limits(tools)


def is_server_tool(tool: JsonObject) -> bool:
    """Tell whether the API itself runs this tool."""
    return bool(_SERVER_TOOL.fullmatch(str(tool.get("type") or "")))


def _check_custom(tool: JsonObject, place: str) -> None:
    check_shape(tool, CustomTool, place)
    schema = tool["input_schema"]
    if any(key in schema for key in ("oneOf", "allOf", "anyOf")):
        raise bad_request(
            f"{place}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
        )
    for name in schema.get("properties") or {}:
        if not _PROPERTY_NAME.fullmatch(name):
            raise bad_request(
                f"{place}.input_schema.properties: Property keys should match pattern '{_PROPERTY_NAME.pattern}'"
            )


def check_strict_schema(schema: JsonObject, place: str) -> None:
    """Raise the API's 400 for the first keyword that its grammar compiler does not take."""
    definitions = schema.get("$defs") or schema.get("definitions") or {}
    for name, definition in definitions.items():
        if name in _references(definition, definitions):
            raise bad_request(f"{place}: Recursive schemas are not supported: '#/$defs/{name}' refers to itself")
    for node in _nodes(schema):
        _check_strict_node(node, place)


def _check_strict_node(node: JsonObject, place: str) -> None:
    reference = node.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#/"):
        raise bad_request(f"{place}: External '$ref' is not supported: '{reference}'")
    kind = node.get("type")
    kinds = [kind] if isinstance(kind, str) else kind or []
    for each in kinds:
        refused = [key for key in _UNSUPPORTED.get(each, ()) if key in node]
        if refused:
            raise bad_request(f"{place}: For '{each}' type, properties {', '.join(refused)} are not supported")
    if "object" in kinds and node.get("additionalProperties") is not False:
        raise bad_request(f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    if "array" in kinds and node.get("minItems", 0) not in {0, 1}:
        raise bad_request(f"{place}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if any(isinstance(value, dict | list) for value in node.get("enum") or ()):
        raise bad_request(f"{place}: 'enum' values must be strings, numbers, booleans or null")
    for pattern, name in _PATTERN_LIMITS:
        if pattern.search(str(node.get("pattern") or "")):
            raise bad_request(f"{place}: 'pattern' does not support {name}: '{node['pattern']}'")


def check_strict_limits(tools: Sequence[JsonObject], output: JsonObject | None = None) -> None:
    """Raise the API's 400 where the strict tools of a request, and its output's schema with them, have too much."""
    schemas = [tool["input_schema"] for tool in tools if tool.get("strict") and "input_schema" in tool]
    if len(schemas) > MAX_STRICT_TOOLS:
        raise bad_request(f"tools: at most {MAX_STRICT_TOOLS} tools may be strict, found {len(schemas)}")
    place = "tools" if output is None else "output_config.format.schema"
    schemas += [output] if output is not None else []
    nodes = [node for schema in schemas for node in _nodes(schema)]
    optional = sum(len(set(node.get("properties") or {}) - set(node.get("required") or [])) for node in nodes)
    if optional > MAX_OPTIONAL_PARAMETERS:
        raise bad_request(
            f"{place}: strict schemas may have at most {MAX_OPTIONAL_PARAMETERS} optional parameters in total, "
            f"found {optional}"
        )
    unions = sum("anyOf" in node or isinstance(node.get("type"), list) for node in nodes)
    if unions > MAX_UNION_PARAMETERS:
        raise bad_request(
            f"{place}: strict schemas may have at most {MAX_UNION_PARAMETERS} parameters with union types in total, "
            f"found {unions}"
        )


def _nodes(schema: Any) -> Iterator[JsonObject]:
    """Yield every subschema, the schema itself first."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key in ("properties", "$defs", "definitions"):
        for child in (schema.get(key) or {}).values():
            yield from _nodes(child)
    for key in ("anyOf", "allOf", "oneOf"):
        for child in schema.get(key) or ():
            yield from _nodes(child)
    yield from _nodes(schema.get("items"))


def _references(definition: Any, definitions: JsonObject) -> set[str]:
    """Return the names of all definitions that one refers to, directly or through others."""
    found: set[str] = set()
    pending = [definition]
    while pending:
        for node in _nodes(pending.pop()):
            name = str(node.get("$ref") or "").rpartition("/")[2]
            if name in definitions and name not in found:
                found.add(name)
                pending.append(definitions[name])
    return found
