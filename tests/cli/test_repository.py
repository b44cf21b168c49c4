"""A project in a subfolder of a repository: GitHub is told the files from the repository's top."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from evalkit.cli.main import run_command
from evalkit.cli.project import folder_in_repository
from evalkit.errors import ExitCode

BROKEN = "prompt: support@v1\ncases:\n  - id: a\n    turns: [Hello?]\n    expect: {sayz: x}\n"


def project_in(folder: Path) -> Path:
    """A project with a suite that is wrong."""
    (folder / "suites").mkdir(parents=True)
    (folder / "suites" / "a.yaml").write_text(BROKEN)
    return folder


def test_the_folder_is_counted_from_the_top_of_the_repository(tmp_path: Path) -> None:
    """A project at the top has no folder, one below has its path, one outside of any repository has none."""
    below = project_in(tmp_path / "repo" / "services" / "shop")
    assert folder_in_repository(below, {}) == ""

    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    assert folder_in_repository(below, {}) == "services/shop/"
    assert folder_in_repository(tmp_path / "repo", {}) == ""


def test_where_git_can_not_tell_the_workspace_does(tmp_path: Path) -> None:
    """Without a repository GitHub's variable says where its paths begin; one that lies elsewhere says nothing."""
    below = project_in(tmp_path / "work" / "shop")
    assert folder_in_repository(below, {"GITHUB_WORKSPACE": str(tmp_path / "work")}) == "shop/"
    assert folder_in_repository(below, {"GITHUB_WORKSPACE": str(tmp_path / "other")}) == ""


def test_check_annotates_from_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`evalkit check -f github` names files as GitHub knows them; the text for people stays relative to the project."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.chdir(project_in(tmp_path / "services" / "shop"))

    assert run_command(["check", "-f", "github"]) == ExitCode.WRONG_INPUT
    assert "::error file=services/shop/suites/a.yaml,line=" in capsys.readouterr().out
    run_command(["check"])
    assert "services/shop" not in capsys.readouterr().out.replace(str(tmp_path), "")
