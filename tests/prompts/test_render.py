"""A prompt's files and inputs as the body of a request."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import FileProblems
from evalkit.prompts import find_prompt, load_prompt, render_prompt
from evalkit.prompts.template import Template, parse_template, render_template
from evalkit.records import PromptVersion
from evalkit.yamlsource import SourceText
from tests.project_files import LOOKUP, PROMPT, write_files, write_project

TODAY = {"today": "2026-11-22"}


def version(tmp_path: Path, text: str = PROMPT, **inputs: str) -> PromptVersion:
    return load_prompt("support", {**TODAY, **inputs}, write_project(tmp_path, v2=text))


def test_a_version_holds_the_body_of_a_request_but_its_messages(tmp_path: Path) -> None:
    """Model, parameters in their order, system blocks with the cache point, and tools as the API takes them."""
    made = version(tmp_path)

    assert made.model == "claude-sonnet-5-5"
    assert list(made.params) == ["max_tokens", "output_config", "cache_control"]
    assert made.params == {
        "max_tokens": 700,
        "output_config": {"effort": "medium"},
        "cache_control": {"type": "ephemeral"},
    }
    assert made.system == (
        {
            "type": "text",
            "text": "You are Tess of Tandle.\nBe brief at Tandle.\n\n",
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "text", "text": "\nToday is 2026-11-22."},
    )
    assert [tool["name"] for tool in made.tools] == ["lookup_order"]
    assert made.text == "You are Tess of Tandle.\nBe brief at Tandle.\n\n\nToday is 2026-11-22."
    assert made.inputs == {"shop": "Tandle", "today": "2026-11-22"}


def test_settings_of_the_reply_are_sent_under_the_names_of_the_api(tmp_path: Path) -> None:
    """Output stands beside effort, a tool's name makes the API's object, and the schema is a fact of the version."""
    schema = "{type: object, properties: {day: {type: string}}, required: [day], additionalProperties: false}"
    keys = ["tool_choice: {tool: lookup_order, disable_parallel_tool_use: true}", "stop_sequences: ['###', END]"]
    header = "\n".join(["effort: low", f"output: {{schema: {schema}}}", *keys])
    made = version(tmp_path, PROMPT.replace("effort: medium", header).replace("sonnet-5-5", "haiku-5-5"))

    config = made.params["output_config"]
    assert config["effort"] == "low"
    assert config["format"] == {"type": "json_schema", "schema": made.output_schema}
    assert made.output_schema is not None
    assert made.output_schema["properties"] == {"day": {"type": "string"}}
    assert made.params["tool_choice"] == {"type": "tool", "name": "lookup_order", "disable_parallel_tool_use": True}
    assert made.params["stop_sequences"] == ["###", "END"]


def test_a_schema_in_a_file_is_one_of_the_prompts_files(tmp_path: Path) -> None:
    """A file with the schema is sent as it is, and is among the files whose hashes a version keeps."""
    text = PROMPT.replace("effort: medium", "output: {schema: reply.yaml}")
    write_files(tmp_path, {"prompts/support/reply.yaml": "type: object\nadditionalProperties: false\n"})
    made = version(tmp_path, text)

    assert made.output_schema == {"type": "object", "additionalProperties": False}
    assert "prompts/support/reply.yaml" in made.files


def test_the_hash_is_over_the_body_as_it_is_sent(tmp_path: Path) -> None:
    """Anyone can compute it again from model, params, system and tools."""
    made = version(tmp_path)
    body = {"model": made.model, "params": made.params, "system": made.system, "tools": made.tools}

    assert made.sha == hashlib.sha256(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def test_what_is_not_sent_does_not_change_the_hash(tmp_path: Path) -> None:
    """Descriptions, metadata, comments and line ends are not part of a version's identity."""
    other = PROMPT.replace("model:", "description: new\nmetadata: {owner: me}\nmodel:").replace("\n", "\r\n")
    other = other.replace("You are", "{# a note #}You are")

    assert version(tmp_path, other).sha == version(tmp_path).sha


@pytest.mark.parametrize(
    "change",
    [("Tess", "Tom"), ("700", "701"), ("medium", "high"), ("5-5", "5"), ("tools: [tools/lookup_order.yaml]\n", "")],
)
def test_what_is_sent_changes_the_hash(tmp_path: Path, change: tuple[str, str]) -> None:
    """Text, parameters, model and tools are the version."""
    assert version(tmp_path, PROMPT.replace(*change)).sha != version(tmp_path).sha


def test_every_file_is_listed_with_its_hash(tmp_path: Path) -> None:
    """The prompt, its includes and its tools, by path relative to the project."""
    made = version(tmp_path)

    assert sorted(made.files) == [
        "prompts/support/partials/voice.md",
        "prompts/support/tools/lookup_order.yaml",
        "prompts/support/v2.md",
    ]
    assert made.files["prompts/support/tools/lookup_order.yaml"] == hashlib.sha256(LOOKUP.encode()).hexdigest()


