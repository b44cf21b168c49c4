"""What a team writes wrong in its first week: each mistake is one line with its place, and nothing was asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from evalkit.suites.check import check_project
from tests.project_files import PROMPT, write_files, write_project

TODAY = date(2026, 11, 24)
HEAD = "prompt: support\ninputs: {today: 2026-11-22}\n"
CASES = "cases:\n  - {id: a, user: Hello, expect: {says: [x]}}\n"
WORLD = "world:\n  entities: {booking: {B1: {status: new}}}\n  tools: {lookup_order: [%s]}\n"
SUITE, VERSION = "suites/hello.yaml", "prompts/support/v2.md"
NO_PICTURE, LARGE = b"name: x\n", b"\x89PNG\r\n\x1a\n" + b"0" * 5_242_880


def suite(text: str) -> dict[str, str]:
    """Return a suite that begins as the small project's does."""
    return {SUITE: HEAD + text}


def case(keys: str) -> dict[str, str]:
    """Return a suite with one case."""
    return suite(f"cases:\n  - {{id: a, {keys}, expect: {{says: [x]}}}}\n")


def expect(keys: str) -> dict[str, str]:
    """Return a suite whose case expects this."""
    return suite(f"cases:\n  - {{id: a, user: Hello, expect: {{{keys}}}}}\n")


def world(step: str) -> dict[str, str]:
    """Return a suite whose world has a tool of one step."""
    return suite(WORLD % step + CASES)


def prompt(line: str, model: str = "claude-sonnet-5-5") -> dict[str, str]:
    """Return a prompt with a line of its own in the front matter, at line 4."""
    return {VERSION: PROMPT.replace("effort: medium", line).replace("claude-sonnet-5-5", model)}


def reference(ref: str, **files: str) -> dict[str, str]:
    """Return a suite that names its prompt like this."""
    return {SUITE: HEAD.replace("support", ref) + CASES, **files}


