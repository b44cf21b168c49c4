"""What `evalkit check` says of a prompt."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.prompts import find_prompt, lint_prompt
from tests.project_files import LOOKUP, PROMPT, write_files, write_project

LONG = "Customers may return unused goods within thirty days of delivery, free of charge.\n" * 30
TODAY = {"today": "2026-11-22"}


def lint(tmp_path: Path, text: str = PROMPT, inputs: dict[str, str] | None = None, **changed: str) -> list[str]:
    """Return the problems of the small project's prompt, long enough to be cached unless `voice` says otherwise."""
    root = write_project(tmp_path, v2=text, **{"voice": LONG, **changed})
    problems = lint_prompt(find_prompt("support", root), TODAY if inputs is None else inputs)
    return [
        f"{one.place.file.rpartition('/')[2]}:{one.place.line}:{one.place.column} {one.severity}: {one.message}"
        for one in problems
    ]


def test_a_good_prompt_has_no_problem(tmp_path: Path) -> None:
    """Nothing is said where nothing is wrong."""
    assert lint(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((" {{ today }}", " {{ today }} {{ tody }}"), "v2.md:14:25 error: 'tody' is undefined (inputs: shop, today)"),
        (("shop: Tandle", "shop: Tandle\n  extra: x"), "v2.md:8:3 warning: input 'extra' is never used in the text"),
        (("shop: Tandle", "shop: {}"), "v2.md:7:9 error: an input has either a default or"),
        (("shop: Tandle", "shop: Tandle\n  for: x"), "v2.md:8:3 error: 'for' can't be the name of an input"),
        (("shop: Tandle", "shop: Tandle\n  a-b: x"), "v2.md:8:3 error: 'a-b' can't be the name of an input"),
        (
            ("effort: medium", "temperature: 0"),
            "v2.md:4:14 error: claude-sonnet-5-5 takes no temperature: the API refuses sampling parameters since",
        ),
        (("effort: medium", "temperature: 2"), "v2.md:4:14 error: 'temperature' is the number 2; expected at most 1."),
        (("effort: medium", "mcp_servers: []"), "v2.md:4:1 error: not built yet: 'mcp_servers'"),
        (("effort: medium", "name: support"), "v2.md:4:1 error: 'name' is not a key: a prompt is named by its folder"),
        (
            ("effort: medium", "effrot: medium"),
            "v2.md:4:1 error: unknown key 'effrot' in the front matter (did you mean 'effort'?)",
        ),
        (("effort: medium", "effort: huge"), "v2.md:4:9 error: 'effort' is the text 'huge'; expected 'low', 'medium'"),
        (("700", "seven"), "v2.md:3:13 error: 'max_tokens' is the text 'seven'; expected a whole number."),
        (
            ("700", "200000"),
            "v2.md:3:13 error: max_tokens 200,000 is more than claude-sonnet-5-5 can write; at most 128,000.",
        ),
        (
            ("sonnet-5-5", "sonet-5-5"),
            "v2.md:2:8 warning: model 'claude-sonet-5-5' is not in the table of models (did you mean",
        ),
        (
            ("sonnet-5-5", "mythos-preview"),
            "v2.md:2:8 error: model 'claude-mythos-preview' is retired: it has not answered since 30 June 2026.",
        ),
        (
            ("sonnet-5-5", "opus-4-20250514"),
            "v2.md:2:8 error: model 'claude-opus-4-20250514' is retired: it has not answered since 15 June 2026.",
        ),
        (("sonnet-5-5\n", "haiku-4-5\n"), "v2.md:4:9 error: claude-haiku-4-5 takes no `effort`; remove it."),
        (
            ("effort: medium", "thinking: disabled"),
            "v2.md:4:11 error: claude-sonnet-5-5 does not take thinking 'disabled'; it takes adaptive or ",
        ),
        (
            ("effort: medium", "thinking: {type: adaptive, budget_tokens: 2000}"),
            "v2.md:4:43 error: `budget_tokens` belongs to thinking 'enabled'.",
        ),
        (
            ("effort: medium", "thinking: deep"),
            "v2.md:4:11 error: 'thinking' is the text 'deep'; expected 'adaptive', 'enabled'",
        ),
        (("effort: medium", "cache: off"), "v2.md:13:1 warning: a cache point without caching"),
        (
            ("[tools/lookup_order.yaml]", "[tools/lookup.yaml]"),
            "v2.md:5:9 error: there is no file prompts/support/tools/lookup.yaml",
        ),
        (
            ("[tools/lookup_order.yaml]", "[tools/lookup_order.yaml, tools/lookup_order.yaml]"),
            "v2.md:5:34 error: tool 'lookup_order' is already defined by tools/lookup_order.yaml",
        ),
        (
            ("partials/voice.md", "partials/vioce.md"),
            "v2.md:11:4 error: there is no file prompts/support/partials/vioce.md",
        ),
        (('"partials/voice.md"', "shop"), "v2.md:11:4 error: an include needs one file name in quotes"),
        (("---\nmodel", "model"), "v2.md:1:1 error: has no front matter"),
        (
            ("{# evalkit: cache here #}\n", ""),
            "v2.md:13:13 warning: 'today' changes between sessions and stands before the end",
        ),
        (
            ("You are", "{{ today }} You are"),
            "v2.md:10:4 warning: 'today' changes between sessions and stands before the cache point (line 13)",
        ),
    ],
    ids=lambda value: value[1][:30] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_found_at_its_line(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    """One thing is wrong and exactly that is said."""
    (only,) = lint(tmp_path, PROMPT.replace(*change, 1))

    assert only.startswith(expected)


def test_a_value_that_changes_is_found_in_included_files_too(tmp_path: Path) -> None:
    """A required input in a partial above the cache point costs as much as one in the prompt itself."""
    (only,) = lint(tmp_path, voice=LONG + "On {{ today }}.\n")

    assert only.startswith("voice.md:31:7 warning: 'today' changes between sessions and stands before the cache point")


def test_a_prefix_that_is_too_short_to_be_cached_is_a_warning_that_says_it_is_an_estimate(tmp_path: Path) -> None:
    """The model's minimum and the estimate stand in the message."""
    (only,) = lint(tmp_path, voice="Be brief.\n")

    assert only.startswith("v2.md:13:1 warning: tools and text before the cache point are about ")
    assert only.endswith("(estimated: 3.6 characters each); claude-sonnet-5-5 caches nothing shorter than 512.")


def test_what_needs_inputs_is_left_out_without_them(tmp_path: Path) -> None:
    """Without a suite's inputs the rendered text is unknown, and nothing is guessed about it."""
    assert lint(tmp_path, inputs={}, voice="Be brief.\n") == []


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (
            LOOKUP.replace("description: Looks an order up. Use it before saying anything about an order.\n", ""),
            "1:7 warning: tool 'lookup_order' has no description",
        ),
        (
            LOOKUP.replace("name: lookup_order", "name: look up"),
            "1:7 error: 'name' is the text 'look up'; expected text of the form",
        ),
        (LOOKUP + "strict: yes\n", "10:9 error: 'strict' is the text 'yes'; expected true or false."),
        (LOOKUP + "scrict: true\n", "10:1 error: unknown key 'scrict' in the tool (did you mean 'strict'?)"),
        (LOOKUP + "defer_loading: true\n", "10:1 error: not built yet: tools that are loaded later"),
        (LOOKUP.replace("type: object", "type: objekt"), "4:3 error: an input_schema needs `type: object`."),
        (LOOKUP.replace("required: [order_id]", "required: order_id"), "8:13 error: not a JSON Schema:"),
        (LOOKUP.replace("detail:", "de tail:"), "7:5 error: 'de tail' can't name an input"),
        (LOOKUP + "  anyOf: [{}]\n", "10:3 error: 'anyOf' can't stand at the top of an input_schema."),
        (
            LOOKUP.replace("{type: string, enum: [short, full]}", "{$ref: 'https://example.com/x.json'}"),
            "7:20 error: '$ref' to 'https://example.com/x.json'; only references within",
        ),
        ("- a\n", "1:1 error: the file is a list; expected a mapping"),
        (
            LOOKUP.replace("additionalProperties: false", "additionalProperties: true") + "strict: true\n",
            "9:25 error: strict mode needs `additionalProperties: false`",
        ),
        (
            LOOKUP.replace("type: string, enum", "type: string, minLength: 2, enum") + "strict: true\n",
            "7:28 error: 'minLength': strict mode does not take it.",
        ),
        (
            LOOKUP.replace("[short, full]", "[short, [full]]") + "strict: true\n",
            "7:28 error: 'enum': strict mode does not take it.",
        ),
        (
            LOOKUP.replace("enum: [short, full]", r"pattern: '^(?!x)\w+$'") + "strict: true\n",
            "7:28 error: 'pattern': strict mode does not take it.",
        ),
        (
            LOOKUP.replace("{type: string, enum: [short, full]}", "{type: array, minItems: 2, items: {type: string}}")
            + "strict: true\n",
            "7:27 error: 'minItems': strict mode",
        ),
        (
            LOOKUP.replace("{type: string, enum: [short, full]}", "{$ref: '#/$defs/n'}")
            + "  $defs: {n: {type: object, additionalProperties: false, properties: {n: {$ref: '#/$defs/n'}}}}\n"
            + "strict: true\n",
            "10:14 error: 'n' refers to itself; strict mode",
        ),
    ],
    ids=lambda value: value[:50] if " error: " in value or " warning: " in value else "",
)
def test_a_wrong_tool_is_found_in_its_file(tmp_path: Path, tool: str, expected: str) -> None:
    """Unusable tools, and strict tools that the API would refuse, are errors at the line in the tool's file."""
    (only,) = lint(tmp_path, tool=tool)

    assert only.startswith(f"lookup_order.yaml:{expected}")


