"""Everything that can be known about a project's files without a model: `evalkit check` behind its command.

Knows in which order files are compared with each other, and holds a prompt's stand-in script against the prompt's
versions and the cases that are played with it; the other checks are in the modules of each file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson

from evalkit.content import sendable, sent_messages
from evalkit.errors import FileProblems, UsageError
from evalkit.prompts import PromptSource, find_prompt, lint_prompt, list_prompts, render_prompt
from evalkit.prompts.models import problems_of_model
from evalkit.records import JsonObject, Place, Problem, PromptRef, PromptVersion
from evalkit.standin.script import Script, Stuck, check_script, script_path
from evalkit.standin.script.conversation import read_conversation
from evalkit.standin.script.play import MOST_CALLS, Pass
from evalkit.standin.script.script import Rule
from evalkit.suites.against_prompt import check_against_prompt
from evalkit.suites.find import find_suites, find_voices, kind_of, relative_name
from evalkit.suites.fixtures import NO_FIXTURE, CaseTools, tools_of
from evalkit.suites.load import read_suite
from evalkit.suites.renderings import changing_inputs, render_cases, takes_of
from evalkit.suites.values import Case, Suite
from evalkit.suites.voice import check_examples, load_voice, unused_rules
from evalkit.yamlsource import ValuePath, parse_yaml, read_below

PROMPTS = "prompts"


@dataclass(frozen=True)
class CheckResult:
    """What was checked, and every problem in order of place."""

    suites: int
    cases: int
    voices: int
    prompts: int
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> int:
        """How many problems are errors."""
        return sum(problem.severity == "error" for problem in self.problems)

    @property
    def warnings(self) -> int:
        """How many problems are warnings."""
        return len(self.problems) - self.errors


@dataclass(frozen=True)
class _Targets:
    """Which files are to be checked."""

    suites: list[Path]
    voices: list[Path]
    prompts: list[str]


def check_project(root: Path, paths: Sequence[Path] = (), *, today: date | None = None) -> CheckResult:
    """Check suites, voice files and prompts: those named (a folder means all in it), or all of the project.

    `today` decides which models are retired, by the clock when None. Raises UsageError for a path that is none of them.
    """
    today = today or datetime.now(UTC).date()
    if not paths:
        return _Checker(root, _Targets([*find_suites(root)], [*find_voices(root)], _all_refs(root)), today).run()
    targets = _Targets([], [], [])
    for path in paths:
        _add(targets, path, root)
    return _Checker(root, targets, today).run()


def _all_refs(root: Path, only: str = "") -> list[str]:
    """Return a reference to every prompt version of the project, or of one prompt."""
    listed = {name: versions for name, versions in list_prompts(root).items() if only in ("", name)}
    return [ref for name, versions in listed.items() for ref in ([f"{name}@{v}" for v in versions] or [name])]


def _add(targets: _Targets, path: Path, root: Path) -> None:
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; expected a suite, a voice file or a prompt.")
    name = relative_name(path, root)
    parts = name.split("/")
    if parts[0] == PROMPTS:
        found = _refs_of(parts, root)
        if not found:
            raise UsageError(f"{path}: belongs to no prompt; expected prompts/NAME/v1.md or a file beside it.")
        targets.prompts.extend(found)
    elif path.is_dir():
        inside = path.resolve()
        targets.suites.extend(suite for suite in find_suites(root) if suite.resolve().is_relative_to(inside))
        targets.voices.extend(voice for voice in find_voices(root) if voice.resolve().is_relative_to(inside))
        if inside == root.resolve():
            targets.prompts.extend(_all_refs(root))
    elif path.suffix not in {".yaml", ".yml"}:
        raise UsageError(f"{path}: is neither a suite (.yaml) nor a prompt (in prompts/).")
    elif (kind := kind_of(path, root)) == "part":
        raise UsageError(f"{path}: is a part of the suites that include it; check those, or the whole project.")
    else:
        (targets.voices if kind == "voice" else targets.suites).append(path)


def _refs_of(parts: Sequence[str], root: Path) -> list[str]:
    """Return the prompt versions a path below prompts/ belongs to: one for a version file, else all of its prompt."""
    if len(parts) == 1:
        return _all_refs(root)
    if len(parts) == 3 and parts[2].endswith(".md"):
        return [ref for ref in _all_refs(root, parts[1]) if ref == f"{parts[1]}@{parts[2].removesuffix('.md')}"]
    return _all_refs(root, parts[1].removesuffix(".md"))


class _Checker:
    """Checks the targets; reads each prompt once."""

    def __init__(self, root: Path, targets: _Targets, today: date) -> None:
        self._root = root
        self._today = today
        self._targets = targets
        self._problems: list[Problem] = []
        self._prompts: dict[str, PromptSource] = {}
        self._versions: dict[tuple[str, bytes], PromptVersion | None] = {}

    def run(self) -> CheckResult:
        """Check everything."""
        suites: list[Suite] = []
        for path in dict.fromkeys(self._targets.suites):
            suite, problems = read_suite(path, self._root)
            self._problems += problems
            if suite is not None:
                suites.append(suite)
                self._problems += [*self._suite_problems(suite), *self._model_problems(suite)]
        others = [path for path in find_suites(self._root) if path not in self._targets.suites]
        # Those that were not asked for are read only to know which prompts and rules they use.
        known = [*suites, *(suite for suite, _ in (read_suite(path, self._root) for path in others) if suite)]
        self._check_voices(known)
        for ref in dict.fromkeys(self._targets.prompts):
            mine = [suite for suite in known if PromptRef.read(suite.prompt_ref).name == PromptRef.read(ref).name]
            try:
                inputs = next(iter(_inputs_of(mine)), {})
                self._problems += lint_prompt(self._prompt(ref), inputs, changing_inputs(mine), today=self._today)
            except FileProblems as error:
                self._problems += error.problems
        for name in dict.fromkeys(PromptRef.read(ref).name for ref in self._targets.prompts):
            self._check_script(name, known)
        self._check_current()
        return CheckResult(
            suites=len(self._targets.suites),
            cases=sum(len(suite.cases) for suite in suites),
            voices=len(self._targets.voices),
            prompts=len(dict.fromkeys(self._targets.prompts)),
            problems=tuple(sorted(dict.fromkeys(self._problems), key=lambda problem: problem.place)),
        )

    def _model_problems(self, suite: Suite) -> Iterator[Problem]:
        """Yield what is to be said of the models that a suite itself names."""
        source = suite.source
        if source is None:
            return
        named: list[tuple[ValuePath, str]] = [(("prompt",), PromptRef.read(suite.prompt_ref).model)]
        named += [(("judge", "model"), suite.judge.model)] if suite.judge else []
        for index, case in enumerate(source.value(("cases",)) or ()):
            user = case.get("simulate") if isinstance(case, dict) else None
            if isinstance(user, dict) and user.get("model"):
                named.append((("cases", index, "simulate", "model"), str(user["model"])))
        for path, model in named:
            for message, severity in problems_of_model(model, self._today) if model else ():
                yield source.problem(path, message, severity)

    def _suite_problems(self, suite: Suite) -> list[Problem]:
        try:
            prompt = self._prompt(suite.prompt_ref)
            rendered = render_cases(suite, prompt, suite.cases)
            return check_against_prompt(suite, next(iter(rendered.values()))) if rendered else []
        except UsageError as error:
            source, message = suite.source, str(error)
            return [source.problem(("prompt",), message) if source else Problem(suite.place, message)]
        except FileProblems as error:
            return list(error.problems)

    def _prompt(self, ref: str) -> PromptSource:
        if ref not in self._prompts:
            self._prompts[ref] = find_prompt(ref, self._root)
        return self._prompts[ref]

    def _check_voices(self, suites: Sequence[Suite]) -> None:
        for path in dict.fromkeys(self._targets.voices):
            try:
                voice, problems = load_voice(self._root, relative_name(path, self._root))
            except FileProblems as error:
                self._problems += error.problems
                continue
            self._problems += problems
            if voice and not any(problem.severity == "error" for problem in problems):
                self._problems += [*check_examples(voice), *unused_rules(voice, suites)]

    def _check_script(self, name: str, suites: Sequence[Suite]) -> None:
        """Check the stand-in's script of a prompt against its versions and the critical cases of its suites."""
        mine = [suite for suite in suites if PromptRef.read(suite.prompt_ref).name == name]
        versions = [
            found
            for ref in _all_refs(self._root, name)
            for inputs in _inputs_of(mine) or [{}]
            if (found := self._rendered(ref, inputs))
        ]
        played = [
            (case, version)
            for suite in mine
            for case in suite.cases
            if case.record.critical and (version := self._rendered(suite.prompt_ref, case.inputs.values))
        ]
        self._problems += check_against_script(self._root, name, versions, played)

    def _rendered(self, ref: str, inputs: Mapping[str, Any]) -> PromptVersion | None:
        """Return a prompt version, or None where it can't be rendered: what is wrong with it is reported elsewhere."""
        same = ref, _bytes_of(inputs)  # a thousand critical cases may talk to one version
        if same not in self._versions:
            try:
                source = self._prompt(ref)
                self._versions[same] = render_prompt(source, takes_of(source, inputs))
            except (UsageError, FileProblems):
                self._versions[same] = None
        return self._versions[same]

    def _check_current(self) -> None:
        """Check that each prompt with versions says which one is live."""
        names = {ref.name for ref in map(PromptRef.read, self._targets.prompts) if ref.version}
        for name in sorted(names):
            try:
                self._prompt(name)
            except FileProblems as error:
                self._problems += error.problems
            except UsageError as error:
                self._problems.append(Problem(Place(f"{PROMPTS}/{name}"), str(error)))


