"""A file as a content block of the Messages API: what kind it is by its bytes, and whether the API takes it.

Knows bytes, the API's limits and the shape of a block. Where a file may lie and who asked for it is the caller's
business. A block may carry two keys of evalkit's own, `file` and `shows`, which `blocks.sendable` takes out.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.errors import UsageError
from evalkit.wording import listed, number

FileKind = Literal["image", "document"]
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
PDF = "application/pdf"
TEXT = "text/plain"

# The API's limits, as platform.claude.com tells them (vision, PDF support, API overview; read November 2026) and as
# its error "image exceeds 5 MB maximum" counts: in characters of base64.
MAX_REQUEST_BYTES = 32 * 1024 * 1024
MAX_IMAGE_BASE64 = 5 * 1024 * 1024
MAX_EDGE_PX = 8_000
MAX_EDGE_OF_MANY_PX = 2_000
MANY_IMAGES = 20
"""With more images than this in a request each may be 2,000 pixels wide and high at most."""
MAX_PAGES = 600
"""Images and pages of PDFs in one request."""
SMALL_WINDOW = 200_000
MAX_PAGES_OF_SMALL_WINDOW = 100
"""The same for models whose context window is no larger than `SMALL_WINDOW` tokens."""

_MAX_FILE_BYTES = MAX_REQUEST_BYTES * 3 // 4
"""What may still fit into a request as base64; nothing larger is read at all."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", PDF),
)


@dataclass(frozen=True)
class FileNotes:
    """What people say of a file: `title` and `context` are sent with a document, `shows` is for graders and readers."""

    title: str = ""
    context: str = ""
    shows: str = ""


def read_limit() -> int:
    """Return how many bytes of a file are read at most."""
    return _MAX_FILE_BYTES


def media_type_of(data: bytes) -> str:
    """Return the media type that the bytes themselves tell; empty when it is none that the API takes."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text else TEXT


def make_block(kind: FileKind, data: bytes, file: str, notes: FileNotes | None = None) -> dict[str, Any]:
    """Return the content block for a file named `file`; UsageError, which begins with the name, when it does not fit.

    Citations are off, as the API has them by default.
    """
    media_type, notes = media_type_of(data), notes or FileNotes()
    wanted = IMAGE_TYPES if kind == "image" else (PDF, TEXT)
    if media_type not in wanted:
        found = f"is {_article(media_type)}" if media_type else "is of no type that the API takes"
        hint = " Write it as `document:`." if kind == "image" and media_type in (PDF, TEXT) else ""
        hint = " Write it as `image:`." if kind == "document" and media_type in IMAGE_TYPES else hint
        raise UsageError(f"{file} {found} by its bytes; expected {listed(wanted, 'or')}.{hint}")
    if not data.strip():
        raise UsageError(f"{file} is empty; expected a file with something in it.")
    if kind == "image":
        _check_image(data, file)
    if media_type == TEXT:
        source = {"type": "text", "media_type": TEXT, "data": data.decode("utf-8-sig")}
    else:
        source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
    block: dict[str, Any] = {"type": kind, "source": source}
    own = {"title": notes.title, "context": notes.context, "file": file, "shows": notes.shows}
    return {**block, **{key: text for key, text in own.items() if text}}


def _check_image(data: bytes, file: str) -> None:
    sent = (len(data) + 2) // 3 * 4
    if sent > MAX_IMAGE_BASE64:
        raise UsageError(
            f"{file} is {number(sent)} bytes large as it is sent (base64); "
            f"the API takes images up to {number(MAX_IMAGE_BASE64)}. Make it smaller."
        )
    size = image_size(data)
    if size is None:
        raise UsageError(f"{file} is a damaged image: its header names no width and height.")
    if max(size) > MAX_EDGE_PX:
        raise UsageError(
            f"{file} is {size[0]}×{size[1]} pixels large; the API takes images up to {MAX_EDGE_PX} on each edge. "
            "Make it smaller."
        )


def _article(media_type: str) -> str:
    return f"{'an' if media_type[0] in 'aeiou' else 'a'} {media_type}"


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels from the header of an image; None when it can't be read."""
    match media_type_of(data[:64]):
        case "image/png" if len(data) >= 24:
            return _sized(data[16:20], data[20:24], "big")
        case "image/gif" if len(data) >= 10:
            return _sized(data[6:8], data[8:10], "little")
        case "image/jpeg":
            return _jpeg_size(data)
        case "image/webp" if len(data) >= 30:
            return _webp_size(data)
    return None


def _sized(width: bytes, height: bytes, order: Literal["big", "little"]) -> tuple[int, int] | None:
    size = int.from_bytes(width, order), int.from_bytes(height, order)
    return size if min(size) > 0 else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Go from segment to segment until the one that begins a frame, which holds the size (ITU T.81, annex B)."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _sized(data[at + 7 : at + 9], data[at + 5 : at + 7], "big")
        # A fill byte and the markers without a length stand alone.
        alone = marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD8
        at += (1 if marker == 0xFF else 2) if alone else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Read the size of each of WebP's three forms (developers.google.com/speed/webp/docs/riff_container)."""
    form = data[12:16]
    if form == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if form == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 ":
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        return (width, height) if width and height else None
    return None


_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_COUNT = re.compile(rb"/Count\s+(\d{1,5})\b")


def pdf_pages(data: bytes) -> int:
    """Return about how many pages a PDF has, at least 1: those that its uncompressed part names."""
    counts = [int(found) for found in _COUNT.findall(data)]
    return max([1, len(_PAGE.findall(data)), *(count for count in counts if count <= 10 * MAX_PAGES)])
