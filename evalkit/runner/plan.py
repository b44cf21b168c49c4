"""What a run was asked to do, and the trials that this makes: suites, prompt versions and cases, selected and in order.

The settings are one value that is passed whole and stored in the run's header. Calls nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from evalkit.engine import Limits, RetryPolicy
from evalkit.engine.platforms import ANTHROPIC
from evalkit.engine.tool_fit import fit_tools, notes_of
from evalkit.engine.tool_module import ToolModule, load_tools
from evalkit.errors import FileProblems, NothingSelected, UsageError
from evalkit.prompts import find_prompt, render_prompt
from evalkit.records import (
    CaseKey,
    JsonObject,
    Problem,
    PromptRef,
    PromptVersion,
    ScriptGap,
    SuiteRecord,
    ToolsRecord,
    TrialKey,
)
from evalkit.source import LIVE, STAND_IN, usual_source
from evalkit.standin.script import Script, Stuck, load_script
from evalkit.suites import Case, Suite, check_against_prompt, find_suites, load_suites, render_cases, takes_of

BASELINE = "baseline"
RETRY = RetryPolicy(retries=8)
"""A run is more patient than a chat: nobody waits for its next word, and a lost trial is lost work."""
LIMITS = Limits(turn_s=1200.0, trial_s=3600.0)


@dataclass(frozen=True)
class RunSettings:
    """The selection, the source and the limits of a run.

    `targets` are suites or `suite::case`; none means every suite. `via` is `live`, `stand-in`, `baseline` (replies kept
    with the blessed baselines) or the folder of a stored run. Costs in US dollars, times in seconds. `last_failed`
    holds `suite::case` names that did not pass last time. `prompt` is played instead of the suites', and `model` is
    asked instead of the prompts' own; in a comparison on both sides. `platform` is where Claude is served. `retry` and
    `limits` say how patient the engine is with a request.

    `compare` False leaves baselines alone; else the run is compared with the blessed ones, with the finished run
    `against`, or with the prompt reference `against_prompt`. `draw` moves the stand-in's dice, so that a run with
    another number draws anew; a model needs no such thing.

    `information` marks a run of a version that is not live: it is told, and never fails anything.

    `tools` names the functions that answer the tool calls which the suites leave open: `my_app.tools`.

    `fresh` asks again for replies that a live run finds in the cache. `fail_fast` stops at the first failed trial of a
    critical case.
    """

    targets: tuple[str, ...] = ()
    via: str = STAND_IN
    prompt: str | None = None
    model: str | None = None
    keyword: str | None = None
    tags: tuple[str, ...] = ()
    last_failed: tuple[str, ...] | None = None
    trials: int | None = None
    inputs: tuple[tuple[str, Any], ...] = ()
    max_cost_usd: float | None = None
    max_time_s: float | None = None
    jobs: int = 8
    platform: str = ANTHROPIC
    compare: bool = True
    against: str | None = None
    against_prompt: str | None = None
    draw: int = 0
    fresh: bool = False
    fail_fast: bool = False
    information: bool = False
    tools: str | None = None
    retry: RetryPolicy = RETRY
    limits: Limits = LIMITS

    @classmethod
    def for_project(cls, config: Mapping[str, Any], asked: Mapping[str, Any]) -> RunSettings:
        """Return what a command asked for, completed by the project's own settings (`[tool.evalkit]`).

        `asked` holds fields by name; None stands for what was not said.
        """
        said = {name: value for name, value in asked.items() if value is not None}
        names = {"jobs": "jobs", "platform": "platform", "max_cost": "max_cost_usd", "max_time": "max_time_s"}
        usual = {field: config[name] for name, field in names.items() if name in config}
        via = said.pop("via", None) or usual_source(usual.get("platform", ANTHROPIC))
        return cls(**{**usual, **said, "via": via})

    @classmethod
    def from_json(cls, obj: JsonObject) -> RunSettings:
        """Return the settings that a run's header holds."""
        known = {field.name: obj[field.name] for field in fields(cls) if field.name in obj}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        pairs = {"inputs": tuple((str(key), value) for key, value in known.get("inputs", ()))}
        kinds = {"retry": RetryPolicy, "limits": Limits}
        patience = {name: kind(**known[name]) for name, kind in kinds.items() if name in known}
        return cls(**{**known, **lists, **pairs, **patience})

    def ref_for(self, suite_ref: str) -> str:
        """Return the reference that is played for a suite, which names `suite_ref` itself."""
        ref = self.prompt or suite_ref
        return str(replace(PromptRef.read(ref), model=self.model)) if self.model else ref


