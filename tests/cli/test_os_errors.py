"""What the operating system refuses is told in one line with what to do, and is nobody's bug."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.cli.main import run_command
from tests.runner.project import SUITE, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project that is the current folder."""
    make_project(tmp_path, cases=[SUITE["cases"][0]], trials=1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_where_reports_go(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`reports` may not be a file."""
    (project / "reports").write_text("mine")
    assert run_command(["run", "-q", "--via", "stand-in"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: reports/")
    assert "a file and a folder are in each other's place; move one of them." in told


def test_a_path_that_is_too_long(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that no file system takes is no crash."""
    assert run_command(["run", f"suites/{'a' * 300}.yaml"]) == 2
    assert "File name too long; choose a shorter one." in capsys.readouterr().err


def test_a_folder_that_is_gone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever stands in a deleted folder is told so."""
    gone = project / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert run_command(["check"]) == 2
    assert capsys.readouterr().err == "error: the current folder is gone; change to one that exists.\n"


FULL = Path("/dev/full")
SCHEMA = [sys.executable, "-m", "evalkit", "schema", "suite"]


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full here")
def test_a_full_disk_is_no_verdict() -> None:
    """Where nothing more can be written, the exit code says that there is no verdict."""
    with FULL.open("w") as full:
        done = subprocess.run(SCHEMA, check=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert done.stderr.startswith(b"error: No space left on device; make room;")
    assert b"Traceback" not in done.stderr