def test_strict_tools_are_counted_together(tmp_path: Path) -> None:
    """The API limits optional inputs over all strict tools of a request."""
    optional = "".join(f"    x{n}: {{type: string}}\n" for n in range(13))
    for name in ("a", "b"):
        text = LOOKUP.replace("lookup_order", name).replace("    detail", optional + "    detail") + "strict: true\n"
        write_files(tmp_path, {f"prompts/support/tools/{name}.yaml": text})
    (only,) = lint(tmp_path, PROMPT.replace("[tools/lookup_order.yaml]", "[tools/a.yaml, tools/b.yaml]"))

    assert only == "v2.md:5:8 error: 28 optional inputs in strict tools; the API takes at most 24 in a request."


OUTPUT = "output: {schema: {type: object, properties: {urgent: {type: boolean}}, additionalProperties: false}}"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (OUTPUT, []),
        ("output: {}", ["v2.md:4:9 error: key 'schema' is missing in output"]),
        ("output: {schema: 7}", ["v2.md:4:18 error: 'schema' is a JSON Schema, or the name of a file"]),
        ("output: {schema: ../x.yaml}", ["v2.md:4:18 error: '../x.yaml' is not below prompts/support"]),
        ("output: {schema: gone.json}", ["v2.md:4:18 error: there is no file prompts/support/gone.json"]),
        (OUTPUT.replace("boolean", "bool"), ["v2.md:4:61 error: not a JSON Schema: 'bool' is not valid"]),
        (OUTPUT.replace("type: boolean", "minimum: 1"), ["v2.md:4:55 error: 'minimum': structured output does not"]),
        (
            OUTPUT.replace(", additionalProperties: false", ""),
            ["v2.md:4:18 error: structured output needs `additionalProperties: false` on every object."],
        ),
        (OUTPUT.replace("type: boolean", "$ref: 'http://x/y'"), ["v2.md:4:61 error: '$ref' to 'http://x/y'; only"]),
        ("tool_choice: none", []),
        ("tool_choice: {disable_parallel_tool_use: true}", []),
        (
            "tool_choice: some",
            ["v2.md:4:14 error: 'tool_choice' is the text 'some'; expected 'auto', 'any' or 'none'."],
        ),
        (
            "tool_choice: {tool: lookup}",
            [
                "v2.md:4:14 error: claude-sonnet-5-5 can't be forced to call a tool; ask for the call in the text",
                "v2.md:4:21 error: the prompt has no tool 'lookup' (did you mean",
            ],
        ),
        ("tool_choice: {type: any, tool: x}", ["v2.md:4:21 error: `tool` names the tool to call and says it all"]),
        ("tool_choice: {type: none, disable_parallel_tool_use: true}", ["v2.md:4:14 error: no tool is called with"]),
        ("tool_choice: {name: x}", ["v2.md:4:15 error: 'name' is not a key here: force one tool with `tool: NAME`."]),
        ("stop_sequences: ['###']", []),
        ("stop_sequences: []", ["v2.md:4:17 error: 'stop_sequences' is an empty list; expected at least 1 entry."]),
        ("stop_sequences: ['  ']", ["v2.md:4:18 error: entry 1 of 'stop_sequences' is the text '  '; expected text"]),
    ],
)
def test_settings_of_the_reply_are_checked(tmp_path: Path, header: str, expected: list[str]) -> None:
    """Output, tool choice and stop sequences: what the API would refuse is an error where it stands."""
    lines = lint(tmp_path, PROMPT.replace("effort: medium", header))

    assert len(lines) == len(expected), lines
    assert all(line.startswith(start) for line, start in zip(lines, expected, strict=True)), lines


