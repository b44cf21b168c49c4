"""A clinic's project on the stand-in, from its files to the words in the terminal: no code knows of clinics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evalkit.analysis import Analysis, analyse
from evalkit.cli.main import cli
from evalkit.gate import judge
from evalkit.pricing import price_with
from evalkit.records import Problem, ScriptGap, TrialVerdict
from evalkit.reporting import Screen, render_case, render_html, render_run
from evalkit.runner import Project
from evalkit.store import RunReader
from evalkit.suites.check import check_project
from tests.project_files import write_files
from tests.runner.project import Silent, run

HEADER = "---\nmodel: claude-sonnet-5-5\nmax_tokens: 300\ntools: [tools/find.yaml, tools/book.yaml]\n---\n"
CAREFUL = "You are the front desk. Book only after the patient has chosen. If it is serious, say: call 999.\n"
TOOL = """\
name: {name}
description: {name} at the clinic's front desk, by day and time.
input_schema: {{type: object, properties: {{doctor: {{type: string, description: Whom to see.}}}}}}
"""
SCRIPT = """\
words: {doctor: {osei: Osei, lindqvist: Lindqvist}}
prompt:
  choose: only after the patient has chosen
  emergency: call 999
rules:
  - {user: chest pain, has: emergency, say: Please call 999 at once.}
  - {user: chest pain, say: Shall I look for a time next week?}
  - user: "{doctor}"
    call: {find_slots: {doctor: "{{ doctor }}"}}
    then:
      - {lacks: choose, call: {book_slot: {doctor: "{{ doctor }}"}}, say: It is booked.}
      - say: Monday at nine or Tuesday at ten. Which one would you like?
  - {user: thank, say: You are welcome.}
judge:
  - {user: Asks which time, output: {quote: Which one would you like?, reason: It asks., answer: "yes"}}
simulate:
  - {user: chat window is open, say: Can Dr Osei see me?}
  - {user: Which one would you like, say: Tuesday. Thank you.}
  - {user: welcome, say: "[GOAL REACHED]"}
"""
SUITE = """\
prompt: clinic
trials: 1
tools: {find_slots: [{returns: {slots: [mon, tue]}}], book_slot: [{returns: {reference: B-7}}]}
cases:
  - {id: asks-before-booking, critical: true, user: Can Dr Osei see me?, expect: {tools: {never: [book_slot]}}}
  - {id: sends-emergencies-away, user: I have chest pain, expect: {says: ["999"]}}
  - {id: is-polite, user: Thank you, expect: {says: [welcome]}}
"""


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """A project with a live version, two weaker ones, a script and a suite."""
    return write_files(
        tmp_path,
        {
            "prompts/clinic/v1.md": f"{HEADER}You are the front desk.\n",
            "prompts/clinic/v2.md": f"{HEADER}You are the front desk. If it is serious, say: call 999.\n",
            "prompts/clinic/v3.md": HEADER + CAREFUL,
            "prompts/clinic/CURRENT": "v3\n",
            "prompts/clinic/stand-in.yaml": SCRIPT,
            "prompts/clinic/tools/find.yaml": TOOL.format(name="find_slots"),
            "prompts/clinic/tools/book.yaml": TOOL.format(name="book_slot"),
            "suites/desk.yaml": SUITE,
        },
    )


def played(root: Path, **settings: Any) -> Analysis:
    """Run the project on the stand-in and return what came of it."""
    return analyse(RunReader(run(Project(root, price_with(), Silent), **settings)))


def failing(analysis: Analysis) -> set[str]:
    """Return the cases that a trial failed."""
    return {case.case_id for case in analysis.summary.cases if case.failed}


def missed(analysis: Analysis) -> list[ScriptGap | None]:
    """Return what the script misses in the prompt of each suite."""
    return [suite.record.script_gap for suite in analysis.summary.suites]


def test_what_a_weaker_version_lacks_is_recorded_with_the_run(clinic: Path) -> None:
    """The entries that the live version holds and the played one does not; none for the live version itself."""
    live = played(clinic)
    assert (failing(live), missed(live)) == (set(), [None])
    second = played(clinic, prompt="clinic@v2")
    assert failing(second) == {"asks-before-booking"}
    assert missed(second) == [ScriptGap("clinic@v3", ("choose",))]
    first = played(clinic, prompt="clinic@v1")
    assert failing(first) == {"asks-before-booking", "sends-emergencies-away"}
    assert missed(first) == [ScriptGap("clinic@v3", ("choose", "emergency"))]


def test_what_the_live_version_lacks_is_not_missed(clinic: Path) -> None:
    """A sentence that the script knows and the live version has lost says nothing about the version that is played."""
    (clinic / "prompts/clinic/CURRENT").write_text("v1\n")
    assert missed(played(clinic, prompt="clinic@v3")) == [None]
    (clinic / "prompts/clinic/CURRENT").write_text("v9\n")
    assert missed(played(clinic, prompt="clinic@v1")) == [None]


def test_reports_say_what_the_script_misses_beside_what_broke(clinic: Path, tmp_path: Path) -> None:
    """Once in the terminal and on the page, with each case where it stands alone, and nowhere when nothing broke."""
    words = "clinic@v1 lacks choose, emergency, which v3 has"
    analysis = played(clinic, prompt="clinic@v1")
    summary, gate = analysis.summary, judge(analysis.summary)
    text = render_run(summary, gate, analysis.details, screen=Screen())
    assert text.count(f"Stand-in's script: {words}\n") == 1
    assert text.index("FAIL  sends-emergencies-away") < text.index(words) < text.index("✗ Failed")
    render_html(summary, gate, (), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8").count(words) == 1
    for case in summary.cases[:2]:
        assert words in render_case(summary, case, analysis.details[case.key])

    polite = played(clinic, prompt="clinic@v1", keyword="polite")
    assert missed(polite) != [None]
    assert "lacks" not in render_run(polite.summary, judge(polite.summary), {}, screen=Screen())


def test_evalkit_run_prints_it(clinic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command itself, from the project's folder."""
    monkeypatch.chdir(clinic)
    printed = CliRunner().invoke(cli, ["run", "-p", "clinic@v2"])
    assert printed.exit_code == 1
    assert "Stand-in's script: clinic@v2 lacks choose, which v3 has" in printed.output
    assert "lacks" not in CliRunner().invoke(cli, ["run"]).output


