"""Ready-made statements for judges: their wordings stay, their names are checked, and a script can play them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from evalkit.graders.judge import WORDING
from evalkit.graders.statements import ready_statements, short_text, text_of
from evalkit.labels import Label, append_label
from evalkit.records import TrialVerdict
from evalkit.store import RunReader
from evalkit.suites import load_suite
from evalkit.suites.load import read_suite
from tests.project_files import write_files
from tests.runner.project import make_project, run

WORDINGS = {
    "builtin/complete@v1": "a730e7e29a52",
    "builtin/in_role@v1": "a442a50c97c5",
    "builtin/on_topic@v1": "dc87eeec0722",
    "builtin/remembers@v1": "6b3257e97f19",
}
SUITE = """\
prompt: bot
judge: {{enforce: true}}
cases:
  - id: a
    user: Hello
    expect: {{judge: [{}]}}
"""


def test_no_wording_ever_changes() -> None:
    """People's labels are about these words: another wording is another version, never an edit."""
    shas = {name: sha256(one.text.encode()).hexdigest()[:12] for name, one in ready_statements().items() if "@" in name}

    assert shas == WORDINGS


def test_a_name_without_a_version_is_the_newest_wording() -> None:
    """Both names ask the same text; reports show the version and what it demands in a few words."""
    text = text_of("builtin/complete")

    assert text == text_of("builtin/complete@v1")
    assert short_text(text) == "builtin/complete@v1 (every question is answered)"
    assert text_of("Is kind") == short_text("Is kind") == "Is kind"


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"suites/a.yaml": SUITE.format("Is kind, builtin/in-role")}, "suites/a.yaml:6:31"),
        ({"suites/a.yaml": SUITE.format("Is kind") + "voice: voice.yaml\n",
          "suites/voice.yaml": "rules: [{id: r, extends: judge, message: builtin/in-role}]\n"},
         "suites/voice.yaml:1:42"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_a_problem_of_its_place(tmp_path: Path, files: dict[str, str], place: str) -> None:
    """In a suite as in a voice file, with the nearest name."""
    write_files(tmp_path, files)

    _, problems = read_suite(tmp_path / "suites/a.yaml", tmp_path)

    (found,) = [one for one in problems if "no ready-made statement" in one.message]
    assert str(found.place) == place
    assert "(did you mean 'builtin/in_role'?)" in found.message


def test_labels_about_a_wording_hold_for_every_name_of_it(tmp_path: Path) -> None:
    """A label's criterion is the text, so a pinned version and the newest share their labels."""
    for number in range(50):
        label = Label(f"e{number}", text_of("builtin/complete"), "yes", "claude-haiku-5-5", WORDING, "yes")
        append_label(tmp_path, "suites/a.labels.jsonl", label)
    for name in ("builtin/complete", "builtin/complete@v1"):
        write_files(tmp_path, {"suites/a.yaml": SUITE.format(name)})
        assert load_suite(tmp_path / "suites/a.yaml", tmp_path).judge is not None


def test_a_script_plays_a_ready_made_statement(tmp_path: Path) -> None:
    """Its rules see the text of the question, and what the judge answers fails a trial where the suite enforces it."""
    case = {
        "id": "two-questions",
        "user": "When do you open, and where do I park?",
        "expect": {"judge": ["builtin/complete", "builtin/on_topic"]},
        "stand_in": [{"say": "We open at nine."}],
    }
    project = make_project(tmp_path, cases=[case], trials=1, judge={"enforce": "unlabelled"})
    with (tmp_path / "prompts/bot/stand-in.yaml").open("a") as script:
        script.write('judge:\n  - {user: [every question that the user asks, where do I park], output: '
                     '{quote: We open at nine., reason: Parking is passed over., answer: "no"}}\n'
                     '  - {output: {quote: We open at nine., reason: It does., answer: "yes"}}\n')  # fmt: skip

    (trial,) = RunReader(run(project)).trials()

    assert trial.score is not None
    assert trial.score.verdict is TrialVerdict.FAILED
    found = {score.finding.expected: score.finding.verdict for score in trial.score.scores}
    assert found == {
        "builtin/complete@v1 (every question is answered)": TrialVerdict.FAILED,
        "builtin/on_topic@v1 (the assistant stays on topic)": TrialVerdict.PASSED,
    }
