"""Watching: what a saved file affects is played again, failing cases first, and money is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pexpect
import pytest

from evalkit.cli.main import run_command
from evalkit.cli.run import ask_before_paying, watch
from evalkit.errors import ExitCode, FileProblems
from evalkit.records import Place
from evalkit.runner import Project, RunSettings
from evalkit.runner.changed import SuiteWatch
from tests.runner.project import make_project, run, write_suite


def case(name: str, said: str = "Good day.") -> dict[str, Any]:
    """Return a case that passes on the stand-in when it says good day."""
    return {"id": name, "user": "Hello", "expect": {"says": ["good day"]}, "stand_in": [{"say": said}]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two suites; a case of the first fails."""
    project = make_project(tmp_path, cases=[case("a"), case("b", "No.")], trials=1, min_pass=1)
    write_suite(tmp_path, "other", cases=[case("c")], trials=1, min_pass=1)
    monkeypatch.chdir(tmp_path)
    return project


class Watching:
    """Watches a project whose changes a test makes up, and keeps what was played."""

    def __init__(self, project: Project, *, allowed: bool = True) -> None:
        self.project = project
        self.played: list[tuple[tuple[str, ...], tuple[str, ...] | None]] = []
        self._allowed = allowed

    def play(self, settings: RunSettings) -> tuple[Path, int]:
        """Play a run."""
        names = tuple(Path(target).name for target in settings.targets)
        self.played.append((names, settings.last_failed))
        return run(self.project, **vars(settings)), ExitCode.FAILED

    def watch(self, changes: Iterable[set[Path]], **settings: Any) -> int:
        """Watch until the changes are over."""
        watched = SuiteWatch(self.project.root)
        return watch(watched, RunSettings(**settings), self.play, lambda _: self._allowed, changes)


def saved(*names: str) -> Iterator[set[Path]]:
    """Yield one change for each name."""
    yield from ({Path(name).absolute()} for name in names)


def test_failing_cases_go_first_then_what_the_file_affects(project: Project) -> None:
    """A save of a suite plays its failing case, then the whole suite, and leaves the other suite alone."""
    watching = Watching(project)
    watching.watch(saved("suites/a.yaml"))
    assert watching.played == [((), None), (("a.yaml",), ("suites/a.yaml::b",)), (("a.yaml",), None)]


def test_a_prompt_affects_its_suites_and_other_files_none(project: Project) -> None:
    """The prompt is an input of both suites; a file that nobody reads is not."""
    watching = Watching(project)
    watching.watch(saved("README.md", "prompts/bot/v1.md"))
    assert watching.played[-1] == (("a.yaml", "other.yaml"), None)
    assert len(watching.played) == 3


def test_a_case_that_passes_now_is_no_longer_first(project: Project) -> None:
    """Once mended, a case is played with its suite only."""

    def mended() -> Iterator[set[Path]]:
        write_suite(project.root, cases=[case("a"), case("b")], trials=1, min_pass=1)
        yield from saved("suites/a.yaml", "suites/a.yaml")

    watching = Watching(project)
    watching.watch(mended())
    assert watching.played[-1] == (("a.yaml",), None)
    assert [failing for _, failing in watching.played] == [None, ("suites/a.yaml::b",), None, None]


def test_only_what_was_asked_for_is_watched(project: Project) -> None:
    """With a case named, its suite alone is watched, and only the case is played again."""
    watching = Watching(project)
    watching.watch(saved("suites/other.yaml", "suites/a.yaml"), targets=("suites/a.yaml::a",))
    assert watching.played == [(("a.yaml::a",), None)] * 2


def test_a_new_suite_is_found(project: Project) -> None:
    """A suite that is written while it watches is played."""

    def written() -> Iterator[set[Path]]:
        write_suite(project.root, "new", cases=[case("d")], trials=1, min_pass=1)
        yield from saved("suites/new.yaml")

    watching = Watching(project)
    watching.watch(written())
    assert watching.played[-1] == (("new.yaml",), None)


def test_a_mistake_in_a_file_does_not_end_it(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A suite that is wrong is told with its line, and the next save plays again."""

    def broken() -> Iterator[set[Path]]:
        suite = project.root / "suites" / "a.yaml"
        text = suite.read_text()
        suite.write_text(text.replace('"user"', '"usr"'))
        yield from saved("suites/a.yaml")
        suite.write_text(text)
        yield from saved("suites/a.yaml")

    watching = Watching(project)
    watching.watch(broken())
    assert "unknown key 'usr'" in capsys.readouterr().err
    assert watching.played[-1] == (("a.yaml",), None)


def test_what_is_watched_is_listed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Every watched file is named, so that one that is not watched is seen to be missing."""
    Watching(project).watch([])
    listed = capsys.readouterr().err
    assert all(name in listed for name in ("suites/a.yaml", "prompts/bot/v1.md", "prompts/bot/tools/lookup.yaml"))


def test_what_is_not_allowed_is_not_played(project: Project) -> None:
    """Without the Enter nothing is asked."""
    watching = Watching(project, allowed=False)
    watching.watch(saved("suites/a.yaml"))
    assert len(watching.played) == 1


@pytest.mark.parametrize(("typed", "allowed"), [("\n", True), ("s\n", False)])
def test_a_live_run_waits_for_enter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, *, allowed: bool
) -> None:
    """The cost is told, Enter runs, anything else does not."""
    monkeypatch.setattr(sys, "stdin", StringIO(typed))
    assert ask_before_paying(lambda _: "about 12 requests, about $0.02.")(RunSettings()) is allowed
    assert capsys.readouterr().err == "about 12 requests, about $0.02. Enter to run, s and Enter to skip: "


def test_a_cost_that_cannot_be_told_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is wrong is told instead of a cost."""

    def wrong(settings: RunSettings) -> str:
        raise FileProblems.at(Place("suites/a.yaml", 3, 4), "is wrong")

    assert ask_before_paying(wrong)(RunSettings()) is False
    assert "suites/a.yaml:3:4" in capsys.readouterr().err


def test_watching_with_a_fixed_folder_is_refused(project: Project) -> None:
    """Each run needs a folder of its own."""
    assert run_command(["run", "--watch", "--out", "x"]) == ExitCode.WRONG_INPUT


def test_in_a_terminal_a_save_is_heard_and_ctrl_c_ends_it(project: Project) -> None:
    """From end to end: run, listen, save, run again, Ctrl-C."""
    child = pexpect.spawn(sys.executable, ["-m", "evalkit", "run", "--watch", "suites/other.yaml"], timeout=60)
    try:
        child.expect("watching [0-9]+ files")
        write_suite(project.root, "other", cases=[case("c", "No.")], trials=1, min_pass=1)
        child.expect("Failed: ")
        child.expect("watching")
        child.sendintr()
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == ExitCode.INTERRUPTED
