"""evalkit as a library: the chatbot engine for a product and its production log. Names load when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.engine import Chatbot, Conversation, events
    from evalkit.engine.functions import tools_from
    from evalkit.engine.recorder import ProductionLog
    from evalkit.engine.tools import ToolFailed
    from evalkit.library import open_chatbot
    from evalkit.prompts import load_prompt

__all__ = [
    "Chatbot",
    "Conversation",
    "ProductionLog",
    "ToolFailed",
    "events",
    "load_prompt",
    "open_chatbot",
    "tools_from",
]

_HOMES = {
    "Chatbot": "evalkit.engine",
    "Conversation": "evalkit.engine",
    "ProductionLog": "evalkit.engine.recorder",
    "ToolFailed": "evalkit.engine.tools",
    "events": "evalkit.engine",
    "load_prompt": "evalkit.prompts",
    "open_chatbot": "evalkit.library",
    "tools_from": "evalkit.engine.functions",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for: `import evalkit` and the command line must stay instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'evalkit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
