"""From a prompt version's `memory` object to the strategy it names; evalkit/prompts/memory.py says what it may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evalkit.engine.memory.compaction import Compaction
from evalkit.engine.memory.plan import Memory
from evalkit.engine.memory.summary import Summary
from evalkit.engine.memory.window import Everything, Window
from evalkit.errors import UsageError
from evalkit.records import JsonObject

_STRATEGIES: Mapping[str, Callable[[Any], Memory]] = {
    "window": Window,
    "summary": lambda settings: Summary(**settings),
    "compact": lambda settings: Compaction(**settings),
}


def memory_named(memory: JsonObject) -> Memory:
    """Return the strategy; UsageError for one that this version does not know (a record of a newer one)."""
    if not memory:
        return Everything()
    (name, settings), *others = memory.items()
    if name not in _STRATEGIES or others:
        msg = f"memory: unknown strategy {name!r}; expected {', '.join(_STRATEGIES)}. Update evalkit."
        raise UsageError(msg)
    return _STRATEGIES[name](settings)
