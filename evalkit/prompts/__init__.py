"""Versioned prompts: which file a reference names, what it renders to, and what is wrong with it."""

from evalkit.prompts.lint import lint_prompt
from evalkit.prompts.refs import changed_files, list_prompts
from evalkit.prompts.source import (
    PromptSource,
    find_prompt,
    find_version,
    input_fault,
    load_prompt,
    render_prompt,
)
from evalkit.prompts.versions import identified, with_model, with_tools

__all__ = [
    "PromptSource",
    "changed_files",
    "find_prompt",
    "find_version",
    "identified",
    "input_fault",
    "lint_prompt",
    "list_prompts",
    "load_prompt",
    "render_prompt",
    "with_model",
    "with_tools",
]
