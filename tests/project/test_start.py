"""`evalkit init`: what it writes runs at once, and nothing of yours is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from evalkit.cli.main import run_command
from evalkit.errors import ExitCode
from evalkit.project import start_project
from evalkit.project.start import CI_FILES


def test_a_new_project_checks_and_runs_with_one_failure_on_purpose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`evalkit init shop && cd shop && evalkit run`: no problem in any file, six cases, one of them fails."""
    assert run_command(["init", str(tmp_path / "shop")]) == ExitCode.PASSED
    monkeypatch.chdir(tmp_path / "shop")

    assert run_command(["check"]) == ExitCode.PASSED
    assert run_command(["run", "--out", "out"]) == ExitCode.FAILED
    cases = json.loads(Path("out/summary.json").read_text())["cases"]
    assert {case["case_id"]: case["verdict"] for case in cases if case["verdict"] != "pass"} == {
        "fails-on-purpose": "fail"
    }
    assert len(cases) == 6


def test_mending_the_case_as_its_comment_says_turns_it_green(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The price of the prompt in the expectation is all it takes."""
    start_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    suite = Path("suites/shop.yaml")
    suite.write_text(suite.read_text("utf-8").replace('says: ["£3.90"]', 'says: ["£2.90"]'), "utf-8")
    assert run_command(["run"]) == ExitCode.PASSED


def test_it_says_what_it_wrote_and_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file is listed, and the last line is the next command."""
    folder = tmp_path / "my shop"
    run_command(["init", str(folder), "--ci"])
    out = capsys.readouterr().out
    listed = {Path(line.removeprefix("wrote").strip()) for line in out.splitlines() if line.startswith("wrote")}
    assert listed == {path for path in folder.rglob("*") if path.is_file()}
    assert out.splitlines()[-1] == f"Next: cd '{folder}' && evalkit run"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second time every file is kept as it is."""
    first = start_project(tmp_path, ci=True)
    for name in first.written:
        (tmp_path / name).write_text("mine\n")
    second = start_project(tmp_path, ci=True)
    assert second.written == ()
    assert all((tmp_path / name).read_text() == "mine\n" for name in first.written if name != ".gitignore")


def test_what_is_ignored_is_added_to(tmp_path: Path) -> None:
    """Lines that .gitignore lacks are put at its end, once."""
    (tmp_path / ".gitignore").write_text("reports/\nmine")
    assert start_project(tmp_path).added_to == (".gitignore",)
    assert (tmp_path / ".gitignore").read_text() == "reports/\nmine\n.evalkit_cache/\n"
    assert start_project(tmp_path).added_to == ()


def test_a_project_with_suites_gets_no_sample(tmp_path: Path) -> None:
    """`evalkit init --ci` in a project of yours adds the workflows and leaves prompts and suites alone."""
    (tmp_path / "suites").mkdir()
    written = start_project(tmp_path, ci=True).written
    assert set(CI_FILES) <= set(written)
    assert not any(name.startswith(("prompts/", "suites/")) for name in written)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A name that is a file is refused."""
    (tmp_path / "shop").write_text("")
    assert run_command(["init", str(tmp_path / "shop")]) == ExitCode.WRONG_INPUT


@pytest.mark.parametrize("name", ["evals", "evals-fork"])
def test_a_workflow_gives_the_key_to_evalkit_alone(tmp_path: Path, name: str) -> None:
    """Only the step that runs evalkit has the key, no credentials are left on disk, and there is no filter of paths."""
    start_project(tmp_path, ci=True)
    workflow = yaml.load((tmp_path / f".github/workflows/{name}.yml").read_text("utf-8"), yaml.BaseLoader)  # noqa: S506
    (job,) = workflow["jobs"].values()
    keyed = [step["run"].split()[:2] for step in job["steps"] if "ANTHROPIC_API_KEY" in step.get("env", {})]
    assert keyed == [["evalkit", "run"]]
    assert "ANTHROPIC_API_KEY" not in job["env"]
    assert all("paths" not in (event or {}) for event in workflow["on"].values())
    (checkout,) = (step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout"))
    assert checkout["with"]["persist-credentials"] == "false"


def test_a_workflow_puts_nothing_of_an_event_into_a_shell(tmp_path: Path) -> None:
    """No `run` holds an expression: titles and branch names can't become commands."""
    start_project(tmp_path, ci=True)
    for path in (tmp_path / ".github" / "workflows").iterdir():
        workflow = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506
        for job in workflow["jobs"].values():
            assert not any("${{" in step.get("run", "") for step in job["steps"])
