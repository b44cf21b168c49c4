"""What a change of the project means for its suites: whose inputs the files are, what is played first, and beside.

A suite's inputs are its file, its voice, its labels and baseline, the team's own graders that it names, and its prompt:
the version, everything that version includes, its tools, and the line that makes it live; no list of paths is kept by
hand. What all suites share selects all of them. A watching run plays the cases first that did not pass last time.
Versions that a change brings and that are not live are played for information, with what the gated run has left of its
limits: evidence comes early, the gate when a version goes live.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, entry_points
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import orjson

import evalkit
from evalkit.baseline import baseline_name, replies_name
from evalkit.errors import EvalkitError, UsageError
from evalkit.graders.team import GROUP, Team
from evalkit.labels import labels_file
from evalkit.prompts import changed_files, find_prompt, list_prompts
from evalkit.records import Information, PromptRef, Stage, TrialVerdict
from evalkit.runner.costs import spent_in
from evalkit.runner.plan import RunSettings
from evalkit.runner.project import Invocation, Project
from evalkit.runner.start import start_run
from evalkit.store import RUN_FILE, RunReader, find_run
from evalkit.suites import Suite, find_suites, load_suites
from evalkit.wording import and_more, first_of, plural

SHARED = re.compile(r"(\.\./)*(pyproject\.toml|requirements[\w.-]*\.txt|(uv|poetry|pdm|Pipfile)\.lock)")
"""Files that say which evalkit, which SDK and which prices a run has; above the project they do, too."""
EVERY_SUITE = "pyproject.toml"
_NO_CODE = {"__pycache__", "build", "dist"}


@dataclass(frozen=True)
class ChangeImpact:
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
        changed = f"{plural(self.files, 'file')} changed since {self.revision}"
        beside = f"; not live, so for information only: {', '.join(self.versions)}" if self.versions else ""
        if self.everything:
            return f"{changed}; {self.everything} is an input of every suite{beside}."
        if not self.suites and not self.versions:
            return f"{changed}; no suite depends on them, so nothing was run."
        told = "; ".join(f"{suite} ({first_of(files, 3)})" for suite, files in self.suites.items())
        return f"{changed}; affected: {told or 'no suite'}{beside}."

    def narrow_targets(self, targets: Sequence[str], root: Path) -> tuple[str, ...]:
        """Return the targets that are affected, or every affected suite when none was named; empty when none is left.

        A target that names no file stays, so that the run tells what is wrong with it.
        """
        suites = {(root / path).resolve(): path for path in self.suites}
        if not targets:
            return tuple(str(path) for path in suites)
        return tuple(target for target in targets if _file_of(target, root) in (None, *suites))

    def narrow_versions(self, targets: Sequence[str], root: Path) -> dict[str, tuple[str, ...]]:
        """Return the versions that are measured for information, each with what was asked for of its suites."""
        wanted = {ref: _targets_in(suites, targets, root) for ref, suites in self.versions.items()}
        return {ref: chosen for ref, chosen in wanted.items() if chosen}


def _targets_in(suites: Iterable[str], targets: Sequence[str], root: Path) -> tuple[str, ...]:
    """Return the targets that mean one of the suites, or all of the suites where no target was named."""
    if not targets:
        return tuple(str(root / suite) for suite in suites)
    files = {(root / suite).resolve() for suite in suites}
    return tuple(target for target in targets if _file_of(target, root) in files)


def _file_of(target: str, root: Path) -> Path | None:
    """Return the suite that a target means, from here or from the project; None where there is no such file."""
    name = target.partition("::")[0]
    return next((path.resolve() for path in (Path(name), root / name) if path.is_file()), None)


def find_affected(root: Path, revision: str, prompt: str | None = None) -> ChangeImpact:
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
        return ChangeImpact(revision, len(changed), {suite.path: (shared,) for suite in suites}, shared, versions)
    found: dict[str, tuple[str, ...]] = {}
    for suite in suites:
        inputs, code = inputs_of(suite, root, prompt), _graders_of(suite, root)
        if files := tuple(file for file in changed if file in inputs or is_below(file, code, root)):
            found[suite.path] = files
    return ChangeImpact(revision, len(changed), found, versions=versions)


def inputs_of(suite: Suite, root: Path, prompt: str | None = None) -> frozenset[str]:
    """Return every file that a suite's result depends on, relative to the project."""
    source = find_prompt(prompt or suite.prompt_ref, root)
    beside = (baseline_name(suite.path), labels_file(suite.path), replies_name(suite.path))
    team = (file for folder in _graders_of(suite, root) for file in files_below(folder, root))
    return frozenset((*suite.files, *source.files, f"prompts/{source.name}/CURRENT", *beside, *team))


