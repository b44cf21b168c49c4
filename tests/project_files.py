"""Small projects on disk, for tests of prompts, suites and the commands that read them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

LOOKUP = """\
name: lookup_order
description: Looks an order up. Use it before saying anything about an order.
input_schema:
  type: object
  properties:
    order_id: {type: string, description: "Order number, like TN-20418"}
    detail: {type: string, enum: [short, full]}
  required: [order_id]
  additionalProperties: false
"""
PROMPT = """\
---
model: claude-sonnet-5-5
max_tokens: 700
effort: medium
tools: [tools/lookup_order.yaml]
inputs:
  shop: Tandle
  today: {required: true}
---
You are Tess of {{ shop }}.
{% include "partials/voice.md" %}

{# evalkit: cache here #}
Today is {{ today }}.
"""
SUITE = """\
prompt: support
inputs: {today: 2026-11-22}
cases:
  - id: hello
    user: Hello
    expect: {says: [Tess]}
"""
FILES = {
    "prompts/support/CURRENT": "v2\n",
    "prompts/support/v1.md": PROMPT.replace("Tess", "Tom"),
    "prompts/support/v2.md": PROMPT,
    "prompts/support/partials/voice.md": "Be brief at {{ shop }}.\n",
    "prompts/support/tools/lookup_order.yaml": LOOKUP,
    "suites/hello.yaml": SUITE,
}


def write_files(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder and return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="")
    return root


def write_project(root: Path, **changed: str) -> Path:
    """Write the small project; keywords replace a file's text: `v2`, `suite`, `tool`, `voice`, `current`."""
    names = {
        "v2": "prompts/support/v2.md",
        "suite": "suites/hello.yaml",
        "tool": "prompts/support/tools/lookup_order.yaml",
        "voice": "prompts/support/partials/voice.md",
        "current": "prompts/support/CURRENT",
    }
    return write_files(root, {**FILES, **{names[key]: text for key, text in changed.items()}})


def git(root: Path, *arguments: str) -> str:
    """Run git in a folder with a fixed identity."""
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", "-C", str(root), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def commit_all(root: Path, message: str) -> None:
    """Commit everything in a folder, which becomes a repository first."""
    if not (root / ".git").exists():
        git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)
