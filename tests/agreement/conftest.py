"""Where the recorded verdicts of reference checkers are, and the table of agreement at the end of the run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.agreement.tally import Tally

FOLDER = "EVALKIT_AGREEMENT_DATA"
_TALLIES: list[Tally] = []


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder with the recorded verdicts, or skip."""
    folder = os.environ.get(FOLDER)
    if not folder:
        pytest.skip(f"{FOLDER} names no folder with recorded verdicts")
    return Path(folder)


@pytest.fixture
def tally() -> list[Tally]:
    """Return the list of rows that are printed when all tests are done."""
    return _TALLIES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a row for each set."""
    if not _TALLIES:
        return
    terminalreporter.write_sep("-", "agreement with the field's checkers")
    terminalreporter.write_line(f"{'set':<34}{'reference':<30}{'n':>6}{'agree':>8}{'false pass':>12}{'false fail':>12}")
    for row in _TALLIES:
        terminalreporter.write_line(row.line())
