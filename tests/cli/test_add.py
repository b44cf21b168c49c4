"""`evalkit add`: conversations become cases that are checked, run and can fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.cli.main import run_command
from evalkit.errors import ExitCode
from evalkit.suites import load_suite
from tests.cli.test_chat import evalkit
from tests.repl.shop import write_shop


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a fresh project."""
    return write_shop(tmp_path)


def test_a_kept_conversation_passes_check_and_fails_on_the_weaker_version(root: Path) -> None:
    """Once its suggestion is uncommented it passes with the version it was held with, and tells a weaker one."""
    said = evalkit(root, "chat", "support@v2", "-m", "Where is order TN-20977?", "--json")
    record = json.loads(said.stdout)["record"]
    added = evalkit(root, "add", "kept", "--from", record, "--id", "kept")
    assert added.returncode == ExitCode.PASSED, added.stderr
    path = root / "suites/kept.yaml"
    lines = [line for line in path.read_text().splitlines() if "gate: false" not in line and "it replied" not in line]
    path.write_text(
        "trials: 8\nmin_pass: 8\n" + "\n".join(lines).replace("# expect:", "expect:").replace("#   ", "  ") + "\n"
    )

    assert evalkit(root, "check").returncode == ExitCode.PASSED
    strong = evalkit(root, "run", "suites/kept.yaml", "-p", "support@v2", "--via", "stand-in", "-q")
    weak = evalkit(root, "run", "suites/kept.yaml", "-p", "support@v1", "--via", "stand-in")
    assert "1 of 1 case" in strong.stdout
    assert strong.returncode != ExitCode.FAILED, strong.stdout
    assert "kept" in weak.stdout
    assert "1 of 1 case passes" not in weak.stdout


def test_everything_that_failed_becomes_cases_of_the_same_ids(root: Path) -> None:
    """--failing takes one trial of each case that did not pass, into a suite that is begun for them."""
    evalkit(root, "run", "faults/faults.yaml::fails", "suites/parcels.yaml", "--via", "stand-in", "-q")

    done = evalkit(root, "add", "suites/regressions.yaml", "--from", "last", "--failing")

    assert done.returncode == ExitCode.PASSED, done.stderr
    assert "suites/regressions.yaml:" in done.stderr
    suite = load_suite(root / "suites/regressions.yaml", root)
    assert suite.prompt_ref == "support"
    assert "fails" in [case.record.case_id for case in suite.cases]


def test_a_transcript_of_another_program_becomes_a_case(root: Path) -> None:
    """A line of a file of messages is named by its number or its id."""
    lines = [
        {"id": "first", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
        {"id": "other", "messages": [{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "See you"}]},
    ]
    (root / "old.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    for name in ("2", "first"):
        done = evalkit(root, "add", "parcels", "--from", f"old.jsonl#{name}")
        assert done.returncode == ExitCode.PASSED, done.stderr

    cases = load_suite(root / "suites/parcels.yaml", root).cases
    assert [case.record.turns for case in cases[-2:]] == [("Bye",), ("Hi",)]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("parcels", "--from", "nowhere"), "no run 'nowhere'"),
        (("parcels", "--from", "last", "--failing", "--id", "x"), "--id names one case"),
        (("parcels", "--from", "last#x", "--failing"), "takes a whole run"),
    ],
)
def test_a_wrong_call_changes_nothing(
    root: Path,
    args: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The mistake is told in one line, and the suite is as it was."""
    before = (root / "suites/parcels.yaml").read_bytes()

    monkeypatch.chdir(root)

    assert run_command(["add", *args]) == ExitCode.WRONG_INPUT
    assert words in capsys.readouterr().err
    assert (root / "suites/parcels.yaml").read_bytes() == before
