"""The stages of a comparison as trials of a run: what the gate asks for becomes planned trials, their verdicts answers.

Knows the gate's generator and the plan's trials; neither statistics nor how a trial is played.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

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
from evalkit.records import Arm, CaseKey, Stage, TrialKey, TrialVerdict
from evalkit.runner.opponents import OldVersions
from evalkit.runner.plan import Plan, PlannedTrial

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
