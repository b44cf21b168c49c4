"""The newsroom: the assistant of a small newspaper's blog, whose six Python functions answer as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evalkit.records import ToolCall, ToolsRecord, Trial
from evalkit.store import RunReader
from tests.cli.sample import Sample

HERE = Path(__file__).parent / "newsroom"


@pytest.fixture
def newsroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sample:
    """Return a copy of the project, as the current folder."""
    shutil.copytree(HERE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(HERE))  # before the copy: a module is imported once in a process
    return Sample(tmp_path)


def failed(folder: Path) -> list[str]:
    """Return the cases that did not pass."""
    cases = json.loads((folder / "summary.json").read_text())["cases"]
    return [case["case_id"] for case in cases if case["verdict"] != "pass"]


def test_the_functions_answer_and_every_case_passes(newsroom: Sample) -> None:
    """Fixtures answer first, then the functions, each trial on a blog of its own; the record says which."""
    done = newsroom.run("run", "--tools", "newsroom.tools", "-o", "out", "-q")

    assert (done.code, failed(newsroom.root / "out")) == (0, [])
    reader = RunReader(newsroom.root / "out")
    assert isinstance(reader.header.tools, ToolsRecord)
    assert reader.header.tools.module == "newsroom.tools"
    origins = {(call.name, call.origin.partition(":")[0]) for trial in reader.trials() for call in calls(trial)}
    assert ("schedule_post", "newsroom.tools.schedule_post") in origins
    assert ("find_posts", "suites/desk.yaml") in origins

    again = newsroom.run("run", "--via", "out", "-o", "again", "-q")
    assert (again.code, failed(newsroom.root / "again")) == (0, [])
    assert RunReader(newsroom.root / "again").header.tools == reader.header.tools
    refused = newsroom.run("run", "--via", "out", "--tools", "newsroom.tools")
    assert (refused.code, refused.err) == (
        2,
        "error: --via out scores stored replies and calls no tool; leave out --tools.\n",
    )


def calls(trial: Trial) -> list[ToolCall]:
    """Return the tool calls of a trial."""
    return [call for turn in trial.transcript.turns for call in turn.tool_calls]


def test_a_prompt_that_no_longer_asks_goes_red(newsroom: Sample) -> None:
    """Version 2 lacks the sentence that makes the assistant ask before it publishes."""
    case = "suites/desk.yaml::asks-before-it-publishes"
    done = newsroom.run("run", case, "--tools", "newsroom.tools", "-p", "desk@v2", "-o", "out")

    assert (done.code, failed(newsroom.root / "out")) == (1, ["asks-before-it-publishes"])


def test_a_function_that_forgets_goes_red(newsroom: Sample) -> None:
    """A correction that says it was made and was not: only functions that are really called can show it."""
    done = newsroom.run(
        "run", "suites/desk.yaml", "-k", "correction", "--tools", "newsroom.forgetful", "-o", "out", "-q"
    )

    assert (done.code, failed(newsroom.root / "out")) == (1, ["correction"])


def test_the_tool_files_are_what_the_functions_say(newsroom: Sample) -> None:
    """`evalkit tools export` finds nothing to write; check is content."""
    done = newsroom.run("tools", "export", "newsroom.tools", "-o", "prompts/desk/tools")

    assert done.code == 0
    assert done.out.count("says the same already") == 6
    assert done.out.endswith(
        "in the front matter of the prompt:\ntools: [tools/find_posts.yaml, tools/read_post.yaml, "
        "tools/draft_post.yaml, tools/correct_post.yaml, tools/schedule_post.yaml, tools/publish_post.yaml]\n"
    )
    assert newsroom.run("check").code == 0


def test_a_chat_asks_the_functions_too(newsroom: Sample) -> None:
    """With the same functions; what differs from the prompt is said first."""
    newsroom.edit("prompts/desk/tools/schedule_post.yaml", "description: The post's slug.", "description: Its slug.")
    asked = "Let the school fair post go live on 2026-11-25."
    done = newsroom.run("chat", "desk", "--tools", "newsroom.tools", "-m", asked)

    assert (done.code, done.out.strip()) == (0, "school-fair goes live on 2026-11-25 at 06:00.")
    said = "input_schema.properties.slug.description: 'Its slug.' in the prompt, \"The post's slug.\" in the function"
    assert said in " ".join(done.err.split())
