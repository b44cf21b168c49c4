"""report.html of a run that was compared: verdict, difference, cases with what they were, stages, money, notes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.analysis import summarise
from evalkit.gate import Compared, judge
from evalkit.records import Interval, MetricChange
from evalkit.reporting import render_html
from evalkit.reporting.html.against import interval_in_points
from tests.made_up_run import MadeUpRun, case, run_of, suite, trials
from tests.reporting.showcase import against_passing, showcase
from tests.reporting.test_html import words_of


def page_of(run: MadeUpRun, compared: Compared, folder: Path) -> str:
    """The page of a compared run."""
    summary = summarise(run)
    render_html(summary, judge(summary, compared), run.trials(), folder / "report.html", compared.told)
    return (folder / "report.html").read_text("utf-8")


def section(page: str) -> str:
    """What a reader sees of the section about the baseline."""
    found = re.search(r'<section id="against".*?</section>', page, re.DOTALL)
    assert found
    return words_of(found[0])


BROKEN = {"gone": "fffff", "shaky": "ppppf", **{f"fine-{n}": "ppppp" for n in range(6)}}


def test_a_worse_run_shows_what_it_rests_on(tmp_path: Path) -> None:
    """Sentence, difference with interval, named case, baseline with its day, trials, cost and length are there."""
    run = run_of(BROKEN)
    compared = against_passing(run)
    told = section(page_of(run, compared, tmp_path))

    assert compared.told is not None
    assert compared.told.decision is not None
    assert compared.told.decision.delta is not None
    assert "Worse than suites/lamps.baseline.json" in told
    assert interval_in_points(compared.told.decision.delta) in told
    assert "Clearly worse 1 gone was 5/5, now 0/5" in told
    assert "support@v1 (7ad17ad), accepted 2026-11-14" in told
    assert "stored with the baseline 40 of 40" in told
    assert "rounds over all cases 34 of 40" in told
    assert "cost a case, 8 cases 0 % (0 % to 0 %)" in told


def test_every_case_shows_what_it_was(tmp_path: Path) -> None:
    """Rows and what broke say what the case was and is, and a clearly worse one is marked."""
    page = page_of(run_of(BROKEN), against_passing(run_of(BROKEN)), tmp_path)
    rows = {name: row for row in page.split("<tr data-at=")[1:] for name in BROKEN if f">{name}</a>" in row}

    assert 'class="was">was 5/5, now 4/5<' in rows["shaky"]
    assert "clearly worse" in rows["gone"]
    assert "clearly worse" not in rows["shaky"]
    entry = page.split('<details class="entry')[1]
    assert "clearly worse" in entry
    assert "was 5/5, now 0/5" in entry
    index = json.loads(re.search(r'id="index">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert index["was"][index["id"].index("shaky")] == "was 5/5, now 4/5"


def test_every_note_is_told_once(tmp_path: Path) -> None:
    """Notes of the verdict stand on the page; the ones that the section shows with more detail are not repeated."""
    run = run_of(BROKEN)
    compared = against_passing(run)
    compared = replace(compared, baselines=(replace(compared.baselines[0], vanished=("lost-case",)),))
    notes = judge(summarise(run), compared).notes
    page = page_of(run, compared, tmp_path)

    assert any(note.words.startswith("cost a case") for note in notes)
    assert "gone since suites/lamps.baseline.json: lost-case" in section(page)
    assert section(page).count("cost a case") == 1


def test_an_unchanged_run_is_quiet(tmp_path: Path) -> None:
    """Where nothing is wrong there is a sentence with its link, and no list of cases."""
    run = run_of({f"fine-{n}": "ppppp" for n in range(20)})
    page = page_of(run, against_passing(run), tmp_path)

    assert "Not worse than suites/lamps.baseline.json" in words_of(page)
    assert "no baseline was compared" not in words_of(page)
    told = section(page)
    assert not any(word in told for word in ("Clearly worse", "Looks worse", "Better"))
    assert 'class="chip c-' not in page


def test_without_a_baseline_there_is_no_section(tmp_path: Path) -> None:
    """A run that could not be compared says why in one line, and shows no empty tables."""
    run = run_of({"a": "ppp"})
    missing = replace(against_passing(run).baselines[0], use="none", note="it is gone", prompt_ref="", cases={})
    page = page_of(run, Compared(None, (missing,)), tmp_path)

    assert 'id="against"' not in page
    assert "no baseline yet: evalkit bless makes this run the baseline" in words_of(page)
    assert json.loads(re.search(r'id="index">(.*?)</script>', page, re.DOTALL)[1])["was"] is None  # type: ignore[index]


def test_several_suites_stand_beside_each_other(tmp_path: Path) -> None:
    """With more than one suite each has its verdict, difference and baseline."""
    other = "suites/shades.yaml"
    cases = [*(case(name, trials=5) for name in "abcde"), *(case(name, suite=other, trials=5) for name in "abcde")]
    played = [t for name in "abcde" for t in (*trials(name, "ppppp"), *trials(name, "fffff", other))]
    run = MadeUpRun(cases, played, suites=(suite(), suite(other)))
    told = section(page_of(run, against_passing(run), tmp_path))

    assert "suites/lamps.yaml support@v1 (7ad17ad), accepted 2026-11-14 can't tell 0.0 points" in told
    assert "suites/shades.yaml support@v1 (7ad17ad), accepted 2026-11-14 worse −100.0 points" in told


@pytest.mark.parametrize(
    ("low", "limit", "said"),
    [(1.2, 0.1, "at most +10 % is allowed: proven to be more"), (1.0, 0.1, "above it, not proven"), (1.2, None, "")],
)
def test_a_limit_is_said_beside_its_metric(low: float, limit: float | None, said: str, tmp_path: Path) -> None:
    """A dearer candidate shows its ratio with the interval, and the limit with how far it is proven."""
    run = run_of(BROKEN)
    compared = against_passing(run)
    assert compared.decision is not None
    metric = MetricChange("cost_usd", Interval(1.3, low, 1.4, 0.1), 1.3, 8, limit)
    compared = replace(compared, decision=replace(compared.decision, metrics=(metric,)))
    told = section(page_of(run, compared, tmp_path))

    assert "cost a case, 8 cases +30 % (" in told
    assert said in told
    assert ("allowed" in told) == (limit is not None)


def test_the_showcase_compares(tmp_path: Path) -> None:
    """Hostile case ids and everything else of the showcase go through the section as text."""
    page = page_of(showcase(), against_passing(showcase()), tmp_path)
    assert "where-is-my-parcel#3 / late was 5/5, now 1/3" in section(page)


def test_rules_and_tags_are_told_apart_from_the_verdict(tmp_path: Path) -> None:
    """What fell, by rule and tag, has q values and says that it decides nothing; what stayed the same is left out."""
    told = section(page_of(showcase(), against_passing(showcase()), tmp_path))

    assert re.search(r"By rule and tag: \d+ lower diagnostic, does not gate", told)
    assert re.search(r"shipping tag 15 of 15 2 of 9 <0.001", told)
    assert "tone tag" not in told