MISTAKES: dict[str, tuple[Mapping[str, str], str]] = {
    # inputs
    "input not declared": (
        {SUITE: HEAD.replace("}", ", tody: x}") + CASES},
        f"{SUITE}:2:29: error: prompt support@v2 has no input 'tody' (did you mean 'today'?)",
    ),
    "input not given": ({SUITE: "prompt: support\n" + CASES}, f"{SUITE}:1:1: error: prompt support@v2 needs 'today'"),
    "input of a case not declared": (
        case("inputs: {shpo: x}, user: Hello"),
        f"{SUITE}:4:22: error: prompt support@v2 has no input 'shpo' (did you mean 'shop'?)",
    ),
    "inputs of a variant are no mapping": (
        case("variants: [{user: Hello, inputs: 3}]"),
        f"{SUITE}:4:46: error: 'inputs' is the number 3; expected a mapping",
    ),
    "file of an input is missing": (
        {SUITE: HEAD.replace("2026-11-22", "{file: docs/gone.md}") + CASES},
        f"{SUITE}:2:24: error: there is no file suites/docs/gone.md",
    ),
    "file of an input is outside": (
        {SUITE: HEAD.replace("2026-11-22", "{file: ../../x.md}") + CASES},
        f"{SUITE}:2:24: error: '../../x.md' is outside the project",
    ),
    # pictures and documents
    "picture is missing": (
        case("user: [{image: gone.png}]"),
        f"{SUITE}:4:28: error: there is no file suites/gone.png",
    ),
    "picture is none": (
        case("user: [{image: text.png}]"),
        f"{SUITE}:4:28: error: suites/text.png is a text/plain by its bytes; expected image/png",
    ),
    "picture is too large": (
        case("user: [{image: large.png}]"),
        f"{SUITE}:4:28: error: suites/large.png is 6,990,520 bytes large as it is sent (base64); the API takes",
    ),
    "part of a message is unknown": (
        case("user: [{imge: gone.png}]"),
        f"{SUITE}:4:21: error: unknown key 'imge' in a part of a message (did you mean 'image'?)",
    ),
    # worlds
    "world is no mapping": (suite("world: 3\n" + CASES), f"{SUITE}:3:8: error: 'world' is the number 3; expected"),
    "world reads a kind it has not": (
        world("{get: bokking, by: input.order_id}"),
        f"{SUITE}:5:32: error: the world has no kind 'bokking' (did you mean 'booking'?)",
    ),
    "world writes a kind it has not": (
        world("{update: bokking, by: input.order_id, set: {status: x}}"),
        f"{SUITE}:5:35: error: the world has no kind 'bokking' (did you mean 'booking'?)",
    ),
    "world has a tool that the prompt has not": (
        suite((WORLD % "{get: booking, by: input.order_id}").replace("lookup_order", "lookup_ordr") + CASES),
        f"{SUITE}:5:11: error: no tool named 'lookup_ordr' in prompt support@v2 (did you mean 'lookup_order'?)",
    ),
    "step of a world is unknown": (
        world("{gett: booking}"),
        f"{SUITE}:5:27: error: unknown key 'gett' in a step of a tool (did you mean 'get'?)",
    ),
    "expression of a world is none": (
        world("{get: booking, by: 'input.'}"),
        f"{SUITE}:5:45: error: 'input.' is not an expression",
    ),
    "state that the world can't have": (
        suite(
            WORLD % "{get: booking, by: input.order_id}"
            + "cases:\n  - {id: a, user: Hello, expect: {outcome: {state: {bookin: {B1: {status: x}}}}}}\n"
        ),
        f"{SUITE}:7:53: error: the world has no kind 'bookin' (did you mean 'booking'?)",
    ),
    # structured replies
    "path into the JSON is none": (
        expect("json: {fields: {'a..b': x}}"),
        f"{SUITE}:4:51: error: 'a..b' is no path: at character 2",
    ),
    "schema of the JSON is none": (
        expect("json: {schema: {type: objct}}"),
        f"{SUITE}:4:57: error: not a JSON Schema: 'objct'",
    ),
    "ending is unknown": (
        expect("ended: end_trun"),
        f"{SUITE}:4:42: error: 'ended' is the text 'end_trun'; expected 'end_turn'",
    ),
    "schema of the output is missing": (
        prompt("output: {schema: gone.yaml}"),
        f"{VERSION}:4:18: error: there is no file prompts/support/gone.yaml",
    ),
    "schema of the output is none": (
        prompt("output: {schema: {type: objct}}"),
        f"{VERSION}:4:25: error: not a JSON Schema: 'objct'",
    ),
    "stop sequences are no list": (
        prompt("stop_sequences: x"),
        f"{VERSION}:4:17: error: 'stop_sequences' is the text 'x'; expected a list",
    ),
    # models
    "tool is forced on a model that can't be": (
        prompt("tool_choice: any"),
        f"{VERSION}:4:14: error: claude-sonnet-5-5 can't be forced to call a tool",
    ),
    "sampling on a model without": (
        prompt("temperature: 0.2"),
        f"{VERSION}:4:14: error: claude-sonnet-5-5 takes no temperature",
    ),
    "model is unknown": (
        prompt("effort: medium", "claude-sonet-5-5"),
        f"{VERSION}:2:8: warning: model 'claude-sonet-5-5' is not in the table of models (did you mean",
    ),
    "model is retired": (
        prompt("effort: medium", "claude-3-opus-latest"),
        f"{VERSION}:2:8: error: model 'claude-3-opus-latest' is retired: it has not answered since 5 January 2026",
    ),
    "model will be retired": (
        prompt("effort: medium", "claude-opus-4-5"),
        f"{VERSION}:2:8: warning: model 'claude-opus-4-5' is deprecated: it answers until 22 January 2027",
    ),
    "other model is unknown": (
        reference("support+claude-haiku-5.5"),
        f"{SUITE}:1:9: warning: model 'claude-haiku-5.5' is not in the table of models (did you mean",
    ),
    "other model is retired": (
        reference("support+claude-2.1"),
        f"{SUITE}:1:9: error: model 'claude-2.1' is retired: it has not answered since 21 July 2025",
    ),
    "other model is left out": (reference("support+"), f"{SUITE}:1:9: error: 'support+' is not a prompt reference"),
    "other model does not take what only the author can choose": (
        reference("support+claude-haiku-4-5", **prompt("memory: compact")),
        f"{VERSION}:4:9: error: claude-haiku-4-5 does not compact conversations",
    ),
    "model of a simulated user is unknown": (
        case("simulate: {goal: x, model: claude-haiku-5.5}"),
        f"{SUITE}:4:40: warning: model 'claude-haiku-5.5' is not in the table of models",
    ),
    # judges and memory
    "judge is enforced in a way that there is not": (
        suite("judge: {enforce: unlabeled}\ncases:\n  - {id: a, user: Hello, expect: {judge: [Is kind]}}\n"),
        f"{SUITE}:3:18: error: expected true, false or unlabelled, not 'unlabeled'",
    ),
    "judge is retired": (
        suite("judge: {model: claude-2.1}\ncases:\n  - {id: a, user: Hello, expect: {says: [x], judge: [Kind]}}\n"),
        f"{SUITE}:3:16: error: model 'claude-2.1' is retired",
    ),
    "summary stands nowhere": (
        prompt("memory: {summary: {in: sytem}}"),
        f"{VERSION}:4:24: error: 'in' is the text 'sytem'; expected 'messages' or 'system'",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, mistake: str) -> None:
    """File, line, column, what is wrong; and nothing beside it."""
    files, expected = MISTAKES[mistake]
    root = write_files(write_project(tmp_path), files)
    (root / "suites/text.png").write_bytes(NO_PICTURE)
    if "large.png" in files.get(SUITE, ""):
        (root / "suites/large.png").write_bytes(LARGE)

    found = [
        f"{one.place}: {one.severity}: {one.message}"
        for one in check_project(root, [root / SUITE, root / VERSION], today=TODAY).problems
        if "caches nothing shorter" not in one.message
    ]

    assert len(found) == 1, found
    assert found[0].startswith(expected), found[0]
