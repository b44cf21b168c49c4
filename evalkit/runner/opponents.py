"""What a run is compared with (baselines, a finished run, another version), and the trials that this asks for.

Finds and matches before anything is played, so that a missing, foreign or stale baseline is told first. What the gate's
stages ask for becomes planned trials, their verdicts its answers. Must not play.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from evalkit.prompts import find_prompt, find_version, render_prompt
from evalkit.prompts.models import retirement_of
from evalkit.prompts.refs import asked_of
from evalkit.records import (
    Arm,
    Baseline,
    BaselineCase,
    BaselineRecord,
    CaseKey,
    PromptVersion,
    Source,
    Stage,
    TrialKey,
    TrialVerdict,
)
from evalkit.runner.plan import Plan, PlannedTrial, RunSettings
from evalkit.store import REPORTS, RUN_FILE, RunReader, find_run
from evalkit.suites import Case, Suite, render_cases

RUNS_SEARCHED = 20


@dataclass(frozen=True)
class OldVersions:
    """The baselines of a run's suites, and the old version of each case's prompt as far as it can be played."""

    baselines: tuple[BaselineRecord, ...] = ()
    prompts: Mapping[CaseKey, PromptVersion] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Iterable[tuple[BaselineRecord, Mapping[CaseKey, PromptVersion]]]) -> OldVersions:
        """Return the baselines with the old versions of their cases, which each then names by their hashes."""
        records: list[BaselineRecord] = []
        prompts: dict[CaseKey, PromptVersion] = {}
        for record, versions in found:
            prompts |= versions
            shas = {case_id: version.sha for (_, case_id), version in sorted(versions.items())}
            records.append(replace(record, prompts=shas))
        return cls(tuple(records), prompts)


def find_opponents(plan: Plan, settings: RunSettings, root: Path, source: Source) -> OldVersions:
    """Return what each suite of the plan is compared with; nothing when the settings say so.

    UsageError for a run or a baseline file that can't be used.
    """
    if not settings.compare:
        return OldVersions()
    if settings.against_prompt is not None:
        return _other_version(plan, settings, root, settings.against_prompt)
    finder = _Finder(plan, settings, root, source)
    return OldVersions.of(finder.find(suite) for suite in plan.suites)


def _other_version(plan: Plan, settings: RunSettings, root: Path, ref: str) -> OldVersions:
    """Compare with another prompt reference: nothing is stored, both are played."""
    source, found = find_prompt(asked_of(ref, settings.model), root), []
    for suite in plan.suites:
        cases = [case for each, case in plan.cases if each is suite]
        versions = render_cases(suite, source, cases, dict(settings.inputs))
        prompt = next(iter(versions.values()))
        record = BaselineRecord(suite.path, prompt.ref, "fresh", prompt.ref, prompt.template_sha, required=True)
        found.append((record, versions))
    return OldVersions.of(found)


class _Finder:
    """Finds the baseline of one suite after the other."""

    def __init__(self, plan: Plan, settings: RunSettings, root: Path, source: Source) -> None:
        self._plan, self._settings, self._root, self._source = plan, settings, root, source
        self._today = datetime.now(UTC).date()
        self._run = _RunAsBaseline(find_run(settings.against, root)) if settings.against else None

    def find(self, suite: Suite) -> tuple[BaselineRecord, Mapping[CaseKey, PromptVersion]]:
        """Return what of a suite's baseline holds, and the old version of each case that can be played with it."""
        required = suite.gate.max_regressions is not None or self._run is not None
        name = self._run.name if self._run else baseline_name(suite.path)
        baseline = self._run.baseline(suite.path) if self._run else load_baseline(self._root / name, name)
        if baseline is None:
            note = f"{name} does not exist; make the last run the baseline: evalkit bless"
            if self._run:
                note = f"run {name} has no trials of {suite.path}"
            return BaselineRecord(suite.path, name, "none", note=note, required=required), {}
        prompt = self._plan.version_of(suite.path)
        record = next(each for each in self._plan.suite_records() if each.path == suite.path)
        given, tools = dict(self._settings.inputs), self._plan.tools
        now = conditions_of(prompt, self._source, record.judge, installed_version(), given, tools=tools)
        chosen = [case for each, case in self._plan.cases if each.path == suite.path and case.record.skip is None]
        found = match_baseline(baseline, name, [case.record for case in chosen], now, self._today)
        # A case that was only not selected has not vanished.
        there = {case.record.case_id for case in suite.cases}
        vanished = tuple(case_id for case_id in found.vanished if case_id not in there)
        found = replace(found, required=required, vanished=vanished)
        old = self._old_versions(baseline, found.cases, chosen) if found.use != "none" else {}
        if found.use == "fresh" and (gone := next(filter(self._answers_no_more, old.values()), None)):
            note = f"{found.note}; but {gone.model} is retired: bless a new one with evalkit run && evalkit bless"
            return replace(found, use="none", note=note, cases={}), {}
        lost = [case_id for case_id in found.cases if (suite.path, case_id) not in old]
        if found.use != "fresh" or not lost:
            return found, old
        # What has to be played and can't be is left out.
        cases = {key: case for key, case in found.cases.items() if key not in lost}
        if cases:
            return replace(found, cases=cases, changed=tuple(sorted((*found.changed, *lost)))), old
        note = (
            f"{found.note}; but the text of {baseline.prompt_ref} ({baseline.template_sha[:7]}) is neither in the "
            "files nor in git's history here: bless a new one with evalkit run && evalkit bless"
        )
        return replace(found, use="none", note=note, cases={}), {}

    def _answers_no_more(self, old: PromptVersion) -> bool:
        """Say whether Anthropic's own endpoint would refuse to play an old version on its model."""
        day = retirement_of(old.model)
        return self._source == Source("live") and day is not None and day <= self._today

    def _old_versions(
        self, baseline: Baseline, entries: Mapping[str, BaselineCase], chosen: Sequence[Case]
    ) -> dict[CaseKey, PromptVersion]:
        """Return the version that each entry was taken with, rendered for its case, as far as it can be found."""
        wanted: dict[tuple[str, str, str], list[Case]] = {}
        for case in chosen:
            if case.record.case_id in entries:
                kept = entries[case.record.case_id].origin or baseline
                wanted.setdefault((kept.template_sha, kept.prompt_ref, kept.commit), []).append(case)
        versions: dict[CaseKey, PromptVersion] = {}
        for (template_sha, ref, commit), cases in wanted.items():
            if template_sha == self._plan.version_of(baseline.suite).template_sha:
                versions |= {case.record.key: self._plan.prompts[case.record.key] for case in cases}
            elif self._run and (of_run := self._run.versions(template_sha, cases)):
                versions |= of_run
            elif source := find_version(template_sha, ref, self._root, commit):
                given = dict(self._settings.inputs)
                versions |= {case.record.key: render_prompt(source, {**case.inputs.values, **given}) for case in cases}
            else:
                versions |= _versions_of_runs(template_sha, cases, self._root)
        return versions


