"""Suites as pytest items: collected where they belong, played once, shown as the terminal shows them, and free."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from evalkit.baseline import render_baseline
from evalkit.records import Baseline, Conditions
from evalkit.store import RunReader
from tests.runner.project import make_project

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parent.parent
PLUGIN = ("-p", "evalkit.pytest_plugin")


def case(name: str, said: str = "Good day.", **more: Any) -> dict[str, Any]:
    """Return a case that passes on the stand-in when it says good day."""
    return {"id": name, "user": "Hello", "expect": {"says": ["good day"]}, "stand_in": [{"say": said}], **more}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a passing, a failing, a watched and a skipped case, and a voice file."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    cases = [case("greets", tags=["smoke"]), case("fails", "No."), case("watched", "No.", gate=False),
             case("later", skip="no fixture yet")]  # fmt: skip
    make_project(pytester.path, cases=cases)
    (pytester.path / "suites" / "voice.yaml").write_text("rules: []\n")
    return pytester


def played(pytester: pytest.Pytester) -> list[str]:
    """Return the cases of all recorded runs."""
    folders = (pytester.path / "reports" / "pytest").glob("*")
    return sorted(case.case_id for folder in folders for case in RunReader(folder).cases)


def test_each_case_is_an_item_and_is_played_once(project: pytest.Pytester) -> None:
    """Verdicts become outcomes, each case has one run with its own trials, and the source is told."""
    result = project.runpytest_inprocess(*PLUGIN, "suites", "-v", "-W", "error")

    result.assert_outcomes(passed=1, failed=1, xfailed=1, skipped=1)
    result.stdout.fnmatch_lines([
        "suites/a.yaml::greets PASSED*",
        "suites/a.yaml::fails FAILED*",
        "suites/a.yaml::watched XFAIL*",
        "suites/a.yaml::later SKIPPED (no fixture yet)*",
    ])  # fmt: skip
    assert played(project) == ["fails", "greets", "watched"]
    assert "says nothing about Claude" in result.stdout.str()


def test_a_judge_without_labels_is_told_with_the_outcome(project: pytest.Pytester) -> None:
    """Whatever the items came to, the last lines say whose no may have failed them."""
    judged = {"id": "kind", "user": "Hello", "expect": {"judge": ["Is kind"]}, "stand_in": [{"say": "Good day."}]}
    make_project(project.path, cases=[judged], judge={"enforce": "unlabelled"})

    result = project.runpytest_inprocess(*PLUGIN, "suites", "-W", "error")

    result.stdout.fnmatch_lines(["evalkit: judged without labels: a no of claude-haiku-5-5 fails trials in suites/a.*"])


def test_a_failure_reads_as_in_the_terminal(project: pytest.Pytester) -> None:
    """The place of the assertion, what was seen, and the command; no traceback."""
    text = project.runpytest_inprocess(*PLUGIN, "suites/a.yaml::fails").stdout.str()

    assert "FAIL  fails   0 of 2 trials passed" in text
    assert 'says "good day"' in text
    assert "evalkit run suites/a.yaml::fails" in text
    assert "Traceback" not in text
    assert "pytest_plugin.py" not in text


def test_selecting_works_as_everywhere(project: pytest.Pytester) -> None:
    """-k finds ids and tags, --lf the case that failed."""
    project.runpytest_inprocess(*PLUGIN, "suites", "-k", "smoke").assert_outcomes(passed=1, deselected=3)
    project.runpytest_inprocess(*PLUGIN, "suites")
    project.runpytest_inprocess(*PLUGIN, "suites", "--lf").assert_outcomes(failed=1)


def test_with_xdist_each_case_is_still_played_once(project: pytest.Pytester) -> None:
    """Two workers share the cases."""
    result = project.runpytest_subprocess(*PLUGIN, "-p", "xdist", "-n", "2", "suites")
    result.assert_outcomes(passed=1, failed=1, xfailed=1, skipped=1)
    assert played(project) == ["fails", "greets", "watched"]
    assert "says nothing about Claude" in result.stdout.str()


def test_a_key_alone_never_makes_it_pay(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key in the environment the stand-in is asked all the same."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    project.runpytest_inprocess(*PLUGIN, "suites", "-k", "greets").assert_outcomes(passed=1, deselected=3)
    (folder,) = (project.path / "reports" / "pytest").glob("*")
    assert RunReader(folder).header.source.kind == "stand-in"


def test_another_model_may_be_asked(project: pytest.Pytester) -> None:
    """`--evalkit-model` is what `--model` is on the command line: the record names it with the prompt."""
    project.runpytest_inprocess(*PLUGIN, "suites", "-k", "greets", "--evalkit-model", "claude-haiku-5-5")

    (record,) = project.path.glob("reports/pytest/*/run.jsonl")
    assert "+claude-haiku-5-5" in record.read_text("utf-8")


def test_live_without_a_key_is_red(project: pytest.Pytester) -> None:
    """Invocation for explicitly and impossible, it fails with the reason in one line."""
    result = project.runpytest_inprocess(*PLUGIN, "suites", "-k", "greets", "--evalkit-via", "live")
    result.assert_outcomes(failed=1, deselected=3)
    assert "--via live needs a key" in result.stdout.str()


def test_a_wrong_suite_is_an_error_with_its_lines(project: pytest.Pytester) -> None:
    """What is wrong in the file is told as `evalkit check` tells it, and nothing is green."""
    (project.path / "suites" / "a.yaml").write_text("cases: [{id: x, usr: hi}]\n")
    result = project.runpytest_inprocess(*PLUGIN, "suites")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "suites/a.yaml:1:" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_other_yaml_is_left_alone(project: pytest.Pytester) -> None:
    """YAML outside suites/, in a suites/ folder without prompts/ beside it, and voice files are not collected."""
    (project.path / "elsewhere.yaml").write_text("cases: 3\n")
    (project.path / "other" / "suites").mkdir(parents=True)
    (project.path / "other" / "suites" / "x.yaml").write_text("cases: 3\n")
    result = project.runpytest_inprocess(*PLUGIN, "--collect-only", "-q")
    names = [line for line in result.stdout.lines if "::" in line]
    assert names == [f"suites/a.yaml::{name}" for name in ("greets", "fails", "watched", "later")]


def test_loading_the_plugin_costs_nothing() -> None:
    """Nothing of evalkit but its empty front, and no heavy package, is imported with the plugin."""
    code = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport evalkit.pytest_plugin\n"
        "print(sorted(name for name in set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['evalkit', 'evalkit.pytest_plugin']"


def test_the_plugin_is_installed_with_the_package() -> None:
    """pyproject.toml names the plugin for pytest to find."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"evalkit": "evalkit.pytest_plugin"}


