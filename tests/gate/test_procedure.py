"""The comparison step by step: what it asks for, what it makes of the answers, and what it never does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from evalkit.gate import Answer, GateCase, GateSettings, StagePlan, decide, decide_finished
from evalkit.records import Arm, CaseChange, CaseKey, Counts, Decision, Ground, LookName, Stage, Verdict

SUITE = "suites/lamps.yaml"
SETTINGS = GateSettings()
CLEAN = Counts(5)
PLAYED = (Arm.CANDIDATE, Stage.ROUND)
Player = Callable[[StagePlan], Answer | None]


def key(number: int) -> CaseKey:
    """Return the key of a case."""
    return SUITE, f"c{number:03}"


def cases(count: int, stored: Counts | None = CLEAN, rounds: int = 1, **changes: object) -> list[GateCase]:
    """Return cases that passed every stored trial."""
    return [GateCase(key(number), rounds, stored, **changes) for number in range(count)]  # type: ignore[arg-type]


class Script:
    """Answers asks by rule and remembers them."""

    def __init__(self, passes: Callable[[Arm, CaseKey, Stage], bool | None] = lambda *_: True) -> None:
        self.asks: list[StagePlan] = []
        self._passes = passes

    def __call__(self, ask: StagePlan) -> Answer | None:
        """Answer an ask: every trial of a case and arm alike."""
        self.asks.append(ask)
        return {(arm, k): [self._passes(arm, k, ask.stage)] * n for (arm, k), n in ask.trials.items()}


def run(
    given_cases: list[GateCase], player: Player, settings: GateSettings = SETTINGS, beside: Sequence[GateCase] = ()
) -> Decision:
    """Play a comparison to its end."""
    procedure = decide(given_cases, settings, beside)
    try:
        ask = next(procedure)
        while True:
            ask = procedure.send(player(ask))
    except StopIteration as done:
        decision: Decision = done.value
        return decision


def failing(*numbers: int) -> Callable[[Arm, CaseKey, Stage], bool]:
    """Return the rule by which the candidate fails these cases."""
    bad = {key(number) for number in numbers}
    return lambda arm, k, _: not (arm is Arm.CANDIDATE and k in bad)


def test_the_worked_example() -> None:
    """Ten cases with two screening rounds and two suspects come to the numbers worked out elsewhere."""
    stored = [5, 5, 5, 5, 5, 4, 3, 5, 0, 5]
    screen = [2, 2, 0, 2, 1, 1, 2, 2, 0, 2]
    closer = {2: (8, 0), 4: (8, 7)}
    some = [GateCase(key(n), 2, Counts(a, 5 - a)) for n, a in enumerate(stored)]

    def play(ask: StagePlan) -> Answer:
        if ask.stage is Stage.ROUND:
            return {(arm, k): [n < screen[int(k[1][1:])] for n in range(2)] for arm, k in ask.trials}
        assert ask.trials == {(arm, key(n)): 8 for n in (2, 4) for arm in Arm}
        return {(a, k): [n < closer[int(k[1][1:])][a is Arm.CANDIDATE] for n in range(8)] for a, k in ask.trials}

    decision = run(some, play, replace(SETTINGS, fixed_below=0))
    looks = {look.name: look for look in decision.looks}
    first, second = looks[LookName.SCREEN], looks[LookName.CONFIRM]

    assert (first.breadth, first.breaks, first.p) == pytest.approx((0.088343, 0.043608, 0.087217), abs=6e-7)
    assert (second.breadth, second.breaks, second.p) == pytest.approx((0.000039, 0.000039, 0.000078), abs=6e-7)
    named = {case.key: case.adjusted_p for case in decision.cases if case.adjusted_p is not None}
    assert [named[key(2)], named[key(4)]] == pytest.approx([0.000078, 0.654817], abs=6e-7)
    assert decision.delta is not None
    assert (decision.delta.value, decision.delta.se) == pytest.approx((-0.14, 0.141578), abs=6e-7)
    assert (decision.delta.low, decision.delta.high) == pytest.approx((-0.399529, 0.119529), abs=6e-7)
    assert (decision.verdict, decision.grounds) == (Verdict.WORSE, (Ground.SIDE_BY_SIDE,))
    assert [case.key for case in decision.clearly_worse] == [key(2)]
    assert [case.key for case in decision.suspects] == [key(4)]


def test_nothing_changed_costs_one_round() -> None:
    """When nothing looks worse, the first round is all that is played, and a drop is excluded."""
    script = Script()
    decision = run(cases(100), script)

    assert [ask.total for ask in script.asks] == [100]
    assert decision.verdict is Verdict.NOT_WORSE
    assert decision.calls == 100
    assert decision.overall_p == 1


def test_a_broken_case_is_confirmed_side_by_side_and_named() -> None:
    """One case that always fails now is played again in both arms, found, and named."""
    script = Script(failing(7))
    decision = run(cases(100), script)

    assert [(ask.stage, ask.total) for ask in script.asks] == [(Stage.ROUND, 100), (Stage.CONFIRM, 16)]
    assert (decision.verdict, decision.grounds) == (Verdict.WORSE, (Ground.SIDE_BY_SIDE,))
    assert [case.key for case in decision.clearly_worse] == [key(7)]
    assert decision.clearly_worse[0].confirm_candidate == Counts(0, 8)


def test_a_suspect_that_passes_again_is_noise() -> None:
    """A case that failed once and passes side by side does not make the run worse."""
    script = Script(lambda arm, k, stage: not (k == key(7) and arm is Arm.CANDIDATE and stage is Stage.ROUND))
    decision = run(cases(100), script)

    assert decision.verdict is not Verdict.WORSE
    assert [case.key for case in decision.suspects] == [key(7)]


def test_a_drop_everywhere_goes_on_and_checks_the_store() -> None:
    """Many cases a bit worse are red by breadth; the store is played once before that is believed."""
    weak = set(range(0, 100, 4))
    script = Script(lambda arm, k, stage: (arm, stage) != PLAYED or int(k[1][1:]) not in weak)
    decision = run(cases(100), script)

    assert [ask.stage for ask in script.asks] == [Stage.ROUND, Stage.CONFIRM, Stage.DRIFT]
    assert (decision.verdict, decision.grounds) == (Verdict.WORSE, (Ground.STORED,))
    assert not decision.stale


def test_a_baseline_that_is_lower_today_is_stale() -> None:
    """When the baseline itself fails today what it passed when it was stored, nobody is to blame."""
    weak = set(range(0, 100, 4))
    script = Script(lambda _, k, stage: stage is Stage.CONFIRM or int(k[1][1:]) not in weak)
    decision = run(cases(100), script)

    assert script.asks[-1].stage is Stage.DRIFT
    assert (decision.verdict, decision.stale, decision.grounds) == (Verdict.CANT_TELL, True, ())


def test_a_first_look_that_leans_bad_is_followed_by_more_rounds() -> None:
    """A p between the level and the limit asks for two more rounds; suspects use the trials they have."""
    flaky = [replace(case, stored=Counts(4, 1)) for case in cases(100)]
    script = Script(lambda arm, k, stage: (arm, stage) != PLAYED or int(k[1][1:]) % 7 not in (0, 2))
    decision = run(flaky, script)

    rounds = [ask for ask in script.asks if ask.stage is Stage.ROUND]
    assert len(rounds) == 2
    assert {key(n) for n in (1, 2, 3)} <= {k for _, k in rounds[1].trials}
    assert set(rounds[1].trials.values()) == {2}
    assert LookName.EXTEND in {look.name for look in decision.looks}


def test_a_small_suite_that_leans_bad_has_the_same_number_of_rounds_in_every_case() -> None:
    """Suspects use the trials of their closer look and are topped up, so that no case has more rounds than another."""
    flaky = [replace(case, stored=Counts(4, 1)) for case in cases(40)]
    first = [replace(case, stored=CLEAN) if n < 2 else case for n, case in enumerate(flaky)]
    script = Script(lambda arm, k, stage: (arm, stage) != PLAYED or int(k[1][1:]) % 7 not in (0, 2))
    decision = run(first, script)

    assert {case.candidate.valid for case in decision.cases} == {11}
    assert decision.suspects


def test_with_nothing_stored_both_arms_are_played() -> None:
    """Fresh mode plays at least two rounds of both, interleaved in one ask, and has no store to check."""
    script = Script(failing(*range(0, 100, 3)))
    decision = run(cases(100, None), script)

    assert set(script.asks[0].trials.values()) == {2}
    assert script.asks[0].arms == frozenset(Arm)
    assert Stage.DRIFT not in {ask.stage for ask in script.asks}
    assert decision.fresh
    assert decision.verdict is Verdict.WORSE


def test_few_cases_are_decided_in_one_batch() -> None:
    """Below twenty cases there are no stages: at least five rounds, one look with the whole level."""
    script = Script(failing(0))
    decision = run(cases(9), script)

    assert [ask.total for ask in script.asks[:1]] == [45]
    assert Stage.CONFIRM not in {ask.stage for ask in script.asks}
    assert [look.level for look in decision.looks if look.name is LookName.SCREEN] == [SETTINGS.alpha]
    assert [case.key for case in decision.clearly_worse] == [key(0)]


def test_one_case_has_no_interval_and_never_passes() -> None:
    """A single case can be proven worse, and can't be proven as good."""
    assert run(cases(1), Script(failing(0))).verdict is Verdict.WORSE
    good = run(cases(1), Script())
    assert (good.verdict, good.delta) == (Verdict.CANT_TELL, None)


