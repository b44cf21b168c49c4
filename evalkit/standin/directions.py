"""The `x-evalkit-*` headers of a request: trial, attempt, scripted steps, fault. Only evalkit's runner sends them.

`x-evalkit-script` is base64 of JSON `{"steps": [...], "from": K}`. Steps are used up one per assistant reply: the
step of a request is the one at (assistant messages in the request - K). A fault step with `times` whose fault
yields no message is a prelude: it strikes the first attempts of the step behind it. `{"fault": NAME, "times": 2,
"say": TEXT}` says both in one step.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from evalkit.standin.errors import bad_request
from evalkit.standin.faults import Fault, find_fault
from evalkit.standin.reply import JsonObject


@dataclass(frozen=True)
class Directions:
    """What the sender of a request asked of the stand-in beyond the API."""

    trial: int = 1
    attempt: int = 0
    steps: tuple[JsonObject, ...] = ()
    steps_from: int = 0
    fault: Fault | None = None

    def fault_and_script(self, request: JsonObject) -> tuple[Fault | None, Sequence[JsonObject]]:
        """Return the fault that strikes this attempt and the scripted steps for behaviour."""
        messages = request.get("messages")
        assistants = sum(_is_assistant(message) for message in messages) if isinstance(messages, list) else 0
        fault, step = _step_at(self.steps, assistants - self.steps_from, self.attempt)
        plain = {key: value for key, value in (step or {}).items() if key not in {"fault", "times"}}
        return self.fault or fault, [plain] if plain else []


def read_directions(headers: Mapping[str, str]) -> Directions:
    """Read the headers (names in lower case); raises the 400 that says which one is wrong."""
    script = _read_script(headers.get("x-evalkit-script"))
    attempt = _read_number(headers, "x-evalkit-attempt", _read_number(headers, "x-stainless-retry-count", 0))
    return Directions(
        trial=_read_number(headers, "x-evalkit-trial", 1),
        attempt=attempt,
        steps=tuple(script["steps"]),
        steps_from=script.get("from", 0),
        fault=_read_fault(headers.get("x-evalkit-fault"), attempt),
    )


def read_item_directions(value: Any) -> Directions:
    """Read the `x_evalkit` object of a batch item: `{"trial": 2, "script": {"steps": [...], "from": K}}`."""
    given = value or {}
    script = _checked_script(given.get("script") or {"steps": []})
    return Directions(int(given.get("trial", 1)), 0, tuple(script["steps"]), script.get("from", 0))


def _is_assistant(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "assistant"


def _read_number(headers: Mapping[str, str], name: str, default: int) -> int:
    value = headers.get(name, "")
    if not value:
        return default
    if not value.isdecimal():
        raise bad_request(f"{name}: {value!r} is not a number; expected 0, 1, 2, ...")
    return int(value)


def _read_fault(value: str | None, attempt: int) -> Fault | None:
    """Read `NAME` or `NAME;times=2`, which strikes the first two attempts only."""
    if not value:
        return None
    name, _, times = value.partition(";times=")
    if times and not times.isdecimal():
        raise bad_request(f"x-evalkit-fault: {value!r}; expected NAME or NAME;times=N")
    fault = _fault_named(name.strip(), "x-evalkit-fault")
    return fault if not times or attempt < int(times) else None


def _read_script(value: str | None) -> JsonObject:
    if not value:
        return {"steps": []}
    try:
        script = orjson.loads(b64decode(value, validate=True))
    except ValueError as exc:
        raise bad_request("x-evalkit-script: not base64 of JSON") from exc
    return _checked_script(script)


def _checked_script(script: Any) -> JsonObject:
    steps = script.get("steps") if isinstance(script, dict) else None
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise bad_request('x-evalkit-script: expected {"steps": [{...}, ...], "from": K}')
    for step in steps:
        if "fault" in step:
            _fault_named(str(step["fault"]), "x-evalkit-script")
        if not isinstance(step.get("times", 1), int) or step.get("times", 1) < 1:
            raise bad_request(f"x-evalkit-script: times is {step['times']!r}; expected 1, 2, 3, ...")
    checked: JsonObject = script
    return checked


def _fault_named(name: str, place: str) -> Fault:
    try:
        return find_fault(name)
    except ValueError as exc:
        raise bad_request(f"{place}: {exc}") from exc


def _step_at(steps: Sequence[JsonObject], position: int, attempt: int) -> tuple[Fault | None, JsonObject | None]:
    """Return the fault and the step for the reply at `position`."""
    groups = _group_preludes(steps)
    if not 0 <= position < len(groups):
        return None, None
    preludes, step = groups[position]
    tries = attempt
    for prelude in preludes:
        if tries < prelude["times"]:
            return find_fault(prelude["fault"]), step
        tries -= prelude["times"]
    if step and "fault" in step and ("times" not in step or tries < step["times"]):
        return find_fault(step["fault"]), step
    return None, step


def _group_preludes(steps: Sequence[JsonObject]) -> list[tuple[list[JsonObject], JsonObject | None]]:
    """Put each step that makes a reply together with the preludes before it."""
    groups: list[tuple[list[JsonObject], JsonObject | None]] = []
    preludes: list[JsonObject] = []
    for step in steps:
        if _is_prelude(step):
            preludes.append(step)
        else:
            groups.append((preludes, step))
            preludes = []
    return [*groups, (preludes, None)] if preludes else groups


def _is_prelude(step: JsonObject) -> bool:
    says_something = {"say", "call", "calls"} & step.keys()
    return "fault" in step and "times" in step and not says_something and not find_fault(step["fault"]).gives_a_reply