@pytest.mark.parametrize(("source", "said"), [("stand-in", True), ("live", False)])
def test_a_baseline_of_the_played_source_is_told(project: pytest.Pytester, source: str, *, said: bool) -> None:
    """Items are absolute: where a baseline could be compared with, one line says that evalkit run does."""
    conditions = Conditions(source, "claude-sonnet-5-5", "ab" * 8)
    made = Baseline("suites/a.yaml", "2026-11-20", "bot@v1", "d" * 64, conditions, 5)
    (project.path / "suites" / "a.baseline.json").write_text(render_baseline(made))
    result = project.runpytest_inprocess(*PLUGIN, "suites/a.yaml::greets")

    told = (
        "suites/a.yaml: a baseline is there, and these items hold cases to what they state only; evalkit run compares."
    )
    assert any(line.endswith(told) for line in result.stdout.lines) is said


def test_functions_answer_what_the_suites_do_not(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --evalkit-tools; a failing case says the command that plays it again with them."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.syspath_prepend(str(pytester.path))
    looks = {
        **case("looks", stand_in=[{"call": "lookup", "input": {"id": "A-1"}}, {"say": "Good day."}]),
        "expect": {"tools": {"calls": [{"lookup": {"id": "A-1"}}]}},
    }
    cases = [looks, case("fails", "No.")]
    make_project(pytester.path, cases=cases, tools={})
    functions = "def lookup(id: str) -> dict[str, str]:\n    'Look up.'\n    return {'status': 'sent'}\n"
    (pytester.path / "depot_of_this_test.py").write_text(functions)
    result = pytester.runpytest_inprocess(*PLUGIN, "suites/a.yaml", "--evalkit-tools", "depot_of_this_test")

    result.assert_outcomes(passed=1, failed=1)
    assert "evalkit run suites/a.yaml::fails --tools depot_of_this_test" in result.stdout.str()
    readers = [RunReader(folder) for folder in (pytester.path / "reports" / "pytest").glob("*")]
    turns = [turn for reader in readers for trial in reader.trials() for turn in trial.transcript.turns]
    assert {call.output for turn in turns for call in turn.tool_calls} == {'{"status":"sent"}'}