def test_a_failed_critical_case_is_worse_whatever_the_tests_say() -> None:
    """One failed trial of a critical case decides, even where errors leave no verdict otherwise."""
    some = cases(30)
    some[4] = replace(some[4], critical=True)
    once = Script(lambda arm, k, stage: not (k == key(4) and arm is Arm.CANDIDATE and stage is Stage.ROUND))
    decision = run(some, once)

    assert (decision.verdict, decision.must_pass_failed) == (Verdict.WORSE, (key(4),))
    assert Ground.MUST_PASS in decision.grounds

    errors = Script(lambda _, k, __: False if k == key(4) else None if int(k[1][1:]) % 2 else True)
    assert run(some, errors).verdict is Verdict.WORSE


def test_clean_trials_of_critical_cases_are_counted() -> None:
    """The report can say what the clean trials of critical cases prove."""
    some = cases(30, rounds=3)
    some[4] = replace(some[4], critical=True)
    assert run(some, Script()).must_pass_clean == 3


def vital(number: int, rounds: int = 1, stored: Counts | None = CLEAN, least: int = 5) -> GateCase:
    """Return a critical case that wants five trials."""
    return GateCase(key(number), rounds, stored, critical=True, least=least)


def test_a_critical_case_is_played_further_after_the_screen() -> None:
    """It gets what its promise takes in trials of their own, which are no rounds of the comparison."""
    some = [*cases(29), vital(29)]
    script = Script()
    decision = run(some, script)

    assert [(ask.stage, ask.trials) for ask in script.asks[1:]] == [(Stage.MUST_PASS, {(Arm.CANDIDATE, key(29)): 4})]
    assert decision.must_pass_clean == 5
    assert next(case for case in decision.cases if case.key == key(29)).candidate == Counts(1)


