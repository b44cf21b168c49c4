"""A whole run of cases with pictures, documents and earlier calls, on the stand-in over real sockets."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
import pytest

from evalkit.content import make_block, readable
from evalkit.pricing import price_with
from evalkit.records import TrialVerdict
from evalkit.runner import Project, RunSettings, resume_run
from evalkit.runner.costs import forecast_run
from evalkit.runner.users import build_user_body
from evalkit.store import RUN_FILE
from evalkit.suites import Simulation
from evalkit.suites.check import check_project
from tests.claims import write_claims
from tests.content.pictures import png
from tests.runner.project import Silent, run, trials_of


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play the claims once and return the run's folder."""
    root = write_claims(tmp_path_factory.mktemp("claims"))
    return run(claims_at(root), root / "reports/first")


def claims_at(root: Path) -> Project:
    """Return the project at a folder."""
    return Project(root, price_with(), Silent)


def verdict(folder: Path, case_id: str) -> TrialVerdict | None:
    """Return the verdict of a case's first trial."""
    score = trials_of(folder)[case_id, 1].score
    return score.verdict if score else None


def test_what_a_photo_and_a_text_say_is_a_source_and_what_a_pdf_hides_is_not_measured(played: Path) -> None:
    """The excess stands in the text document; the amount of the bill may stand in the PDF, which nobody could read."""
    assert verdict(played, "photo-and-policy") is TrialVerdict.PASSED
    assert verdict(played, "bill") is TrialVerdict.NOT_MEASURED
    score = trials_of(played)["bill", 1].score
    assert score is not None
    assert "may stand in bill.pdf" in score.scores[0].finding.note


def test_a_call_of_the_history_is_a_source_and_need_not_be_made_again(played: Path) -> None:
    """It is sent as a proper pair of call and result, and the script sees its result."""
    assert verdict(played, "asked-before") is TrialVerdict.PASSED
    trial = trials_of(played)["asked-before", 1]
    messages = trial.transcript.requests[0].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    call, result = messages[1]["content"][1], messages[2]["content"][0]
    assert (call["type"], result["type"], result["tool_use_id"]) == ("tool_use", "tool_result", call["id"])
    assert orjson.loads(result["content"]) == {"excess": 250, "water": "covered"}


def test_files_are_sent_as_the_api_wants_them_and_recorded_once(played: Path) -> None:
    """Nine trials show one photo; the record holds it once, and a replay finds the same conversation."""
    trial = trials_of(played)["photo-and-policy", 1]
    turn = trial.transcript.turns[0]
    text, image, document = turn.requests[0].body["messages"][0]["content"]
    assert text == {"type": "text", "text": "The pipe burst last night."}
    assert image.keys() == {"type", "source"}
    assert base64.b64decode(image["source"]["data"]) == png(640, 480)
    assert (document["title"], document["source"]["media_type"]) == ("Terms", "text/plain")
    assert readable(turn.said).endswith("[document terms.txt, 554 bytes]")
    assert (played / RUN_FILE).read_bytes().count(image["source"]["data"].encode()) == 1


def test_the_same_replies_are_scored_again_unless_a_picture_has_changed(played: Path, tmp_path: Path) -> None:
    """A replay belongs to the files that were sent, as it does to the words."""
    root = write_claims(tmp_path / "again")
    again = run(claims_at(root), root / "reports/again", via=str(played))
    assert verdict(again, "photo-and-policy") is TrialVerdict.PASSED

    (root / "suites/photos/ceiling.png").write_bytes(png(640, 480, shade=10))
    other = run(claims_at(root), root / "reports/other", via=str(played))
    assert verdict(other, "photo-and-policy") is TrialVerdict.NOT_MEASURED


def test_check_warns_of_a_file_whose_facts_nobody_can_measure(tmp_path: Path) -> None:
    """The author is told before anything is played."""
    problems = check_project(write_claims(tmp_path)).problems
    assert [(one.severity, one.message.split(",")[0]) for one in problems] == [
        ("warning", "`grounded` can't read bill.pdf"),
        ("warning", "`grounded` can't read ceiling.png"),
    ]


def test_a_run_that_was_cut_goes_on_without_writing_a_photo_again(played: Path, tmp_path: Path) -> None:
    """What was sent before the cut is known, also what no line of the rest would need to say."""
    root = write_claims(tmp_path / "cut")
    folder = root / "reports/cut"
    folder.mkdir(parents=True)
    lines = (played / RUN_FILE).read_bytes().splitlines(keepends=True)
    middle = next(n for n, line in enumerate(lines) if line.startswith(b'{"line":"session_end"')) + 1
    (folder / RUN_FILE).write_bytes(b"".join(lines[:middle]))

    resume_run(claims_at(root), str(folder))

    assert {key: trial.transcript.turns[0].said for key, trial in trials_of(folder).items()} == {
        key: trial.transcript.turns[0].said for key, trial in trials_of(played).items()
    }
    blobs = [line for line in (folder / RUN_FILE).read_bytes().splitlines() if line.startswith(b'{"line":"blob"')]
    assert len(blobs) == len(set(blobs)) == 2


def test_a_user_that_a_model_plays_hears_what_was_said_before_and_which_files_came() -> None:
    """Roles are turned round, and what a tool returned is nothing that the user heard."""
    photo = make_block("image", png(), "ceiling.png")
    call = {"type": "tool_use", "id": "c1", "name": "find_policy", "input": {}}
    history = (
        {"role": "user", "content": [{"type": "text", "text": "Look."}, photo]},
        {"role": "assistant", "content": [{"type": "text", "text": "A moment."}, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "secret"}]},
        {"role": "assistant", "content": "It is covered."},
    )
    body = build_user_body(Simulation("Be paid.", "", 3, "claude-haiku-5-5"), history, ())
    said = [(message["role"], message["content"]) for message in body["messages"]]
    assert said[1:] == [
        ("assistant", f"Look.\n\n[image ceiling.png, {len(png())} bytes]"),
        ("user", "A moment.\n\nIt is covered."),
    ]


def test_a_photo_counts_by_its_pixels_in_what_a_run_is_expected_to_cost(tmp_path: Path) -> None:
    """Three trials that send one of 640 by 480 pixels have 410 tokens more each."""
    root, settings = write_claims(tmp_path), RunSettings(targets=("suites/claims.yaml::photo-and-policy",))
    before = forecast_run(claims_at(root), settings)[0].cost_usd
    suite = root / "suites/claims.yaml"
    suite.write_text(suite.read_text().replace("      - {image: photos/ceiling.png, shows: A wet ceiling}\n", ""))
    after = forecast_run(claims_at(root), settings)[0].cost_usd
    assert before is not None
    assert after is not None
    tokens = (before - after) / 3 / 2e-6
    assert 400 < tokens < 480
