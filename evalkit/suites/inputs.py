"""The inputs of a suite, its cases and their variants: the files in them read, each value knowing where it stands.

A variant's inputs stand over its case's, and those over the suite's, name by name. What the prompt takes is held
against them in `against_prompt.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import FileProblems
from evalkit.prompts.inputs import file_fault, with_files
from evalkit.prompts.refs import MAX_FILE_BYTES
from evalkit.records import Problem
from evalkit.yamlsource import Source, SourceText, ValuePath, find_beside, read_below


@dataclass(frozen=True)
class SuiteInputs:
    """Inputs by name; `paths` lead to where each is written in the suite's file."""

    values: Mapping[str, Any] = field(default_factory=dict)
    paths: Mapping[str, ValuePath] = field(default_factory=dict)

    def under(self, other: SuiteInputs) -> SuiteInputs:
        """Return these inputs with those of a case or variant over them."""
        return SuiteInputs({**self.values, **other.values}, {**self.paths, **other.paths})


class InputReader:
    """Reads the inputs of one suite; collects what is wrong with them, and every file they come from."""

    def __init__(self, source: Source, root: Path, problems: list[Problem]) -> None:
        self._source = source
        self._root = root
        self._problems = problems
        self._texts: dict[str, SourceText] = {}

    @property
    def files(self) -> dict[str, str]:
        """Every file that was read, with the SHA-256 of its bytes."""
        return {name: text.sha for name, text in self._texts.items()}

    def read(self, written: Mapping[str, Any], path: ValuePath) -> SuiteInputs:
        """Return the inputs that stand at a path; a file that can't be read is noted as a problem there."""
        values = {name: with_files(value, self._text, (*path, name)) for name, value in written.items()}
        return SuiteInputs(values, {name: (*path, name) for name in written})

    def _text(self, name: Any, path: ValuePath) -> str | None:
        if not isinstance(name, str):
            self._problems.append(self._source.problem(path, file_fault(name, "the project")))
            return None
        file, fault = find_beside(self._root, self._source.place(path).file, name)
        if fault:
            self._problems.append(self._source.problem(path, fault))
            return None
        if file not in self._texts:
            try:
                self._texts[file] = read_below(self._root, file, MAX_FILE_BYTES)
            except FileProblems as error:
                problem = error.problems[0]
                self._problems.append(self._source.problem(path, f"{problem.place}: {problem.message}"))
                return None
        return self._texts[file].text
