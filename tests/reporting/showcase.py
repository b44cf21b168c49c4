"""One run with everything in it: failures with marked text, tools that break, hostile text, every kind of verdict.

And the same run beside a baseline in which everything passed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evalkit.analysis import collect_arms
from evalkit.gate import Compared, Opponents, compare_finished
from evalkit.gate.breakdown import compare_rules, compare_suites, compare_tags
from evalkit.records import (
    Attempt,
    BaselineCase,
    BaselineRecord,
    CaseRecord,
    Failure,
    Level,
    Place,
    Trial,
)
from tests.made_up_run import (
    FAILED,
    NOT_MEASURED,
    PASSED,
    SUITE,
    MadeUpRun,
    assertion,
    case,
    down,
    marked,
    request,
    score,
    suite,
    tool_turn,
    trial,
    trials,
    turn,
    usage,
    voice,
)

ON_ITS_WAY = (
    "I can't see the detail just now, but your parcel is on its way and you'll get a text that morning.\n\n"
    "Is there anything else?"
)
HOSTILE = (
    "<img src=x onerror=alert(1)></script><script>alert(2)</script>{{ 7 * 7 }}"
    "\x1b[31mred\x1b[0m \u202eesrever\u202c <!-- & \"quotes\" 'too'"
)
PARCELS = "suites/late parcels.yaml"
QUESTIONS = (
    "stock", "price", "bulb", "shade", "cable", "dimmer", "warranty", "return", "refund", "gift", "colour", "height",
)  # fmt: skip


def showcase(**changes: Any) -> MadeUpRun:
    """The run."""
    cases, played = _lamps()
    more_cases, more_played = _parcels()
    values: dict[str, Any] = {
        "suites": (suite(pass_rate=0.9), suite(PARCELS, pass_rate=0.9)),
        "command": ("evalkit", "run", "--via", "stand-in", "-p", "support@v2"),
        **changes,
    }
    return MadeUpRun([*cases, *more_cases], [*played, *more_played], **values)


def against_passing(run: MadeUpRun, rounds: int = 5) -> Compared:
    """How a run stands beside baselines in which every case always passed."""
    stored = BaselineCase("", rounds, rounds, cost_usd=0.001, output_tokens=60.0)
    baselines = []
    for record in run.suites:
        ids = [case.case_id for case in run.cases if case.suite == record.path and case.skip is None]
        name, kept = record.path.replace(".yaml", ".baseline.json"), dict.fromkeys(ids, stored)
        day, sha = "2026-11-14", "7ad1" * 16
        baselines.append(BaselineRecord(record.path, name, "stored", "support@v1", sha, day, cases=kept))
    opponents = Opponents(tuple(baselines), tuple(run.suites))
    arms = collect_arms(run.trials())
    decision = compare_finished(run.cases, opponents, arms)
    compared = decision.cases if decision else ()
    return Compared(
        decision,
        tuple(baselines),
        suites=compare_suites(decision, opponents, arms),
        tags=compare_tags(run.cases, compared),
        rules=compare_rules(compared, baselines, arms),
    )


def _lamps() -> tuple[list[CaseRecord], list[Trial]]:
    cases = [case(f"question-about-{word}", tags=("product",), place=_at(30 + n)) for n, word in enumerate(QUESTIONS)]
    cases.append(case("skipped-for-now", skip="the shop has no fixture for it yet"))
    cases.append(case("watched", gated=False, tags=("tone",)))
    cases.append(case("a-long-conversation", tags=("tone",)))
    played = [each for one in cases[:10] for each in trials(one.case_id, "ppp")]
    brief = voice("brief", observed="131 words", expected="at most 120 words")
    plain = voice("plain-words", observed="utilise", expected="use", spans=(marked("We utilise oak.", "utilise"),))
    for one in cases[10:12]:
        played += [
            trial(one.case_id, n, score(PASSED), brief, plain, turns=[turn(1, "We utilise oak.")]) for n in (1, 2)
        ]
        played += [trial(one.case_id, 3, score(FAILED, observed="an empty reply", expected='"in stock"'))]
    played += trials("watched", "fff")
    turns = [turn(n, f"Answer {n}, with the facts.", f"Question {n}?") for n in range(1, 13)]
    played += [trial("a-long-conversation", n, score(PASSED), turns=turns) for n in (1, 2, 3)]
    return cases, played


def _parcels() -> tuple[list[CaseRecord], list[Trial]]:
    at = {"suite": PARCELS, "tags": ("shipping", "tool-errors"), "place": Place(PARCELS, 95, 20)}
    cases = [
        case("lookup-keeps-failing", critical=True, **at),
        case("where-is-my-parcel#3 / late", cluster="parcel", **at),
        case("hostile", **at),
        case("no-reply", critical=True, **at),
        case("never-run", **at),
    ]
    broken = tool_turn(ON_ITS_WAY, output="upstream timeout", is_error=True, origin=f"{PARCELS}:44")
    never = score(FAILED, 'never_says "on its way"', spans=(marked(broken.reply, "on its way"),))
    never = replace(never, assertion=assertion('never_says "on its way"', place=Place(PARCELS, 95, 20)))
    never = replace(never, finding=replace(never.finding, observed='"on its way"', expected="none of it", turn=1))
    held = score(PASSED, "tools.calls find_lamp")
    played = [
        trial("lookup-keeps-failing", 1, never, held, turns=[broken], suite=PARCELS),
        trial("lookup-keeps-failing", 2, score(PASSED, 'never_says "on its way"'), held, suite=PARCELS),
        trial("lookup-keeps-failing", 3, never, held, voice("brief"), turns=[broken], suite=PARCELS),
    ]
    return cases, [*played, *_wrong_calls(), *_hostile(), *(down("no-reply", n, PARCELS) for n in (1, 2, 3))]


def _wrong_calls() -> list[Trial]:
    note = "call 1 lookup_order: no call fits; nearest: find_lamp\nroot['name']: 'Alma' instead of 'Berta'"
    calls = score(FAILED, "tools.calls lookup_order", observed="find_lamp", expected="lookup_order", note=note, turn=1)
    case_id = "where-is-my-parcel#3 / late"
    return [trial(case_id, n, calls, turns=[tool_turn()], suite=PARCELS) for n in (1, 2)] + [
        trial(case_id, 3, score(PASSED, "tools.calls lookup_order"), suite=PARCELS)
    ]


def _hostile() -> list[Trial]:
    spans = (marked(HOSTILE, "</script>"), marked(HOSTILE, "esrever"))
    attacked = score(FAILED, f"never_says {HOSTILE}", spans=spans, observed=HOSTILE, note=HOSTILE)
    overloaded = Attempt(Failure("overloaded_error", HOSTILE, 529, request_id="req_over"), 1500.0)
    asked = replace(turn(1, HOSTILE, HOSTILE), requests=(request(1, 1, HOSTILE, attempts=(overloaded,)),))
    miss = request(1, 2, "Yes.", cache_miss_reason="system_changed", usage=usage(ephemeral_5m_input_tokens=1000))
    unsure = score(NOT_MEASURED, "budget.cache_hit", note="a single request")
    trials_ = [
        trial("hostile", n, attacked, unsure, turns=[asked, replace(turn(2), requests=(miss,))], suite=PARCELS)
        for n in (1, 2)
    ]
    return [*trials_, trial("hostile", 3, voice("no-blame", level=Level.ERROR), suite=PARCELS)]


def _at(line: int) -> Place:
    return Place(SUITE, line, 5)
