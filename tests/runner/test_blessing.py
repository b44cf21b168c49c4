"""What bless takes trials from: one source, one kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import UsageError
from evalkit.runner.blessing import prepare_blessing
from evalkit.standin import StandIn
from tests.runner.judge_model import JudgeModel, strict, use
from tests.runner.project import make_project, run

CASE = {"id": "a", "user": "Hello", "expect": {"says": ["order number"]}}


def test_mixed_sources_are_refused_before_they_are_paid_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds from one endpoint are not topped up from another one: nothing is asked there."""
    project = make_project(tmp_path, cases=[CASE], trials=2)
    with StandIn(JudgeModel(strict).answer) as first:
        use(monkeypatch, first)
        folder = run(project, via="live")
    other = JudgeModel(strict)
    with StandIn(other.answer) as second:
        use(monkeypatch, second)
        with pytest.raises(UsageError, match="from another source"):
            prepare_blessing(project, folder)
    assert other.chats == 0


def test_one_source_is_topped_up_to_five_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same endpoint gives the missing rounds, and the baseline says which one it was."""
    project = make_project(tmp_path, cases=[CASE], trials=2)
    with StandIn(JudgeModel(strict).answer) as server:
        use(monkeypatch, server)
        ((_, made, _),) = prepare_blessing(project, run(project, via="live")).baselines
    assert (made.rounds, made.cases["a"].passed) == (5, 5)
    assert made.conditions.source_name.startswith("live, 127.0.0.1")