def _graders_of(suite: Suite, root: Path) -> tuple[Path, ...]:
    """Return where the code of the team's graders stands that a suite names, as far as the project holds it."""
    graders = (one.grader for case in suite.cases for one in case.requirements)
    return code_of(dict.fromkeys(one.team[0].grader for one in graders if isinstance(one, Team)), root)


def _versions(suites: Sequence[Suite], root: Path, changed: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the versions that changed and are not live, with the suites that follow their prompt."""
    found: dict[str, list[str]] = {}
    for name, versions in list_prompts(root).items():
        following = {suite.path: ref for suite in suites if (ref := PromptRef.read(suite.prompt_ref)).name == name}
        following = {path: ref for path, ref in following.items() if not ref.version}
        live = PromptRef.read(find_prompt(name, root).ref).version if following else ""
        for version in versions:
            if version != live and f"prompts/{name}/{version}.md" in changed:
                for path, ref in following.items():
                    found.setdefault(str(replace(ref, version=version)), []).append(path)
    return {ref: tuple(paths) for ref, paths in found.items()}


def _is_evalkit(root: Path, file: str) -> bool:
    """Say whether a file belongs to the evalkit that is running, for projects that keep it in their own repository."""
    package = Path(evalkit.__file__).resolve().parent
    return (root / file).resolve().is_relative_to(package)


def code_of(graders: Collection[str], root: Path) -> tuple[Path, ...]:
    """Return the folders and files whose code these graders are, as far as their packages are installed to be edited.

    A package in a folder of its own counts whole; of one whose folder holds the project, the module that is named.
    """
    found: dict[Path, None] = {}
    for entry in entry_points(group=GROUP) if graders else ():
        if entry.name in graders and entry.dist is not None:
            source = _editable_folder(entry.dist)
            if source is not None:
                holds_project = root.resolve().is_relative_to(source)
                parts = _modules(entry.module, source) if holds_project else (source,)
                found |= dict.fromkeys(parts)
    return tuple(found)


def is_below(file: str, places: Iterable[Path], root: Path) -> bool:
    """Return whether a file, relative to the project, belongs to one of these places."""
    path = Path(os.path.normpath(root.resolve() / file))
    return any(path.is_relative_to(place) for place in places)


def files_below(place: Path, root: Path) -> Iterator[str]:
    """Yield the files of a place, relative to the project; what was built or compiled is left out."""
    for at, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name not in _NO_CODE and not name.startswith(".")]
        yield from (os.path.relpath(Path(at, name), root.resolve()).replace(os.sep, "/") for name in names)
    if place.is_file():
        yield os.path.relpath(place, root.resolve()).replace(os.sep, "/")


def _editable_folder(package: Distribution) -> Path | None:
    """Return the folder that a package was installed from to be edited there; None for any other package."""
    try:
        told = json.loads(package.read_text("direct_url.json") or "{}")
    except json.JSONDecodeError:
        return None
    if not told.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(told["url"]).path)).resolve()


def _modules(module: str, source: Path) -> Iterator[Path]:
    """Yield where the top-level module of an entry point stands, if that is below the package's folder."""
    spec = find_spec(module.partition(".")[0])
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""] if spec else []
    yield from (Path(place).resolve() for place in places if place and Path(place).resolve().is_relative_to(source))


def failed_last_time(root: Path) -> tuple[str, ...]:
    """Return `suite::case` of every case of the newest run that did not pass in all its trials."""
    return failed_in(find_run("last", root))


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


