"""The API's refusals, as data: validation.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from evalkit.standin.errors import ApiError
from evalkit.standin.models import MODELS
from evalkit.standin.protocol.validate import Terms, check_length, validate_request

ENTRIES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "validation.yaml").read_text("utf-8"))
DEFAULTS = {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_request_is_answered_or_refused_as_the_api_does(entry: dict[str, Any]) -> None:
    """Each request of the table is accepted, or refused with the stated status and wording."""
    request = {key: value for key, value in DEFAULTS.items() if key not in entry.get("drop", ())}
    request |= entry.get("request", {})
    terms = Terms(
        entry.get("endpoint", "messages"),
        entry.get("version", "2026-10-21"),
        frozenset(entry.get("betas", ())),
        in_batch=entry.get("batch", False),
    )
    if entry["expect"] is None:
        assert validate_request(request, terms) in MODELS.values()
        return
    with pytest.raises(ApiError) as caught:
        validate_request(request, terms)
    answer = caught.value.answer
    assert answer.message.startswith(entry["expect"])
    assert answer.status == entry.get("status", 400)
    assert (answer.details or {}).get("error_code") == entry.get("error_code")


@pytest.mark.parametrize(("count", "refused"), [(23, False), (24, True)])
def test_the_output_counts_with_the_strict_tools(count: int, refused: bool) -> None:
    """One optional field of the output and so many optional parameters of tools are too many together."""
    schema = {"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": False}
    form = {"format": {"type": "json_schema", "schema": schema}}
    request = DEFAULTS | {"tools": strict_tools("optional", count), "output_config": form}
    if refused:
        with pytest.raises(
            ApiError, match=r"output_config\.format\.schema: strict schemas may have at most 24 optional"
        ):
            validate_request(request, Terms())
    else:
        validate_request(request, Terms())


def test_names_in_the_table_are_unique() -> None:
    """No two entries share a name."""
    names = [entry["name"] for entry in ENTRIES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("limit", "count"), [("strict", 21), ("optional", 25), ("union", 17)])
def test_strict_schemas_have_limits_in_total(limit: str, count: int) -> None:
    """Too many strict tools, optional parameters or union types in one request are refused; one less is fine."""
    for number, refused in ((count, True), (count - 1, False)):
        request = DEFAULTS | {"tools": strict_tools(limit, number)}
        if refused:
            with pytest.raises(ApiError, match=rf"at most {count - 1} .*found {count}"):
                validate_request(request, Terms())
        else:
            validate_request(request, Terms())


def strict_tools(limit: str, number: int) -> list[dict[str, Any]]:
    """Return strict tools with `number` of the counted thing."""
    if limit == "strict":
        return [strict_tool(f"look_{n}", {}, []) for n in range(number)]
    kind: dict[str, Any] = {"type": ["string", "null"]} if limit == "union" else {"type": "string"}
    names = [f"p{n}" for n in range(number)]
    return [strict_tool("look", dict.fromkeys(names, kind), names if limit == "union" else [])]


def strict_tool(name: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Return one strict tool."""
    schema = {"type": "object", "additionalProperties": False, "properties": properties, "required": required}
    return {"name": name, "strict": True, "input_schema": schema}


def test_prompt_longer_than_the_context_window_is_refused() -> None:
    """The message states both lengths."""
    model = MODELS["claude-haiku-4-5-20251001"]
    check_length(200_000, model)
    with pytest.raises(ApiError, match="prompt is too long: 200001 tokens > 200000 maximum"):
        check_length(200_001, model)