def test_a_failure_in_a_further_trial_decides_and_is_not_played_over() -> None:
    """One of them fails: worse, whatever else passes; one that failed in the screen gets no further trials at all."""
    some = [*cases(29), vital(29)]
    late = Script(lambda *trial: trial[-1] is not Stage.MUST_PASS)
    decision = run(some, late)
    assert (decision.verdict, decision.grounds, decision.must_pass_failed) == (
        Verdict.WORSE, (Ground.MUST_PASS,), (key(29),)
    )  # fmt: skip

    early = Script(lambda arm, k, stage: not (k == key(29) and (arm, stage) == PLAYED))
    assert run(some, early).must_pass_failed == (key(29),)
    assert Stage.MUST_PASS not in {ask.stage for ask in early.asks}


def test_a_critical_case_without_a_baseline_is_held_to_its_promise() -> None:
    """A new critical case is played as often, fails the run when it fails, and is compared with nothing."""
    script = Script()
    good = run(cases(30), script, beside=[vital(50, rounds=3, stored=None)])
    assert script.asks[1].trials == {(Arm.CANDIDATE, key(50)): 2}
    assert good.must_pass_clean == 5
    assert key(50) not in {case.key for case in good.cases}

    bad = run(cases(30), Script(failing(50)), beside=[vital(50, rounds=3, stored=None)])
    assert (bad.verdict, bad.must_pass_failed) == (Verdict.WORSE, (key(50),))
    assert bad.calls == 30 + 3


def test_what_a_critical_case_states_itself_is_enough() -> None:
    """Its own number of trials is not raised."""
    script = Script()
    run([*cases(29), vital(29, rounds=2, least=2)], script)
    assert [ask.stage for ask in script.asks] == [Stage.ROUND]


