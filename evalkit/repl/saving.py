"""A conversation as a new case: its messages, and of its tool results those that the suite does not give itself.

From a chat (`/save`), or from records without one (`evalkit add`).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import orjson

from evalkit.engine.tools import INVALID_INPUT
from evalkit.errors import NothingSelected, UsageError
from evalkit.prompts import find_prompt
from evalkit.prompts.tool_files import declare_tools
from evalkit.records import JsonObject, PromptRef, PromptVersion, ToolCall, Transcript, TrialVerdict, Turn
from evalkit.repl.case_messages import CaseFiles, value_of, written_history
from evalkit.repl.loading import all_trials, find_conversation, without_system
from evalkit.repl.setting import Setting, find_suite_file, load_setting
from evalkit.repl.sources import BROKEN
from evalkit.store import find_run
from evalkit.suites import Suite, load_suite
from evalkit.suites.fixtures import NO_FIXTURE, Stage, tools_of
from evalkit.suites.writing import Addition, NewCase, NewFixture, NewTurn, append_cases, case_id_of, new_suite_text

NOT_A_RESULT = frozenset({INVALID_INPUT, NO_FIXTURE})


@dataclass(frozen=True)
class CaseDraft:
    """A conversation to be saved: its turns, the messages before them, a case id (or none), where it is from.

    `inputs` are those that its prompt was rendered with, `tools` those that it offered; empty where they are not known.
    """

    turns: tuple[Turn, ...]
    opening: tuple[JsonObject, ...] = ()
    case_id: str = ""
    origin: str = ""
    inputs: JsonObject = field(default_factory=dict)
    tools: tuple[JsonObject, ...] = ()

    @classmethod
    def of(
        cls, transcript: Transcript, origin: str, case_id: str = "", prompt: PromptVersion | None = None
    ) -> CaseDraft:
        """Return the draft of a recorded conversation, with the tools of the version that it was held with."""
        history, tools = without_system(transcript.history), prompt.tools if prompt else ()
        return cls(transcript.turns, history, case_id, origin, transcript.inputs, tools)


@dataclass(frozen=True)
class AddOptions:
    """What is to be added: `source` to `suite`. `ref` and `inputs` are for a suite that is not there yet."""

    root: Path
    suite: str
    source: str
    case_id: str = ""
    ref: str | None = None
    inputs: JsonObject = field(default_factory=dict)
    failing: bool = False


def add_cases(options: AddOptions) -> Addition:
    """Add recorded conversations to a suite as cases and return what was added.

    Raises UsageError, FileProblems, and NothingSelected when no trial of a run failed.
    """
    if options.failing:
        drafts, ref = _draft_failing(options)
    else:
        found = find_conversation(options.source, options.root)
        drafts = [CaseDraft.of(found.transcript, found.origin, options.case_id, found.prompt)]
        ref = found.prompt.ref if found.prompt else None
    path = find_suite_file(options.suite, options.root)
    if path.is_file():
        wanted = options.ref or load_suite(path, options.root).prompt_ref
        suite, given = str(path), options.inputs
    elif name := options.ref or ref:
        wanted, suite = PromptRef.read(name).name, None
        given = {**_said_in(drafts[0], wanted, options.root), **options.inputs}
    else:
        raise UsageError(f"{options.suite} is not there yet, and {options.source} names no prompt; add: --prompt REF")
    setting = load_setting(wanted, options.root, suite=suite, given=given)
    lacking = _lacking(drafts, setting.prompt)
    if not lacking:
        return save_cases(setting, drafts, options.suite)
    # Of a product that has added tools in code: without their definitions its prompt is not what was talked to.
    prompt, files = declare_tools(wanted, lacking, options.root)
    added = save_cases(load_setting(wanted, options.root, suite=suite, given=given), drafts, options.suite)
    names = tuple(file.relative_to(options.root).as_posix() for file in files.files)
    return replace(added, prompt=prompt, tools=names)


def _said_in(draft: CaseDraft, ref: str, root: Path) -> JsonObject:
    """Return the inputs of a recorded conversation that the prompt still takes and that are not its defaults."""
    source = find_prompt(ref, root)
    declared = source.header.inputs if source.header else {}
    return {
        key: value
        for key, value in draft.inputs.items()
        if key in declared and (key not in source.defaults or source.defaults[key] != value)
    }


def _lacking(drafts: Sequence[CaseDraft], prompt: PromptVersion) -> list[JsonObject]:
    """Return the tools that the recorded conversations were held with and the project's prompt does not declare."""
    declared = {tool["name"] for tool in prompt.tools}
    offered = {str(tool["name"]): tool for draft in drafts for tool in draft.tools if "input_schema" in tool}
    return [tool for name, tool in offered.items() if name not in declared]


