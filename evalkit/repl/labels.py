"""What a person preferred of two replies: one line each in reports/chat/labels.jsonl, over all chats.

Beside the chats and not beside a suite: a preference belongs to no criterion of a suite, and holds what was said.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from evalkit.engine.recorder import utc_now
from evalkit.records import SCHEMA_VERSION
from evalkit.repl.record import FOLDER
from evalkit.repl.session import Session
from evalkit.store.redaction import Scrubber

FILE = f"{FOLDER}/labels.jsonl"


def append_preference(root: Path, chat: str, sessions: Sequence[Session], better: str) -> str:
    """Write which of two replies to the same message was better (`a`, `b` or `same`) and return the file's name."""
    line = {
        "line": "preference",
        "schema_version": SCHEMA_VERSION,
        "ts": utc_now(),
        "chat": chat,
        "user": sessions[0].last.user,
        "a": _side(sessions[0]),
        "b": _side(sessions[1]),
        "better": better,
    }
    file = root / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    data = Scrubber()(orjson.dumps(line)) + b"\n"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)
    return FILE


def _side(session: Session) -> dict[str, Any]:
    reply, prompt = session.last.answer.turn.reply, session.setting.prompt
    return {
        "prompt_ref": prompt.ref,
        "prompt_sha": prompt.sha,
        "model": prompt.model,
        "session_id": session.session_id,
        "reply_sha": sha256(reply.encode()).hexdigest(),
        "reply": reply,
    }
