"""`evalkit run` from end to end: every way to end has its exit code, and CI finds its files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import parse

import pytest
import xmlschema

from evalkit.cli.main import run_command
from evalkit.errors import ExitCode
from evalkit.reporting.markdown import MARKER
from evalkit.standin import StandIn
from evalkit.standin.faults import FaultRates
from evalkit.store import RUN_FILE
from tests.runner.judge_model import use
from tests.runner.project import make_project, write_suite

CI = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA", "CI")
OUT = ["--out", "out"]


def case(name: str, said: str = "Good day.", **more: Any) -> dict[str, Any]:
    """Return a case that passes on the stand-in when it says good day."""
    return {"id": name, "user": "Hello", "expect": {"says": ["good day"]}, "stand_in": [{"say": said}], **more}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose only suite passes, committed to git, as the current folder."""
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    make_project(tmp_path, cases=[case("a"), case("b")], trials=1, min_pass=1)
    (tmp_path / ".gitignore").write_text("reports/\nout/\n")
    monkeypatch.chdir(tmp_path)
    author = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*author, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], check=True, capture_output=True)
    return tmp_path


def failing(**more: Any) -> None:
    """Let the suite have a case that fails."""
    write_suite(Path(), cases=[case("a"), case("b", "No.", **more)], trials=1, min_pass=1)


