"""The `memory` key of a prompt's front matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.engine.memory import memory_named
from evalkit.errors import FileProblems
from evalkit.prompts import find_prompt, lint_prompt, load_prompt, with_tools
from evalkit.records import JsonObject, PromptVersion


def load(root: Path, memory: str) -> PromptVersion:
    """Write a prompt with this memory and load it."""
    folder = root / "prompts" / "p"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "v1.md").write_text(f"---\nmodel: claude-sonnet-5-5\n{memory}\n---\nHello.\n")
    return load_prompt("p@v1", {}, root)


SUMMARY = {"above_tokens": 30_000, "keep_turns": 6, "tokens": 1024, "instructions": "", "in": "messages"}


@pytest.mark.parametrize(
    ("written", "memory"),
    [
        ("", {}),
        ("memory: none", {}),
        ("memory: {window: 12}", {"window": 12}),
        ("memory: summary", {"summary": SUMMARY}),
        ("memory: {summary: {keep_turns: 3, instructions: Keep names.}}",
         {"summary": {**SUMMARY, "keep_turns": 3, "instructions": "Keep names."}}),
        ("memory: {summary: {in: system}}", {"summary": {**SUMMARY, "in": "system"}}),
        ("memory: compact", {"compact": {"above_tokens": 150_000, "instructions": ""}}),
    ],
)  # fmt: skip
def test_each_form_is_a_strategy_with_every_value_filled_in(tmp_path: Path, written: str, memory: JsonObject) -> None:
    """What is left out is written down with its default, and the engine knows the strategy."""
    prompt = load(tmp_path, written)

    assert prompt.memory == memory
    memory_named(prompt.memory)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{window: 3, summary: {}}", "exactly one of window, summary, compact"),
        ("{}", "exactly one of window, summary, compact"),
        ("{windw: 3}", "did you mean 'window'?"),
        ("{window: 0}", "expected at least 1"),
        ("{summary: {keep_turns: 0}}", "expected at least 1"),
        ("{summary: {in: sytem}}", "expected 'messages' or 'system'"),
        ("{compact: {above_tokens: 1000}}", "expected at least 50000"),
        ("12", "expected a mapping"),
    ],
)
def test_anything_else_is_a_problem_of_the_file(tmp_path: Path, written: str, said: str) -> None:
    """The message says what was expected."""
    with pytest.raises(FileProblems) as caught:
        load(tmp_path, f"memory: {written}")
    assert said in caught.value.problems[0].message.replace(",000", "000")


def test_memory_is_part_of_a_prompts_identity(tmp_path: Path) -> None:
    """Another strategy is another version; no strategy has the hash that it had before there were any."""
    shas = [load(tmp_path, memory).sha for memory in ("", "memory: none", "memory: {window: 3}", "memory: {window: 4}")]

    assert shas[0] == shas[1]
    assert len(set(shas)) == 3


def test_other_tools_make_another_version(tmp_path: Path) -> None:
    """Tools that come from functions change the hash, and nothing else of the prompt."""
    prompt = load(tmp_path, "memory: {window: 3}")
    changed = with_tools(prompt, [{"name": "f", "description": "d", "input_schema": {"type": "object"}}])

    assert changed.sha != prompt.sha
    assert (changed.memory, changed.system, len(changed.tools)) == (prompt.memory, prompt.system, 1)
    assert with_tools(changed, []).sha == prompt.sha


def test_a_model_that_can_not_compact_is_named_before_a_run(tmp_path: Path) -> None:
    """The check says so at the key, instead of the API with every request."""
    load(tmp_path, "memory: compact")
    file = tmp_path / "prompts" / "p" / "v1.md"
    file.write_text(file.read_text().replace("claude-sonnet-5-5", "claude-haiku-4-5-20251001"))

    messages = [
        problem.message for problem in lint_prompt(find_prompt("p@v1", tmp_path)) if problem.severity == "error"
    ]

    assert messages == ["claude-haiku-4-5-20251001 does not compact conversations; use `summary`, or a newer model."]
