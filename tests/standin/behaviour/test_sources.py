"""Answers from documents and search results that the request brings along, with and without citations."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from evalkit.standin import StandIn
from evalkit.standin.behaviour import answer

from .bikehire import INTRO, QUIET

TEXT = "Our bikes are red. Helmets cost three euros a day.\nThe shop closes at six in the evening."
QUESTION = "How much do helmets cost?"
CITES = {"citations": {"enabled": True}}


def document(kind: str, **more: Any) -> dict[str, Any]:
    """Return a document block, or a search result, that holds the text."""
    if kind == "text":
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": TEXT}, **more}
    parts = [{"type": "text", "text": line} for line in TEXT.splitlines()]
    if kind == "content":
        return {"type": "document", "source": {"type": "content", "content": parts}, "title": "Prices", **more}
    return {"type": "search_result", "source": "prices.txt", "title": "Prices", "content": parts, **more}


def blocks(*content: dict[str, Any], question: str = QUESTION) -> list[dict[str, Any]]:
    """Return the blocks of the reply to a question behind some documents."""
    asked = [*content, {"type": "text", "text": question}]
    request = {"system": f"{INTRO} {QUIET}", "messages": [{"role": "user", "content": asked}]}
    return [dict(block) for block in answer(request, 1, []).content]


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("text", {"type": "char_location", "document_index": 1, "start_char_index": 19, "end_char_index": 50}),
        ("content", {"type": "content_block_location", "document_index": 1, "document_title": "Prices"}),
        ("search_result", {"type": "search_result_location", "search_result_index": 0, "source": "prices.txt"}),
    ],
)
def test_quoted_passage_is_cited(kind: str, place: dict[str, Any]) -> None:
    """The passage that answers is a block of its own, and its citation says where it stands."""
    other = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Nothing here."}}
    cited = [block for block in blocks(other, document(kind, **CITES)) if block.get("citations")]
    assert len(cited) == 1
    (citation,) = cited[0]["citations"]
    assert "Helmets cost three euros a day." in citation["cited_text"]
    assert citation["cited_text"] == cited[0]["text"]
    assert place.items() <= citation.items()
    if kind == "text":
        assert TEXT[citation["start_char_index"] : citation["end_char_index"]] == citation["cited_text"]


def test_without_citations_the_passage_is_only_quoted() -> None:
    """Documents that do not ask for citations are answered from, in plain text."""
    said = blocks(document("text"))
    assert "Helmets cost three euros a day." in said[0]["text"]
    assert not any(block.get("citations") for block in said)


def test_other_questions_are_not_answered_from_documents() -> None:
    """A question that shares too little with any passage gets no quotation."""
    assert not any("Helmets" in block["text"] for block in blocks(document("text"), question="Do you hire out boats?"))


def test_citations_stream_as_deltas() -> None:
    """Through the SDK a citation arrives as an event, and the streamed message equals the plain one."""
    asked: Any = {
        "model": "claude-haiku-5-5",
        "max_tokens": 300,
        "system": f"{INTRO} {QUIET}",
        "messages": [
            {"role": "user", "content": [document("text", **CITES), {"type": "text", "text": QUESTION}]},
        ],
    }
    with StandIn() as server, anthropic.Anthropic(api_key="k", base_url=server.base_url) as sdk:
        plain = sdk.messages.create(**asked)
        with sdk.messages.stream(**asked) as stream:
            kinds = [event.type for event in stream]
            streamed = stream.get_final_message()
    assert "citation" in kinds
    assert [block.to_dict() for block in streamed.content] == [block.to_dict() for block in plain.content]
