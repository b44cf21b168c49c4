"""The stand-in's prompt cache: what a prompt reads, what it writes, and why it missed."""

from evalkit.standin.cache.diagnostics import CacheMiss, Diagnostics
from evalkit.standin.cache.prompt import Prompt, read_prompt
from evalkit.standin.cache.store import CacheUse, PromptCache

__all__ = ["CacheMiss", "CacheUse", "Diagnostics", "Prompt", "PromptCache", "read_prompt"]
