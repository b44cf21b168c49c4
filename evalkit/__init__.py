"""evalkit as a library: the chatbot engine for a product and its production log. Names load when they are used.

`docs/library.md` explains every name here, and says which will stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.content import FileNotes, make_block
    from evalkit.engine import Chatbot, Conversation, Limits, RetryPolicy, ToolFailed, ToolOutcome, ToolSource, events
    from evalkit.engine.functions import Context, Toolset, join_tools, tools_from
    from evalkit.engine.memory_tool import memory_tool
    from evalkit.engine.recorder import ProductionLog
    from evalkit.errors import EvalkitError, FileProblems, UsageError
    from evalkit.library import NoAnswer, Options, Service, Session, open_chatbot
    from evalkit.prompts import load_prompt
    from evalkit.records import PromptVersion

__all__ = [
    "Chatbot",
    "Context",
    "Conversation",
    "EvalkitError",
    "FileNotes",
    "FileProblems",
    "Limits",
    "NoAnswer",
    "Options",
    "ProductionLog",
    "PromptVersion",
    "RetryPolicy",
    "Service",
    "Session",
    "ToolFailed",
    "ToolOutcome",
    "ToolSource",
    "Toolset",
    "UsageError",
    "events",
    "join_tools",
    "load_prompt",
    "make_block",
    "memory_tool",
    "open_chatbot",
    "tools_from",
]

_HOMES = {
    "Chatbot": "evalkit.engine",
    "Context": "evalkit.engine.functions",
    "Conversation": "evalkit.engine",
    "EvalkitError": "evalkit.errors",
    "FileNotes": "evalkit.content",
    "FileProblems": "evalkit.errors",
    "Limits": "evalkit.engine",
    "NoAnswer": "evalkit.library",
    "Options": "evalkit.library",
    "ProductionLog": "evalkit.engine.recorder",
    "PromptVersion": "evalkit.records",
    "RetryPolicy": "evalkit.engine",
    "Service": "evalkit.library",
    "Session": "evalkit.library",
    "ToolFailed": "evalkit.engine",
    "ToolOutcome": "evalkit.engine",
    "ToolSource": "evalkit.engine",
    "Toolset": "evalkit.engine.functions",
    "UsageError": "evalkit.errors",
    "events": "evalkit.engine",
    "join_tools": "evalkit.engine.functions",
    "load_prompt": "evalkit.prompts",
    "make_block": "evalkit.content",
    "memory_tool": "evalkit.engine.memory_tool",
    "open_chatbot": "evalkit.library",
    "tools_from": "evalkit.engine.functions",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for: `import evalkit` and the command line must stay instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'evalkit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