EXIT_CODES: list[tuple[str, dict[str, Any], Sequence[str], ExitCode]] = [
    ("every case passes", {}, [], ExitCode.PASSED),
    ("a case fails", {"cases": [case("a"), case("b", "No.")]}, [], ExitCode.FAILED),
    ("a failed case within the pass rate", {"cases": [case("a"), case("b", "No.")], "gate": {"pass_rate": 0.5}}, [],
     ExitCode.PASSED),
    ("a critical case fails within the pass rate",
     {"cases": [case("a"), case("b", "No.", critical=True)], "gate": {"pass_rate": 0.5}}, [], ExitCode.FAILED),
    ("a watched case fails", {"cases": [case("a"), case("b", "No.", gate=False)]}, [], ExitCode.PASSED),
    ("a case fails and --exit-zero", {"cases": [case("a", "No.")]}, ["--exit-zero"], ExitCode.PASSED),
    ("a suite is wrong and --exit-zero", {"cases": [{"id": "a"}]}, ["--exit-zero"], ExitCode.WRONG_INPUT),
    ("a suite is wrong", {"cases": [{"id": "a"}]}, [], ExitCode.WRONG_INPUT),
    ("an unknown option", {}, ["--no-such"], ExitCode.WRONG_INPUT),
    ("a suite that is not there", {}, ["suites/none.yaml"], ExitCode.WRONG_INPUT),
    ("live without a key", {}, ["--via", "live"], ExitCode.WRONG_INPUT),
    ("nothing selected", {}, ["-k", "nothing"], ExitCode.NOTHING_SELECTED),
    ("nothing selected and --exit-zero", {}, ["-k", "nothing", "--exit-zero"], ExitCode.NOTHING_SELECTED),
    ("every case is skipped", {"cases": [case("a", skip="later")]}, [], ExitCode.NO_VERDICT),
    ("every case is only watched", {"cases": [case("a", gate=False)]}, [], ExitCode.NO_VERDICT),
    ("no money for a single trial", {}, ["--max-cost", "0"], ExitCode.NO_VERDICT),
    ("nothing changed", {}, ["--changed-since", "main"], ExitCode.PASSED),
    ("what changed fails", {"cases": [case("a", "No.")]}, ["--changed-since", "main"], ExitCode.FAILED),
    ("git does not know the revision", {}, ["--changed-since", "nowhere"], ExitCode.NO_VERDICT),
    ("git does not know the revision and --exit-zero", {}, ["--changed-since", "nowhere", "--exit-zero"],
     ExitCode.NO_VERDICT),
    ("an empty revision", {}, ["--changed-since", ""], ExitCode.WRONG_INPUT),
    ("what changed matches no selection", {"cases": [case("a")]}, ["--changed-since", "main", "-k", "nothing"],
     ExitCode.NOTHING_SELECTED),
    ("a dry run", {"cases": [case("a", "No.")]}, ["--dry-run"], ExitCode.PASSED),
    ("a dry run of nothing", {}, ["--dry-run", "-k", "nothing"], ExitCode.NOTHING_SELECTED),
    ("a critical case fails fast", {"cases": [case("a", "No.", critical=True), case("b")]}, ["-x", "-n", "1"],
     ExitCode.FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("suite", "args", "code"), [row[1:] for row in EXIT_CODES], ids=[row[0] for row in EXIT_CODES])
def test_every_way_to_end_has_its_code(root: Path, suite: dict[str, Any], args: list[str], code: ExitCode) -> None:
    """The table of exit codes."""
    if suite:
        write_suite(root, **{"trials": 1, "min_pass": 1, **suite})
    assert run_command(["run", *OUT, *args]) == code


def test_a_service_that_is_down_is_no_verdict(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live run whose requests all fail ends with 3, and JUnit has errors and no failure."""
    with StandIn(faults=FaultRates({"bad_request": 1.0})) as server:
        use(monkeypatch, server)
        assert run_command(["run", *OUT]) == ExitCode.NO_VERDICT
    counts = parse("out/junit.xml").getroot()  # noqa: S314 - our own
    assert (counts.get("errors"), counts.get("failures")) == ("3", "0")


def test_a_run_leaves_what_ci_needs(root: Path) -> None:
    """Page, summary, JUnit and comment lie beside the records, whatever the verdict."""
    failing()
    run_command(["run", *OUT])
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "comment.md", "junit.xml", "report.html", RUN_FILE, "summary.json",
    ]  # fmt: skip
    schema = xmlschema.XMLSchema(str(Path(__file__).parent.parent / "data" / "junit.xsd"))
    schema.validate("out/junit.xml")
    assert Path("out/comment.md").read_text("utf-8").startswith(f"{MARKER}\n### ❌ Evals failed")


def test_an_unaffected_change_is_green_with_a_sentence(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is run, the sentence says why, and the comment takes the place of an older verdict."""
    Path("README.md").write_text("x")
    assert run_command(["run", *OUT, "--changed-since", "main"]) == ExitCode.PASSED
    assert "1 file changed since main; no suite depends on them, so nothing was run." in capsys.readouterr().out
    assert "No suite is affected" in Path("out/comment.md").read_text("utf-8")
    assert not Path("out", RUN_FILE).exists()


def test_only_affected_suites_run(root: Path) -> None:
    """A change to one suite leaves the other alone, also when both are named."""
    write_suite(root, "b", cases=[case("c")], trials=1, min_pass=1)
    run_command(["run", *OUT, "--changed-since", "main", "suites/a.yaml", "suites/b.yaml"])
    summary = json.loads(Path("out/summary.json").read_text())
    assert [suite["path"] for suite in summary["suites"]] == ["suites/b.yaml"]


def test_on_github_a_run_annotates_and_sums_up(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Annotations follow the text, which the runner is told not to read; the job's summary is appended to."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(root / "summary.md"))
    (root / "summary.md").write_text("before\n")
    failing()
    run_command(["run", *OUT])

    lines = capsys.readouterr().out.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    assert len(token) == 32
    end = lines.index(f"::{token}::")
    assert any("FAIL  b" in line for line in lines[:end])
    assert lines[end + 1].startswith("::error file=suites/a.yaml,line=")
    assert (root / "summary.md").read_text("utf-8").startswith("before\n## ❌ Evals failed")


def test_elsewhere_nothing_is_printed_for_github(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without GITHUB_ACTIONS there is no workflow command in the output."""
    failing()
    run_command(["run", *OUT])
    assert "::" not in capsys.readouterr().out.replace("suites/a.yaml::b", "")


def test_links_lead_to_the_commit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On GitHub the comment links the line of what broke."""
    for name, value in (("SERVER_URL", "https://github.com"), ("REPOSITORY", "o/r"), ("SHA", "abc")):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    failing()
    run_command(["run", *OUT])
    assert "https://github.com/o/r/blob/abc/suites/a.yaml#L" in Path("out/comment.md").read_text("utf-8")


def test_exit_zero_says_what_it_hides(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The code that the run would have had is told."""
    failing()
    assert run_command(["run", *OUT, "--exit-zero"]) == ExitCode.PASSED
    assert "exit code 0 because of --exit-zero; it would be 1." in capsys.readouterr().err


def test_a_dry_run_lists_and_asks_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cases, requests and cost are printed, no run is begun."""
    assert run_command(["run", "--dry-run"]) == ExitCode.PASSED
    out = capsys.readouterr().out
    assert "suites/a.yaml   bot@v1, claude-sonnet-5-5   2 cases, 2 trials, about 4 requests, about $" in out
    assert "\n  a\n  b\n" in out
    assert "there is no verdict" in out
    assert not Path("reports").exists()


@pytest.mark.parametrize(
    ("form", "name", "begins"),
    [("junit", "junit.xml", "<?xml"), ("md", "report.md", "## ❌"), ("csv", "cases.csv", "suite,case,")],
)
def test_a_report_is_made_again_in_any_form(root: Path, form: str, name: str, begins: str) -> None:
    """`evalkit report -f` writes JUnit, Markdown and CSV from the records alone."""
    failing()
    run_command(["run", *OUT])
    Path("out", name).unlink(missing_ok=True)
    assert run_command(["report", "out", "-f", form]) == ExitCode.PASSED
    assert Path("out", name).read_text("utf-8").startswith(begins)
