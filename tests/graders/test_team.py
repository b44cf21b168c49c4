"""A team's own graders: found among installed packages, their parameters checked, their errors survived."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evalkit.graders.team import team_graders
from evalkit.records import TrialVerdict
from evalkit.scoring import score_trial
from evalkit.suites import read_suite
from tests.graders.build import finding, requirement, said
from tests.project_files import write_files
from tests.runner.project import make_project, run, trials_of

CODE = """\
from pydantic import Field
from evalkit.graders import Grader, ReplyGrader
from evalkit.records import Finding, Span, TrialVerdict

class FewWords(Grader):
    most: int
    ignore: tuple[str, ...] = ()

    def grade(self, transcript, turn):
        n = sum(word not in self.ignore for turn in transcript.turns for word in turn.reply.split())
        verdict = TrialVerdict.PASSED if n <= self.most else TrialVerdict.FAILED
        return Finding(verdict, f"{n} words", f"at most {self.most}", spans=(Span(1, 0, 5),))

class Share(Grader):
    least: float = Field(ge=0, le=1)

    def grade(self, transcript, turn):
        return Finding(TrialVerdict.PASSED, str(self.least))

class Plain(ReplyGrader):
    def judge_reply(self, reply, turn):
        return Finding(TrialVerdict.PASSED, turn=turn)

class Breaks(Grader):
    def grade(self, transcript, turn):
        raise RuntimeError("no luck")

class Leaves(Grader):
    def grade(self, transcript, turn):
        raise SystemExit(0)

class Wrong(Grader):
    def grade(self, transcript, turn):
        return True

class Beside(Grader):
    def grade(self, transcript, turn):
        return Finding(TrialVerdict.FAILED, spans=(Span(1, 0, 999),))

class Unfinished(Grader):
    least: int = 1

def untyped(transcript, params):
    return Finding(TrialVerdict.PASSED)

number = 7
"""
ENTRIES = {
    "few_words": "FewWords",
    "share": "Share",
    "plain": "Plain",
    "breaks": "Breaks",
    "leaves": "Leaves",
    "wrong": "Wrong",
    "beside": "Beside",
    "unfinished": "Unfinished",
    "untyped": "untyped",
    "number": "number",
}


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a small package of graders for one test: a module and its metadata in a folder that Python searches."""
    site = tmp_path / "site"
    entries = "\n".join(f"{name} = acme_graders:{kind}" for name, kind in ENTRIES.items())
    files = {
        "acme_graders.py": CODE,
        "acme_graders-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-graders\nVersion: 1.0\n",
        "acme_graders-1.0.dist-info/entry_points.txt": (
            f"[evalkit.graders]\n{entries}\ngone = acme_graders:gone\nlost = acme_lost:x\n"
        ),
    }
    write_files(site, files)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "acme_graders", raising=False)
    return site


def check(root: Path, line: str) -> list[tuple[int, int, str]]:
    """Return line, column and text of the problems of a suite whose tenth line is `team: [LINE]`."""
    text = f"prompt: bot\ncases:\n  - id: a\n    user: Hello\n    expect:\n      team:\n        - {line}\n"
    write_files(root, {"suites/a.yaml": text})
    _, problems = read_suite(root / "suites/a.yaml", root)
    return [(problem.place.line, problem.place.column, problem.message) for problem in problems]


def test_installed_graders_are_known_by_name() -> None:
    """Every entry point of the group counts."""
    assert set(ENTRIES) <= set(team_graders())


