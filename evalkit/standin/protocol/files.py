"""Pictures and documents in a request: whether their bytes are what they say, and as large as the API takes.

The wording is the API's where it was seen in the wild (November 2026). Works on blocks whose shape is already checked.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence

from evalkit.content.files import (
    MANY_IMAGES,
    MAX_EDGE_OF_MANY_PX,
    MAX_EDGE_PX,
    MAX_IMAGE_BASE64,
    MAX_PAGES,
    MAX_PAGES_OF_SMALL_WINDOW,
    PDF,
    SMALL_WINDOW,
    image_size,
    media_type_of,
    pdf_pages,
)
from evalkit.standin.errors import bad_request
from evalkit.standin.models import Model
from evalkit.standin.reply import JsonObject


def check_files(messages: Sequence[JsonObject], model: Model) -> None:
    """Raise the API's 400 for the first picture or document that it would not take."""
    found = list(_files(messages))
    most = MAX_PAGES_OF_SMALL_WINDOW if model.context_tokens <= SMALL_WINDOW else MAX_PAGES
    images = sum(block["type"] == "image" for _, block in found)
    if images > most:
        raise bad_request(f"messages: too many images: {images} > {most}")
    edge = MAX_EDGE_OF_MANY_PX if images > MANY_IMAGES else MAX_EDGE_PX
    pages = 0
    for place, block in found:
        source = block["source"]
        if source["type"] != "base64":
            continue
        at = f"{place}.{block['type']}.source.base64"
        if block["type"] == "image" and len(source["data"]) > MAX_IMAGE_BASE64:
            raise bad_request(
                f"{at}: image exceeds {MAX_IMAGE_BASE64 // 1024 // 1024} MB maximum: "
                f"{len(source['data'])} bytes > {MAX_IMAGE_BASE64} bytes"
            )
        data = _decoded(source["data"], at)
        if block["type"] == "image":
            _check_image(data, source["media_type"], at, edge)
        else:
            if media_type_of(data) != PDF:
                raise bad_request(f"{at}: The PDF specified was not valid.")
            pages += pdf_pages(data)
    if pages > most:
        raise bad_request(f"messages: A maximum of {most} PDF pages may be provided.")


def _files(messages: Sequence[JsonObject]) -> Iterator[tuple[str, JsonObject]]:
    """Yield every image and document with its place, those inside of tool results too."""
    for index, message in enumerate(messages):
        content = message["content"]
        for position, block in enumerate(() if isinstance(content, str) else content):
            place = f"messages.{index}.content.{position}"
            inner = block.get("content") if block["type"] == "tool_result" else None
            for at, part in enumerate(inner if isinstance(inner, list) else ()):
                if part["type"] in ("image", "document"):
                    yield f"{place}.tool_result.content.{at}", part
            if block["type"] in ("image", "document"):
                yield place, block


def _decoded(data: str, place: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise bad_request(f"{place}: invalid base64 data") from error


def _check_image(data: bytes, media_type: str, place: str, edge: int) -> None:
    found = media_type_of(data)
    if found != media_type and found.startswith("image/"):
        raise bad_request(
            f"{place}: The image was specified using the {media_type} media type, "
            f"but the image appears to be a {found} image"
        )
    size = image_size(data)
    if size is None:
        raise bad_request(f"{place}: Could not process image")
    if max(size) > edge:
        many = " for many-image requests" if edge < MAX_EDGE_PX else ""
        raise bad_request(
            f"{place}.data: At least one of the image dimensions exceed max allowed size{many}: {edge} pixels",
            error_code="image_dimensions_too_large",
        )