@dataclass(frozen=True)
class PlannedTrial:
    """A trial to play: its key, its case, and the prompt version it talks to."""

    key: TrialKey
    case: Case
    suite: Suite
    prompt: PromptVersion


@dataclass(frozen=True)
class Plan:
    """Everything a run will do, in order; `cases` holds the selected ones, skipped ones included.

    `prompts` holds the prompt version of each of them: all cases of a suite talk to one version, each with its inputs.
    `functions` answer the tool calls that the suites leave open, None where none were asked for; `tools` says which
    they are, or, of stored replies, which they were.

    When the stand-in is to answer, `scripts` are its scripts by the name of the prompt, and `gaps` is what they miss in
    the prompts of the suites, by the suite's path.
    """

    suites: tuple[Suite, ...]
    prompts: Mapping[CaseKey, PromptVersion]
    cases: tuple[tuple[Suite, Case], ...]
    trials: tuple[PlannedTrial, ...]
    scripts: Mapping[str, Script] = field(default_factory=dict)
    gaps: Mapping[str, ScriptGap] = field(default_factory=dict)
    functions: ToolModule | None = None
    tools: ToolsRecord | None = None

    def notes(self) -> tuple[str, ...]:
        """Return what people should know before anything is played: how the functions fit the prompts' tools."""
        if self.functions is None:
            return ()
        prompts = {(prompt.ref, prompt.template_sha): prompt for prompt in self.prompts.values()}
        return tuple(notes_of(fit_tools(prompt, self.functions) for prompt in prompts.values()))

    def models_asked(self) -> dict[str, str]:
        """Return every model that the plan asks, each with one who asks it, in words."""
        asked: dict[str, str] = {}
        for trial in self.trials:
            asked.setdefault(trial.prompt.model, f"prompt {trial.prompt.ref}")
            if trial.case.simulate:
                case = f"{trial.suite.path}::{trial.case.record.case_id}"
                asked.setdefault(trial.case.simulate.model, f"the user that is simulated in {case}")
        for suite in self.suites:
            if suite.judge:
                asked.setdefault(suite.judge.model, f"the judge of {suite.path}")
        return asked

    def suite_records(self) -> tuple[SuiteRecord, ...]:
        """Return the suites as lines of the record."""
        return tuple(
            _suite_record(suite, self.version_of(suite.path), self.gaps.get(suite.path)) for suite in self.suites
        )

    def version_of(self, suite: str) -> PromptVersion:
        """Return the version that a suite is played with, as it is rendered for the first of its cases."""
        return next(prompt for (path, _), prompt in self.prompts.items() if path == suite)


