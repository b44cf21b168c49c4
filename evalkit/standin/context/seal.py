"""The signature of a compaction block: says which text it was given for. No secret: it only tells edits apart."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import blake2b

import orjson

_MARK = "standin-compaction"


def digest_of(content: str) -> str:
    """Return what a seal records of a text."""
    return blake2b(content.encode(), digest_size=12).hexdigest()


def seal(content: str) -> str:
    """Return the signature for a text."""
    return b64encode(orjson.dumps([_MARK, digest_of(content)])).decode()


def read_seal(signature: str) -> str | None:
    """Return the digest that a signature records; None if it is no signature of the stand-in."""
    try:
        mark, digest = orjson.loads(b64decode(signature, validate=True))
    except (ValueError, TypeError):
        return None
    return str(digest) if mark == _MARK else None
