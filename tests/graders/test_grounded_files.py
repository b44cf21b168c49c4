"""Grounded answers about files: what a document says is a source, what a picture shows only where it is told."""

from __future__ import annotations

from evalkit.content import FileNotes, make_block
from evalkit.graders.judge import build_question, exhibit_of, fault, files_shown
from evalkit.records import Finding, Judgement, Request, SideRequest, Transcript, TrialVerdict, Turn
from tests.content.pictures import pdf, png
from tests.graders.build import requirement

TERMS = make_block("document", "Burst pipes: excess £250.".encode(), "terms.txt")
BILL = make_block("document", pdf(), "bill.pdf")
PHOTO = make_block("image", png(), "bill.png", FileNotes(shows="A repair bill of 3 May 2026 over £412.50"))
CALL = {"type": "tool_use", "id": "c1", "name": "find_policy", "input": {"policy": "HM-1"}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": '{"excess": 250}'}
HISTORY = (
    {"role": "user", "content": "My policy?"},
    {"role": "assistant", "content": [CALL]},
    {"role": "user", "content": [RESULT]},
    {"role": "assistant", "content": "I have it."},
)


def replied(reply: str, *files: dict[str, object], history: tuple[dict[str, object], ...] = ()) -> Transcript:
    """Return a conversation of one turn that began with files."""
    request = Request(1, 1, {}, ({"type": "text", "text": reply},), "end_turn")
    turn = Turn(1, "Is it paid?", (request,), (), (*files, {"type": "text", "text": "Is it paid?"}))
    return Transcript("s", "p", (turn,), history)


def grounded(transcript: Transcript) -> Finding:
    """Grade the reply."""
    return requirement("grounded", {"grounded": ["amounts", "dates"]}).grader.grade(transcript, None)


def test_what_stands_in_a_text_document_is_a_source() -> None:
    """A number from elsewhere stays made up."""
    assert grounded(replied("You pay £250.", TERMS)).verdict is TrialVerdict.PASSED
    assert grounded(replied("You pay £300.", TERMS)).verdict is TrialVerdict.FAILED


def test_what_a_picture_shows_is_a_source_as_far_as_it_is_told() -> None:
    """Its description counts as its text, so that a wrong number is found."""
    assert grounded(replied("We pay £412.50 of 3 May.", PHOTO)).verdict is TrialVerdict.PASSED
    assert grounded(replied("We pay £421.50.", PHOTO)).verdict is TrialVerdict.FAILED


def test_a_number_that_may_stand_in_a_pdf_is_neither_passed_nor_failed() -> None:
    """Nobody here can look; a reply without such numbers is judged as ever."""
    finding = grounded(replied("We pay £421.50.", BILL))
    assert finding.verdict is TrialVerdict.NOT_MEASURED
    assert finding.note == 'amount "421.50" may stand in bill.pdf, which can\'t be read here; say what it `shows`'
    assert grounded(replied("We pay it.", BILL)).verdict is TrialVerdict.PASSED


def test_what_a_tool_returned_before_the_first_turn_is_a_source() -> None:
    """Also as what must have been looked up before another call."""
    assert grounded(replied("You pay £250.", history=HISTORY)).verdict is TrialVerdict.PASSED
    assert grounded(replied("You pay £251.", history=HISTORY)).verdict is TrialVerdict.FAILED


def test_a_judge_sees_the_files_themselves_by_the_numbers_that_the_exhibit_gives_them() -> None:
    """What is sent has nothing of ours in it, and other bytes are another exhibit."""
    transcript = replied("It shows a bill.", PHOTO, TERMS, history=HISTORY)
    exhibit = exhibit_of(transcript, 1)
    assert '"file": 1, "kind": "image", "name": "bill.png"' in exhibit
    assert '{"tool": "find_policy", "input": {"policy": "HM-1"}, "result":' in exhibit
    [message] = build_question("m", "It names the bill.", 1, exhibit, files_shown(transcript, 1))["messages"]
    kinds = [block["type"] for block in message["content"]]
    assert kinds == ["text", "text", "image", "text", "document", "text"]
    assert message["content"][2] == {"type": "image", "source": PHOTO["source"]}
    other = make_block("image", png(shade=3), "bill.png")
    assert exhibit_of(replied("It shows a bill.", other, TERMS, history=HISTORY), 1) != exhibit


def test_words_that_a_judge_quotes_from_a_picture_are_not_held_against_it() -> None:
    """Without a file they would be words that nobody said."""
    vote = Judgement("c", 1, "m", "w", "e", 1, "yes", SideRequest("m"), quote="Total 412.50")
    assert fault(replied("Fine.", BILL), vote) == ""
    assert "quoted words" in fault(replied("Fine."), vote)
