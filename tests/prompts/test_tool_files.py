"""Tool definitions as files: they read as what they were, and nothing different is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import UsageError
from evalkit.prompts.tool_files import declare_tools, render_tool, write_tools
from evalkit.prompts.tools import read_tool
from evalkit.yamlsource import SourceText, parse_yaml

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.just("\n"), max_size=60)


def tool(name: str = "count_birds", description: str = "Count birds.", **schema: Any) -> dict[str, Any]:
    """Return a definition."""
    return {"name": name, "description": description, "input_schema": {"type": "object", **schema}, "strict": True}


@given(TEXTS, TEXTS, st.lists(TEXTS, max_size=3))
def test_a_file_reads_as_the_tool_it_was_written_from(description: str, text: str, words: list[str]) -> None:
    """Whatever the texts are: yes, 1e3, colons, several lines, trailing space."""
    properties = {"kind": {"type": "string", "description": text, "enum": words or ["no"]}}
    made = tool(description=description, properties=properties, required=["kind"], additionalProperties=False)

    read, problems = read_tool(parse_yaml(SourceText("count_birds.yaml", render_tool(made))))

    assert not problems
    assert read == made
    assert list(read) == list(made)


def test_a_different_file_is_never_written_over(tmp_path: Path) -> None:
    """One that differs keeps all from being written; the same in another form counts as the same; --force writes."""
    first = write_tools([tool(), tool("feed")], tmp_path)
    (tmp_path / "count_birds.yaml").write_text("# ours\n" + (tmp_path / "count_birds.yaml").read_text())
    again = write_tools([tool(), tool("feed")], tmp_path)

    assert [path.name for path in first.written] == ["count_birds.yaml", "feed.yaml"]
    assert again.written == ()
    assert again.files == first.files
    with pytest.raises(UsageError, match=r"feed\.yaml: defines the tool differently; nothing was written"):
        write_tools([tool("ring"), tool("feed", "Feed birds.")], tmp_path)
    assert not (tmp_path / "ring.yaml").exists()
    assert (tmp_path / "count_birds.yaml").read_text().startswith("# ours")
    assert [path.name for path in write_tools([tool("feed", "Feed birds.")], tmp_path, force=True).written] == [
        "feed.yaml"
    ]


def test_a_tool_of_the_api_has_no_file(tmp_path: Path) -> None:
    """It is told, and nothing is written for it."""
    files = write_tools([{"type": "memory_20250818", "name": "memory"}, tool()], tmp_path)

    assert files.refused == ("memory",)
    assert [path.name for path in files.files] == ["count_birds.yaml"]


HEAD = "---\ndescription: Birds.\nmodel: claude-sonnet-5-5\nmax_tokens: 300\n"
BODY = "---\nCount birds.\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "tools: [tools/ring.yaml]\n"),
        ("tools: [old.yaml]  # ours\n", "tools: [old.yaml, tools/ring.yaml]  # ours\n"),
        ("tools:\n  - old.yaml\neffort: low\n", "tools:\n  - old.yaml\n  - tools/ring.yaml\neffort: low\n"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_prompt_names_more_tools_in_its_own_form(before: str, after: str, end: str, tmp_path: Path) -> None:
    """Comments, lists of either form and ends of lines stay as they are."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "old.yaml").write_text(render_tool(tool("old")))
    prompt = folder / "birds.md"
    prompt.write_bytes((HEAD + before + BODY).replace("\n", end).encode())

    path, files = declare_tools("birds", [tool("ring")], tmp_path)

    assert (path, files.files) == ("prompts/birds.md", (folder / "tools" / "ring.yaml",))
    assert prompt.read_bytes() == (HEAD + after + BODY).replace("\n", end).encode()


def test_a_prompt_that_names_can_not_be_added_to_stays_as_it_was(tmp_path: Path) -> None:
    """The message says which names to add by hand."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "old.yaml").write_text(render_tool(tool("old")))
    text = HEAD + "tools: [\n  old.yaml\n  ]\n" + BODY
    (folder / "birds.md").write_text(text)

    with pytest.raises(UsageError, match=r"prompts/birds\.md: add to its tools by hand: tools/ring\.yaml\."):
        declare_tools("birds", [tool("ring")], tmp_path)
    assert (folder / "birds.md").read_text() == text