def make_plan(
    settings: RunSettings, root: Path, stored_prompt: Callable[[CaseKey], PromptVersion] | None = None
) -> Plan:
    """Load suites and prompts and select the cases.

    `stored_prompt` gives a case's prompt version from a stored run, instead of rendering it. FileProblems lists every
    problem of every file; NothingSelected when no case is left.
    """
    targets = [_Target.parse(text, root) for text in settings.targets]
    paths = list(dict.fromkeys(target.path for target in targets)) or list(find_suites(root))
    suites = load_suites(paths, root)
    selected = tuple(
        (suite, _with_trials(case, settings.trials))
        for suite in suites
        for case in suite.cases
        if _is_selected(case, settings, _names_in(suite, targets, root))
    )
    if not selected:
        raise NothingSelected(_nothing(settings, suites))
    used = tuple(dict.fromkeys(suite.path for suite, _ in selected))
    chosen = tuple(suite for suite in suites if suite.path in used)
    if settings.via in (LIVE, STAND_IN):
        _refuse_recorded_only(selected)
    if stored_prompt is None:
        versions = _load_prompts(chosen, selected, settings, root)
    else:
        versions = {case.record.key: stored_prompt(case.record.key) for _, case in selected}
    cases = tuple((suite, _with_prompt(case, versions[case.record.key])) for suite, case in selected)
    functions = load_tools(settings.tools) if settings.tools else None
    scripts = _load_scripts(versions.values(), root) if settings.via == STAND_IN else {}
    gaps = {}
    for suite in chosen:
        pairs = ((versions[case.record.key], case) for each, case in cases if each is suite)
        gaps[suite.path] = _script_gap({prompt.sha: (prompt, case) for prompt, case in pairs}, scripts, settings, root)
    return Plan(
        suites=chosen,
        prompts=versions,
        cases=cases,
        trials=tuple(_in_rounds(cases, versions)),
        scripts=scripts,
        gaps={path: gap for path, gap in gaps.items() if gap},
        functions=functions,
        tools=functions.record if functions else None,
    )


def _with_prompt(case: Case, prompt: PromptVersion) -> Case:
    return replace(case, record=replace(case.record, prompt_sha=prompt.sha))


@dataclass(frozen=True)
class _Target:
    """A `SUITE` or `SUITE::CASE` of the command line."""

    path: Path
    case_id: str | None

    @classmethod
    def parse(cls, text: str, root: Path) -> _Target:
        name, _, case_id = text.partition("::")
        for path in (Path(name), root / name):
            if path.is_file():
                return cls(path.resolve(), case_id or None)
        msg = f"{name}: no such suite; expected a file such as suites/returns.yaml."
        raise UsageError(msg)


def _load_prompts(
    suites: Sequence[Suite], selected: Sequence[tuple[Suite, Case]], settings: RunSettings, root: Path
) -> dict[CaseKey, PromptVersion]:
    """Render each suite's prompt for its cases; all problems of all of them in one go."""
    versions: dict[CaseKey, PromptVersion] = {}
    problems: list[Problem] = []
    for suite in suites:
        cases = [case for each, case in selected if each is suite]
        try:
            source = find_prompt(settings.ref_for(suite.prompt_ref), root)
            rendered = render_cases(suite, source, cases, dict(settings.inputs))
        except FileProblems as exc:
            problems.extend(exc.problems)
            continue
        versions |= rendered
        problems.extend(check_against_prompt(suite, next(iter(rendered.values()))))
    errors = [problem for problem in dict.fromkeys(problems) if problem.severity == "error"]
    if errors:
        raise FileProblems(errors)
    return versions


def _load_scripts(prompts: Iterable[PromptVersion], root: Path) -> dict[str, Script]:
    """Return the stand-in's script of each prompt that has one, by the prompt's name; FileProblems of all of them."""
    scripts: dict[str, Script] = {}
    problems: list[Problem] = []
    for name in dict.fromkeys(prompt.name for prompt in prompts):
        try:
            script = load_script(root, name)
        except FileProblems as exc:
            problems.extend(exc.problems)
            continue
        scripts |= {name: script} if script else {}
    if problems:
        raise FileProblems(problems)
    return scripts


def _script_gap(
    played: Mapping[str, tuple[PromptVersion, Case]], scripts: Mapping[str, Script], settings: RunSettings, root: Path
) -> ScriptGap | None:
    """Return which entries of the script's `prompt:` the live version holds and the played one lacks, if any.

    `played` has each rendering of the played version once, with a case that it is for.
    """
    name = next(prompt.name for prompt, _ in played.values())
    script = scripts.get(name)
    if script is None or not script.prompt:
        return None
    try:
        source = find_prompt(name, root)
        entries: dict[str, None] = {}
        for prompt, case in played.values():
            live = render_prompt(source, takes_of(source, {**case.inputs.values, **dict(settings.inputs)}))
            entries |= dict.fromkeys(script.missing_in(prompt.text, beside=live.text))
    except (FileProblems, UsageError, Stuck):
        # `evalkit check` says what is wrong with the live version, and each trial where a pattern takes too long.
        return None
    return ScriptGap(source.ref, tuple(entries)) if entries else None


