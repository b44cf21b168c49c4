"""What a run is compared with (baselines, a finished run, another version), and the trials that this asks for.

Finds and matches before anything is played, so that a missing, foreign or stale baseline is told first. What the gate's
stages ask for becomes planned trials, their verdicts its answers. Must not play.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from evalkit.analysis import collect_arms
from evalkit.baseline import baseline_name, conditions_of, load_baseline, make_baseline, match_baseline
from evalkit.distribution import installed_version
from evalkit.errors import EvalkitError
from evalkit.gate import (
    Answer,
    Opponents,
    Outcomes,
    Procedure,
    StagePlan,
    critical_beside,
    decide,
    gate_cases,
    gate_settings,
)
from evalkit.prompts import find_version, load_prompt
from evalkit.records import Arm, Baseline, BaselineRecord, CaseKey, PromptVersion, Source, Stage, TrialKey, TrialVerdict
from evalkit.runner.plan import Plan, PlannedTrial, RunSettings
from evalkit.store import REPORTS, RUN_FILE, RunReader, find_run
from evalkit.suites import Suite

RUNS_SEARCHED = 20


@dataclass(frozen=True)
class OldVersions:
    """The baselines of a run's suites, and the prompt version of each as far as it can be played.

    `of_cases` are those of cases whose entry is older than the rest of their baseline; None where it is not to be had.
    """

    baselines: tuple[BaselineRecord, ...] = ()
    prompts: Mapping[str, PromptVersion] = field(default_factory=dict)
    of_cases: Mapping[CaseKey, PromptVersion | None] = field(default_factory=dict)

    def prompt_of(self, key: CaseKey) -> PromptVersion | None:
        """Return the old version of a case; None when it can't be played."""
        return self.of_cases[key] if key in self.of_cases else self.prompts.get(key[0])


def find_opponents(plan: Plan, settings: RunSettings, root: Path, source: Source) -> OldVersions:
    """Return what each suite of the plan is compared with; nothing when the settings say so.

    UsageError for a run or a baseline file that can't be used.
    """
    if not settings.compare:
        return OldVersions()
    if settings.against_prompt is not None:
        return _other_version(plan, settings, root, settings.against_prompt)
    finder = _Finder(plan, settings, root, source)
    found = [finder.find(suite) for suite in plan.suites]
    return OldVersions(
        tuple(record for record, _ in found),
        {record.suite: prompt for record, prompt in found if prompt is not None},
        finder.of_cases,
    )


def _other_version(plan: Plan, settings: RunSettings, root: Path, ref: str) -> OldVersions:
    """Compare with another prompt reference: nothing is stored, both are played."""
    records, prompts = [], {}
    for suite in plan.suites:
        prompt = load_prompt(ref, {**suite.inputs, **dict(settings.inputs)}, root)
        prompts[suite.path] = prompt
        records.append(BaselineRecord(suite.path, prompt.ref, "fresh", prompt.ref, prompt.sha, required=True))
    return OldVersions(tuple(records), prompts)


