"""Pictures and documents that the API would not take, and what those that it takes weigh."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from evalkit.standin.errors import ApiError
from evalkit.standin.models import MODELS, count_block
from evalkit.standin.protocol.validate import Terms, validate_request
from evalkit.standin.script.conversation import read_conversation
from tests.content.pictures import jpeg, pdf, png


def block(data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    """Return an image or a PDF."""
    source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
    return {"type": "document" if media_type == "application/pdf" else "image", "source": source}


def send(*blocks: dict[str, Any], model: str = "claude-haiku-5-5") -> None:
    """Hold a request with these blocks against the rules."""
    messages = [{"role": "user", "content": [*blocks, {"type": "text", "text": "What is this?"}]}]
    validate_request({"model": model, "max_tokens": 9, "messages": messages}, Terms())


def test_pictures_and_pdfs_are_taken() -> None:
    """As they are sent by anybody."""
    send(block(png()), block(jpeg(), "image/jpeg"), block(pdf(), "application/pdf"))


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (
            [block(jpeg())],
            "messages.0.content.0.image.source.base64: The image was specified using the image/png media",
        ),
        ([block(png() + b"\0" * 4_000_000)], "messages.0.content.0.image.source.base64: image exceeds 5 MB maximum: "),
        ([block(b"what")], "messages.0.content.0.image.source.base64: Could not process image"),
        ([block(png(), "application/pdf")], "messages.0.content.0.document.source.base64: The PDF specified was not"),
        ([block(png(8001, 1))], "messages.0.content.0.image.source.base64.data: At least one of the image dimensions"),
        ([block(png())] * 20 + [block(png(2001, 1))], "messages.0.content.20.image.source.base64.data: At least one"),
        ([block(pdf(101), "application/pdf")], "messages: A maximum of 100 PDF pages may be provided."),
    ],
)
def test_what_the_api_would_refuse_is_refused(blocks: list[dict[str, Any]], message: str) -> None:
    """With its own words and its place."""
    with pytest.raises(ApiError) as caught:
        send(*blocks, model="claude-haiku-4-5")
    assert caught.value.answer.status == 400
    assert caught.value.answer.message.startswith(message)


def test_tokens_follow_the_pixels_of_a_picture_and_the_pages_of_a_pdf() -> None:
    """As the API counts them, about."""
    model = MODELS["claude-haiku-5-5"]
    assert count_block(block(png(1000, 750)), model) == 1000
    assert count_block(block(pdf(3), "application/pdf"), model) == 7500


def test_a_script_is_told_which_files_came_with_the_message() -> None:
    """They stand behind its words; what the user told is the words alone."""
    document = {**block(pdf(), "application/pdf"), "title": "Bill"}
    content = [block(png()), document, {"type": "text", "text": "Is this paid?"}]
    found = read_conversation({"messages": [{"role": "user", "content": content}]})
    assert found.user == "Is this paid?\n[image png]\n[document Bill]"
    assert found.told == ["Is this paid?"]
    assert [(file.kind, file.media_type) for file in found.files] == [
        ("image", "image/png"),
        ("document", "application/pdf"),
    ]
    assert read_conversation({"messages": [{"role": "user", "content": content[:1]}]}).user == "[image png]"
