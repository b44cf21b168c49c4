"""Suites: YAML files to cases with their assertions and fixtures, each knowing its line."""

from evalkit.suites.load import find_suites, find_voices, load_suite, load_suites, read_suite
from evalkit.suites.values import Case, Fixture, Gate, Suite, ToolMention

__all__ = [
    "Case",
    "Fixture",
    "Gate",
    "Suite",
    "ToolMention",
    "find_suites",
    "find_voices",
    "load_suite",
    "load_suites",
    "read_suite",
]
