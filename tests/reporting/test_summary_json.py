"""summary.json: stable, complete without replies, written whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from evalkit.analysis import summarise
from evalkit.gate import judge
from evalkit.reporting.atomic import replacing
from evalkit.reporting.summary import render_summary, summary_schema, write_summary
from tests.made_up_run import run_of
from tests.reporting.showcase import ON_ITS_WAY, showcase

DESCRIBED = (
    "BaselineRecord", "ComparedCase", "Counts", "Decision", "Interval", "Look", "MetricChange", "RateChange",
    "RunComparison", "StageTrials", "Statement", "SuiteComparison", "SuiteSummary",
)  # fmt: skip


def test_verdict_and_numbers_per_case() -> None:
    """The file says verdict, exit code and source, and for each case its counts."""
    summary = summarise(run_of({"a": "ppf", "b": "fff"}))
    read = json.loads(render_summary(summary, judge(summary)))
    assert (read["verdict"], read["exit_code"], read["source"]["kind"]) == ("failed", 1, "stand-in")
    assert [(c["case_id"], c["verdict"], c["passed"], c["failed"]) for c in read["cases"]] == [
        ("a", "unstable", 2, 1),
        ("b", "fail", 0, 3),
    ]


def test_same_run_same_bytes() -> None:
    """Rendering twice gives the same bytes."""
    first, second = (summarise(showcase()) for _ in range(2))
    assert render_summary(first, judge(first)) == render_summary(second, judge(second))


def test_replies_stay_out() -> None:
    """The summary holds numbers and reasons, not what the model said or the prompt's text."""
    summary = summarise(showcase())
    text = render_summary(summary, judge(summary)).decode()
    assert ON_ITS_WAY[:30] not in text
    assert "You are Mo" not in text


def test_file_is_written_whole(tmp_path: Path) -> None:
    """The file holds what was rendered, and nothing else is left in the folder."""
    summary = summarise(showcase())
    write_summary(summary, judge(summary), tmp_path / "summary.json")
    assert (tmp_path / "summary.json").read_bytes() == render_summary(summary, judge(summary))
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_failed_writing_leaves_the_old_file(tmp_path: Path) -> None:
    """An error half-way leaves the old file as it was and no other."""
    out = tmp_path / "summary.json"
    out.write_text("old")
    with pytest.raises(RuntimeError), replacing(out) as file:
        file.write(b"half")
        raise RuntimeError
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_the_file_keeps_its_published_schema() -> None:
    """What is written has every key of the schema, in its order, and no other."""
    summary = summarise(showcase())
    read = json.loads(render_summary(summary, judge(summary)))
    Draft202012Validator(summary_schema()).validate(read)
    assert list(read) == list(summary_schema()["properties"])


def test_every_key_of_the_file_and_its_comparison_is_described() -> None:
    """The schema says of each key what it is, with an example."""
    schema = summary_schema()
    parts = {"SummaryFile": schema} | {name: part for name, part in schema["$defs"].items() if name in DESCRIBED}
    assert len(parts) == len(DESCRIBED) + 1
    silent = [
        f"{name}.{key}" for name, part in parts.items() for key, said in part["properties"].items() if not _told(said)
    ]
    assert silent == []


def _told(said: dict[str, object]) -> bool:
    return bool(said.get("description")) and bool(said.get("examples"))
