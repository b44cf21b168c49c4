"""The stand-in's prompt cache: what a prompt reads, what it writes, and why it missed."""

from evalkit.standin.cache.prompt import Prompt, as_blocks, read_prompt
from evalkit.standin.cache.store import CacheMiss, CacheUse, Diagnostics, PromptCache

__all__ = ["CacheMiss", "CacheUse", "Diagnostics", "Prompt", "PromptCache", "as_blocks", "read_prompt"]