def _refuse_recorded_only(selected: Sequence[tuple[Suite, Case]]) -> None:
    """Refuse cases without a user message in a run that would have to say one; FileProblems names them all."""
    problems = [
        Problem(
            case.record.place,
            f"case {case.record.case_id!r} has no user message; it can only score recorded "
            "conversations: use --via RUN, or give it user, turns, variants or simulate.",
        )
        for _, case in selected
        if not case.record.turns and not case.simulate and not case.record.skip
    ]
    if problems:
        raise FileProblems(problems)


def _names_in(suite: Suite, targets: Sequence[_Target], root: Path) -> list[str | None]:
    """Return the case ids that the targets name in a suite; None stands for all of its cases."""
    of_suite = (target.case_id for target in targets if target.path == (root / suite.path).resolve())
    return [*of_suite] if targets else [None]


def _is_selected(case: Case, settings: RunSettings, names: Sequence[str | None]) -> bool:
    """Tell whether a case is asked for; the id that variants have in common means all of them."""
    record = case.record
    if not {None, record.case_id, record.case_id.rpartition("/")[0]} & set(names):
        return False
    if settings.keyword and settings.keyword.lower() not in record.case_id.lower():
        return False
    if settings.tags and not set(settings.tags) & set(record.tags):
        return False
    return settings.last_failed is None or f"{record.suite}::{record.case_id}" in settings.last_failed


def _with_trials(case: Case, trials: int | None) -> Case:
    """Override the number of trials; the share that must pass stays what it was, rounded up."""
    record = case.record
    if trials is None or trials == record.trials:
        return case
    share = -(-record.min_pass * trials // record.trials)  # rounded up without floats: 0.1 * 3 is more than 0.3
    return replace(case, record=replace(record, trials=trials, min_pass=trials if record.critical else share))


def _in_rounds(selected: Sequence[tuple[Suite, Case]], versions: Mapping[CaseKey, PromptVersion]) -> list[PlannedTrial]:
    """Order trials suite by suite, and in a suite round by round, so that an early end has seen every case once."""
    planned: list[PlannedTrial] = []
    for path in dict.fromkeys(suite.path for suite, _ in selected):
        pairs = [
            (suite, case, versions[case.record.key])
            for suite, case in selected
            if suite.path == path and not case.record.skip
        ]
        for trial in range(1, max((case.record.trials for _, case, _ in pairs), default=0) + 1):
            planned.extend(
                PlannedTrial(TrialKey(*case.record.key, prompt.ref, trial), case, suite, prompt)
                for suite, case, prompt in pairs
                if trial <= case.record.trials
            )
    return planned


def _suite_record(suite: Suite, prompt: PromptVersion, gap: ScriptGap | None) -> SuiteRecord:
    return SuiteRecord(
        path=suite.path,
        sha=suite.sha,
        description=suite.description,
        prompt_ref=prompt.ref,
        template_sha=prompt.template_sha,
        trials=max((case.record.trials for case in suite.cases), default=0),
        gate={key: value for key, value in vars(suite.gate).items() if value is not None},
        judge=asdict(suite.judge) if suite.judge else {},
        script_gap=gap,
    )


def _nothing(settings: RunSettings, suites: Sequence[Suite]) -> str:
    if settings.last_failed is not None and not settings.last_failed:
        return "nothing failed last time; leave out --lf to run every case."
    if not suites:
        return "no suite in suites/; expected files such as suites/returns.yaml."
    cases = sum(len(suite.cases) for suite in suites)
    return f"no case matches the selection; {cases} cases are in {', '.join(suite.path for suite in suites)}."
