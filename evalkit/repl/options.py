"""What was asked of a chat on the command line: the one value that is handed over before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ChatOptions:
    """The prompt, where replies come from, and what the chat begins with.

    `ref` None means the only prompt of the project, or the one that `load` or `resume` was held with. `suite` limits
    the fixtures to one suite. `via` None means live where a key is set. `config` is `[tool.evalkit]`.
    """

    root: Path
    ref: str | None = None
    via: str | None = None
    suite: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    load: str | None = None
    versus: str | None = None
    blind: bool = False
    resume: bool = False
    command: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
