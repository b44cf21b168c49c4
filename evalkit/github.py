"""What GitHub's runner reads from a job: annotations and other commands in its output, and the job's summary.

A command is a line of its own, so nothing that a prompt, file or model says may look like one. Source:
docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands, read November 2026.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from evalkit.records import Place


def annotation(severity: Literal["error", "warning"], place: Place, title: str, message: str) -> str:
    """Return the command that shows a message at a line; `place` counts from the top of the repository."""

    def escaped(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    listed = {"file": place.file, "line": str(place.line or ""), "col": str(place.column or ""), "title": title}
    properties = ",".join(
        f"{key}={escaped(value).replace(':', '%3A').replace(',', '%2C')}" for key, value in listed.items() if value
    )
    return f"::{severity} {properties}::{escaped(message)}"


def on_github() -> bool:
    """Tell whether this is a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def add_to_job_summary(markdown: str) -> None:
    """Append Markdown to the file that GitHub shows as the job's summary, if it named one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8", errors="replace") as file:
            file.write(markdown)


@contextmanager
def no_commands() -> Iterator[None]:
    """Keep GitHub's runner from reading commands in what is printed meanwhile: a model may say `::add-mask::`."""
    if not on_github():
        yield
        return
    token = secrets.token_hex(16)
    sys.stdout.write(f"::stop-commands::{token}\n")
    try:
        yield
    finally:
        sys.stdout.write(f"::{token}::\n")
        sys.stdout.flush()