@pytest.mark.parametrize("arm", list(Arm))
def test_errors_leave_no_verdict(arm: Arm) -> None:
    """More than one trial in twenty without a verdict, in either arm, and nothing is claimed."""
    script = Script(lambda a, k, _: None if a is arm and int(k[1][1:]) < 8 else True)
    decision = run(cases(100, None), script)

    assert decision.verdict is Verdict.NO_VERDICT
    assert arm.value in decision.problem


def test_errors_that_could_turn_the_verdict_around_make_it_fragile() -> None:
    """Two errors in 100 trials are no matter in cases that have other trials, and one where they are all there is."""
    few = Script(lambda arm, k, _: None if arm is Arm.CANDIDATE and k in (key(3), key(4)) else True)
    assert run(cases(100), few).fragile
    assert not run(cases(100), Script()).fragile

    once = Script(lambda arm, k, _: None if arm is Arm.CANDIDATE and k == key(3) else True)
    assert not run(cases(100), once).fragile  # one in a hundred is not asked about


def test_a_candidate_with_more_errors_is_told() -> None:
    """Errors in the candidate's arm alone are said where chance does not explain them; equal ones are not."""

    def lost(*arms: Arm) -> Script:
        return Script(lambda arm, k, _: None if arm in arms and int(k[1][1:]) < 9 else True)

    assert run(cases(200, None), lost(Arm.CANDIDATE)).more_errors
    assert not run(cases(200, None), lost(*Arm)).more_errors


def test_several_suites_share_one_level() -> None:
    """However many suites are compared in a run, its looks together err at most as often as one comparison may."""
    some = [replace(case, key=(f"suites/s{n % 4}.yaml", case.key[1])) for n, case in enumerate(cases(100))]
    weak = {case.key for n, case in enumerate(some) if n % 9 == 0}
    script = Script(lambda arm, k, stage: (arm, stage) != PLAYED or k not in weak)
    decision = run([replace(case, stored=Counts(4, 1)) for case in some], script)

    looks = [look for look in decision.looks if look.name is not LookName.DRIFT]
    assert sum(look.level for look in looks) <= SETTINGS.alpha + 1e-12
    assert len({case.key[0] for case in decision.cases}) == 4
    assert all(look.cases == 100 for look in looks if look.name is not LookName.CONFIRM)


def test_nothing_played_is_no_verdict() -> None:
    """When the first rounds can't be played there is nothing to say, and never a pass."""
    assert run(cases(100), lambda _: None).verdict is Verdict.NO_VERDICT
    assert run([], lambda _: None).verdict is Verdict.NO_VERDICT


def test_a_stage_that_does_not_fit_the_limit_is_left_out_whole() -> None:
    """A limit of trials stops before a stage, never inside one, and the decision says what was left out."""
    script = Script(failing(7))
    decision = run(cases(100), script, replace(SETTINGS, max_trials=110))

    assert [ask.total for ask in script.asks] == [100]
    assert decision.unplayed
    assert decision.calls == 100


def test_a_first_look_that_does_not_fit_is_no_verdict() -> None:
    """When not even the first rounds may be played, nothing is asked for and the reason is the limit."""
    script = Script()
    decision = run(cases(100), script, replace(SETTINGS, max_trials=99))

    assert script.asks == []
    assert decision.verdict is Verdict.NO_VERDICT
    assert "gate.max_trials (99)" in decision.problem


def test_a_suite_can_do_without_stages() -> None:
    """Without stages a large suite gets five rounds and one look with the whole level."""
    script = Script(failing(7))
    decision = run(cases(40), script, replace(SETTINGS, adaptive=False))

    assert [ask.total for ask in script.asks[:1]] == [200]
    assert Stage.CONFIRM not in {ask.stage for ask in script.asks}
    assert [case.key for case in decision.clearly_worse] == [key(7)]


def test_doubts_are_resolved_where_that_is_asked_for() -> None:
    """A first look that leans nowhere and can't exclude the margin is followed by more rounds only with `resolve`."""
    flaky = [replace(case, stored=Counts(3, 2)) for case in cases(30)]
    half = Script(lambda arm, k, stage: (arm, stage) != PLAYED or int(k[1][1:]) % 5 < 3)
    assert run(flaky, half).verdict is Verdict.CANT_TELL
    assert len(half.asks) == len([ask for ask in half.asks if ask.stage is not Stage.ROUND]) + 1

    more = Script(lambda arm, k, stage: (arm, stage) != PLAYED or int(k[1][1:]) % 5 < 3)
    run(flaky, more, replace(SETTINGS, resolve=True))
    assert [ask.stage for ask in more.asks].count(Stage.ROUND) == 2