def test_a_scripted_judge_and_a_scripted_user_play_in_a_run(clinic: Path) -> None:
    """The prompt's own script asks, answers and judges; what nobody wrote about a criterion is not measured."""
    case = (
        "prompt: clinic\ntrials: 1\ntools: {find_slots: [{returns: {slots: [mon, tue]}}]}\ncases:\n"
        "  - {id: books, simulate: {goal: A visit.}, expect: {judge: [Asks which time suits]}}\n"
        "  - {id: unjudged, user: Thank you, expect: {judge: [Is warm]}}\n"
    )
    (clinic / "suites/desk.yaml").write_text(case)
    trials = {trial.key.case_id: trial for trial in RunReader(run(Project(clinic, price_with(), Silent))).trials()}
    spoken, judged = trials["books"].transcript, trials["books"].transcript.judgements
    assert [turn.user for turn in spoken.turns] == ["Can Dr Osei see me?", "Tuesday. Thank you."]
    assert [message.ended for message in spoken.simulated] == ["", "", "goal"]
    assert [(one.answer, one.quote) for one in judged] == [("yes", "Which one would you like?")]
    (score,) = trials["unjudged"].score.scores if trials["unjudged"].score else ()
    assert score.finding.verdict is TrialVerdict.NOT_MEASURED


def warned(root: Path, script: str) -> list[str]:
    """Return what `check` finds about a script, with its line."""
    (root / "prompts/clinic/stand-in.yaml").write_text(script)
    found: list[Problem] = [one for one in check_project(root).problems if one.place.file.endswith("stand-in.yaml")]
    return [f"{one.place.line} {one.severity}: {one.message}" for one in found]


def test_check_warns_of_what_makes_a_script_say_less_than_it_seems(clinic: Path) -> None:
    """A sentence that no version holds, a rule without conditions, and a slip on a critical case's way."""
    assert warned(clinic, SCRIPT) == []
    sentence = SCRIPT.replace("  emergency: call 999", "  emergency: call 999\n  parking: park behind the house")
    assert warned(clinic, sentence) == [
        "5 warning: no version of clinic holds 'parking'; rules that need it never apply. Correct the pattern."
    ]
    catch_all = SCRIPT.replace("  - {user: thank, say: You", "  - {say: You")
    assert warned(clinic, catch_all) == [
        "13 warning: this rule has no conditions: it answers whatever nobody wrote a rule for, and hides that."
    ]
    slip = SCRIPT.replace("      - say: Monday", "      - slip: {chance: 0.1, say: Any time.}\n        say: Monday")
    assert warned(clinic, slip) == [
        "12 warning: the critical case 'asks-before-booking' meets this slip, so it may fail by chance."
    ]
    harmless = SCRIPT.replace("user: thank, say: You", "user: thank, slip: {chance: 0.1, say: Hm.}, say: You")
    assert warned(clinic, harmless) == []
