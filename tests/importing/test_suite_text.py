"""The suite that an import can write."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from evalkit.suites.writing import quoted
from tests.importing.recorded import imported, recording, says, user, write


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_in_yaml(text: str) -> None:
    """Quotes, breaks of every kind, control characters and emoji come back as they were."""
    assert yaml.safe_load(f"text: {quoted(text)}\n") == {"text": text}


def test_the_suite_names_the_cases_of_the_run(tmp_path: Path) -> None:
    """Ids, user messages and trial numbers are filled in; expectations are the author's."""
    same = [recording(user("Hi: #1"), says("x"), user("bye"), id=f"a{n}", case="same") for n in (1, 2)]
    free = [recording(user(text), says("x"), id=text, case="free") for text in ("one", "two", "three")]
    single = recording(user("no?"), says("x"), id="single")
    file = write(tmp_path / "log.jsonl", *same, *free, single)
    imported(file, suite=tmp_path / "suites" / "recorded.yaml", prompt_ref="support@v3")
    suite = yaml.safe_load((tmp_path / "suites" / "recorded.yaml").read_text("utf-8"))
    assert suite == {
        "description": "6 recorded conversations of 3 cases from log.jsonl",
        "prompt": "support@v3",
        "trials": 3,
        "cases": [
            {"id": "same", "from": "log.jsonl:1", "trials": 2, "turns": [{"user": "Hi: #1"}, {"user": "bye"}]},
            {"id": "free", "from": "log.jsonl:3"},
            {"id": "single", "from": "log.jsonl:6", "trials": 1, "user": "no?"},
        ],
    }