@pytest.mark.parametrize(
    ("cache", "expected"),
    [("5m", {"type": "ephemeral"}), ("1h", {"type": "ephemeral", "ttl": "1h"}), ("off", None)],
)
def test_the_cache_key_marks_the_block_and_the_request_alike(
    tmp_path: Path, cache: str, expected: dict[str, str] | None
) -> None:
    """5m, 1h and off each give the same marker in both places, or none."""
    made = version(tmp_path, PROMPT.replace("effort:", f"cache: {cache}\neffort:"))

    assert made.system[0].get("cache_control") == made.params.get("cache_control") == expected


def test_without_a_cache_point_the_only_block_is_cached(tmp_path: Path) -> None:
    """The whole prompt is the prefix then."""
    made = version(tmp_path, PROMPT.replace("{# evalkit: cache here #}", ""))

    assert len(made.system) == 1
    assert made.system[0]["cache_control"] == {"type": "ephemeral"}


def test_a_cache_point_at_the_end_makes_one_block(tmp_path: Path) -> None:
    """An empty second block is not sent."""
    made = version(tmp_path, PROMPT.replace("Today is {{ today }}.\n", "").replace("You", "{{ today }} You"))

    assert len(made.system) == 1


def test_thinking_is_a_word_or_the_api_object(tmp_path: Path) -> None:
    """Both spellings are sent as the object."""
    word = version(tmp_path, PROMPT.replace("effort: medium", "thinking: adaptive"))
    whole = version(tmp_path, PROMPT.replace("effort: medium", "thinking: {type: adaptive, display: omitted}"))

    assert word.params["thinking"] == {"type": "adaptive"}
    assert whole.params["thinking"] == {"type": "adaptive", "display": "omitted"}


def test_a_default_is_the_text_that_was_written(tmp_path: Path) -> None:
    """`version: 1.10` renders as 1.10, and a given input replaces the default."""
    text = PROMPT.replace("shop: Tandle", "shop: 1.10")

    assert "Tess of 1.10." in version(tmp_path, text).text
    assert "Tess of {{ x }}." in version(tmp_path, text, shop="{{ x }}").text


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, r"v2.md:8:3: error: input 'today' is required and was not given"),
        ({**TODAY, "shpo": "x"}, r"v2.md:7:3: error: prompt support@v2 has no input 'shpo' \(did you mean 'shop'\?\)"),
        ({"today": "a\0b"}, r"v2.md:8:10: error: input 'today' holds a NUL character"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(tmp_path: Path, inputs: dict[str, str], words: str) -> None:
    """Missing, unknown and unusable inputs are problems of the call, placed at the prompt's own list."""
    with pytest.raises(FileProblems, match=words):
        load_prompt("support", inputs, write_project(tmp_path))


def test_a_prompt_of_nothing_is_refused(tmp_path: Path) -> None:
    """An empty system prompt is a mistake, and so is a cache point with nothing above it."""
    with pytest.raises(FileProblems, match="renders to an empty text"):
        version(
            tmp_path,
            "---\nmodel: claude-opus-5\ninputs: {today: x}\n---\n{% if today == 'a' %}{{ today }}{% endif %}\n",
        )
    with pytest.raises(FileProblems, match=r"v2.md:5:1: error: nothing stands above the cache point"):
        version(
            tmp_path, "---\nmodel: claude-opus-5\ninputs: {today: x}\n---\n{# evalkit: cache here #}\nOn {{ today }}\n"
        )


def body(text: str) -> Template:
    return parse_template("v1.md", {"v1.md": SourceText("prompts/a/v1.md", text)})


@given(st.text(st.sampled_from("ab {}%#'\"\n\\é<&"), max_size=30))
def test_inputs_are_never_templates(value: str) -> None:
    """Whatever an input holds, braces and all, stands in the prompt unchanged and unescaped."""
    assert render_template(body("[{{ x }}]"), {"x": value}) == f"[{value}]"


@given(st.text(st.sampled_from("ab é.,-\n"), max_size=40), st.text(st.sampled_from("ab é.,-\n"), max_size=40))
def test_the_blocks_together_are_the_whole_text(above: str, below: str) -> None:
    """The cache point adds and removes nothing: it is a comment to every other tool."""
    rendered = render_template(body(f"{above}{{# evalkit: cache here #}}{below}"), {})
    plain = render_template(body(f"{above}{below}"), {})

    assert rendered.replace("\0evalkit cache point\0", "") in (plain, plain + "\n")


def test_rendering_reads_no_file(tmp_path: Path) -> None:
    """What find_prompt has read is enough: the files may change or vanish meanwhile."""
    root = write_project(tmp_path)
    source = find_prompt("support", root)
    before = render_prompt(source, TODAY)
    for path in sorted((root / "prompts").rglob("*.*")):
        path.unlink()

    assert render_prompt(source, TODAY) == before