THINKING = "thinking: {type: enabled, budget_tokens: 1024}"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("temperature: 0.2", ""),
        ("top_p: 0.9\ntop_k: 40", ""),
        ("temperature: 0.2\ntop_p: 0.9", "v2.md:5:8 error: claude-haiku-4-5 takes temperature or top_p, not both"),
        (f"{THINKING}\ntemperature: 0.2", "v2.md:5:14 error: temperature 0.2: while it thinks claude-haiku-4-5 takes"),
        (f"{THINKING}\ntop_p: 0.95", ""),
    ],
)
def test_an_older_model_takes_sampling_parameters_by_its_rules(tmp_path: Path, settings: str, expected: str) -> None:
    """What the model takes is no problem; two at once, or a value that thinking rules out, is."""
    text = PROMPT.replace("sonnet-5-5", "haiku-4-5").replace("effort: medium", settings).replace("700", "2000")
    errors = [line for line in lint(tmp_path, text) if " error: " in line]

    assert len(errors) == bool(expected)
    assert all(line.startswith(expected) for line in errors)


def test_a_schema_in_a_file_is_checked_there(tmp_path: Path) -> None:
    """The file may be JSON or YAML; what the API refuses is found at its line."""
    text = PROMPT.replace("effort: medium", "output: {schema: reply.json}")
    write_files(tmp_path, {"prompts/support/reply.json": '{\n  "type": "array",\n  "maxItems": 3\n}\n'})

    assert lint(tmp_path, text) == [
        "reply.json:3:3 error: 'maxItems': structured output does not take it. Say it in the description."
    ]
    write_files(tmp_path, {"prompts/support/reply.json": "[]"})
    assert lint(tmp_path, text) == [
        "reply.json:1:1 error: the file is no JSON Schema; expected a mapping, `type: ...`."
    ]