class _RunAsBaseline:
    """A finished run that takes the place of the baselines."""

    def __init__(self, folder: Path) -> None:
        self._reader = RunReader(folder)
        self._arms = collect_arms(self._reader.trials())
        self.name = folder.name

    def versions(self, template_sha: str, cases: Sequence[Case]) -> dict[CaseKey, PromptVersion]:
        """Return the version of each case that this run played in the same words with the same inputs."""
        return _versions_in(self._reader, template_sha, cases)

    def baseline(self, path: str) -> Baseline | None:
        """Return what the run has of a suite; None when it has nothing."""
        suite = next((suite for suite in self._reader.suites if suite.path == path), None)
        prompt = self._reader.version_of(suite) if suite else None
        if suite is None or prompt is None:
            return None
        header, source = self._reader.header, source_of_replies(self._reader)
        evalkit = str(header.versions.get("evalkit", ""))
        conditions = conditions_of(prompt, source, suite.judge, evalkit, given_in(self._reader), tools=header.tools)
        made = make_baseline(suite, self._reader.cases, conditions, self._arms)
        return replace(made, blessed=header.started[:10], rules=dict(self._arms.rules[Arm.CANDIDATE]))


def recorded_opponents(reader: RunReader) -> OldVersions:
    """Return what a run that is taken up again was compared with when it began."""
    prompts = {
        (record.suite, case_id): reader.prompts[sha]
        for record in reader.baselines
        for case_id, sha in record.prompts.items()
    }
    return OldVersions(tuple(reader.baselines), prompts)


def given_in(reader: RunReader) -> dict[str, Any]:
    """Return the inputs that a run was given by its command."""
    return dict(reader.header.settings.get("inputs", ()))


def source_of_replies(reader: RunReader) -> Source:
    """Return where a run's replies came from first."""
    source = reader.header.source
    return Source(source.origin) if source.origin else source


def _versions_in(reader: RunReader, template_sha: str, cases: Sequence[Case]) -> dict[CaseKey, PromptVersion]:
    """Return the version of each case as a run played it, where both are what they were then."""
    played = {(case.key, case.sha): reader.prompts.get(case.prompt_sha) for case in reader.cases}
    found = {case.record.key: played.get((case.record.key, case.record.sha)) for case in cases}
    return {key: one for key, one in found.items() if one is not None and one.template_sha == template_sha}


def _versions_of_runs(template_sha: str, cases: Sequence[Case], root: Path) -> dict[CaseKey, PromptVersion]:
    """Return the version of each case as a recent run of this project played it."""
    folders = [folder for folder in (root / REPORTS).glob("*") if (folder / RUN_FILE).is_file()]
    folders.sort(key=lambda folder: folder.name, reverse=True)
    for folder in folders[:RUNS_SEARCHED]:
        try:
            found = _versions_in(RunReader(folder), template_sha, cases)
        except EvalkitError:
            continue  # a damaged run must not stop another one
        if found:
            return found
    return {}


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
            if any(arm is Arm.BASELINE and key not in self._old.prompts for arm, key in stage.trials):
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
        prompt = (self._prompts if arm is Arm.CANDIDATE else self._old.prompts)[key]
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
