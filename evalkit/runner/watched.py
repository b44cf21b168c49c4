"""What a watching run has to do when files change: whose inputs they are, which cases come first.

Knows inputs of suites and results of runs; neither the file system's events nor a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalkit.records import Stage, TrialVerdict
from evalkit.runner.changed import inputs_of
from evalkit.runner.settings import RunSettings
from evalkit.store import RunReader, last_run
from evalkit.suites import find_suites, load_suites


def failed_last_time(root: Path) -> tuple[str, ...]:
    """Return `suite::case` of every case of the newest run that did not pass in all its trials."""
    return failed_in(last_run(root))


def failed_in(folder: Path) -> tuple[str, ...]:
    """Return `suite::case` of every case of a run with a trial that failed, was not measured, or never ended."""
    reader = RunReader(folder)
    passed = Counter(
        (trial.key.suite, trial.key.case_id)
        for trial in reader.trials()
        if trial.key.is_own and trial.score and trial.score.verdict is TrialVerdict.PASSED
    )
    broken = {
        (trial.key.suite, trial.key.case_id)
        for trial in reader.trials()
        if trial.key.stage is Stage.MUST_PASS and trial.score and trial.score.verdict is TrialVerdict.FAILED
    }
    return tuple(
        f"{case.suite}::{case.case_id}"
        for case in reader.cases
        if not case.skip
        if passed[case.suite, case.case_id] < case.trials or (case.suite, case.case_id) in broken
    )


EVERY_SUITE = "pyproject.toml"


@dataclass
class SuiteWatch:
    """The inputs of the suites that are watched, and the cases that did not pass when they were last played."""

    root: Path
    inputs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    failing: dict[str, None] = field(default_factory=dict)

    def look(self, settings: RunSettings) -> None:
        """Find the inputs of the suites asked for again; FileProblems or UsageError leave those of before."""
        named = {self._file(target) for target in settings.targets}
        paths = [path for path in find_suites(self.root) if not named or path.resolve() in named]
        suites = load_suites(paths, self.root)
        self.inputs = {suite.path: inputs_of(suite, self.root, settings.prompt) for suite in suites}

    def files(self) -> list[str]:
        """Return every watched file, relative to the project."""
        return sorted({EVERY_SUITE, *(file for files in self.inputs.values() for file in files)})

    def affected(self, changed: Iterable[Path]) -> tuple[str, ...]:
        """Return the watched suites that depend on one of the files."""
        root = self.root.resolve()
        names = {path.resolve().relative_to(root).as_posix() for path in changed if path.resolve().is_relative_to(root)}
        if EVERY_SUITE in names:
            return tuple(self.inputs)
        return tuple(suite for suite, files in self.inputs.items() if files & names)

    def rounds(self, settings: RunSettings, suites: tuple[str, ...]) -> list[RunSettings]:
        """Return what to play: first their cases that did not pass, then all that was asked for of them."""
        targets = self._targets(settings, suites)
        failing = tuple(name for name in self.failing if name.partition("::")[0] in suites)
        whole = replace(settings, targets=targets, last_failed=None)
        return [replace(whole, last_failed=failing), whole] if failing else [whole]

    def played(self, folder: Path) -> None:
        """Take in a run: what it played is known anew, the rest is as it was."""
        for case in RunReader(folder).cases:
            self.failing.pop(f"{case.suite}::{case.case_id}", None)
        self.failing |= dict.fromkeys(failed_in(folder))

    def _targets(self, settings: RunSettings, suites: tuple[str, ...]) -> tuple[str, ...]:
        if not settings.targets:
            return tuple(str(self.root / suite) for suite in suites)
        files = {(self.root / suite).resolve() for suite in suites}
        return tuple(target for target in settings.targets if self._file(target) in files)

    def _file(self, target: str) -> Path:
        name = target.partition("::")[0]
        return next((path for path in (Path(name), self.root / name) if path.is_file()), Path(name)).resolve()