def _inputs_of(suites: Iterable[Suite]) -> list[Mapping[str, Any]]:
    """Return the inputs that cases give, each set of values once."""
    every = (case.inputs.values for suite in suites for case in suite.cases)
    return list({_bytes_of(values): values for values in every}.values())


def _bytes_of(inputs: Mapping[str, Any]) -> bytes:
    return orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)


def check_against_script(
    root: Path, name: str, versions: Sequence[PromptVersion], played: Sequence[tuple[Case, PromptVersion]]
) -> list[Problem]:
    """Return what is wrong with the script of a prompt, if it has one.

    `versions` are all of the prompt's, as they are rendered for its cases; `played` are its critical cases with the
    version they talk to.
    """
    file = script_path(root, name)
    if not (root / file).exists():
        return []
    try:
        text = read_below(root, file)
    except FileProblems as error:
        return list(error.problems)
    script, problems = check_script(text)
    if script is None:
        return problems
    source = parse_yaml(text)
    try:
        held = {sentence for version in versions for sentence in script.sentences_in(version.text)}
    except Stuck as stuck:
        return [*problems, Problem(stuck.place, f"{stuck.reason}.")]
    for sentence in script.prompt if versions else ():
        if sentence not in held:
            message = f"no version of {name} holds {sentence!r}; rules that need it never apply. Correct the pattern."
            problems.append(source.problem(("prompt", sentence), message, "warning"))
    slippery = any(rule.may_slip for rule in script.parts["rules"])
    for case, version in played if slippery else ():  # a table may bring thousands
        for slip in slips_on_the_way(script, case, version):
            message = f"the critical case {case.record.case_id!r} meets this slip, so it may fail by chance."
            problems.append(source.problem_at(slip.place, message, "warning"))
    return problems


