"""Labels: kept line by line, and what they say about a judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import FileProblems
from evalkit.graders.judge import WORDING
from evalkit.labels import (
    Label,
    append_label,
    cohens_kappa,
    correct_rate,
    measure_agreement,
    read_labels,
    take_back_label,
)
from evalkit.records import Level
from evalkit.suites import load_suite
from evalkit.suites.load import read_suite
from evalkit.suites.writing import NewCase, NewTurn, append_cases
from tests.project_files import write_files

SUITE = """\
prompt: bot
judge: {model: judge-1, enforce: true}
cases:
  - id: a
    user: Hello
    expect: {judge: [Is kind]}
"""
answers = st.sampled_from(["yes", "no"])


def made(count: int, agreeing: int, model: str = "judge-1", wording: str = WORDING) -> list[Label]:
    """Return labels of which the first `agreeing` agree."""
    return [Label(f"e{n}", "Is kind", "yes", model, wording, "yes" if n < agreeing else "no") for n in range(count)]


@pytest.mark.parametrize(
    ("labels", "refused"),
    [
        (made(50, 43), ""),
        (made(50, 42), "has 50 labels and agreement 0.84 on 'Is kind'"),
        (made(49, 49), "has 49 labels"),
        (made(50, 50, model="judge-2"), "has 0 labels"),
        (made(50, 50, wording="other"), "has 0 labels"),
        ([], "has 0 labels"),
    ],
)
def test_a_judge_may_fail_trials_only_when_people_agree_with_it(
    tmp_path: Path, labels: list[Label], refused: str
) -> None:
    """Fifty labels and agreement 0.85 on each criterion, for this model and this wording."""
    write_files(tmp_path, {"suites/a.yaml": SUITE})
    for label in labels:
        append_label(tmp_path, "suites/a.labels.jsonl", label)

    if not refused:
        assert load_suite(tmp_path / "suites/a.yaml", tmp_path).judge is not None
        return
    with pytest.raises(FileProblems, match=refused) as caught:
        load_suite(tmp_path / "suites/a.yaml", tmp_path)
    assert [(problem.place.line, problem.place.column) for problem in caught.value.problems] == [(2, 34)]


def test_a_case_can_be_added_to_a_suite_whose_judge_may_fail_trials(tmp_path: Path) -> None:
    """What is written is checked as the file that it will be, with the labels that stand beside that one."""
    write_files(tmp_path, {"suites/a.yaml": SUITE})
    for label in made(50, 50):
        append_label(tmp_path, "suites/a.labels.jsonl", label)
    append_cases(tmp_path / "suites/a.yaml", tmp_path, lambda _: [NewCase("b", (NewTurn("Hello again"),))], "")
    assert [case.record.case_id for case in load_suite(tmp_path / "suites/a.yaml", tmp_path).cases] == ["a", "b"]


def test_a_suite_may_choose_to_enforce_a_judge_without_labels(tmp_path: Path) -> None:
    """Its criteria may fail a trial then; once labels vouch for the judge, the check says that `true` will do."""
    write_files(tmp_path, {"suites/a.yaml": SUITE.replace("true", "unlabelled")})

    suite, problems = read_suite(tmp_path / "suites/a.yaml", tmp_path)
    for label in made(50, 50):
        append_label(tmp_path, "suites/a.labels.jsonl", label)
    _, vouched = read_suite(tmp_path / "suites/a.yaml", tmp_path)

    assert suite is not None
    assert suite.judge is not None
    assert (suite.judge.enforce, suite.judge.unlabelled) == ("unlabelled", "judge-1")
    assert [one.level for one in suite.cases[0].record.assertions] == [Level.ERROR]
    assert problems == []
    assert [(one.severity, one.place.line) for one in vouched] == [("warning", 2)]
    assert "write `enforce: true`" in vouched[0].message


def test_the_last_word_on_an_answer_counts(tmp_path: Path) -> None:
    """A second label on the same answer replaces the first; taking it back brings the first one back."""
    first, second = Label("e", "c", "yes", "m", "w", "yes"), Label("e", "c", "no", "m", "w", "yes")
    append_label(tmp_path, "suites/a.labels.jsonl", first)
    append_label(tmp_path, "suites/a.labels.jsonl", second)
    assert read_labels(tmp_path, "suites/a.labels.jsonl") == (second,)

    take_back_label(tmp_path, "suites/a.labels.jsonl")

    assert read_labels(tmp_path, "suites/a.labels.jsonl") == (first,)


@pytest.mark.parametrize("line", ["{", "[]", '{"exhibit": "e"}', '{"label": "maybe"}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    """What is no label is a problem of its line."""
    write_files(tmp_path, {"suites/a.labels.jsonl": line + "\n"})

    with pytest.raises(FileProblems, match="is no label") as caught:
        read_labels(tmp_path, "suites/a.labels.jsonl")
    assert caught.value.problems[0].place.line == 1


def test_kappa_of_a_published_table() -> None:
    """Twenty yes and fifteen no of fifty shared, five and ten not: kappa is 0.4 (Wikipedia's worked example)."""
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15

    kappa, interval = cohens_kappa(pairs)

    assert kappa == pytest.approx(0.4)
    assert interval == pytest.approx((0.1512, 0.6488), abs=2e-4)


def test_a_judge_that_always_says_yes_has_no_kappa_to_show() -> None:
    """Ninety percent agreement with a judge that never says no is chance."""
    kappa, _ = cohens_kappa([("yes", "yes")] * 9 + [("no", "yes")])

    assert kappa == pytest.approx(0.0)
    assert cohens_kappa([("yes", "yes")] * 9) == (None, None)


@given(st.lists(st.tuples(answers, answers), max_size=30))
def test_kappa_obeys_its_laws(pairs: list[tuple[str, str | None]]) -> None:
    """It lies in its interval, is 1 for full agreement, and does not care who is the judge or what yes is called."""
    kappa, interval = cohens_kappa(pairs)
    turned = {"yes": "no", "no": "yes"}
    assert kappa == pytest.approx(cohens_kappa([(b or "", a) for a, b in pairs])[0])
    assert kappa == pytest.approx(cohens_kappa([(turned[a], turned[b or ""]) for a, b in pairs])[0])
    if kappa is not None and interval is not None:
        assert -1 <= interval[0] <= kappa + 1e-12
        assert kappa - 1e-12 <= interval[1] <= 1
        assert (kappa == pytest.approx(1)) == all(a == b for a, b in pairs)


def test_a_pass_rate_is_corrected_by_labels_on_the_runs_own_answers() -> None:
    """Labels on other runs, another judge or another statement say nothing about these answers."""
    answers = {f"e{n}": n % 4 > 0 for n in range(60)}
    own = [Label(f"e{n}", "Is kind", "yes" if n % 3 else "no", "judge-1", WORDING, "yes") for n in range(12)]
    beside = [*made(40, 40, model="judge-2"), *(replace(one, exhibit=f"old-{one.exhibit}") for one in made(40, 40))]

    found = correct_rate(answers, [*own, *beside], "Is kind", "judge-1", WORDING)
    few = correct_rate(answers, [*own[:9], *beside], "Is kind", "judge-1", WORDING)

    assert (found.answers, found.yes, found.labels) == (60, 45, 12)
    assert found.corrected == pytest.approx(8 / 12, abs=0.03)
    assert found.interval is not None
    assert found.interval[0] < 0.5
    assert (few.labels, few.corrected, few.interval) == (9, None, None)


def test_agreement_counts_only_answers_that_both_gave() -> None:
    """A label beside no answer of the judge says nothing about it."""
    labels = [*made(3, 2), Label("x", "Is kind", "yes", "judge-1", WORDING, None)]

    found = measure_agreement(labels, "Is kind", "judge-1", WORDING)

    assert (found.labels, found.agreed, found.people_yes, found.judge_yes) == (3, 2, 3, 2)
    assert not found.trusted
