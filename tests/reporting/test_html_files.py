"""Pictures and documents on the page: each picture once, nothing loaded, what is too large only named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.content import FileNotes, make_block
from evalkit.reporting.html.conversation import view_trial
from evalkit.reporting.html.files import MOST_OF_ONE, Pictures
from tests.content.pictures import pdf, png
from tests.made_up_run import FAILED, MadeUpRun, case, score, trial, turn
from tests.reporting.test_html import page_of, unpacked

PHOTO = make_block("image", png(200, 150), "photos/<lamp>.png", FileNotes(shows='A "lamp"'))
LARGE = make_block("image", png() + b"\0" * MOST_OF_ONE, "large.png")
BILL = make_block("document", pdf(), "bill.pdf")


def run_with(*blocks: dict[str, Any], history: tuple[dict[str, Any], ...] = ()) -> MadeUpRun:
    """Return a run of three failed trials whose message came with files."""
    said = replace(turn(), content=(*blocks, {"type": "text", "text": "Is the lamp in stock?"}))
    played = [trial("a", n, score(FAILED), turns=[said], history=history) for n in (1, 2, 3)]
    return MadeUpRun([case("a")], played)


def test_a_picture_stands_in_the_page_once_and_nothing_is_loaded(tmp_path: Path) -> None:
    """It is a rule of the style sheet, which the policy names with it."""
    page = page_of(run_with(PHOTO, BILL), tmp_path)
    assert page.count(PHOTO["source"]["data"]) == 1
    assert "img-src data:" in page
    assert "&lt;lamp&gt;.png" in page
    assert "<lamp>" not in page
    views: Any = unpacked(page)
    assert [view["turns"][0]["files"][0]["picture"] for view in views] == [0, 0, 0]
    assert "image/png" in views[0]["turns"][0]["files"][0]["detail"]
    assert (views[0]["turns"][0]["files"][1]["name"], views[0]["turns"][0]["files"][1]["picture"]) == ("bill.pdf", None)


def test_a_page_without_pictures_allows_none(tmp_path: Path) -> None:
    """The policy is as it was."""
    assert "img-src" not in page_of(run_with(BILL), tmp_path)


def test_a_picture_that_is_too_large_stays_a_name_with_its_size(tmp_path: Path) -> None:
    """So that the page stays small however large the photos are."""
    page = page_of(run_with(LARGE), tmp_path)
    assert LARGE["source"]["data"] not in page
    assert "large.png</b>" in page
    assert "160 kB, too large for this page" in page


def test_bytes_that_are_no_base64_never_reach_the_style_sheet() -> None:
    """A record may hold anything; a rule holds an alphabet without quotes and brackets."""
    wrong = {**PHOTO, "source": {**PHOTO["source"], "data": '");} body{display:none'}}
    pictures = Pictures()
    [view] = pictures.view([wrong])
    assert (view.picture, pictures.style) == (None, "")


def test_what_was_said_and_called_before_is_shown_with_its_files() -> None:
    """A tool's call stands with what it returned."""
    call = {"type": "tool_use", "id": "c1", "name": "find_lamp", "input": {"name": "Alma"}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "four", "is_error": True}
    history = (
        {"role": "user", "content": [PHOTO]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "Four."},
    )
    shown = view_trial(trial("a", 1, history=history)).history
    assert [(role, text) for role, text, _ in shown] == [
        ("user", ""),
        ("assistant", ""),
        ("tool", 'find_lamp {"name": "Alma"} → error four'),
        ("assistant", "Four."),
    ]
    assert shown[0][2][0].shows == 'A "lamp"'
