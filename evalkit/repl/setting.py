"""What a chat is held with: a prompt version and its files, the fixtures that answer its tools, its brand-voice rules.

Finds them in the project by the prompt's name. Knows files as suites and prompts give them; knows no conversation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.engine.tool_module import ToolModule
from evalkit.errors import UsageError
from evalkit.graders import Requirement
from evalkit.prompts import find_prompt, find_version, input_fault, list_prompts, render_prompt, with_model
from evalkit.records import Level, PromptRef, PromptVersion, Score, Source, Transcript, TrialVerdict, Turn
from evalkit.source import check_models
from evalkit.suites import Fixture, Suite, find_suites, find_voices, load_suite, read_suite, takes_of
from evalkit.suites.find import relative_name
from evalkit.suites.voice import load_voice
from evalkit.world import World
from evalkit.yamlsource import did_you_mean

Fixtures = Mapping[str, tuple[Fixture, ...]]
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Setting:
    """A prompt version with everything around it.

    `world` is that of the first suite that has one. `given` are inputs of the person, which win over the suites'.
    `voice` is the file that `rules` come from. `notes` are for the person: files that could not be used. `functions`
    answer the tool calls that the suites leave open.
    """

    root: Path
    prompt: PromptVersion
    suites: tuple[Suite, ...] = ()
    fixtures: Fixtures = field(default_factory=dict)
    world: World | None = None
    rules: tuple[Requirement, ...] = ()
    voice: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    functions: ToolModule | None = None

    def with_prompt(self, ref: str) -> Setting:
        """Return the setting with another prompt version; its suites too when it is another prompt."""
        if PromptRef.read(ref).name == self.prompt.name:
            return replace(self, prompt=_render(ref, self.suites, self.given, self.root))
        return replace(load_setting(ref, self.root, given=self.given), functions=self.functions)

    def with_inputs(self, values: Mapping[str, Any]) -> Setting:
        """Return the setting with other values of some inputs; UsageError or FileProblems when they can't be.

        The version stays the one that is talked to, even where the files hold another one by now.
        """
        prompt = self.prompt
        source = find_version(prompt.template_sha, prompt.ref, self.root)
        if source is None:
            msg = f"the text of {prompt.ref} is no longer in the files; take up what there is: /prompt {prompt.name}"
            raise UsageError(msg)
        for name, value in values.items():
            if name not in prompt.inputs:
                known = ", ".join(prompt.inputs) or "none"
                raise UsageError(f"no input {name!r}{did_you_mean(name, prompt.inputs)}; inputs: {known}.")
            if fault := input_fault(source, name, value):
                raise UsageError(f"input {name!r} {fault}.")
        rendered = render_prompt(source, {**prompt.inputs, **values})
        return replace(self, prompt=rendered, given={**self.given, **values})

    def with_model(self, model: str) -> Setting:
        """Return the setting with the prompt asked of another model."""
        return replace(self, prompt=with_model(self.prompt, model))

    def asking(self, source: Source) -> tuple[str, ...]:
        """Return what is to be said of its model before it is asked; UsageError for one that answers no more."""
        return check_models({self.prompt.model: f"prompt {self.prompt.ref}"}, source, datetime.now(UTC).date())


def load_setting(
    ref: str | None, root: Path, *, suite: str | None = None, given: Mapping[str, Any] = NOTHING
) -> Setting:
    """Find a prompt and all that belongs to it; UsageError or FileProblems when that can't be done.

    `suite` limits the fixtures to one suite; without it those of every suite of the prompt are used.
    """
    notes: tuple[str, ...] = ()
    if suite:
        path = find_suite_file(suite, root)
        if not path.is_file():
            known = ", ".join(relative_name(one, root) for one in find_suites(root)) or "none"
            raise UsageError(f"{suite}: no such suite; there are: {known}.")
        suites: tuple[Suite, ...] = (load_suite(path, root),)
        ref = ref or suites[0].prompt_ref
    else:
        ref = ref or only_prompt(root)
        suites, notes = suites_of(ref, root)
    return setting_of(_render(ref, suites, given, root), root, suites, given=given, notes=notes)


def setting_of(
    prompt: PromptVersion,
    root: Path,
    suites: tuple[Suite, ...] | None = None,
    *,
    given: Mapping[str, Any] = NOTHING,
    notes: tuple[str, ...] = (),
) -> Setting:
    """Return the setting of a prompt version that is there already, such as one out of a record."""
    if suites is None:
        suites, notes = suites_of(prompt.ref, root)
    voice, rules = _find_voice(suites, root)
    world = next((suite.world for suite in suites if suite.world), None)
    return Setting(root, prompt, suites, merged_fixtures(suites), world, rules, voice, given, notes)


def only_prompt(root: Path) -> str:
    """Return the name of the project's only prompt; UsageError that lists them when there are several, or none."""
    names = list(list_prompts(root))
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError(f"{root}: there is no prompt to talk to; expected a file such as prompts/support/v1.md.")
    raise UsageError(f"which prompt? Name one of {', '.join(names)}, such as: evalkit chat {names[-1]}")


