"""What is said in a case: messages with files, and what was said and called before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.content import files_in, readable
from evalkit.content.files import MAX_REQUEST_BYTES
from evalkit.records import Problem
from evalkit.suites import load_suite
from evalkit.suites.check import check_project
from evalkit.suites.values import Case
from tests.content.pictures import pdf, png
from tests.project_files import write_files, write_project

HEAD = "prompt: support\ninputs: {today: 2026-11-22}\ncases:\n"


def project(root: Path, cases: str) -> Path:
    """Write a project with one suite and two files."""
    write_project(root, suite=HEAD + cases)
    (root / "suites/photos").mkdir()
    (root / "suites/photos/lamp.png").write_bytes(png())
    return write_files(root, {"documents/terms.txt": "Returns within 30 days."})


def compiled(root: Path, cases: str) -> tuple[Case, ...]:
    """Return the cases of a suite."""
    return load_suite(project(root, cases) / "suites/hello.yaml", root).cases


def problems(root: Path, cases: str) -> list[Problem]:
    """Return what `check` says of the suite."""
    return [one for one in check_project(project(root, cases)).problems if one.place.file.startswith("suites")]


def test_a_message_keeps_the_order_of_its_parts(tmp_path: Path) -> None:
    """Turns, variants and a single message take the same form; a text alone stays a text."""
    parts = "[{text: Look}, {image: photos/lamp.png}, {document: ../documents/terms.txt, title: Terms}, {text: So?}]"
    cases = compiled(
        tmp_path,
        f"  - {{id: a, user: {parts}, expect: {{tools: none}}}}\n"
        f"  - {{id: b, variants: [Hi, {parts}], expect: {{tools: none}}}}\n"
        f"  - {{id: c, turns: [{{user: {parts}}}, {{user: [{{text: A}}, {{text: B}}]}}], expect: {{tools: none}}}}\n",
    )
    size = len(png())
    read = f"Look\n\n[image lamp.png, {size} bytes]\n\n[document terms.txt, 23 bytes]\n\nSo?"
    said = {case.record.case_id: [readable(one) for one in case.messages] for case in cases}
    assert said == {"a": [read], "b/1": ["Hi"], "b/2": [read], "c": [read, "A\n\nB"]}
    assert [case.record.turns for case in cases][-1] == ("Look\n\nSo?", "A\n\nB")


def test_a_case_is_another_one_when_its_picture_changes_and_the_same_when_it_is_moved(tmp_path: Path) -> None:
    """A baseline's trials are of the bytes that were sent."""
    line = "  - {id: a, user: [{image: photos/%s}], expect: {tools: none}}\n"
    shas = []
    for name, shade in (("lamp.png", 120), ("other.png", 120), ("other.png", 7)):
        root = project(tmp_path / f"{name}{shade}", line % name)
        (root / "suites/photos" / name).write_bytes(png(shade=shade))
        [case] = load_suite(root / "suites/hello.yaml", root).cases
        shas.append(case.record.sha)
    assert shas[0] == shas[1] != shas[2]


def test_a_suite_names_the_files_that_it_read(tmp_path: Path) -> None:
    """So that a change of a photo is a change of its suite."""
    root = project(tmp_path, "  - {id: a, user: [{image: photos/lamp.png}], expect: {tools: none}}\n")
    assert "suites/photos/lamp.png" in load_suite(root / "suites/hello.yaml", root).files


def test_a_link_is_no_file_of_the_project(tmp_path: Path) -> None:
    """Neither the file itself nor a folder on its way may be one."""
    root = project(tmp_path, "  - {id: a, user: [{image: photos/link.png}], expect: {tools: none}}\n")
    (root / "suites/photos/link.png").symlink_to(root / "suites/photos/lamp.png")
    [problem] = [one for one in check_project(root).problems if one.place.file == "suites/hello.yaml"]
    assert "symbolic link" in problem.message
    assert problem.place.line == 4


