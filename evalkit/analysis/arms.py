"""The trials of a run by arm, case and stage: outcomes in order, and what a trial of each case cost.

Streams over the trials once and keeps numbers only. Knows nothing of levels or verdicts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from evalkit.analysis.rows import rule_name
from evalkit.records import Arm, CaseKey, Stage, Trial, TrialVerdict

Kind = Literal["rounds", "confirm", "drift", "must-pass"]
KINDS: dict[Stage, Kind] = {
    Stage.ROUND: "rounds",
    Stage.MORE: "rounds",
    Stage.CONFIRM: "confirm",
    Stage.DRIFT: "drift",
    Stage.MUST_PASS: "must-pass",
}
_OUTCOMES = {TrialVerdict.PASSED: True, TrialVerdict.FAILED: False}


@dataclass
class Usage:
    """What the measured rounds of one case used, one number a trial; a trial of unknown cost has none."""

    cost_usd: list[float] = field(default_factory=list)
    output_tokens: list[float] = field(default_factory=list)
    prompt_tokens: list[float] = field(default_factory=list)
    cached_tokens: list[float] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)
    first_token_ms: list[float] = field(default_factory=list)


@dataclass
class ArmTrials:
    """All trials of a run: outcomes by arm, case and kind, in the order of their numbers; usage and broken rules.

    `rules` counts, by arm, the trials of rounds in which a rule broke; `measured` how many trials that is out of.
    `checked` counts the same by case, with the trials in which a rule held: a rule that was not measured is in neither.
    `played` counts all trials by suite, stage, arm and outcome.
    """

    numbered: dict[tuple[Arm, CaseKey, Kind], dict[int, bool | None]] = field(default_factory=lambda: defaultdict(dict))
    usage: dict[tuple[Arm, CaseKey], Usage] = field(default_factory=lambda: defaultdict(Usage))
    rules: dict[Arm, Counter[str]] = field(default_factory=lambda: {arm: Counter() for arm in Arm})
    measured: Counter[Arm] = field(default_factory=Counter)
    checked: dict[tuple[Arm, CaseKey], Counter[tuple[str, bool]]] = field(default_factory=lambda: defaultdict(Counter))
    played: Counter[tuple[str, Stage, Arm, bool | None]] = field(default_factory=Counter)

    def outcomes(self, arm: Arm, key: CaseKey, kind: Kind = "rounds") -> list[bool | None]:
        """Return the outcomes of a case in one arm, by trial number."""
        known = self.numbered.get((arm, key, kind), {})
        return [known[number] for number in sorted(known)]

    def add(self, trial: Trial, arm: Arm | None = None) -> None:
        """Take in one trial; `arm` overrides the trial's own, for runs that are compared as wholes."""
        side = arm or trial.key.arm
        key = (trial.key.suite, trial.key.case_id)
        verdict = trial.score.verdict if trial.score else TrialVerdict.NOT_MEASURED
        kind, outcome = KINDS[trial.key.stage], _OUTCOMES.get(verdict)
        self.numbered[side, key, kind][trial.key.trial] = outcome
        self.played[trial.key.suite, trial.key.stage, side, outcome] += 1
        if kind != "rounds" or verdict is TrialVerdict.NOT_MEASURED:
            return
        self.measured[side] += 1
        scores = trial.score.scores if trial.score else ()
        broken = {rule_name(score) for score in scores if score.finding.verdict is TrialVerdict.FAILED}
        held = {rule_name(score) for score in scores if score.finding.verdict is TrialVerdict.PASSED} - broken
        self.rules[side].update(broken)
        self.checked[side, key].update([*((name, False) for name in broken), *((name, True) for name in held)])
        _add_usage(self.usage[side, key], trial)


def collect_arms(trials: Iterable[Trial]) -> ArmTrials:
    """Read the trials of one run."""
    arms = ArmTrials()
    for trial in trials:
        arms.add(trial)
    return arms


def collect_two_runs(baseline: Iterable[Trial], candidate: Iterable[Trial]) -> ArmTrials:
    """Read two runs as the two arms: of each, the rounds of the version it measured."""
    arms = ArmTrials()
    for arm, trials in ((Arm.BASELINE, baseline), (Arm.CANDIDATE, candidate)):
        for trial in trials:
            if trial.key.arm is Arm.CANDIDATE and KINDS[trial.key.stage] == "rounds":
                arms.add(trial, arm)
    return arms


def _add_usage(usage: Usage, trial: Trial) -> None:
    requests = trial.transcript.requests
    costs = [cost for r in requests for cost in (r.cost_usd, *(attempt.cost_usd for attempt in r.attempts))]
    billed = [cost for cost in costs if cost is not None]
    if requests and all(request.cost_usd is not None for request in requests):
        usage.cost_usd.append(sum(billed))
    used = [request.usage for request in requests if request.usage]
    usage.output_tokens.append(sum(each.output_tokens for each in used))
    usage.prompt_tokens.append(sum(each.prompt_tokens for each in used))
    usage.cached_tokens.append(sum(each.cache_read_input_tokens for each in used))
    times = [request.total_ms for request in requests]
    if times and None not in times:
        usage.total_ms.append(sum(time for time in times if time is not None))
    usage.first_token_ms.extend(t.first_token_ms for t in trial.transcript.turns if t.first_token_ms is not None)
