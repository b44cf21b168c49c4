"""Suites: YAML files to cases with their assertions and fixtures, each knowing its line."""

from evalkit.suites.against_prompt import check_against_prompt, check_inputs
from evalkit.suites.find import find_suites, find_voices
from evalkit.suites.load import load_suite, load_suites, read_suite
from evalkit.suites.renderings import render_cases, takes_of
from evalkit.suites.values import Case, Fixture, Gate, JudgeSettings, Simulation, Suite, ToolMention

__all__ = [
    "Case",
    "Fixture",
    "Gate",
    "JudgeSettings",
    "Simulation",
    "Suite",
    "ToolMention",
    "check_against_prompt",
    "check_inputs",
    "find_suites",
    "find_voices",
    "load_suite",
    "load_suites",
    "read_suite",
    "render_cases",
    "takes_of",
]
