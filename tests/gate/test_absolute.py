"""The verdict of a run: what fails it, what leaves it without one, and that nothing unmeasured is ever green."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.analysis import summarise
from evalkit.errors import ExitCode
from evalkit.gate import judge
from evalkit.records import GateResult, RunEnd, RunVerdict, Source
from tests.made_up_run import FINISHED, LIVE, SUITE, MadeUpRun, case, request, run_of, suite, trials, turn

MANY = {f"ok{n}": "ppp" for n in range(20)}


def gate_of(marks: dict[str, str], **changes: Any) -> GateResult:
    """Judge a run whose cases have these trials."""
    return judge(summarise(run_of(marks, **changes)))


def _said(gate: GateResult) -> tuple[str, ...]:
    """The reasons in words."""
    return tuple(reason.words for reason in gate.reasons)


def ended(reason: Any) -> RunEnd:
    """An end for this reason."""
    return replace(FINISHED, reason=reason)


def test_all_pass() -> None:
    """A run in which every case passes is green, and the sentence says how many."""
    gate = gate_of({"a": "ppp", "b": "ppp"})
    assert (gate.exit_code, gate.verdict, gate.reasons) == (ExitCode.PASSED, RunVerdict.PASSED, ())
    assert gate.sentence == "Passed: 2 of 2 cases pass; on the stand-in, which says nothing about Claude."


def test_unstable_counts_as_passed() -> None:
    """An unstable case does not lower the pass rate, and the sentence names it."""
    gate = gate_of({"a": "ppf"}, suites=(suite(pass_rate=1.0),))
    assert gate.exit_code == ExitCode.PASSED
    assert "1 unstable" in gate.sentence


def test_pass_rate() -> None:
    """A pass rate below the suite's limit fails, one at the limit passes."""
    marks = {f"c{n}": "ppp" for n in range(9)} | {"bad": "fff"}
    assert gate_of(marks, suites=(suite(pass_rate=0.9),)).exit_code == ExitCode.PASSED
    gate = gate_of(marks, suites=(suite(pass_rate=0.95),))
    assert gate.exit_code == ExitCode.FAILED
    assert _said(gate) == (f"{SUITE}: pass rate 0.90 (9 of 10) is below 0.95 (bad)",)


def test_without_a_pass_rate_every_case_must_pass() -> None:
    """A suite that states no pass rate fails with one failed case."""
    assert gate_of({"a": "ppp", "b": "fff"}, suites=(suite(),)).exit_code == ExitCode.FAILED


def test_case_of_an_unknown_suite_is_held_to_the_default() -> None:
    """A failed case whose suite has no record can't slip through."""
    assert gate_of({"a": "fff"}, suites=()).exit_code == ExitCode.FAILED


def test_pass_rate_is_per_suite() -> None:
    """A bad suite is not saved by a good one."""
    other = "suites/shades.yaml"
    cases = [*(case(name) for name in MANY), case("x", suite=other)]
    played = [t for name in MANY for t in trials(name, "ppp")] + trials("x", "fff", other)
    run = MadeUpRun(cases, played, suites=(suite(pass_rate=0.5), suite(other, pass_rate=0.5)))
    gate = judge(summarise(run))
    assert gate.exit_code == ExitCode.FAILED
    assert gate.reasons[0].words.startswith(other)


def test_critical_case_fails_the_run() -> None:
    """One failed trial of a critical case fails the run whatever the pass rate."""
    cases = [*(case(name) for name in MANY), case("vital", critical=True)]
    gate = gate_of({**MANY, "vital": "ppf"}, cases=cases)
    assert gate.exit_code == ExitCode.FAILED
    assert _said(gate) == ("1 critical case fails (vital)",)


def test_watched_case_never_gates() -> None:
    """A case with `gate: false` can fail, critical or not, without failing the run."""
    cases = [case("a"), case("watched", gated=False, critical=True)]
    gate = gate_of({"a": "ppp", "watched": "fff"}, cases=cases)
    assert gate.exit_code == ExitCode.PASSED
    assert "1 of 2 cases passes, 1 fails (watched only)" in gate.sentence


def test_cost_above_the_limit_fails() -> None:
    """A suite dearer than its limit fails."""
    gate = gate_of({"a": "ppp"}, suites=(suite(cost_usd=0.002),))
    assert gate.exit_code == ExitCode.FAILED
    assert _said(gate) == (f"{SUITE}: cost $0.0030 is above $0.00",)


def test_unknown_cost_is_no_verdict() -> None:
    """A cost limit that can't be checked leaves the run without a verdict."""
    unpriced = replace(turn(), requests=(request(cost_usd=None),))
    played = [replace(t, transcript=replace(t.transcript, turns=(unpriced,))) for t in trials("a", "ppp")]
    gate = judge(summarise(MadeUpRun([case("a")], played, suites=(suite(cost_usd=1.0),))))
    assert gate.exit_code == ExitCode.NO_VERDICT


def test_failure_outranks_what_was_not_measured() -> None:
    """A proven failure stays a failure when other cases were not measured or the run was stopped."""
    cases = [case("vital", critical=True), case("open", critical=True)]
    for end in (FINISHED, ended("max_cost"), ended("interrupted"), None):
        gate = gate_of({"vital": "f..", "open": "nnn"}, cases=cases, end=end)
        assert gate.exit_code == ExitCode.FAILED
        assert "1 critical case fails (vital)" in gate.sentence


def test_pass_rate_that_can_no_longer_be_reached_is_proven() -> None:
    """A stopped run fails when even its open cases could not reach the pass rate."""
    marks = {"a": "fff", "b": "fff", "c": "...", "d": "ppp"}
    assert gate_of(marks, suites=(suite(pass_rate=0.9),), end=ended("max_cost")).exit_code == ExitCode.FAILED