def test_without_the_baseline_arm_the_stored_looks_remain() -> None:
    """Where the old prompt can't be played, the suspects stay suspects and the looks at the store still count."""
    script = Script(failing(*range(12)))

    def play(ask: StagePlan) -> Answer | None:
        return None if Arm.BASELINE in ask.arms else script(ask)

    decision = run(cases(100), play)
    assert (decision.verdict, decision.grounds) == (Verdict.WORSE, (Ground.STORED,))
    assert set(decision.unplayed) == {"the suspects side by side", "the baseline today"}


def test_tolerated_cases_are_set_aside() -> None:
    """A suite that accepts one clearly worse case is judged without it, and fails with two."""
    one = replace(SETTINGS, tolerated={SUITE: 1})
    assert run(cases(100), Script(failing(7)), one).verdict is not Verdict.WORSE
    assert run(cases(100), Script(failing(7)), one).accepted == (key(7),)
    assert run(cases(100), Script(failing(7, 8)), one).verdict is Verdict.WORSE


def test_broken_cases_are_found_although_the_mean_rises() -> None:
    """Three broken cases among many improved ones are worse, and said to be a trade-off."""
    some = [replace(case, stored=Counts(0, 5)) if n >= 60 else case for n, case in enumerate(cases(100))]
    decision = run(some, Script(failing(0, 1, 2)))

    assert decision.verdict is Verdict.WORSE
    assert decision.trade_off


def test_better_needs_more_than_a_rise() -> None:
    """A proven rise is better, an unproven one is not worse."""
    weak = [replace(case, stored=Counts(2, 3)) if n < 30 else case for n, case in enumerate(cases(100))]
    assert run(weak, Script()).verdict is Verdict.BETTER


def test_breadth_alone_can_be_asked_for() -> None:
    """A team that accepts trade-offs gates on the sum only."""
    some = [replace(case, stored=Counts(0, 5)) if n >= 60 else case for n, case in enumerate(cases(100))]
    lenient = replace(SETTINGS, breadth_only=True)

    assert run(some, Script(failing(0, 1, 2)), lenient).verdict is not Verdict.WORSE


def test_clusters_give_a_second_interval() -> None:
    """With clusters there is an interval for new cases too, which rests on their number."""
    grouped = [replace(case, cluster=f"t{n // 5}") for n, case in enumerate(cases(40))]
    decision = run(grouped, Script(failing(0, 1)))

    assert decision.delta_beyond is not None
    assert decision.delta_beyond.clusters == 8
    assert run(cases(40), Script()).delta_beyond is None


def test_finished_runs_are_compared_without_playing() -> None:
    """Two finished runs are decided by one look with the whole level."""
    told: Answer = {(Arm.CANDIDATE, key(n)): [n != 3] * 5 for n in range(25)}
    decision = decide_finished(cases(25), told, SETTINGS)

    assert decision.verdict is Verdict.WORSE
    assert [case.key for case in decision.clearly_worse] == [key(3)]
    assert decision.calls == 0


OUTCOMES = st.sampled_from([True, True, True, False, None])


@hypothesis_settings(max_examples=60)
@given(st.integers(1, 40), st.booleans(), st.data())
def test_any_outcomes_come_to_a_decision_that_is_a_function_of_them(
    count: int, fresh: bool, data: st.DataObject
) -> None:
    """Whatever is told, the comparison ends, asks at most five times, names suspects only, and says the same again."""
    told: dict[int, Answer] = {}
    some = cases(count, None if fresh else Counts(4, 1))

    def play(asked: list[StagePlan]) -> Player:
        def answer(ask: StagePlan) -> Answer | None:
            asked.append(ask)
            place = len(asked)
            if place not in told:
                told[place] = {
                    who: data.draw(st.lists(OUTCOMES, min_size=n, max_size=n)) for who, n in ask.trials.items()
                }
            return told[place]

        return answer

    first: list[StagePlan] = []
    decision = run(some, play(first))

    assert len(first) <= 4
    assert decision == run(some, play([]))
    assert decision.calls == sum(ask.total for ask in first)
    assert sorted(case.key for case in decision.cases) == [case.key for case in some]
    if decision.verdict is not Verdict.WORSE and not decision.problem:  # a withheld verdict hides no case that fell
        assert not [case for case in decision.cases if case.change is CaseChange.CLEARLY_WORSE and not decision.stale]
