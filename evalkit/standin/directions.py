"""The `x-evalkit-*` headers between evalkit and its stand-in: written by who sends a request, read by the server.

`x-evalkit-script` names the script that plays, by its sha (`SHA;part=judge` for another part than its rules).
`x-evalkit-steps` is base64 of JSON `{"steps": [...], "from": K}`, a case's own steps. They are used up one per
assistant reply: the step of a request is the one at (assistant messages in the request - K). A fault step with `times`
whose fault yields no message is a prelude: it strikes the first attempts of the step behind it. `{"fault": NAME,
"times": 2, "say": TEXT}` says both in one step. A reply that is only a placeholder says so in `x-evalkit-no-script`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args
from urllib.parse import quote

import orjson

from evalkit.standin.errors import bad_request
from evalkit.standin.faults import Fault, find_fault
from evalkit.standin.reply import Cue, JsonObject, NoScript, Part

TRIAL, ATTEMPT, FAULT = "x-evalkit-trial", "x-evalkit-attempt", "x-evalkit-fault"
SCRIPT, STEPS = "x-evalkit-script", "x-evalkit-steps"
_NO_STEPS = b64encode(b'{"steps":[]}')
NO_SCRIPT = "x-evalkit-no-script"
"""The engine knows this name too (`engine/attempt.py`); a test holds them equal."""


@dataclass(frozen=True)
class Directions:
    """What the sender of a request asked of the stand-in beyond the API."""

    trial: int = 1
    attempt: int = 0
    cue: Cue = field(default_factory=Cue)
    steps: tuple[JsonObject, ...] = ()
    steps_from: int = 0
    fault: Fault | None = None

    def fault_and_cue(self, request: JsonObject) -> tuple[Fault | None, Cue]:
        """Return the fault that strikes this attempt, and the cue for whoever answers."""
        messages = request.get("messages")
        sent = [each for each in messages if isinstance(each, dict)] if isinstance(messages, list) else []
        assistants = sum(each.get("role") == "assistant" for each in sent)
        fault, step = _step_at(self.steps, assistants - self.steps_from, self.attempt)
        plain = {key: value for key, value in (step or {}).items() if key not in {"fault", "times"}}
        return self.fault or fault, replace(self.cue, step=plain or None)


def write_directions(
    trial: int, cue: Cue | None = None, steps: Sequence[Mapping[str, Any]] = (), steps_from: int = 0
) -> dict[str, str]:
    """Return the headers of a request in a trial: who plays, and a case's steps behind `steps_from` replies."""
    headers = {TRIAL: str(trial)}
    if cue is not None and cue.script:
        headers[SCRIPT] = cue.script if cue.part == "rules" else f"{cue.script};part={cue.part}"
    if steps:
        plan = {"steps": [dict(step) for step in steps], "from": steps_from}
        headers[STEPS] = b64encode(orjson.dumps(plan)).decode()
    return headers


def mark_no_script(why: NoScript | None) -> dict[str, str]:
    """Return the header of a placeholder: why it is one, and where the rule to blame stands, percent-encoded."""
    if why is None:
        return {}
    return {NO_SCRIPT: quote(why.reason, safe=" ") + (f";at={quote(why.place)}" if why.place else "")}


def read_directions(headers: Mapping[str, str]) -> Directions:
    """Read the headers (names in lower case); raises the 400 that says which one is wrong."""
    try:
        plan = _checked_steps(orjson.loads(b64decode(headers.get(STEPS) or _NO_STEPS, validate=True)))
    except ValueError as exc:
        raise bad_request(f"{STEPS}: not base64 of JSON") from exc
    attempt = _read_number(headers, ATTEMPT, _read_number(headers, "x-stainless-retry-count", 0))
    return Directions(
        trial=_read_number(headers, TRIAL, 1),
        attempt=attempt,
        cue=_read_cue(headers.get(SCRIPT, "")),
        steps=tuple(plan["steps"]),
        steps_from=plan.get("from", 0),
        fault=_read_fault(headers.get(FAULT), attempt),
    )


def read_item_directions(value: Any) -> Directions:
    """Read the `x_evalkit` object of a batch item: `trial`, `script` as in its header, `plan` as in the steps'."""
    given = value or {}
    plan = _checked_steps(given.get("plan") or {"steps": []})
    cue = _read_cue(str(given.get("script") or ""))
    return Directions(int(given.get("trial", 1)), 0, cue, tuple(plan["steps"]), plan.get("from", 0))


def _read_number(headers: Mapping[str, str], name: str, default: int) -> int:
    value = headers.get(name, "")
    if not value:
        return default
    if not value.isdecimal():
        raise bad_request(f"{name}: {value!r} is not a number; expected 0, 1, 2, ...")
    return int(value)


def _read_cue(value: str) -> Cue:
    sha, _, part = value.partition(";part=")
    if part and part not in get_args(Part):
        raise bad_request(f"{SCRIPT}: {value!r}; expected SHA or SHA;part=judge or SHA;part=simulate")
    return Cue(sha.strip(), part or "rules")  # type: ignore[arg-type]  # checked by the lines above


def _read_fault(value: str | None, attempt: int) -> Fault | None:
    """Read `NAME` or `NAME;times=2`, which strikes the first two attempts only."""
    if not value:
        return None
    name, _, times = value.partition(";times=")
    if times and not times.isdecimal():
        raise bad_request(f"{FAULT}: {value!r}; expected NAME or NAME;times=N")
    fault = _fault_named(name.strip(), FAULT)
    return fault if not times or attempt < int(times) else None


def _checked_steps(plan: Any) -> JsonObject:
    steps = plan.get("steps") if isinstance(plan, dict) else None
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise bad_request(f'{STEPS}: expected {{"steps": [{{...}}, ...], "from": K}}')
    for step in steps:
        if "fault" in step:
            _fault_named(str(step["fault"]), STEPS)
        if not {"say", "call", "calls", "fault"} & step.keys():
            raise bad_request(f"{STEPS}: unknown step with keys {sorted(step)}; expected say, call, calls or fault")
        if not isinstance(step.get("times", 1), int) or step.get("times", 1) < 1:
            raise bad_request(f"{STEPS}: times is {step['times']!r}; expected 1, 2, 3, ...")
    checked: JsonObject = plan
    return checked


def _fault_named(name: str, place: str) -> Fault:
    try:
        return find_fault(name)
    except ValueError as exc:
        raise bad_request(f"{place}: {exc}") from exc


def _step_at(steps: Sequence[JsonObject], position: int, attempt: int) -> tuple[Fault | None, JsonObject | None]:
    """Return the fault and the step for the reply at `position`."""
    groups: list[tuple[list[JsonObject], JsonObject | None]] = [([], None)]  # each step behind its preludes
    for step in steps:
        only_a_fault = {"fault", "times"} <= step.keys() and not {"say", "call", "calls"} & step.keys()
        if only_a_fault and not find_fault(step["fault"]).gives_a_reply:
            groups[-1][0].append(step)
        else:
            groups[-1] = (groups[-1][0], step)
            groups.append(([], None))
    if not 0 <= position < len(groups):
        return None, None
    preludes, found = groups[position]
    tries = attempt
    for prelude in preludes:
        if tries < prelude["times"]:
            return find_fault(prelude["fault"]), found
        tries -= prelude["times"]
    if found and "fault" in found and ("times" not in found or tries < found["times"]):
        return find_fault(found["fault"]), found
    return None, found
