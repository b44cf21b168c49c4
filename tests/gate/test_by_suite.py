"""A decision told suite by suite: it comes from the trials, and claims no more than the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evalkit.analysis import ArmTrials, collect_arms
from evalkit.gate import Opponents, compare_recorded
from evalkit.gate.breakdown import compare_suites
from evalkit.records import (
    Arm,
    BaselineCase,
    BaselineRecord,
    Counts,
    Decision,
    Stage,
    SuiteComparison,
    Trial,
    TrialScore,
    Verdict,
)
from tests.made_up_run import FAILED, PASSED, case, score, suite, trial

LAMPS, SHADES, BULBS = "suites/lamps.yaml", "suites/shades.yaml", "suites/bulbs.yaml"
IDS = [f"c{n}" for n in range(8)]


def baseline(path: str, use: str = "stored") -> BaselineRecord:
    """A baseline in which every case always passed."""
    kept = {case_id: BaselineCase("", 5, 5) for case_id in IDS} if use == "stored" else {}
    return BaselineRecord(path, f"{path}.baseline", use, "support@v1", "x", cases=kept)  # type: ignore[arg-type]


def played(path: str, failing: tuple[str, ...] = ()) -> list[Trial]:
    """Five rounds of every case, some of which always fail, and one trial of the old version each."""
    trials = []
    for case_id in IDS:
        verdict = FAILED if case_id in failing else PASSED
        trials += [trial(case_id, n, score(verdict), suite=path) for n in range(1, 6)]
        old = trial(case_id, 1, score(PASSED), suite=path)
        trials.append(replace(old, key=replace(old.key, arm=Arm.BASELINE, stage=Stage.DRIFT)))
    return trials


def told(failing: Mapping[str, tuple[str, ...]], *others: BaselineRecord) -> tuple[Decision, list[SuiteComparison]]:
    """The decision about some suites, and the part of each."""
    trials = [each for path, ids in failing.items() for each in played(path, ids)]
    cases = [case(case_id, suite=path, trials=5) for path in failing for case_id in IDS]
    opponents = Opponents((*map(baseline, failing), *others), tuple(map(suite, failing)))
    arms = collect_arms(trials)
    decision = compare_recorded(cases, opponents, arms)
    assert decision is not None
    return decision, [*compare_suites(decision, opponents, arms)]


def test_a_single_suite_is_the_whole() -> None:
    """With one compared suite its verdict, p and difference are those of the run."""
    decision, (part, without) = told({LAMPS: ("c1", "c2")}, baseline(BULBS, "none"))

    assert (part.verdict, part.p, part.delta) == (decision.verdict, decision.overall_p, decision.delta)
    assert (part.verdict, part.cases) == (Verdict.WORSE, 8)
    assert (without.verdict, without.cases, without.delta, without.trials) == (Verdict.NO_VERDICT, 0, None, ())


def test_trials_are_counted_by_stage_and_arm() -> None:
    """What was stored stands apart from what this run played, and every trial is counted once."""
    _, (part,) = told({LAMPS: ("c1",)})

    assert [(each.stage, each.arm, each.counts) for each in part.trials] == [
        ("stored", Arm.BASELINE, Counts(40)),
        (Stage.ROUND, Arm.CANDIDATE, Counts(35, 5)),
        (Stage.DRIFT, Arm.BASELINE, Counts(8)),
    ]


def test_only_the_suite_that_shows_it_is_worse() -> None:
    """Of two suites the one whose cases broke is worse; the other is not blamed for it."""
    decision, parts = told({LAMPS: (), SHADES: ("c0", "c1", "c2")})

    assert decision.verdict is Verdict.WORSE
    assert [part.verdict for part in parts] == [Verdict.CANT_TELL, Verdict.WORSE]
    lamps, shades = parts
    assert lamps.delta is not None
    assert shades.delta is not None
    assert lamps.delta.value == 0
    assert shades.delta.value == -3 / 8
    assert lamps.p is not None
    assert shades.p is not None
    assert shades.p < 0.01 < lamps.p


def test_no_suite_is_worse_when_the_whole_is_not() -> None:
    """A suite that leans bad is not called worse as long as the run is not."""
    trials = [each for path in (LAMPS, SHADES) for each in played(path)]
    lost = TrialScore(FAILED, (score(FAILED),))
    flaky = [replace(each, score=lost) if _slips(each) else each for each in trials]
    cases = [case(case_id, suite=path, trials=5) for path in (LAMPS, SHADES) for case_id in IDS]
    opponents = Opponents((baseline(LAMPS), baseline(SHADES)), (suite(LAMPS), suite(SHADES)))
    arms = collect_arms(flaky)
    decision = compare_recorded(cases, opponents, arms)

    assert decision is not None
    assert decision.verdict is not Verdict.WORSE
    assert {part.verdict for part in compare_suites(decision, opponents, arms)} == {Verdict.CANT_TELL}


def _slips(each: Trial) -> bool:
    return (
        each.key.suite == SHADES and each.key.arm is Arm.CANDIDATE and each.key.trial == 1 and each.key.case_id < "c2"
    )


def test_without_a_decision_no_suite_has_a_verdict() -> None:
    """Baselines that can't be used are still told, each with its reason."""
    parts = compare_suites(None, Opponents((replace(baseline(LAMPS, "none"), note="gone"),), (suite(),)), ArmTrials())
    assert [(part.verdict, part.baseline.note) for part in parts] == [(Verdict.NO_VERDICT, "gone")]
