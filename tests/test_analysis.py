"""From records to numbers: verdicts over trials, and totals that come from the records alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.analysis import WhyTrials, analyse, case_verdict, summarise
from evalkit.errors import EvalkitError
from evalkit.records import Attempt, CaseVerdict, Failure, Level, Trial, TrialVerdict
from tests.made_up_run import (
    FAILED,
    NOT_MEASURED,
    PASSED,
    SUITE,
    MadeUpRun,
    case,
    down,
    request,
    run_of,
    score,
    tool_turn,
    trial,
    trials,
    turn,
    usage,
    voice,
)

COUNTS = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 9), st.integers(0, 9)).filter(
    lambda c: c[1] <= c[0] and c[2] + c[3] <= c[0]
)


@pytest.mark.parametrize(
    ("marks", "verdict"),
    [
        ("ppp", CaseVerdict.PASS),
        ("ppf", CaseVerdict.UNSTABLE),
        ("pp.", CaseVerdict.UNSTABLE),
        ("ppn", CaseVerdict.UNSTABLE),
        ("pff", CaseVerdict.FAIL),
        ("ff.", CaseVerdict.FAIL),
        ("f..", CaseVerdict.NOT_MEASURED),
        ("p..", CaseVerdict.NOT_MEASURED),
        ("pfn", CaseVerdict.NOT_MEASURED),
        ("...", CaseVerdict.NOT_MEASURED),
        ("nnn", CaseVerdict.NOT_MEASURED),
    ],
)
def test_verdict_of_a_case(marks: str, verdict: CaseVerdict) -> None:
    """A case of which two of three trials must pass is decided as soon as the open trials can't change it."""
    assert summarise(run_of({"a": marks})).cases[0].verdict is verdict


@pytest.mark.parametrize(
    ("marks", "verdict"),
    [
        ("ppp", CaseVerdict.PASS),
        ("ppf", CaseVerdict.FAIL),
        ("f..", CaseVerdict.FAIL),
        ("pp.", CaseVerdict.NOT_MEASURED),
    ],
)
def test_critical_case_needs_every_trial(marks: str, verdict: CaseVerdict) -> None:
    """A critical case fails with its first failed trial and passes only with the last one passed."""
    run = run_of({"a": marks}, cases=[case("a", critical=True)])
    assert summarise(run).cases[0].verdict is verdict


@given(COUNTS)
def test_verdict_never_turns_back(counts: tuple[int, int, int, int]) -> None:
    """A decided case stays pass-like or fail whatever its open trials become."""
    planned, needed, passed, failed = counts
    before = case_verdict(passed, failed, planned, needed)
    still_open = planned - passed - failed
    for more in range(still_open + 1):
        after = case_verdict(passed + more, planned - passed - more, planned, needed)
        assert after is not CaseVerdict.NOT_MEASURED
        if before is CaseVerdict.FAIL:
            assert after is CaseVerdict.FAIL
        if before is CaseVerdict.UNSTABLE:
            assert after in (CaseVerdict.UNSTABLE, CaseVerdict.PASS)


def test_missing_trials_stand_in_their_gap() -> None:
    """A trial that was not run has its own place among the trials of its case."""
    outcomes = summarise(run_of({"a": "p.f"})).cases[0].trials
    assert [(o.trial, o.verdict, o.recorded) for o in outcomes] == [
        (1, PASSED, True),
        (2, NOT_MEASURED, False),
        (3, FAILED, True),
    ]


def test_skipped_case_counts_nowhere() -> None:
    """A skipped case is counted as skipped and as nothing else."""
    summary = summarise(run_of({"a": "ppp"}, cases=[case("a"), case("b", skip="no fixture yet")]))
    assert (summary.tally.cases, summary.tally.skipped, summary.trials_planned) == (1, 1, 3)
    assert summary.cases[1].why == "skipped: no fixture yet"


def test_why_names_what_broke_most_often() -> None:
    """The one-line reason is the assertion that broke in most trials, not the first that broke."""
    once, often = score(FAILED, "max_words 90"), score(FAILED, 'never_says "soon"')
    played = [trial("a", 1, once, often), trial("a", 2, often), trial("a", 3, often)]
    summary = summarise(MadeUpRun([case("a")], played))
    assert summary.cases[0].why == 'never_says "soon" and 1 more'
    assert summary.cases[0].broken == ("never_says", "max_words")


def test_reason_for_not_measured_is_told() -> None:
    """A case without a reply says what the API said."""
    assert summarise(run_of({"a": "nnn"})).cases[0].why == "turn 1: overloaded_error (status 529): Overloaded"


def test_run_without_suites_still_shows_its_conversations() -> None:
    """A recorded conversation that no suite knows becomes a case that was not measured."""
    ungraded = replace(trial("chat-1", 1), score=None)
    summary = summarise(MadeUpRun([], [ungraded], suites=()))
    assert [(c.case_id, c.verdict, c.why) for c in summary.cases] == [
        ("chat-1", CaseVerdict.NOT_MEASURED, "not graded")
    ]


