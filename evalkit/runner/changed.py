"""Which suites a change can have an effect on, from each suite's real inputs; no list of paths is kept by hand.

A suite's inputs are its file, its voice, its labels and baseline, the team's own graders that it names, and its prompt:
the version, everything that version includes, its tools, and the line that makes it live. What all suites share selects
all of them. Must not run anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import evalkit
from evalkit.baseline import baseline_name, replies_name
from evalkit.errors import UsageError
from evalkit.labels import labels_file
from evalkit.prompts import changed_files, find_prompt, list_prompts
from evalkit.runner.team_code import code_of, files_below, is_below
from evalkit.suites import Suite, find_suites, load_suites

SHARED = re.compile(r"(\.\./)*(pyproject\.toml|requirements[\w.-]*\.txt|(uv|poetry|pdm|Pipfile)\.lock)")
"""Files that say which evalkit, which SDK and which prices a run has; above the project they do, too."""


@dataclass(frozen=True)
class Affected:
    """What a change affects: suites with the inputs of theirs that changed, in order; `everything` names a shared file.

    `files` counts all that changed. `versions` are prompt versions that are new or edited and not live, with the suites
    of their prompt: measured for information, never gated.
    """

    revision: str
    files: int
    suites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    everything: str = ""
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        changed = f"{self.files} {'file' if self.files == 1 else 'files'} changed since {self.revision}"
        beside = f"; not live, so for information only: {', '.join(self.versions)}" if self.versions else ""
        if self.everything:
            return f"{changed}; {self.everything} is an input of every suite{beside}."
        if not self.suites and not self.versions:
            return f"{changed}; no suite depends on them, so nothing was run."
        told = "; ".join(f"{suite} ({_few(files)})" for suite, files in self.suites.items())
        return f"{changed}; affected: {told or 'no suite'}{beside}."


def find_affected(root: Path, revision: str, prompt: str | None = None) -> Affected:
    """Return the suites that a change since `revision` affects; `prompt` is the reference asked for instead of theirs.

    NoVerdict when git can't tell what changed, FileProblems when a suite or a prompt can't be read.
    """
    if not revision.strip():
        raise UsageError("--changed-since is empty; expected a git revision such as origin/main.")
    changed = changed_files(root, revision)
    shared = next((file for file in changed if SHARED.fullmatch(file) or _is_evalkit(root, file)), "")
    suites = load_suites(find_suites(root), root)
    versions = {} if prompt else _versions(suites, root, frozenset(changed))
    if shared:
        return Affected(revision, len(changed), {suite.path: (shared,) for suite in suites}, shared, versions)
    found = {suite.path: _changed_inputs(suite, root, changed, prompt) for suite in suites}
    return Affected(revision, len(changed), {path: files for path, files in found.items() if files}, versions=versions)


def inputs_of(suite: Suite, root: Path, prompt: str | None = None) -> frozenset[str]:
    """Return every file that a suite's result depends on, relative to the project."""
    source = find_prompt(prompt or suite.prompt_ref, root)
    beside = (baseline_name(suite.path), labels_file(suite.path), replies_name(suite.path))
    team = (file for folder in _graders_of(suite, root) for file in files_below(folder, root))
    return frozenset((*suite.files, *source.files, f"prompts/{source.name}/CURRENT", *beside, *team))


def _changed_inputs(suite: Suite, root: Path, changed: Sequence[str], prompt: str | None) -> tuple[str, ...]:
    inputs, code = inputs_of(suite, root, prompt), _graders_of(suite, root)
    return tuple(file for file in changed if file in inputs or is_below(file, code, root))


def _graders_of(suite: Suite, root: Path) -> tuple[Path, ...]:
    """Return where the code of the team's graders stands that a suite names, as far as the project holds it."""
    named = (one.params for case in suite.cases for one in case.record.assertions if one.kind == "team")
    return code_of(dict.fromkeys(str(params["grader"]) for params in named), root)


def _versions(suites: Sequence[Suite], root: Path, changed: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the versions that changed and are not live, with the suites that follow their prompt."""
    found: dict[str, tuple[str, ...]] = {}
    for name, versions in list_prompts(root).items():
        following = tuple(suite.path for suite in suites if suite.prompt_ref == name)
        live = find_prompt(name, root).ref if following else ""
        for version in versions:
            ref = f"{name}@{version}"
            if following and ref != live and f"prompts/{name}/{version}.md" in changed:
                found[ref] = following
    return found


def _is_evalkit(root: Path, file: str) -> bool:
    """Say whether a file belongs to the evalkit that is running, for projects that keep it in their own repository."""
    package = Path(evalkit.__file__).resolve().parent
    return (root / file).resolve().is_relative_to(package)


def _few(files: Sequence[str], most: int = 3) -> str:
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(files[:most]) + more
