"""Graders of when tools are called: tools.after, tools.before, tools.recovers, tools.max_redundant."""

from __future__ import annotations

import json
from collections.abc import Sequence

from evalkit.graders.findings import limit_finding, not_measured
from evalkit.graders.matching import matches_call, matching_of
from evalkit.graders.shown import shown_call
from evalkit.graders.tool_calls import Calls, made_calls
from evalkit.reading.patterns import matches_somewhere
from evalkit.records import Assertion, Finding, JsonObject, ToolCall, Transcript, TrialVerdict

CONSENT = (
    r"(?<!\w)(?:yes|yeah|yep|yup|sure|ok(?:ay)?|of course|go ahead|please do|do it|i (?:do )?(?:agree|confirm|accept)"
    r"|confirm(?:ed)?|proceed|correct|that(?:'s| is|’s) (?:right|correct|fine|good)|sounds good|absolutely|definitely"
    r"|perfect|great|ja|oui|s[ií]|claro)(?!\w)"
)
"""Words with which a user agrees."""

REFUSAL = r"(?<!\w)(?:no|nope|don(?:'|’)?t|do not|not yet|wait|stop|never mind|leave it|nein|non)(?!\w)"
"""Words with which a user does not."""


def after(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require that each call of a tool comes after another call that worked, or after the user's consent.

    Why: nothing is returned before it was looked up, nothing is cancelled unasked. Example: `after: {start_return:
    lookup_order, cancel: consent}`. Consent is a user message that agrees and does not refuse, sent after a reply of
    the assistant; `/regex/` names other words for it. Instead of a whole order of calls, use `calls`.
    """
    made = made_calls(transcript, None)  # what is needed may have come in an earlier turn
    needed = assertion.params["needs"]
    for call in _of(made, assertion):
        if not _is_ready(transcript, made, call, needed, assertion.params):
            expected = f"{assertion.params['name']} only after {_shown(needed)}"
            return Finding(TrialVerdict.FAILED, shown_call(call.name, call.input), expected, turn=made.turn_of(call))
    return _held(made, assertion, f"{assertion.params['name']} only after {_shown(needed)}")


def before(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require that each call of a tool comes before the first call of another.

    Why: a check that comes too late checks nothing. Example: `before: {check_stock: place_order}`. Instead of asking
    that the first tool is called at all, use `calls`.
    """
    made = made_calls(transcript, assertion.turn)
    other, how = assertion.params["needs"], matching_of(assertion.params)
    expected = f"{assertion.params['name']} before {_shown(other)}"
    first = next((at for at, call in enumerate(made.calls) if matches_call(other, call, how)), len(made.calls))
    late = next((call for call in made.calls[first:] if call.name == assertion.params["name"]), None)
    if late is not None:
        return Finding(TrialVerdict.FAILED, shown_call(late.name, late.input), expected, turn=made.turn_of(late))
    return _held(made, assertion, expected)


def recovers(transcript: Transcript, assertion: Assertion) -> Finding:
    """Require that each tool error is followed by a call of the same tool that works, or by a hand-over.

    Why: a customer must not be left with an error. Example: `recovers: {hand_over: [transfer]}`. A call that failed is
    not a sound retry when it is made a third time unchanged. A conversation without an error keeps the rule. Instead of
    forbidding a retry, use `times`.
    """
    made = made_calls(transcript, assertion.turn)
    hand_over = frozenset(assertion.params.get("hand_over") or ())
    expected = "each tool error is followed by a sound retry" + (" or a hand-over" if hand_over else "")
    errors = 0
    failed: dict[str, int] = {}
    for at, call in enumerate(made.calls):
        if not call.is_error:
            continue
        errors += 1
        key = _identity(call)
        failed[key] = failed.get(key, 0) + 1
        later = made.calls[at + 1 :]
        repaired = any(one.name == call.name and not one.is_error for one in later)
        handed = any(one.name in hand_over and not one.is_error for one in later)
        if failed[key] > 2 or not (repaired or handed):
            if made.missing and failed[key] <= 2:
                return not_measured(made.missing, assertion.turn)
            observed = f"{shown_call(call.name, call.input)} failed{' again' if failed[key] > 2 else ''}"
            return Finding(TrialVerdict.FAILED, observed, expected, turn=made.turn_of(call), note=call.output)
    return _held(made, assertion, expected, f"{errors} errors")


def max_redundant(transcript: Transcript, assertion: Assertion) -> Finding:
    """Limit calls that repeat an earlier one with the same arguments and get the same result.

    Why: each costs time and money and tells nothing new. Example: `tools: {max_redundant: 0}`. Instead of limiting all
    calls, use `max_calls`.
    """
    made, limit = made_calls(transcript, assertion.turn), int(assertion.params["max"])
    seen: set[tuple[str, str]] = set()
    repeated: list[ToolCall] = []
    for call in made.calls:
        key = (_identity(call), call.output)
        if key in seen and not call.is_error:
            repeated.append(call)
        seen.add(key)
    observed, expected = f"{len(repeated)} redundant calls", f"at most {limit}"
    if len(repeated) > limit:
        note = shown_call(repeated[limit].name, repeated[limit].input)
        return limit_finding(observed, expected, holds=False, turn=made.turn_of(repeated[limit]), note=note)
    return _held(made, assertion, expected, observed)


def _is_ready(transcript: Transcript, made: Calls, call: ToolCall, needed: JsonObject, params: JsonObject) -> bool:
    if "consent" in needed:
        return _agreed(transcript, made.turn_of(call), str(needed["consent"] or ""))
    earlier = made.calls[: next(at for at, one in enumerate(made.calls) if one is call)]
    return any(matches_call(needed, one, matching_of(params)) and not one.is_error for one in earlier)


def _agreed(transcript: Transcript, turn: int, pattern: str) -> bool:
    """Return whether the user agreed in some message up to this turn that answers a reply."""
    users = [one.user for one in transcript.turns if 1 < one.n <= turn or (one.n == 1 == turn and transcript.history)]
    return any(
        matches_somewhere(pattern or CONSENT, text, ignore_case=True)
        and (bool(pattern) or not matches_somewhere(REFUSAL, text, ignore_case=True))
        for text in users
    )


def _of(made: Calls, assertion: Assertion) -> Sequence[ToolCall]:
    asked = zip(made.turns, made.calls, strict=True)
    name, turn = assertion.params["name"], assertion.turn
    return [call for at, call in asked if call.name == name and turn in (None, at)]


def _held(made: Calls, assertion: Assertion, expected: str, observed: str = "") -> Finding:
    if made.missing:
        return not_measured(made.missing, assertion.turn)
    return Finding(TrialVerdict.PASSED, observed or "kept", expected, turn=assertion.turn)


def _shown(needed: JsonObject) -> str:
    return "the user's consent" if "consent" in needed else shown_call(needed["name"], needed.get("input"))


def _identity(call: ToolCall) -> str:
    return f"{call.name} {json.dumps(call.input, sort_keys=True, ensure_ascii=False)}"
