"""Agreement with the Berkeley Function Calling Leaderboard's checker of calls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.agreement.ours import holds, read, transcript
from tests.agreement.tally import Tally

STRICT = {"arguments": "exact", "strings": "loose", "types": "strict"}
OMITTED = ""
"""How the leaderboard marks, among accepted values, that an argument may be left out."""


def our_expect(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return a case's accepted calls as our expectation; some cases only say whether there should be a call."""
    if case["accepted"] is None:
        return {"tools": {"min_calls": 1} if case["expect_call"] else "none"}
    calls = [our_call(accepted, case) for accepted in case["accepted"]]
    order = {"order": "exact"} if case["order"] == "single" else {"order": "any", "max_calls": len(calls)}
    return {"tools": {"calls": calls, **order, "match": STRICT}}


def our_call(accepted: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """Return one accepted call; the tool's schema says which arguments are needed and which numbers are fractions.

    Where a case has one tool, its own name rules.
    """
    (name, arguments), *_ = accepted.items()
    tools = {tool["name"]: tool for tool in case["functions"]}
    tool = case["functions"][0] if len(tools) == 1 else tools[name]
    schema = tool["parameters"]
    properties = schema.get("properties", {})
    needed = schema.get("required") or ()
    given = {key: our_value(values, properties.get(key, {}), needed=key in needed) for key, values in arguments.items()}
    return {tool["name"]: given}


def our_value(values: list[Any], schema: Mapping[str, Any], *, needed: bool) -> dict[str, Any]:
    """Return the accepted values of one argument."""
    kind = schema.get("type")
    accepted = [value for value in values if value != OMITTED]
    if kind == "float":
        accepted = [float(value) if type(value) is int else value for value in accepted]
    if kind in ("array", "tuple") and (schema.get("items") or {}).get("type") == "float":
        accepted = [[float(item) if type(item) is int else item for item in value] for value in accepted]
    choices: list[Any] = [our_nested(value) for value in accepted]
    if OMITTED in values and kind == "string":
        choices.append("")
    optional = {"optional": True} if OMITTED in values and not needed else {}
    return {"one_of": choices or [{"absent": True}], **optional}


def our_nested(value: Any) -> Any:
    """Return an accepted object, whose keys have accepted values of their own."""
    if isinstance(value, dict):
        return {key: our_value(choices, {}, needed=False) for key, choices in value.items()}
    if isinstance(value, list):
        return [our_nested(item) for item in value]
    return value


def test_bfcl(data: Path, tally: list[Tally]) -> None:
    """Names, counts, order, accepted values, optional arguments, types and string spelling all agree."""
    cases = {row["case"]: row for row in read(data, "bfcl/cases.jsonl")}
    calls = {row["id"]: transcript(row) for row in read(data, "bfcl/transcripts.jsonl")}
    row = Tally("BFCL", "leaderboard's checker")
    for verdict in read(data, "bfcl/verdicts.jsonl"):
        ours = holds(calls[verdict["id"]], our_expect(cases[verdict["case"]]))
        row.add(f"{verdict['id']} {verdict['mutation']} {verdict['error_type']}", ours=ours, reference=verdict["valid"])
    tally.append(row)
    assert row.agreement == 1.0, row.disagreements()
