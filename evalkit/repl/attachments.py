"""Files that a person sends along in a chat: read from where they are, kept until the next message takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.content import UserContent, files_in, make_block, sendable, text_of
from evalkit.content.files import IMAGE_TYPES, FileKind, media_type_of, read_limit
from evalkit.errors import UsageError
from evalkit.records import JsonObject
from evalkit.wording import number


def read_attachment(name: str, root: Path) -> JsonObject:
    """Return the block of a file; a picture or a document by its bytes. UsageError where it can't be sent.

    Below the project `root` its name is its path there, so that a case can name it again.
    """
    typed = Path(name).expanduser()
    path = next((one for one in (typed, root / typed) if one.is_file()), typed)
    try:
        size = path.stat().st_size
        if size > read_limit():
            raise UsageError(f"{name} is {number(size)} bytes long; a request holds {number(read_limit())} at most.")
        data = path.read_bytes()
    except OSError as exc:
        raise UsageError(f"{name}: {exc.strerror or exc}; expected a picture, a PDF or a plain text.") from exc
    inside = path.resolve()
    file = inside.relative_to(root.resolve()).as_posix() if inside.is_relative_to(root.resolve()) else path.name
    kind: FileKind = "image" if media_type_of(data) in IMAGE_TYPES else "document"
    return make_block(kind, data, file)


def with_files(text: str, files: Sequence[JsonObject], waiting: UserContent = "") -> UserContent:
    """Return the message: the files, then the text. What waited is sent as it was where nothing was changed in it."""
    if not isinstance(waiting, str) and text == text_of(waiting) and list(files) == list(blocks_with_files(waiting)):
        return waiting
    return [*files, *([{"type": "text", "text": text}] if text else [])] if files else text


def blocks_with_files(content: UserContent) -> tuple[JsonObject, ...]:
    """Return the blocks of a message's pictures and documents."""
    return tuple(file.block for file in files_in(content))


def same_message(one: UserContent, other: UserContent) -> bool:
    """Tell whether two messages are sent the same."""
    return sendable(one) == sendable(other)