def _draft_failing(options: AddOptions) -> tuple[list[CaseDraft], str | None]:
    """Return the first failed trial of each case as a case of the same id, and the prompt that was asked."""
    record, _, rest = options.source.partition("#")
    if rest:
        raise UsageError(f"--failing takes a whole run; leave out #{rest}, or leave out --failing.")
    folder = find_run(record, options.root)
    name = folder.relative_to(options.root).as_posix() if folder.is_relative_to(options.root) else record
    failed: dict[tuple[str, str], CaseDraft] = {}
    refs: dict[str, None] = {}
    for trial, prompt in all_trials(folder):
        refs[trial.key.prompt_ref] = None
        key = (trial.key.suite, trial.key.case_id)
        if trial.score is None or trial.score.verdict is TrialVerdict.PASSED or key in failed:
            continue
        if trial.transcript.turns:
            origin = f"{name}#{trial.transcript.session_id}"
            failed[key] = CaseDraft.of(trial.transcript, origin, trial.key.case_id.replace("/", "-"), prompt)
    if not failed:
        raise NothingSelected(f"{name}: every trial passed; there is nothing to add.")
    return list(failed.values()), next(iter(refs))


def save_cases(setting: Setting, drafts: Sequence[CaseDraft], suite_name: str) -> Addition:
    """Add conversations to a suite as cases; a suite that is not there is begun. UsageError, FileProblems."""
    if not drafts or not all(draft.turns for draft in drafts):
        raise UsageError("nothing was said yet; there is no conversation to keep.")
    path = find_suite_file(suite_name, setting.root)

    def make(suite: Suite | None) -> list[NewCase]:
        taken = {case.record.case_id for case in suite.cases} if suite else set()
        usual = _usual_inputs(suite, setting)
        made = []
        for draft in drafts:
            if draft.case_id in taken:
                raise UsageError(f"{path.name} has a case {draft.case_id!r} already; choose another id.")
            chosen = draft.case_id or case_id_of(draft.turns[0].user, taken)
            taken.add(chosen)
            files = CaseFiles(path, setting.root, chosen)
            turns = tuple(
                NewTurn(files.message(each.said), tuple((one.name, one.input) for one in each.tool_calls), each.reply)
                for each in draft.turns
            )
            history = tuple(written_history(draft.opening, files))
            fixtures = _needed((call for turn in draft.turns for call in turn.tool_calls), suite)
            inputs = {key: value for key, value in draft.inputs.items() if key in usual and usual[key] != value}
            made.append(NewCase(chosen, turns, draft.origin, history, tuple(fixtures), inputs=inputs))
        return made

    return append_cases(path, setting.root, make, _beginning(setting, path))


def _usual_inputs(suite: Suite | None, setting: Setting) -> JsonObject:
    """Return what the prompt's inputs are in a suite for a case that gives none; None for one that each case gives."""
    if suite is None:
        return setting.prompt.inputs
    source = find_prompt(suite.prompt_ref, setting.root)
    declared = dict.fromkeys(source.header.inputs if source.header else ())
    return {**declared, **source.defaults, **suite.inputs}


def _needed(calls: Iterable[ToolCall], suite: Suite | None) -> Iterable[NewFixture]:
    """Yield a fixture for every result that the suite would not give to the same calls."""
    tools = tools_of(suite or Stage({}))
    results: dict[tuple[str, bytes], list[ToolCall]] = {}
    other: set[tuple[str, bytes]] = set()
    for call in calls:
        if call.origin in NOT_A_RESULT:
            continue
        asked = (call.name, orjson.dumps(call.input, option=orjson.OPT_SORT_KEYS))
        results.setdefault(asked, []).append(call)
        # In the order of the conversation, because a world remembers; what was broken on purpose never got there.
        given = tools.answer(call.name, call.input) if call.origin != BROKEN else None
        if given is None or (given.output, given.is_error) != (call.output, call.is_error):
            other.add(asked)
        elif tools.remembers(call.name):
            results[asked].pop()
    for same in (calls for asked, calls in results.items() if asked in other):
        # of equal results that follow each other one fixture is enough; all but the last one answer once
        needed = [[*alike][-1] for _, alike in groupby(same, key=lambda one: (one.output, one.is_error))]
        for call in needed:
            once = call is not needed[-1] or call.origin == BROKEN or tools.remembers(call.name)
            if call.is_error:
                yield NewFixture(call.name, call.input, error=call.output or "failed", once=once)
                continue
            yield NewFixture(call.name, call.input, returns=value_of(call.output), once=once)


def _beginning(setting: Setting, path: Path) -> str:
    """Return how a suite begins that is not there yet: for the same prompt, with the same voice and inputs."""
    folder, root = path.parent.resolve(), setting.root.resolve()
    voice = ""
    if setting.voice and folder.is_relative_to(root):
        voice = posixpath.relpath(setting.voice, folder.relative_to(root).as_posix())
    known = {name for suite in setting.suites for case in suite.cases for name in case.inputs.values}
    pinned = {name: value for name, value in setting.prompt.inputs.items() if name in known | setting.given.keys()}
    return new_suite_text(setting.prompt.name, pinned, voice)