@pytest.mark.parametrize(
    "line",
    [
        "{grader: few_words, with: {most: 3, ignore: [the]}}",
        "{grader: share, with: {least: 0.5}}",
        "{grader: share, with: {least: 1}}",
        "{grader: plain}",
    ],
)
def test_parameters_that_fit_their_type_are_taken(tmp_path: Path, line: str) -> None:
    """Keys with and without limits, and graders without keys."""
    assert check(tmp_path, line) == []


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("{grader: few_word}", 20, "no installed package registers a grader 'few_word' (did you mean 'few_words'?)."),
        ("{grader: few_words, with: {most: many}}", 44, "grader 'few_words': most: Input should be a valid integer"),
        ("{grader: few_words, with: {mots: 3}}", 38, "grader 'few_words': unknown key 'mots' (did you mean 'most'?)."),
        ("{grader: few_words}", 11, "grader 'few_words': most: Field required."),
        ("{grader: share, with: {least: 2}}", 41, "grader 'share': least: Input should be less than or equal to 1."),
        ("{grader: share, with: {least: '0.5'}}", 41, "grader 'share': least: Input should be a valid number."),
        ("{grader: plain, with: {most: 3}}", 34, "grader 'plain': unknown key 'most'."),
        ("{grader: untyped}", 20, "grader 'untyped' is no subclass of evalkit.graders.Grader."),
        ("{grader: unfinished}", 20, "grader 'unfinished' has no `grade`."),
        ("{grader: number}", 20, "grader 'number' is no subclass of evalkit.graders.Grader."),
        ("{grader: gone}", 20, "grader 'gone' can't be loaded: AttributeError"),
        ("{grader: lost}", 20, "grader 'lost' can't be loaded: ModuleNotFoundError"),
    ],
)
def test_what_does_not_fit_is_a_problem_at_its_place(tmp_path: Path, line: str, column: int, message: str) -> None:
    """The line and column of the value, and what was expected."""
    problems = check(tmp_path, line)

    assert [problem[0] for problem in problems] == [7] * len(problems)
    assert any(problem[1] == column and problem[2].startswith(message) for problem in problems), problems


def test_a_teams_grader_decides_like_any_other() -> None:
    """Its finding is the score's, marks included."""
    found = finding(said("Hello there, dear friend."), "team", {"team": [{"grader": "few_words", "with": {"most": 3}}]})

    assert (found.verdict, found.observed, found.expected) == (TrialVerdict.FAILED, "4 words", "at most 3")
    assert [(span.start, span.end) for span in found.spans] == [(0, 5)]


@pytest.mark.parametrize(
    ("grader", "note"),
    [
        ("breaks", "grader 'breaks' broke: RuntimeError: no luck"),
        ("leaves", "grader 'leaves' broke: SystemExit: 0"),
        ("wrong", "grader 'wrong' returned bool; expected an evalkit.records.Finding"),
        ("beside", "grader 'beside' marked characters 0 to 999 of turn 1, which are not there"),
        ("gone", "grader 'gone' can't be loaded"),
        ("uninstalled", "no installed package registers a grader 'uninstalled'"),
    ],
)
def test_what_a_teams_grader_breaks_is_not_measured(grader: str, note: str) -> None:
    """The reason is told, the trial is not measured, and nothing else is lost."""
    asked = requirement("team", {"team": [{"grader": grader}]})
    says = requirement("says", {"says": ["hello"]})

    score = score_trial(said("Hello."), [asked, says])

    assert score.scores[0].finding.verdict is TrialVerdict.NOT_MEASURED
    assert score.scores[0].finding.note.startswith(note)
    assert score.scores[1].finding.verdict is TrialVerdict.PASSED
    assert score.verdict is TrialVerdict.NOT_MEASURED


def test_a_teams_grader_works_in_a_run(tmp_path: Path) -> None:
    """Named in a suite, it is graded like everything else, and a warning of its own fails nothing."""
    checks = [
        {"grader": "few_words", "with": {"most": 9}},
        {"grader": "few_words", "with": {"most": 1}, "level": "warning"},
    ]
    case = {"id": "a", "user": "Hello", "expect": {"team": checks}, "stand_in": [{"say": "Good day to you."}]}

    trial = trials_of(run(make_project(tmp_path, cases=[case], trials=1)))["a", 1]

    assert trial.score is not None
    assert [one.finding.verdict.value for one in trial.score.scores] == ["passed", "failed"]
    assert trial.score.verdict is TrialVerdict.PASSED