def suites_of(ref: str, root: Path) -> tuple[tuple[Suite, ...], tuple[str, ...]]:
    """Return the suites of a prompt, by name of file, and a note for each suite that has errors."""
    name = PromptRef.read(ref).name
    found, notes = [], []
    for path in find_suites(root):
        suite, problems = read_suite(path, root)
        if suite is None:
            notes.append(f"{relative_name(path, root)} has errors and is left out ({problems[0].place}); evalkit check")
        elif PromptRef.read(suite.prompt_ref).name == name:
            found.append(suite)
    return tuple(found), tuple(notes)


def find_suite_file(name: str, root: Path) -> Path:
    """Return the file that `returns`, `returns.yaml` or `suites/returns.yaml` means, whether it exists or not."""
    file = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
    candidates = [root / file, root / "suites" / file, Path(file)]
    existing = next((path for path in candidates if path.is_file()), None)
    return existing or (root / file if "/" in file else root / "suites" / file)


def merged_fixtures(suites: Iterable[Suite]) -> dict[str, tuple[Fixture, ...]]:
    """Return the fixtures of several suites by tool: what answers certain calls before what answers every call.

    Without that order the first suite's "everything else" would hide all other suites.
    """
    by_tool: dict[str, list[Fixture]] = {}
    for suite in suites:
        for tool, fixtures in suite.fixtures.items():
            by_tool.setdefault(tool, []).extend(fixtures)
    return {tool: tuple(sorted(found, key=lambda one: not one.when)) for tool, found in by_tool.items()}


def _render(ref: str, suites: Sequence[Suite], given: Mapping[str, Any], root: Path) -> PromptVersion:
    """Render a prompt with the suites' inputs, as far as it knows them, under those of the person.

    An input that only cases give has the value of the first of them.
    """
    source = find_prompt(ref, root)
    inputs: dict[str, Any] = {}
    for suite in reversed(suites):
        for case in reversed(suite.cases):
            inputs |= case.inputs.values
        inputs |= suite.inputs
    return render_prompt(source, {**takes_of(source, inputs), **given})


def _find_voice(suites: Sequence[Suite], root: Path) -> tuple[str, tuple[Requirement, ...]]:
    """Return the voice file of the suites, or the project's only one, with its rules as assertions."""
    file = next((suite.voice_file for suite in suites if suite.voice_file), "")
    if not file:
        voices = find_voices(root)
        file = relative_name(voices[0], root) if len(voices) == 1 else ""
    voice, _ = load_voice(root, file) if file else (None, [])
    return (file, tuple(rule.requirement() for rule in voice.rules)) if voice else ("", ())


@dataclass(frozen=True)
class VoiceVerdict:
    """What the brand-voice rules say of one reply; spans count in it."""

    scores: tuple[Score, ...]

    @property
    def broken(self) -> tuple[Score, ...]:
        """The scores of the rules that the reply breaks."""
        return tuple(score for score in self.scores if score.finding.verdict is TrialVerdict.FAILED)

    @property
    def errors(self) -> int:
        """How many broken rules would fail a trial."""
        return sum(score.assertion.level is Level.ERROR for score in self.broken)

    @property
    def warnings(self) -> int:
        """How many broken rules are only counted."""
        return len(self.broken) - self.errors


def judge_voice(turn: Turn, rules: Sequence[Requirement]) -> VoiceVerdict | None:
    """Grade one turn by the voice rules as a run would; None when there are no rules or no whole reply."""
    if not rules or turn.failure is not None or not turn.reply.strip():
        return None
    transcript = Transcript("", "", (turn,))
    return VoiceVerdict(tuple(rule.score(transcript) for rule in rules))


class PromptFiles:
    """The files of one prompt version as they were when it was loaded, to notice that they were edited.

    Contents are compared, and only when a time stamp changed. A version out of git or out of a record has no files to
    look at: those on disk are other ones.
    """

    def __init__(self, prompt: PromptVersion, root: Path) -> None:
        self._root = root
        self._files = {root / name: str(sha) for name, sha in prompt.files.items()}
        if any(_sha(path) != sha for path, sha in self._files.items()):
            self._files = {}
        self._stamps = {path: _stamp(path) for path in self._files}

    def changed(self) -> str:
        """Return the name of the first file that is another one now, or an empty text."""
        for path, sha in self._files.items():
            stamp = _stamp(path)
            if stamp != self._stamps[path]:
                if _sha(path) != sha:
                    return path.relative_to(self._root).as_posix()
                self._stamps[path] = stamp
        return ""

    def ignore(self) -> None:
        """Take the files as they are now for known."""
        self._files = {path: _sha(path) for path in self._files}
        self._stamps = {path: _stamp(path) for path in self._files}


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _sha(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