class _Finder:
    """Finds the baseline of one suite after the other."""

    def __init__(self, plan: Plan, settings: RunSettings, root: Path, source: Source) -> None:
        self._plan, self._settings, self._root, self._source = plan, settings, root, source
        self._today = datetime.now(UTC).date()
        self._run = _RunAsBaseline(find_run(settings.against, root)) if settings.against else None
        self.of_cases: dict[CaseKey, PromptVersion | None] = {}

    def find(self, suite: Suite) -> tuple[BaselineRecord, PromptVersion | None]:
        required = suite.gate.max_regressions is not None or self._run is not None
        name = self._run.name if self._run else baseline_name(suite.path)
        baseline = self._run.baseline(suite.path) if self._run else load_baseline(self._root / name, name)
        if baseline is None:
            note = f"{name} does not exist; make the last run the baseline: evalkit bless"
            if self._run:
                note = f"run {name} has no trials of {suite.path}"
            return BaselineRecord(suite.path, name, "none", note=note, required=required), None
        prompt = self._plan.prompts[suite.path]
        record = next(each for each in self._plan.suite_records() if each.path == suite.path)
        now = conditions_of(prompt, self._source, record.judge, installed_version())
        chosen = [case.record for each, case in self._plan.cases if each.path == suite.path]
        cases = [case for case in chosen if case.skip is None]
        found = match_baseline(baseline, name, cases, now, self._today)
        # A case that was only not selected has not vanished.
        there = {case.record.case_id for case in suite.cases}
        vanished = tuple(case_id for case_id in found.vanished if case_id not in there)
        found = replace(found, required=required, vanished=vanished)
        old = self._old_prompt(baseline, suite) if found.use != "none" else None
        found = self._with_kept_entries(found, baseline, suite)
        if found.use == "fresh" and old is None:
            note = (
                f"{found.note}; but the text of {baseline.prompt_ref} ({baseline.prompt_sha[:7]}) is neither in the "
                "files nor in git's history here: bless a new one with evalkit run && evalkit bless"
            )
            return replace(found, use="none", note=note, cases={}), None
        return found, old

    def _with_kept_entries(self, found: BaselineRecord, baseline: Baseline, suite: Suite) -> BaselineRecord:
        """Find the prompts of entries that are older than the rest; what has to be played and can't be is left out."""
        origins = {key: case.origin for key, case in baseline.cases.items() if case.origin and key in found.cases}
        for case_id, origin in origins.items():
            own = replace(baseline, prompt_ref=origin.prompt_ref, prompt_sha=origin.prompt_sha, commit=origin.commit)
            self.of_cases[suite.path, case_id] = self._old_prompt(own, suite)
        lost = [case_id for case_id in origins if self.of_cases[suite.path, case_id] is None]
        if found.use != "fresh" or not lost:
            return found
        cases = {key: case for key, case in found.cases.items() if key not in lost}
        return replace(found, cases=cases, changed=tuple(sorted((*found.changed, *lost))))

    def _old_prompt(self, baseline: Baseline, suite: Suite) -> PromptVersion | None:
        current = self._plan.prompts[suite.path]
        if current.sha == baseline.prompt_sha:
            return current
        if self._run and baseline.prompt_sha in self._run.prompts:
            return self._run.prompts[baseline.prompt_sha]
        inputs = {**suite.inputs, **dict(self._settings.inputs)}
        found = find_version(baseline.prompt_sha, baseline.prompt_ref, inputs, self._root, baseline.commit)
        return found or _prompt_of_runs(baseline.prompt_sha, self._root)


class _RunAsBaseline:
    """A finished run that takes the place of the baselines."""

    def __init__(self, folder: Path) -> None:
        self._reader = RunReader(folder)
        self._arms = collect_arms(self._reader.trials())
        self.name = folder.name
        self.prompts = self._reader.prompts

    def baseline(self, path: str) -> Baseline | None:
        """Return what the run has of a suite; None when it has nothing."""
        suite = next((suite for suite in self._reader.suites if suite.path == path), None)
        if suite is None or suite.prompt_sha not in self.prompts:
            return None
        header, prompt = self._reader.header, self.prompts[suite.prompt_sha]
        evalkit = str(header.versions.get("evalkit", ""))
        conditions = conditions_of(prompt, source_of_replies(self._reader), suite.judge, evalkit)
        made = make_baseline(suite, self._reader.cases, prompt, conditions, self._arms)
        return replace(made, blessed=header.started[:10], rules=dict(self._arms.rules[Arm.CANDIDATE]))


def recorded_opponents(reader: RunReader) -> OldVersions:
    """Return what a run that is taken up again was compared with when it began."""
    known = [record for record in reader.baselines if record.prompt_sha in reader.prompts]
    prompts = {record.suite: reader.prompts[record.prompt_sha] for record in known}
    of_cases = {
        (record.suite, case_id): reader.prompts.get(case.origin.prompt_sha)
        for record in reader.baselines
        for case_id, case in record.cases.items()
        if case.origin
    }
    return OldVersions(tuple(reader.baselines), prompts, of_cases)


def source_of_replies(reader: RunReader) -> Source:
    """Return where a run's replies came from first."""
    source = reader.header.source
    return Source(source.origin) if source.origin else source


def _prompt_of_runs(sha: str, root: Path) -> PromptVersion | None:
    """Return a prompt version that a recent run of this project was made with."""
    folders = [folder for folder in (root / REPORTS).glob("*") if (folder / RUN_FILE).is_file()]
    folders.sort(key=lambda folder: folder.name, reverse=True)
    for folder in folders[:RUNS_SEARCHED]:
        try:
            found = RunReader(folder).prompts.get(sha)
        except EvalkitError:
            continue  # a damaged run must not stop another one
        if found is not None:
            return found
    return None


Fits = Callable[[PlannedTrial, int], bool]
"""Whether so many trials like this one can still be paid for."""

_OUTCOMES = {TrialVerdict.PASSED: True, TrialVerdict.FAILED: False}


