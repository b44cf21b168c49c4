"""A finished run's comparison, told from its trials: limits on cost, tolerated cases, stages that were not played."""

from __future__ import annotations

from dataclasses import replace

from evalkit.analysis import collect_arms
from evalkit.gate import Opponents, compare_recorded, gate_settings
from evalkit.gate.recorded import tell_broken, tell_promises
from evalkit.records import (
    Arm,
    BaselineCase,
    BaselineRecord,
    CaseRecord,
    Decision,
    Ground,
    Stage,
    Trial,
    TrialVerdict,
    Verdict,
)
from tests.made_up_run import FAILED, PASSED, SUITE, case, request, score, suite, trial, turn

CASES = [case(f"c{n}", trials=5) for n in range(6)]


def stored(cost_usd: float | None = 0.001) -> BaselineRecord:
    """A baseline in which every case always passed."""
    kept = {record.case_id: BaselineCase("", 5, 5, 0, cost_usd, 60.0) for record in CASES}
    return BaselineRecord(SUITE, "suites/lamps.baseline.json", "stored", "support@v1", "x", cases=kept)


def trials(failing: tuple[str, ...] = (), cost_usd: float = 0.001) -> list[Trial]:
    """Five rounds of every case, some of which always fail, and one trial of the old version each."""
    paid = replace(turn(), requests=(request(cost_usd=cost_usd),))
    played = []
    for record in CASES:
        verdict = FAILED if record.case_id in failing else PASSED
        played += [trial(record.case_id, n, score(verdict), turns=[paid]) for n in range(1, 6)]
        old = trial(record.case_id, 1, score(PASSED), turns=[paid])
        played.append(replace(old, key=replace(old.key, arm=Arm.BASELINE, stage=Stage.DRIFT)))
    return played


def decide_on(played: list[Trial], baseline: BaselineRecord, **gate: object) -> Decision:
    """Return the decision of a recorded run."""
    measured = replace(suite(), gate=gate)
    decision = compare_recorded(CASES, Opponents((baseline,), (measured,)), collect_arms(played))
    assert decision is not None
    return decision


def test_a_dearer_candidate_is_worse_only_where_a_limit_says_so() -> None:
    """Half as much again is reported, and fails a run whose suite allows ten percent."""
    played = trials(cost_usd=0.0015)
    free, limited = decide_on(played, stored()), decide_on(played, stored(), max_increase={"cost_usd": 0.1})

    assert free.verdict is not Verdict.WORSE
    assert {metric.metric: round(metric.ratio.value, 3) for metric in free.metrics} == {
        "cost_usd": 1.5,
        "output_tokens": 1.0,
    }
    assert (limited.verdict, limited.grounds) == (Verdict.WORSE, (Ground.BUDGET,))
    assert decide_on(played, stored(), max_increase={"cost_usd": 0.6}).verdict is not Verdict.WORSE


def test_unknown_costs_are_not_compared() -> None:
    """A baseline without prices has no ratio, and never one of 0."""
    assert [metric.metric for metric in decide_on(trials(), stored(None)).metrics] == ["output_tokens"]


def test_max_regressions_sets_clearly_worse_cases_aside() -> None:
    """One broken case is red, and accepted where the suite accepts one."""
    assert decide_on(trials(("c1",)), stored()).verdict is Verdict.WORSE
    tolerant = decide_on(trials(("c1",)), stored(), max_regressions=1)
    assert tolerant.verdict is not Verdict.WORSE
    assert tolerant.accepted == ((SUITE, "c1"),)


def test_a_stage_with_a_trial_missing_was_not_played() -> None:
    """When one trial of a stage is missing the whole stage counts as not played: nothing is guessed."""
    whole = trials(("c1",))
    cut = [each for each in whole if each.key.stage is not Stage.DRIFT or each.key.case_id != "c3"]
    without_rounds = [each for each in whole if each.key.trial != 5]

    assert decide_on(cut, stored()).unplayed == ("the baseline today",)
    assert decide_on(without_rounds, stored()).verdict is Verdict.NO_VERDICT


def test_trials_of_critical_cases_beyond_the_rounds_are_read_again() -> None:
    """A recorded further trial that failed makes the same decision worse, and what broke in it is told."""
    vital = [*CASES, case("new", critical=True, trials=3, min_pass=3)]
    whole = [*trials(), *(trial("new", n, score(PASSED)) for n in (1, 2, 3))]

    def further(*verdicts: TrialVerdict) -> list[Trial]:
        extra = [trial("new", n, score(verdict)) for n, verdict in enumerate(verdicts, 1)]
        return [replace(each, key=replace(each.key, stage=Stage.MUST_PASS)) for each in extra]

    def decided(played: list[Trial]) -> Decision:
        decision = compare_recorded(vital, Opponents((stored(),), (suite(),)), collect_arms(played))
        assert decision is not None
        return decision

    clean, broken = [*whole, *further(PASSED, PASSED)], [*whole, *further(PASSED, FAILED)]
    assert (decided(clean).must_pass_clean, decided(clean).unplayed) == (5, ())
    assert decided(broken).must_pass_failed == ((SUITE, "new"),)
    assert decided(whole).unplayed == ("more trials of critical cases",)
    lost = [*broken, trial("new", 4, score(FAILED))]
    assert tell_broken(lost, decided(lost).must_pass_failed) == ()
    told = tell_broken(broken, decided(broken).must_pass_failed)
    assert told == ('new failed in trial 2 of the comparison (must-pass): says "in stock": nothing of it',)


def test_a_rate_that_clean_trials_do_not_show_yet_is_said() -> None:
    """Five clean trials do not prove 95 %, 59 do; a case that failed has nothing to prove any more."""
    vital = case("c0", critical=True, trials=5, min_rate=0.95)
    words = "c0: a pass rate of 95 % is not yet shown by 5 clean trials; 59 clean trials would"
    assert tell_promises([vital], collect_arms(trials())) == (words,)
    assert tell_promises([replace(vital, min_rate=0.5)], collect_arms(trials())) == ()
    assert tell_promises([vital], collect_arms(trials(failing=("c0",)))) == ()
    assert tell_promises([replace(vital, skip="later")], collect_arms(trials())) == ()


def test_suites_say_how_they_are_compared() -> None:
    """Stages, doubts and limits of trials come from the suites' gates; of several the careful word counts."""
    plain = gate_settings([suite()])
    assert (plain.adaptive, plain.resolve, plain.max_trials, plain.breadth_only) == (True, False, None, False)

    one = replace(suite(), gate={"adaptive": False, "resolve": True, "max_trials": 100, "trade_offs": True})
    found = gate_settings([one, one])
    assert (found.adaptive, found.resolve, found.max_trials, found.breadth_only) == (False, True, 200, True)
    mixed = gate_settings([one, suite()])
    assert (mixed.adaptive, mixed.resolve, mixed.max_trials, mixed.breadth_only) == (False, True, None, False)


def test_nothing_to_compare_with_is_no_decision() -> None:
    """Without a usable baseline, or when every case is watched, there is no comparison."""
    watched: list[CaseRecord] = [replace(record, gated=False) for record in CASES]
    arms = collect_arms(trials())

    assert compare_recorded(CASES, Opponents((replace(stored(), use="none"),), (suite(),)), arms) is None
    assert compare_recorded(watched, Opponents((stored(),), (suite(),)), arms) is None
