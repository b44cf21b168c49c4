"""The memory tool on a folder: what the model reads, and that nothing leads out of the folder."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.engine.memory_tool import DEFINITION, LARGEST, memory_tool
from evalkit.engine.tools import run_tool
from evalkit.records import ToolCall


def use(folder: Path, **command: object) -> ToolCall:
    """Call the tool as the engine does."""
    definitions, source = memory_tool(folder)
    return asyncio.run(run_tool({"id": "t", "name": "memory", "input": command}, 1, definitions, source))


def said(folder: Path, **command: object) -> str:
    """Call the tool, expect that it works, and give its text."""
    done = use(folder, **command)
    assert not done.is_error, done.output
    return done.output


def refused(folder: Path, **command: object) -> str:
    """Call the tool, expect an error result, and give its text."""
    done = use(folder, **command)
    assert done.is_error
    return done.output


def test_a_note_is_written_changed_and_read(tmp_path: Path) -> None:
    """The commands do what the API's reference says, with its texts."""
    note = "/memories/people/ada.md"

    assert said(tmp_path, command="create", path=note, file_text="likes tea\nlives in Leeds\n") == (
        f"File created successfully at: {note}"
    )
    changed = said(tmp_path, command="str_replace", path=note, old_str="tea", new_str="coffee")
    assert changed.splitlines()[1:] == ["     1\tlikes coffee", "     2\tlives in Leeds", "     3\t"]
    assert said(tmp_path, command="insert", path=note, insert_line=0, insert_text="Ada\n") == (
        f"The file {note} has been edited."
    )
    assert said(tmp_path, command="view", path=note, view_range=[2, -1]).splitlines() == [
        f"Here's the content of {note} with line numbers:",
        "     2\tlikes coffee",
        "     3\tlives in Leeds",
        "     4\t",
    ]
    assert (tmp_path / "people" / "ada.md").read_text() == "Ada\nlikes coffee\nlives in Leeds\n"


def test_a_listing_goes_two_levels_deep(tmp_path: Path) -> None:
    """Hidden files and deeper levels are left out, sizes come first."""
    for path in ("a.md", "b/c.md", "b/d/e.md"):
        said(tmp_path, command="create", path=f"/memories/{path}", file_text="12345")
    (tmp_path / ".hidden").write_text("x")

    lines = said(tmp_path, command="view", path="/memories").splitlines()

    assert lines[0] == "Here're the files and directories up to 2 levels deep in /memories, excluding hidden items:"
    assert [line.split("\t")[1] for line in lines[1:]] == [
        "/memories", "/memories/a.md", "/memories/b/", "/memories/b/c.md", "/memories/b/d/",
    ]  # fmt: skip
    assert lines[2] == "5B\t/memories/a.md"


def test_files_are_renamed_and_deleted_but_never_the_root(tmp_path: Path) -> None:
    """Moving makes the folders it needs; the root itself stays."""
    said(tmp_path, command="create", path="/memories/a", file_text="")
    assert said(tmp_path, command="rename", old_path="/memories/a", new_path="/memories/x/b") == (
        "Successfully renamed /memories/a to /memories/x/b"
    )
    assert "already exists" in refused(tmp_path, command="rename", old_path="/memories/x", new_path="/memories/x/b")
    assert "into itself" in refused(tmp_path, command="rename", old_path="/memories/x", new_path="/memories/x/y/z")
    assert "Cannot delete" in refused(tmp_path, command="delete", path="/memories/")
    assert "Cannot rename" in refused(tmp_path, command="rename", old_path="/memories", new_path="/memories/q")
    assert said(tmp_path, command="delete", path="/memories/x") == "Successfully deleted /memories/x"
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_done_says_why(tmp_path: Path) -> None:
    """Errors are results that the model can act on."""
    note = "/memories/a"
    said(tmp_path, command="create", path=note, file_text="one\none\n")

    assert refused(tmp_path, command="create", path=note, file_text="") == f"File {note} already exists"
    assert "Multiple occurrences of old_str `one` in lines: 1, 2" in refused(
        tmp_path, command="str_replace", path=note, old_str="one", new_str=""
    )
    assert "did not appear verbatim" in refused(tmp_path, command="str_replace", path=note, old_str="x", new_str="")
    assert "within the range [0, 2]" in refused(tmp_path, command="insert", path=note, insert_line=3, insert_text="x")
    assert "does not exist" in refused(tmp_path, command="view", path="/memories/b")
    assert "is not a file" in refused(tmp_path, command="insert", path="/memories", insert_line=0, insert_text="x")
    assert "not valid" in refused(tmp_path, command="shout", path=note)
    assert "256 KB" in refused(tmp_path, command="create", path="/memories/big", file_text="x" * (LARGEST + 1))


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "memories/a", "/memoriesx/a", "/memories/../a", "/memories/b/../../a", "/memories\\..\\a",
        "/memories/link/a", "/memories/link", "/memories/a\0b", "",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    """Neither dots nor symbolic links nor other roots reach a file outside; nothing is written there."""
    folder, outside = tmp_path / "memory", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "a").write_text("secret")
    (folder / "link").symlink_to(outside)

    for command in (
        {"command": "view", "path": path},
        {"command": "create", "path": path, "file_text": "x"},
        {"command": "delete", "path": path},
        {"command": "rename", "old_path": "/memories/link", "new_path": path},
        {"command": "rename", "old_path": path, "new_path": "/memories/b"},
    ):
        assert "secret" not in refused(folder, **command)
    assert [item.name for item in outside.iterdir()] == ["a"]
    assert (outside / "a").read_text() == "secret"


@given(st.text(st.sampled_from("/.ab\\~\0"), max_size=12))
def test_made_up_paths_stay_inside(tail: str) -> None:
    """Whatever a path is made of, a created file is inside the folder or there is none."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "deep" / "memory"
        use(folder, command="create", path=f"/memories/{tail}", file_text="x")

        files = {path for path in Path(name).rglob("*") if path.is_file()}
        assert all(path.is_relative_to(folder) for path in files)


def test_the_definition_is_the_apis_own() -> None:
    """The tool is named by its type; it has no schema of ours."""
    assert DEFINITION == {"type": "memory_20250818", "name": "memory"}