def test_trial_counted_twice_is_an_error() -> None:
    """A record that holds a trial twice is refused, because every total would be wrong."""
    with pytest.raises(EvalkitError, match=r"lamps.yaml::a@support@v2#1.*twice"):
        summarise(MadeUpRun([case("a")], [*trials("a", "p"), *trials("a", "p")]))


def test_rules_are_counted_in_trials() -> None:
    """A rule that breaks twice in a trial is broken in one trial; what could not be measured is counted apart."""
    twice = [voice("brief"), voice("brief")]
    played = [trial("a", 1, *twice), trial("a", 2, voice("brief", PASSED)), trial("a", 3, voice("brief", NOT_MEASURED))]
    (rule,) = summarise(MadeUpRun([case("a")], played)).rules
    assert (rule.name, rule.level, rule.broken, rule.measured, rule.not_measured) == (
        "voice/brief",
        Level.WARNING,
        1,
        2,
        1,
    )


def test_rules_group_assertions_by_kind() -> None:
    """Assertions of one kind are one rule, which lists those that broke with their places."""
    played = [
        trial("a", 1, score(FAILED, 'says "x"'), score(FAILED, 'says "y"')),
        trial("a", 2, score(FAILED, 'says "y"')),
    ]
    (rule,) = summarise(MadeUpRun([case("a")], played)).rules
    assert [(label, count) for label, count, _ in rule.labels] == [('says "y"', 2), ('says "x"', 1)]
    assert (rule.name, rule.broken) == ("says", 2)


def test_money_is_summed_from_the_records() -> None:
    """The cost of the run is the sum of its requests, those of failed attempts included."""
    failure = Failure("overloaded_error", "Overloaded")
    paid_in_vain = Attempt(failure, 500.0, usage(), 0.01)
    played = [trial("a", 1, score(PASSED), turns=[turn()]), trial("a", 2, score(PASSED), turns=[tool_turn()])]
    retried = replace(turn(), requests=(request(attempts=(paid_in_vain,)),))
    played.append(trial("a", 3, score(PASSED), turns=[retried]))
    summary = summarise(MadeUpRun([case("a")], played))
    assert summary.money.cost_usd == pytest.approx(4 * 0.001 + 0.01)
    assert summary.cases[0].cost_usd == pytest.approx(0.014)
    assert (summary.requests, summary.retries, summary.money.unknown) == (4, 1, 0)


def test_unknown_price_is_unknown() -> None:
    """A reply without a price makes the cost unknown, never zero."""
    unpriced = replace(turn(), requests=(request(cost_usd=None),))
    summary = summarise(MadeUpRun([case("a")], [trial("a", 1, score(PASSED), turns=[unpriced])]))
    assert (summary.money.cost_usd, summary.money.unknown) == (None, 1)
    assert summary.cases[0].cost_usd is None
    assert summary.suites[0].cost_usd is None


def test_partly_unknown_price_keeps_the_known_part() -> None:
    """The run's cost is the known part and how many requests are missing from it."""
    unpriced = replace(turn(), requests=(request(cost_usd=None),))
    played = [trial("a", 1, score(PASSED)), trial("a", 2, score(PASSED), turns=[unpriced])]
    summary = summarise(MadeUpRun([case("a")], played))
    assert summary.money.cost_usd == pytest.approx(0.001)
    assert (summary.money.unknown, summary.cases[0].cost_usd) == (1, None)


def test_nothing_sent_costs_nothing() -> None:
    """A request that never got a reply was not billed: its cost is zero, not unknown."""
    summary = summarise(run_of({"a": "nnn"}))
    assert (summary.money.cost_usd, summary.money.unknown) == (0.0, 0)


def test_cache_counts_from_the_second_request() -> None:
    """The later share leaves out the first request of each session, which can only write."""
    first = request(1, 1, usage=usage(input_tokens=0, ephemeral_5m_input_tokens=1000, cache_read_input_tokens=0))
    second = request(
        2, 1, usage=usage(input_tokens=250, cache_read_input_tokens=750), cache_miss_reason="system_changed"
    )
    played = [trial("a", 1, score(PASSED), turns=[replace(turn(), requests=(first, second))])]
    cache = summarise(MadeUpRun([case("a")], played)).cache
    assert (cache.read_share, cache.later_share) == (0.375, 0.75)
    assert cache.misses == (("system_changed", 1),)


def test_times_leave_waiting_out() -> None:
    """A turn's time is its requests' time: first token of the first one, the sum of all, waiting left out."""
    played = [trial("a", 1, score(PASSED), turns=[tool_turn()])]
    waited = replace(turn(), requests=(request(waited_ms=60_000.0),))
    played.append(trial("a", 2, score(PASSED), turns=[waited]))
    summary = summarise(MadeUpRun([case("a")], played))
    assert summary.first_token.values == (400.0, 400.0)
    assert summary.whole_reply.values == (1200.0, 2400.0)


