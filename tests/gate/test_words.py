"""A decision in words: one sentence for each verdict, and remarks that never leave out a doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalkit.gate import decision_in_words, outlook, outlook_in_words, remarks
from evalkit.gate.power import break_cases, drop_by, forecast
from evalkit.records import (
    CaseChange,
    ComparedCase,
    Counts,
    Decision,
    Ground,
    Interval,
    Look,
    LookName,
    MetricChange,
    Verdict,
)

DELTA = Interval(-0.071, -0.11, -0.032, 0.02)
NOTHING = Decision(
    Verdict.NOT_WORSE, (), (), 1.0, replace(DELTA, value=0.0, low=-0.021), None, (), margin=0.05, fresh=False
)
BROKEN = ComparedCase(
    ("suites/a.yaml", "late-parcel"), CaseChange.CLEARLY_WORSE, Counts(5), Counts(0, 1), adjusted_p=0.001
)
WORSE = replace(
    NOTHING,
    verdict=Verdict.WORSE,
    grounds=(Ground.SIDE_BY_SIDE,),
    looks=(Look(LookName.CONFIRM, 1, 0.001, 0.001, 0.002, 0.015),),
    overall_p=0.0067,
    delta=DELTA,
    cases=(BROKEN,),
)


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (NOTHING, "not worse than v3: a drop of more than 2.1 points is excluded"),
        (WORSE, "worse than v3: 1 case clearly worse (late-parcel)"),
        (replace(WORSE, trade_off=True), "a trade-off"),
        (replace(WORSE, cases=()), "pass rates fell over many cases, −7.1 points"),
        (
            replace(WORSE, grounds=(Ground.MUST_PASS,), must_pass_failed=(BROKEN.key,), cases=()),
            "1 critical case failed",
        ),
        (replace(NOTHING, verdict=Verdict.CANT_TELL, delta=DELTA), "can't tell whether it is worse than v3"),
        (replace(NOTHING, verdict=Verdict.CANT_TELL, stale=True), "itself scores lower today"),
        (replace(NOTHING, verdict=Verdict.BETTER), "better than v3"),
        (
            replace(NOTHING, verdict=Verdict.NO_VERDICT, problem="nothing was measured"),
            "no comparison with v3: nothing",
        ),
    ],
)
def test_every_verdict_has_its_sentence(decision: Decision, words: str) -> None:
    """The sentence says what happened, with what was compared."""
    assert words in decision_in_words(decision, "v3")


def test_remarks_name_evidence_and_doubts() -> None:
    """How sure it is, what was not played, what is fragile, what was accepted: all of it is said."""
    metric = MetricChange("cost_usd", Interval(1.3, 1.2, 1.4, 0.05), 1.3, 20, limit=0.1)
    doubtful = replace(
        WORSE, fragile=True, more_errors=True, unplayed=("more rounds",), accepted=(BROKEN.key,), metrics=(metric,)
    )
    told = "; ".join(remark.words for remark in remarks(doubtful))

    for words in (
        "0.67 %",
        "side by side",
        "fragile",
        "more rounds",
        "accepted by max_regressions",
        "cost a case +30 %",
    ):
        assert words in told
    assert metric.over
    assert "cost rose by 30 %" in decision_in_words(replace(doubtful, grounds=(Ground.BUDGET,), cases=()), "v3")


def test_the_outlook_grows_with_trials_and_cases() -> None:
    """More rounds, a longer baseline or more cases make a smaller drop visible, at a price."""
    seen = outlook([(5, 5)] * 80 + [(3, 5)] * 20, 3, 0.01)

    assert seen is not None
    assert seen.drop is not None
    assert all(offer.drop is not None and offer.drop < seen.drop for offer in seen.offers)
    assert seen.offers[0].cost_usd == pytest.approx(2.0)
    assert "about $2.00" in outlook_in_words(seen)
    assert outlook([(0, 5)] * 10, 3) is None


def test_a_forecast_plays_the_gate() -> None:
    """Broken cases and a large drop are seen in nearly every simulated run, no change in hardly any."""
    counts = [Counts(5)] * 26 + [Counts(3, 2)] * 4

    assert forecast(counts, 3, break_cases(3), runs=40) >= 0.9
    assert forecast(counts, 3, drop_by(0.3), runs=40) >= 0.9
    assert forecast(counts, 3, drop_by(0.0), runs=40) <= 0.1