class Stages:
    """Gives a run its trials stage by stage; `done` holds the verdicts of an earlier attempt, by session id."""

    def __init__(self, plan: Plan, old: OldVersions, done: Mapping[str, TrialVerdict] | None = None) -> None:
        self._prompts, self._old = plan.prompts, old
        self._cases = {(suite.path, case.record.case_id): (suite, case) for suite, case in plan.cases}
        self._verdicts = dict(done or {})
        self._numbers: Counter[tuple[Arm, CaseKey, bool]] = Counter()
        opponents = Opponents(old.baselines, plan.suite_records())
        cases = gate_cases([case.record for _, case in plan.cases], opponents)
        beside = critical_beside([case.record for _, case in plan.cases], opponents, cases)
        self._procedure: Procedure | None = decide(cases, gate_settings(opponents.suites), beside) if cases else None
        self._asked: dict[tuple[Arm, CaseKey], list[PlannedTrial]] = {}
        self._own = list(plan.trials)

    def first(self) -> list[PlannedTrial]:
        """Return the plan's own trials together with what the first look needs beyond them."""
        if self._procedure is None:
            return self._unplayed(self._own)
        stage = next(self._procedure, None)
        if stage is None:  # not even the first look fits its limit; the suite's own trials are played all the same
            self._procedure = None
            return self._unplayed(self._own)
        self._plan_stage(stage)
        planned = {trial.key: trial for trial in self._own}
        planned |= {trial.key: trial for trial in self._interleaved()}
        return self._unplayed(list(planned.values()))

    def told(self, planned: PlannedTrial, verdict: TrialVerdict) -> None:
        """Hear the verdict of a trial."""
        self._verdicts[planned.key.session_id] = verdict

    def more(self, fits: Fits) -> list[PlannedTrial]:
        """Return the next stage's trials once all earlier ones are over; nothing when the comparison is decided.

        A stage that can't be paid for whole, or whose old version is not to be found, is not begun.
        """
        answer = self._answer()
        while self._procedure is not None:
            try:
                stage = self._procedure.send(answer)
            except StopIteration:
                self._procedure = None
                break
            answer = None
            if any(arm is Arm.BASELINE and self._old.prompt_of(key) is None for arm, key in stage.trials):
                continue
            self._plan_stage(stage)
            trials = self._unplayed(self._interleaved())
            if not trials:
                answer = self._answer()
            elif fits(trials[0], len(trials)):
                return trials
        return []

    def _plan_stage(self, plan: StagePlan) -> None:
        self._asked = {
            (arm, key): [self._trial(arm, key, plan.stage) for _ in range(count)]
            for (arm, key), count in plan.trials.items()
        }

    def _trial(self, arm: Arm, key: CaseKey, stage: Stage) -> PlannedTrial:
        """Return the next trial of a case in an arm; rounds beyond the suite's own number are marked as such."""
        suite, case = self._cases[key]
        place = (arm, key, stage is Stage.ROUND)
        self._numbers[place] += 1
        number = self._numbers[place]
        if stage is Stage.ROUND and number > case.record.trials:
            stage = Stage.MORE
        prompt = self._prompts[key[0]] if arm is Arm.CANDIDATE else self._old.prompt_of(key)
        assert prompt is not None  # noqa: S101 - a stage is asked whether it can be played first
        return PlannedTrial(TrialKey(*key, prompt.ref, number, arm, stage), case, suite, prompt)

    def _interleaved(self) -> list[PlannedTrial]:
        """Return the stage's trials round by round, the arms of a case side by side, taking turns in going first."""
        queue: list[PlannedTrial] = []
        cases = list(dict.fromkeys(key for _, key in self._asked))
        for turn in range(max((len(trials) for trials in self._asked.values()), default=0)):
            for place, key in enumerate(cases):
                arms = list(Arm) if (turn + place) % 2 else list(reversed(Arm))
                waiting = (self._asked.get((arm, key), []) for arm in arms)
                queue.extend(trials[turn] for trials in waiting if turn < len(trials))
        return queue

    def _unplayed(self, trials: list[PlannedTrial]) -> list[PlannedTrial]:
        return [trial for trial in trials if trial.key.session_id not in self._verdicts]

    def _answer(self) -> Answer | None:
        """Return the outcomes of the stage; None when one of its trials was not played: then none of them counts."""
        answer: dict[tuple[Arm, CaseKey], Outcomes] = {}
        for who, trials in self._asked.items():
            known = [self._verdicts.get(trial.key.session_id) for trial in trials]
            if None in known:
                return None
            answer[who] = [_OUTCOMES.get(verdict) for verdict in known if verdict is not None]
        return answer