def test_two_percent_of_trials_may_be_missing() -> None:
    """A run with at most 2 % of its trials not measured has a verdict, and its sentence tells of them."""
    few = {f"c{n}": "ppp" for n in range(40)} | {"gap": "ppn"}
    gate = gate_of(few)
    assert gate.exit_code == ExitCode.PASSED
    assert "1 trial of decided cases not measured" in gate.sentence
    assert gate_of({**MANY, "gap1": "ppn", "gap2": "ppn"}).exit_code == ExitCode.NO_VERDICT


def test_nothing_selected() -> None:
    """A run without a case has its own exit code."""
    gate = judge(summarise(MadeUpRun([], [])))
    assert (gate.exit_code, gate.verdict) == (ExitCode.NOTHING_SELECTED, RunVerdict.NOTHING_SELECTED)


def test_interrupted() -> None:
    """A run stopped by hand without a proven failure exits as interrupted."""
    gate = gate_of({"a": "pp."}, end=ended("interrupted"))
    assert (gate.exit_code, gate.verdict) == (ExitCode.INTERRUPTED, RunVerdict.INTERRUPTED)


WAYS_TO_MEASURE_NOTHING: dict[str, dict[str, Any]] = {
    "the API was down": {"marks": {"a": "nnn", "b": "nnn"}},
    "nothing was run": {"marks": {"a": "...", "b": "..."}},
    "one critical case got no reply": {
        "marks": {**MANY, "vital": "ppn"},
        "cases": [*(case(name) for name in MANY), case("vital", critical=True)],
    },
    "one case of few got no reply": {"marks": {"a": "ppp", "b": "nnn"}},
    "the money ran out": {"marks": {**MANY, "a": "ppp"}, "end": ended("max_cost")},
    "the time ran out": {"marks": MANY, "end": ended("max_time")},
    "it was stopped by hand": {"marks": MANY, "end": ended("interrupted")},
    "it stopped at a failure that is not there": {"marks": MANY, "end": ended("fail_fast")},
    "evalkit crashed and said so": {"marks": MANY, "end": ended("crashed")},
    "evalkit crashed and said nothing": {"marks": MANY, "end": None},
    "every case is skipped": {"marks": {}, "cases": [case("a", skip="later")]},
    "every case is only watched": {"marks": {"a": "ppp"}, "cases": [case("a", gated=False)]},
    "no case was selected": {"marks": {}},
    "no suite knows the conversations": {"marks": {"a": "nnn"}, "cases": [], "suites": ()},
    "the only pass is a watched case": {
        "marks": {"a": "nnn", "b": "ppp"},
        "cases": [case("a"), case("b", gated=False)],
    },
    "one suite of two got no reply and asks for nothing": {
        "marks": {**MANY, "x": "nnn"},
        "cases": [*(case(name) for name in MANY), case("x", suite="suites/shades.yaml")],
        "suites": (suite(), suite("suites/shades.yaml", pass_rate=0.0)),
    },
    "the pass rate hangs on a case without a reply": {
        "marks": {**{f"c{n}": "ppp" for n in range(99)}, "open": "pnf"},
        "suites": (suite(pass_rate=1.0),),
    },
}


@pytest.mark.parametrize("way", WAYS_TO_MEASURE_NOTHING)
def test_never_green_without_measurement(way: str) -> None:
    """However a run fails to measure, it does not exit 0 and its sentence does not say passed."""
    settings = dict(WAYS_TO_MEASURE_NOTHING[way])
    gate = gate_of(settings.pop("marks"), **settings)
    assert gate.exit_code in (ExitCode.NO_VERDICT, ExitCode.INTERRUPTED, ExitCode.NOTHING_SELECTED)
    assert "Passed" not in gate.sentence
    assert gate.verdict is not RunVerdict.PASSED


@given(st.dictionaries(st.sampled_from("abcdef"), st.text("pfn.", min_size=3, max_size=3), min_size=1), st.booleans())
def test_green_means_measured(marks: dict[str, str], critical: bool) -> None:
    """Whatever the trials were, a green run has a measured pass in every gated case that the pass rate needs."""
    cases = [case(name, critical=critical) for name in marks]
    gate = gate_of(marks, cases=cases, suites=(suite(pass_rate=1.0),))
    if gate.exit_code == ExitCode.PASSED:
        assert all(of_case.count("p") >= (3 if critical else 2) for of_case in marks.values())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source("stand-in"), "on the stand-in, which says nothing about Claude"),
        (LIVE, "live, claude-sonnet-5-5"),
        (Source("live", "127.0.0.1:4010"), "live through 127.0.0.1:4010, claude-sonnet-5-5"),
        (Source("replayed", "reports/earlier"), "replayed from reports/earlier"),
        (Source("replayed", "earlier", "live"), "replayed from earlier (live)"),
        (Source("imported", "chats.jsonl"), "imported from chats.jsonl"),
    ],
)
def test_sentence_names_the_source(source: Source, words: str) -> None:
    """Wherever a verdict stands, it says where the replies came from, in one line."""
    for marks in ({"a": "ppp"}, {"a": "fff"}, {"a": "npp"}):
        gate = gate_of(marks, source=source)
        assert words in gate.sentence
        assert "\n" not in gate.sentence


def test_exit_code_is_that_of_the_errors() -> None:
    """The number in the result is one of the documented exit codes."""
    codes = {gate_of({"a": marks}).exit_code for marks in ("ppp", "fff", "nnn")}
    assert codes == {ExitCode.PASSED, ExitCode.FAILED, ExitCode.NO_VERDICT}