def test_tool_choice_needs_tools(tmp_path: Path) -> None:
    """Without tools there is nothing to choose."""
    text = PROMPT.replace("effort: medium", "tool_choice: auto").replace("tools: [tools/lookup_order.yaml]\n", "")

    assert lint(tmp_path, text) == ["v2.md:4:14 error: `tool_choice` says nothing without `tools`; the API refuses it."]


def test_optional_fields_of_the_output_count_with_those_of_strict_tools(tmp_path: Path) -> None:
    """The API adds up the optional parts of all schemas of a request."""
    fields = ", ".join(f"f{n}: {{type: string}}" for n in range(24))
    header = f"output: {{schema: {{type: object, properties: {{{fields}}}, additionalProperties: false}}}}"

    (only,) = lint(tmp_path, PROMPT.replace("effort: medium", header), tool=LOOKUP + "strict: true\n")

    assert only.endswith("25 optional fields in strict tools and the output; the API takes at most 24 in a request.")


def test_several_mistakes_are_listed_in_order(tmp_path: Path) -> None:
    """Front matter, text, partial and tool: everything is found in one go."""
    text = PROMPT.replace("model:", "modl:").replace("{{ shop }}", "{{ shop | uper }}")

    lines = lint(tmp_path, text, voice="{% if %}", tool="name: x")

    assert [line.split(" ")[0] for line in lines] == [
        "voice.md:1:1", "lookup_order.yaml:1:1", "v2.md:2:1", "v2.md:2:1", "v2.md:10:27",
    ]  # fmt: skip
