"""A conversation that a product has logged becomes a case: its tools, their results, its inputs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evalkit import Options, ProductionLog, ToolFailed, load_prompt, open_chatbot
from evalkit.store import read_session
from evalkit.suites import load_suite
from tests.cli.sample import Sample

PROMPT = """---
description: A kennel's desk.
model: claude-sonnet-5-5
max_tokens: 300
inputs:
  owner: {required: true, description: Who writes.}
  town: {default: Leeds, description: Where the kennel is.}
---
You are the desk of a kennel in {{ town }}. Look a dog up before you speak of it.
{# evalkit: cache here #}
You are talking to {{ owner }}.
"""
SCRIPT = """
rules:
  - {if: failed.tool, say: "{{ failed.error }}"}
  - {user: "/Bella|Rex/", call: {find_dog: {name: "{{ match }}"}}, say: "{{ match }} sleeps in {{ find_dog.room }}."}
"""


def find_dog(name: str) -> dict[str, str]:
    """Find a dog by its name.

    Args:
        name: The dog's name.
    """
    if name == "Rex":
        raise ToolFailed("No dog of that name.")
    return {"name": name, "room": "the barn"}


def feed(name: str, grams: int = 100) -> str:
    """Feed a dog."""
    return f"{name} had {grams} g"


@pytest.fixture
def kennel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sample:
    """Return a project whose product has held a conversation, with tools that only its code knows."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "suites").mkdir()
    (tmp_path / "prompts" / "kennel.md").write_text(PROMPT)
    (tmp_path / "prompts" / "kennel.stand-in.yaml").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)

    async def talk() -> None:
        options = Options(via="stand-in")
        chatbot = open_chatbot("kennel", tools=[find_dog, feed], log=ProductionLog("logs"), options=options)
        async with chatbot.session("anna", inputs={"owner": "Anna"}) as session:
            for message in ("Where is Bella?", "And Rex?"):
                async for _ in session.send(message):
                    pass
        await chatbot.close()

    asyncio.run(talk())
    return Sample(tmp_path)


def test_a_logged_conversation_becomes_a_case_that_check_accepts(kennel: Sample) -> None:
    """Nothing is to be added by hand, and the project's prompt is then, byte for byte, what the product had sent."""
    done = kennel.run("add", "suites/kennel.yaml", "--from", "logs#anna")

    assert done.code == 0, done.err
    assert done.err.splitlines()[-1] == (
        "prompts/kennel.md: now names the tools that the product had added to it: "
        "prompts/tools/find_dog.yaml, prompts/tools/feed.yaml"
    )
    checked = kennel.run("check")
    assert (checked.code, "error" in checked.out + checked.err) == (0, False)
    suite = load_suite(kennel.root / "suites" / "kennel.yaml", kennel.root)
    [case] = suite.cases
    assert suite.inputs == {"owner": "Anna"}
    assert [one.returns or one.error for one in case.fixtures["find_dog"]] == [
        {"name": "Bella", "room": "the barn"},
        "No dog of that name.",
    ]
    sent = read_session("logs#anna", kennel.root).prompts[0].sha
    assert load_prompt("kennel", {"owner": "Anna"}, kennel.root).sha == sent


def test_the_case_plays_as_the_conversation_went(kennel: Sample) -> None:
    """With the recorded results, once somebody has written what is expected."""
    kennel.run("add", "suites/kennel.yaml", "--from", "logs#anna")
    path = kennel.root / "suites" / "kennel.yaml"
    text = path.read_text()
    lines = [line for line in text.splitlines(keepends=True) if "gate: false" not in line]
    path.write_text("".join(lines) + "    expect: {says_any: [the barn, No dog of that name]}\n")

    assert kennel.run("run", "--via", "stand-in", "-q").code == 0


def test_a_second_conversation_finds_the_tools_there(kennel: Sample) -> None:
    """The prompt is left alone then."""
    kennel.run("add", "suites/kennel.yaml", "--from", "logs#anna")
    before = (kennel.root / "prompts" / "kennel.md").read_text()
    again = kennel.run("add", "suites/kennel.yaml", "--from", "logs#anna", "--id", "again")

    assert (again.code, "now names" in again.err) == (0, False)
    assert (kennel.root / "prompts" / "kennel.md").read_text() == before


def test_a_tool_file_that_says_something_else_stops_it(kennel: Sample) -> None:
    """Nothing is written: neither the case nor the prompt."""
    (kennel.root / "prompts" / "tools").mkdir()
    other = "name: feed\ndescription: Feed a cat.\ninput_schema: {type: object}\n"
    (kennel.root / "prompts" / "tools" / "feed.yaml").write_text(other)
    done = kennel.run("add", "suites/kennel.yaml", "--from", "logs#anna")

    assert done.code == 2
    assert "tools/feed.yaml: defines the tool differently; nothing was written." in done.err
    assert (kennel.root / "prompts" / "kennel.md").read_text() == PROMPT
    assert not (kennel.root / "suites" / "kennel.yaml").exists()