def test_failures_by_kind() -> None:
    """Failed requests are counted by kind, retried and final apart, with the first one's words."""
    attempt = Attempt(Failure("rate_limit_error", "Slow down", 429), 1000.0)
    retried = replace(turn(), requests=(request(attempts=(attempt, attempt)),))
    played = [trial("a", 1, score(PASSED), turns=[retried]), down("a", 2), down("a", 3)]
    failures = summarise(MadeUpRun([case("a")], played)).failures
    assert [(f.kind, f.retried, f.final) for f in failures] == [("overloaded_error", 0, 2), ("rate_limit_error", 2, 0)]
    assert (failures[0].message, failures[0].status, failures[0].request_id) == ("Overloaded", 529, "req_down2")


def test_turns_add_up_to_the_tokens_of_the_run() -> None:
    """Tokens by turn add up to the tokens by model."""
    played = [trial("a", n, score(PASSED), turns=[turn(1), turn(2)]) for n in (1, 2)]
    summary = summarise(MadeUpRun([case("a")], played))
    by_kind = {kind.kind: kind.tokens for kind in summary.money.models[0].kinds}
    assert [(t.turn, t.trials) for t in summary.turns] == [(1, 2), (2, 2)]
    assert sum(t.input_tokens for t in summary.turns) == by_kind["input"] == 800
    assert sum(t.cache_read_tokens for t in summary.turns) == by_kind["cache read"]


def test_tags_count_clusters_as_one() -> None:
    """Variants of one case are one piece of evidence: the interval appears from ten independent cases on."""
    variants = [case(f"v/{n}", tags=("stock",), cluster="v") for n in range(12)]
    singles = [case(f"s{n}", tags=("price",)) for n in range(10)]
    played = [each for c in variants + singles for each in trials(c.case_id, "ppp")]
    tags = {tag.tag: tag for tag in summarise(MadeUpRun([*variants, *singles], played)).tags}
    assert (tags["stock"].cases, tags["stock"].units, tags["stock"].interval) == (12, 1, None)
    assert tags["price"].interval == pytest.approx((0.7225, 1.0), abs=1e-3)


THREE_CASES = run_of({"a": "ppf", "b": "fff", "c": "npp"})


@settings(max_examples=30)
@given(st.permutations(THREE_CASES.played))
def test_order_of_trials_is_nothing(shuffled: list[Trial]) -> None:
    """The summary does not depend on the order in which trials ended."""
    summary = summarise(replace(THREE_CASES, played=shuffled))
    assert replace(summary, failures=()) == replace(summarise(THREE_CASES), failures=())


def test_empty_run_has_no_numbers() -> None:
    """A run that measured nothing has None where a number would be a lie."""
    summary = summarise(MadeUpRun([], [], suites=()))
    assert (summary.cache.read_share, summary.first_token.p50, summary.requests) == (None, None, 0)


def test_details_hold_the_first_failed_trial() -> None:
    """For each case that did not pass the first failed trial is kept, else the first not measured."""
    details = analyse(run_of({"a": "pnf", "b": "nnp", "c": "ppp"})).details
    assert {key[1]: kept.key.trial for key, kept in details.items()} == {"a": 3, "b": 1}


def test_details_are_bounded() -> None:
    """However many cases fail, only so many trials are held, and critical failures are held first."""
    why = WhyTrials(critical={(SUITE, "last")}, limit=5)
    for n in range(50):
        why.offer(down(f"down{n}", 1))
        why.offer(trial(f"case{n}", 1, score(FAILED)))
    why.offer(trial("last", 1, score(FAILED)))
    assert len(why.trials) == 5
    assert (SUITE, "last") in why.trials
    assert all(kept.score and kept.score.verdict is TrialVerdict.FAILED for kept in why.trials.values())


def test_money_by_kind_adds_up_to_the_bill() -> None:
    """Costs by token kind are the list price's shares of what the record says was paid."""
    run = run_of({"a": "ppp"})
    (model,) = summarise(run).money.models
    parts = [kind.cost_usd for kind in model.kinds]
    assert all(part is not None for part in parts)
    assert sum(part or 0 for part in parts) == pytest.approx(model.cost_usd)
    assert {kind.kind: kind.tokens for kind in model.kinds}["cache read"] == 3000


def test_money_by_kind_is_unknown_without_a_price() -> None:
    """A model that the price table does not know has a bill but no split."""
    strange = replace(turn(), requests=(request(body={"model": "some-other-model"}),))
    (model,) = summarise(MadeUpRun([case("a")], [trial("a", 1, score(PASSED), turns=[strange])])).money.models
    assert model.cost_usd == 0.001
    assert {kind.cost_usd for kind in model.kinds} == {None}
