"""The library page: its program runs, and it speaks of every public name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import evalkit
from tests.project_files import write_files

PAGE = (Path(__file__).parent.parent / "docs" / "library.md").read_text("utf-8")
PROMPT = """---
description: The tour desk of a lighthouse.
model: claude-sonnet-5-5
max_tokens: 300
inputs:
  season: winter
  guest: {required: true}
---
You book tours of the lighthouse. It is {{ season }}.
{# evalkit: cache here #}
You are talking to {{ guest.name }}.
"""
SCRIPT = """
prompt: {guest: '/talking to (\\w+)/'}
rules:
  - {user: tour, call: {book_tour: {people: 2}}, say: "Booked for {{ book_tour.booked }}, {{ prompt.guest }}."}
  - {user: form, output: {people: 2}}
"""


def test_the_program_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its blocks are one program: a tool with its context, a typed reply, and a session that lacks an input."""
    write_files(tmp_path, {"prompts/tours/v1.md": PROMPT, "prompts/tours/stand-in.yaml": SCRIPT})
    monkeypatch.chdir(tmp_path)
    program = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    exec(compile(program, "docs/library.md", "exec"), {"__name__": "library_page"})  # noqa: S102 - our own page

    told = capsys.readouterr().out
    assert told.startswith("Booked for 2, Anna.people=2\n")
    assert "input 'guest' is required" in told
    assert len(list((tmp_path / "logs").iterdir())) >= 1


def test_the_page_speaks_of_every_public_name() -> None:
    """Nothing is exported that the page does not explain."""
    said = set(re.findall(r"\w+", PAGE))
    assert sorted(set(evalkit.__all__) - said) == []