def test_a_conversation_that_no_request_can_hold_is_told(tmp_path: Path) -> None:
    """Each file fits, all of them don't: everything said is sent again at last."""
    root = project(
        tmp_path,
        "  - id: a\n    turns:\n"
        + "".join(f"      - user: [{{document: ../documents/{n}.txt}}]\n" for n in range(2))
        + "    expect: {tools: none}\n",
    )
    for n in range(2):
        (root / f"documents/{n}.txt").write_text(str(n) * (MAX_REQUEST_BYTES * 5 // 8))
    [problem] = [one for one in check_project(root).problems if one.severity == "error"]
    assert "a request holds 33,554,432 at most" in problem.message


def test_a_model_with_a_small_window_takes_fewer_pages(tmp_path: Path) -> None:
    """What the prompt's model is decides."""
    root = project(tmp_path, "  - {id: a, user: [{document: ../documents/long.pdf}], expect: {tools: none}}\n")
    (root / "documents/long.pdf").write_bytes(pdf(101))
    assert [one for one in check_project(root).problems if one.severity == "error"] == []
    prompt = root / "prompts/support/v2.md"
    prompt.write_text(
        prompt.read_text().replace("claude-sonnet-5-5", "claude-haiku-4-5").replace("effort: medium\n", "")
    )
    [problem] = [one for one in check_project(root).problems if one.severity == "error"]
    assert "'a' has 101 images and PDF pages; claude-haiku-4-5 takes 100 in one request." in problem.message


HISTORY = """\
  - id: a
    history:
      - user: [{text: Where is it?}, {image: photos/lamp.png, shows: A lamp}]
      - assistant: A moment.
        calls:
          - lookup_order: {order_id: TN-1}
            returns: {status: sent}
          - lookup_order: {order_id: TN-2}
            error: no such order
      - calls: [{lookup_order: {order_id: TN-3}, returns: lost}]
      - assistant: One was sent, one is lost.
    user: Thanks
    expect: {tools: none}
"""


def test_calls_of_the_history_are_pairs_of_call_and_result(tmp_path: Path) -> None:
    """Ids follow from where they stand, so that the same suite always sends the same bytes."""
    [case] = compiled(tmp_path, HISTORY)
    roles = [message["role"] for message in case.history]
    assert roles == ["user", "assistant", "user", "assistant", "user", "assistant"]
    asked, answered = case.history[1]["content"], case.history[2]["content"]
    assert [block["type"] for block in asked] == ["text", "tool_use", "tool_use"]
    assert [block["id"] for block in asked[1:]] == [block["tool_use_id"] for block in answered]
    assert answered == [
        {"type": "tool_result", "tool_use_id": "toolu_history_2_1", "content": '{"status":"sent"}'},
        {"type": "tool_result", "tool_use_id": "toolu_history_2_2", "content": "no such order", "is_error": True},
    ]
    assert case.history[4]["content"][0]["content"] == "lost"
    assert [file.text for file in files_in(case.history[0]["content"])] == ["A lamp"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "{lookup_ordr: {order_id: TN-1}, returns: x}",
            "no tool named 'lookup_ordr' in prompt support@v2 (did you mean",
        ),
        ("{lookup_order: {order: TN-1}, returns: x}", "tool 'lookup_order' has no input 'order'"),
        ("{lookup_order: {order_id: TN-1, detail: all}, returns: x}", "'detail' of tool 'lookup_order' can't be 'all'"),
        ("{lookup_order: {}, returns: x}", "'order_id' is a required property"),
        ("{lookup_order: {order: TN-1}, error: bad input}", ""),
    ],
)
def test_calls_of_the_history_are_held_against_the_prompt_s_tools(tmp_path: Path, call: str, message: str) -> None:
    """What a tool answered must have been asked in a way that it takes; one that failed may have lacked something."""
    entry = f"[{{user: Hi}}, {{calls: [{call}]}}, {{assistant: So.}}]"
    found: list[Any] = problems(tmp_path, f"  - {{id: a, user: Hi, history: {entry}, expect: {{tools: none}}}}\n")
    assert any(message in one.message for one in found) if message else not found
    assert all(one.place.line == 4 for one in found)
