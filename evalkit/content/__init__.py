"""What a message consists of beside its text: pictures and documents, as blocks, from files, and for people."""

from evalkit.content.blocks import (
    AttachedFile,
    Said,
    UserContent,
    Weight,
    file_size,
    files_in,
    kept_of,
    readable,
    sendable,
    sent_messages,
    spoken,
    text_of,
    weigh,
    weigh_files,
)
from evalkit.content.files import FileKind, FileNotes, make_block

__all__ = [
    "AttachedFile",
    "FileKind",
    "FileNotes",
    "Said",
    "UserContent",
    "Weight",
    "file_size",
    "files_in",
    "kept_of",
    "make_block",
    "readable",
    "sendable",
    "sent_messages",
    "spoken",
    "text_of",
    "weigh",
    "weigh_files",
]