def slips_on_the_way(script: Script, case: Case, prompt: PromptVersion) -> list[Rule]:
    """Play a case with a version of its prompt and return the slips that could have happened, in their order."""
    met: dict[int, Rule] = {}
    tools = tools_of(case)
    messages: list[JsonObject] = [*sent_messages(case.history)]
    if case.script:
        return []
    for said in case.messages:
        messages.append({"role": "user", "content": sendable(said)})
        for _ in range(MOST_CALLS):
            request = {"system": list(prompt.system), "tools": list(prompt.tools), "messages": messages}
            conversation = read_conversation(request)
            # Each slip that could have happened is noted, whether chance let it or not.
            try:
                one = Pass(script, conversation, 0, slips=lambda slip: met.setdefault(id(slip), slip))
                answer = one.answer("rules")
            except Stuck:
                answer = None
            if answer is None:
                return list(met.values())
            if not answer.calls:
                messages.append({"role": "assistant", "content": " ".join(answer.said) or "-"})
                break
            messages += _answered(answer.calls, tools, len(messages))
    return list(met.values())


def _answered(calls: Sequence[Any], tools: CaseTools, number: int) -> list[JsonObject]:
    """Return the assistant's calls and the message with what its tools answer."""
    asked, results = [], []
    for index, call in enumerate(calls):
        call_id = f"call_{number}_{index}"
        asked.append({"type": "tool_use", "id": call_id, "name": call.tool, "input": call.input})
        outcome = tools.answer(call.tool, call.input)
        results.append(
            {
                "type": "tool_result",
                "tool_use_id": call_id,
                "content": outcome.output if outcome else NO_FIXTURE,
                "is_error": outcome.is_error if outcome else True,
            }
        )
    return [{"role": "assistant", "content": asked}, {"role": "user", "content": results}]