@dataclass
class SuiteWatch:
    """The inputs of the suites that are watched, and the cases that did not pass when they were last played."""

    root: Path
    inputs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    failing: dict[str, None] = field(default_factory=dict)

    def look(self, settings: RunSettings) -> None:
        """Find the inputs of the suites asked for again; FileProblems or UsageError leave those of before."""
        named = {_file_of(target, self.root) for target in settings.targets}
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
        failing = tuple(name for name in self.failing if name.partition("::")[0] in suites)
        whole = replace(settings, targets=_targets_in(suites, settings.targets, self.root), last_failed=None)
        return [replace(whole, last_failed=failing), whole] if failing else [whole]

    def played(self, folder: Path) -> None:
        """Take in a run: what it played is known anew, the rest is as it was."""
        for case in RunReader(folder).cases:
            self.failing.pop(f"{case.suite}::{case.case_id}", None)
        self.failing |= dict.fromkeys(failed_in(folder))


def play_affected(
    project: Project, invocation: Invocation, versions: Mapping[str, tuple[str, ...]]
) -> tuple[Path | None, tuple[Information, ...]]:
    """Play what is gated, if anything is, then the versions that are not live; returns what `play_versions` does."""
    folder = start_run(project, invocation) if invocation.settings.targets else None
    if folder is not None and is_interrupted(folder):
        return folder, ()
    return play_versions(project, invocation, versions, folder)


def play_versions(
    project: Project, invocation: Invocation, versions: Mapping[str, tuple[str, ...]], beside: Path | None
) -> tuple[Path | None, tuple[Information, ...]]:
    """Play each version on its suites, in folders below `beside`; without one the first version's takes its place.

    Returns that folder (None when nothing could be played) and what could not be played. Money and time of all of them
    together stay within the limits that were asked for.
    """
    missing: list[Information] = []
    folders = [beside] if beside else []
    for ref, targets in versions.items():
        settings = _with_rest(replace(invocation.settings, prompt=ref, targets=targets, information=True), folders)
        out = beside / ref.replace("/", "-") if beside else invocation.out
        if settings.max_cost_usd == 0 or settings.max_time_s == 0:
            why = "no money or time is left for it"
        else:
            try:
                folders.append(start_run(project, Invocation(settings, out, (*invocation.command, "-p", ref))))
                why = ""
            except EvalkitError as exc:
                first, *more = str(exc).splitlines()
                why = f"{first}{and_more(len(more), 0)}"
        if why:
            missing.append(Information(ref, f"{ref}, not live yet: not measured, {why} (for information)"))
            continue
        beside = beside or folders[0]
        if is_interrupted(folders[-1]):
            break
    return beside, tuple(missing)


def folders_below(folder: Path) -> tuple[Path, ...]:
    """Return the runs that stand below a run's folder: the versions that were played for information beside it."""
    return tuple(sorted(path.parent for path in folder.glob(f"*/{RUN_FILE}") if _is_information(path)))


def _is_information(file: Path) -> bool:
    """Return whether a record's first line says that it was played for information."""
    with file.open("rb") as lines:
        first = lines.readline()
    try:
        return bool(orjson.loads(first)["settings"]["information"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False


def is_interrupted(folder: Path) -> bool:
    """Return whether a run was stopped by hand."""
    end = RunReader(folder).end
    return end is not None and end.reason == "interrupted"


def _with_rest(settings: RunSettings, played: list[Path]) -> RunSettings:
    """Return the settings with what the runs before have left of their limits."""
    readers = [RunReader(folder) for folder in played]
    spent = sum(spent_in(reader) for reader in readers) if settings.max_cost_usd is not None else 0.0
    took = sum(reader.end.elapsed_s for reader in readers if reader.end)
    return replace(
        settings,
        max_cost_usd=None if settings.max_cost_usd is None else max(0.0, settings.max_cost_usd - spent),
        max_time_s=None if settings.max_time_s is None else max(0.0, settings.max_time_s - took),
    )
