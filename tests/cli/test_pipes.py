"""Output that nobody reads: a run goes on, and says by its files and its exit code what it came to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.runner.project import SUITE, make_project


def test_a_reader_that_leaves_costs_no_report_and_changes_no_exit_code(tmp_path: Path) -> None:
    """`evalkit run | true` on a green run ends with 0 and leaves every file."""
    make_project(tmp_path, cases=[SUITE["cases"][0]], trials=1)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "evalkit", "run", "--via", "stand-in", "-o", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, told = process.communicate(timeout=120)

    assert process.returncode == 0, told
    assert {each.name for each in (tmp_path / "run").iterdir()} >= {"report.html", "junit.xml", "comment.md"}
    assert b"Traceback" not in told
    assert b"Exception ignored" not in told
