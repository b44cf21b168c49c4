"""Small files made by hand: pictures of any size in every format, and a PDF."""

from __future__ import annotations

import struct
import zlib


def png(width: int = 64, height: int = 48, shade: int = 120) -> bytes:
    """Return a grey picture that any viewer shows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([shade]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg(width: int = 64, height: int = 48) -> bytes:
    """Return what a camera's file begins with: its own data, a filler, then the frame with its size."""
    camera = b"\xff\xe1" + struct.pack(">H", 2002) + b"x" * 2000
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8" + camera + b"\xff" + frame + b"\xff\xd9"


def gif(width: int = 64, height: int = 48) -> bytes:
    """Return the beginning of a GIF."""
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0;"


def webp(form: bytes, width: int = 64, height: int = 48) -> bytes:
    """Return the beginning of a WebP in one of its three forms."""
    bodies = {
        b"VP8X": b"\0" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + b"\0" * 5,
        b"VP8 ": b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height),
    }
    body = bodies[form]
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBP" + form + struct.pack("<I", len(body)) + body


def pdf(pages: int = 1) -> bytes:
    """Return the skeleton of a PDF with so many pages."""
    kids = b"".join(b"%d 0 obj <</Type /Page /Parent 1 0 R>> endobj\n" % (n + 2) for n in range(pages))
    return b"%PDF-1.7\n1 0 obj <</Type /Pages /Count " + str(pages).encode() + b">> endobj\n" + kids + b"%%EOF\n"
