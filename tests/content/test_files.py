"""Files as content blocks: what kind they are by their bytes, and what the API would refuse."""

from __future__ import annotations

import base64

import pytest

from evalkit.content import FileNotes, make_block
from evalkit.content.files import MAX_IMAGE_BASE64, image_size, media_type_of, pdf_pages
from evalkit.errors import UsageError
from tests.content.pictures import gif, jpeg, pdf, png, webp

PICTURES = {
    "image/png": png(320, 200),
    "image/jpeg": jpeg(320, 200),
    "image/gif": gif(320, 200),
}


@pytest.mark.parametrize(("media_type", "data"), PICTURES.items())
def test_a_picture_tells_its_type_and_size_itself(media_type: str, data: bytes) -> None:
    """The suffix of its name plays no part."""
    assert media_type_of(data) == media_type
    assert image_size(data) == (320, 200)


@pytest.mark.parametrize("form", [b"VP8X", b"VP8L", b"VP8 "])
def test_each_form_of_webp_tells_its_size(form: bytes) -> None:
    """Lossy, lossless and extended files keep it in different places."""
    assert media_type_of(webp(form, 320, 200)) == "image/webp"
    assert image_size(webp(form, 320, 200)) == (320, 200)


@pytest.mark.parametrize("data", [*PICTURES.values(), webp(b"VP8X")])
def test_a_header_that_is_cut_off_has_no_size(data: bytes) -> None:
    """Wherever a file ends, reading it raises nothing."""
    sizes = [image_size(data[:end]) for end in range(min(len(data), 2100))]
    assert all(size is None or min(size) > 0 for size in sizes)


def test_a_picture_is_sent_as_base64_and_keeps_its_name_for_people() -> None:
    """What is sent follows the API's block; `file` and `shows` are evalkit's own."""
    block = make_block("image", png(), "photos/dent.jpg", FileNotes(shows="A dent in a door."))
    assert block["source"]["media_type"] == "image/png"
    assert base64.b64decode(block["source"]["data"]) == png()
    assert (block["file"], block["shows"]) == ("photos/dent.jpg", "A dent in a door.")


def test_documents_are_a_pdf_or_plain_text() -> None:
    """A text goes as text, with its title and context where they are given."""
    notes = FileNotes(title="Policy", context="Current terms")
    text = make_block("document", "Excess: £250.".encode(), "terms.md", notes)
    assert text == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Excess: £250."},
        "title": "Policy",
        "context": "Current terms",
        "file": "terms.md",
    }
    assert make_block("document", pdf(), "terms.pdf")["source"]["media_type"] == "application/pdf"
    assert pdf_pages(pdf(7)) == 7


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (
            "image",
            pdf(),
            "x is an application/pdf by its bytes; expected image/png, image/jpeg",
        ),
        ("image", pdf(), "Write it as `document:`."),
        ("document", png(), "Write it as `image:`."),
        ("document", b"PK\x03\x04\xff\xfe", "x is of no type that the API takes"),
        ("document", b" \n", "x is empty"),
        ("image", png(9000, 2), "x is 9000×2 pixels large; the API takes images up to 8000 on each edge."),
        ("image", png() + b"\0" * MAX_IMAGE_BASE64, "the API takes images up to 5,242,880"),
        ("image", b"\xff\xd8\xff\xd9", "x is a damaged image"),
    ],
)
def test_what_the_api_would_refuse_is_told_with_the_name(kind: str, data: bytes, message: str) -> None:
    """One sentence says what is wrong and what was expected."""
    with pytest.raises(UsageError) as raised:
        make_block(kind, data, "x")  # type: ignore[arg-type]
    assert message in str(raised.value)
