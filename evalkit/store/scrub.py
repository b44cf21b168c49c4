"""Takes secrets out of what is about to be written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

MARK = b"[secret removed]"
_SECRET_NAME = re.compile(r"(API_?KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$", re.IGNORECASE)
_SHORTEST = 12
# Shapes of keys that are recognised wherever they come from: Anthropic, AWS, GitHub, Google, bearer headers.
_SHAPES = re.compile(
    rb"sk-ant-[A-Za-z0-9_-]{8,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}"
    rb"|AIza[0-9A-Za-z_-]{35}|(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*"
)

# What each of these shapes begins with. Looking for them is much cheaper, and most lines have none.
_BEGINNINGS = (b"sk-ant-", b"AKIA", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"AIza", b"earer ")


class Scrubber:
    """Replaces the values of secret-looking environment variables, and known shapes of keys, in bytes."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        values = {
            value.encode()
            for name, value in (os.environ if environment is None else environment).items()
            if _SECRET_NAME.search(name) and len(value) >= _SHORTEST
        }
        longest_first = sorted(values, key=len, reverse=True)
        self._values = re.compile(b"|".join(re.escape(value) for value in longest_first)) if values else None

    def __call__(self, data: bytes) -> bytes:
        """Return `data` without secrets."""
        if self._values is not None:
            data = self._values.sub(MARK, data)
        return _SHAPES.sub(MARK, data) if any(map(data.__contains__, _BEGINNINGS)) else data
