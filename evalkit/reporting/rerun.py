"""The command that runs one case again the way the run did. Knows the options that change what is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from shlex import quote

from evalkit.records import CaseSummary, Summary

_SAME_QUESTION = {"-p": "-p", "--prompt": "-p", "--via": "--via", "--set": "--set"}


def rerun_command(summary: Summary, case: CaseSummary) -> str:
    """Return the command line that runs the case again: same prompt, same source, same inputs."""
    return f"evalkit run {_quote(f'{case.suite}::{case.case_id}')}{rerun_options(summary)}"


def rerun_options(summary: Summary) -> str:
    """Return the options that every such command ends with, each after a space."""
    return "".join(f" {_quote(word)}" for word in _kept_options(summary.header.command))


def _quote(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./~-]+", word) else quote(word)


def _kept_options(command: Sequence[str]) -> list[str]:
    kept: list[str] = []
    words = iter(command)
    for word in words:
        name, equals, value = word.partition("=")
        if word in _SAME_QUESTION:
            kept += [_SAME_QUESTION[word], next(words, "")]
        elif equals and name.startswith("--") and name in _SAME_QUESTION:
            kept += [_SAME_QUESTION[name], value]
        elif word.startswith("-p") and not word.startswith("--"):
            kept += ["-p", word[2:]]
    return kept
