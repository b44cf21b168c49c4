"""The comparison step by step: which trials to play next, and when enough is known.

A generator that asks for trials and is told their outcomes, so that the runner, the report of a finished run and the
simulation go through the very same steps. Plays nothing itself, knows no clock and no chance. The first and the second
look hold their levels because their numbers of trials are fixed beforehand, the look at the suspects because it uses
only trials drawn after they were chosen; so the whole errs at most as often as the levels add up to.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from evalkit.gate.conclude import conclude, delta_of
from evalkit.gate.evidence import Answer, Evidence, confirm_look, count, drift_look, extend_look, screen_look
from evalkit.gate.settings import GateCase, GateSettings, suspect_cap, usual_confirm, usual_extend
from evalkit.records import Arm, CaseKey, Decision, Look, LookName, Stage
from evalkit.stats import case_p


@dataclass(frozen=True)
class StagePlan:
    """Trials to be played now, interleaved: how many of each case in each arm, beyond all that was asked before."""

    stage: Stage
    trials: dict[tuple[Arm, CaseKey], int]

    @property
    def total(self) -> int:
        """How many trials these are."""
        return sum(self.trials.values())

    @property
    def arms(self) -> frozenset[Arm]:
        """The arms that have to be played."""
        return frozenset(arm for arm, _ in self.trials)


Procedure = Generator[StagePlan, Answer | None, Decision]
"""Yields what to play, is sent the outcomes (None: it can't be played, go on without), and returns the decision."""


def decide(cases: list[GateCase], settings: GateSettings, beside: Sequence[GateCase] = ()) -> Procedure:
    """Compare the arms: screen all cases, look closer at suspects, go on where it leans bad, check the store.

    `beside` are critical cases that have no baseline: they are held to pass always, and are not compared.
    """
    steps = _Steps(cases, settings, beside)
    yield from steps.screen()
    yield from steps.must_pass()
    if steps.staged and not settings.breadth_only:
        yield from steps.confirm()
    if steps.staged:
        yield from steps.extend()
    yield from steps.check_drift()
    return conclude(steps.evidence, list(steps.looks.values()), settings, staged=steps.staged)


def decide_finished(cases: list[GateCase], candidate: Answer, settings: GateSettings) -> Decision:
    """Compare two finished runs: no trial can be added, so one look decides."""
    evidence = Evidence.before(cases)
    evidence.add_rounds(candidate)
    looks = [screen_look(evidence, settings, staged=False)] if evidence.strata() else []
    return conclude(evidence, looks, settings, staged=False)


class _Steps:
    """The stages of one comparison, in order."""

    def __init__(self, cases: list[GateCase], settings: GateSettings, beside: Sequence[GateCase]) -> None:
        self.evidence = Evidence.before(cases, beside)
        self.looks: dict[LookName, Look] = {}
        self.staged = settings.adaptive and len(cases) >= settings.fixed_below
        self._settings = settings
        self._confirm = settings.confirm or usual_confirm(len(cases))
        self._extend = settings.extend or usual_extend(len(cases))
        self._stopped = False

    def screen(self) -> Generator[StagePlan, Answer | None, None]:
        """Play the first rounds over all cases and look at them."""
        settings = self._settings
        trials: dict[tuple[Arm, CaseKey], int] = {}
        for case in self.evidence.cases:
            least = case.rounds if self.staged else max(case.rounds, settings.rounds_fixed)
            if case.stored is None:
                least = max(least, settings.rounds_fresh)
                trials[Arm.BASELINE, case.key] = least
            trials[Arm.CANDIDATE, case.key] = least
        beside = {(Arm.CANDIDATE, case.key): case.rounds for case in self.evidence.beside}
        answer = yield from self._play(StagePlan(Stage.ROUND, {**trials, **beside}), "the first rounds")
        if answer:
            self.evidence.add_must_pass({who: answer[who] for who in beside})
            self.evidence.add_rounds({who: answer[who] for who in trials})
            self.looks[LookName.SCREEN] = screen_look(self.evidence, settings, staged=self.staged)

    def must_pass(self) -> Generator[StagePlan, Answer | None, None]:
        """Play critical cases until they have the trials that their promise takes; a failed one is decided already."""
        if LookName.SCREEN not in self.looks:
            return
        played = {case: counts for case, counts in self.evidence.critical() if not counts.failed}
        missing = {case.key: case.least - counts.valid - counts.errors for case, counts in played.items()}
        trials = {(Arm.CANDIDATE, key): count for key, count in missing.items() if count > 0}
        answer = yield from self._play(StagePlan(Stage.MUST_PASS, trials), "more trials of critical cases")
        self.evidence.add_must_pass(answer or {})

    def confirm(self) -> Generator[StagePlan, Answer | None, None]:
        """Play suspects again in both arms, side by side."""
        evidence = self.evidence
        # The worst ones only: in a suite that fell as a whole the rounds show it, without playing everything again.
        evidence.suspects = self._suspects()[: suspect_cap(len(evidence.cases))]
        trials = {(arm, key): self._confirm for key in evidence.suspects for arm in Arm}
        answer = yield from self._play(StagePlan(Stage.CONFIRM, trials), "the suspects side by side")
        if answer:
            for (arm, key), outcomes in answer.items():
                evidence.confirm[arm][key] = outcomes
            self.looks[LookName.CONFIRM] = confirm_look(evidence, self._settings)

    def extend(self) -> Generator[StagePlan, Answer | None, None]:
        """Play more rounds when nothing is proven and the first look leaned bad.

        A suspect's first trials of the closer look are its rounds; they need not be played again.
        """
        if self._reds():
            return
        if not self._leans_bad():
            self.evidence.looked_fine = True
            return
        confirmed = self.evidence.confirm
        wanted = [(Arm.CANDIDATE, case.key) for case in self.evidence.cases]
        wanted += [(Arm.BASELINE, case.key) for case in self.evidence.cases if case.stored is None]
        reused = {(arm, key): confirmed[arm][key][: self._extend] for arm, key in wanted if key in confirmed[arm]}
        missing = {each: self._extend - len(reused.get(each, ())) for each in wanted}
        trials = {each: left for each, left in missing.items() if left}
        answer = yield from self._play(StagePlan(Stage.ROUND, trials), "more rounds")
        if answer is not None:
            self.evidence.keep_screen()
            self.evidence.add_rounds(reused)
            self.evidence.add_rounds(answer)
            self.looks[LookName.EXTEND] = extend_look(self.evidence, self._settings)

    def check_drift(self) -> Generator[StagePlan, Answer | None, None]:
        """Play the stored baseline once more before a red that rests on it."""
        stored = [case.key for case in self.evidence.cases if case.stored is not None]
        reds = self._reds()
        if not stored or not reds or LookName.CONFIRM in reds:
            return
        confirmed = self.evidence.confirm[Arm.BASELINE]
        trials = {(Arm.BASELINE, key): 1 for key in stored if key not in confirmed}
        answer = yield from self._play(StagePlan(Stage.DRIFT, trials), "the baseline today")
        if answer is not None:
            self.evidence.drift = {key: count(outcomes[:1]) for key, outcomes in confirmed.items()}
            self.evidence.drift |= {key: count(outcomes) for (_, key), outcomes in answer.items()}
            self.looks[LookName.DRIFT] = drift_look(self.evidence, self._settings)

    def _play(self, ask: StagePlan, what: str) -> Generator[StagePlan, Answer | None, Answer | None]:
        """Ask for a stage, unless the limit is reached; a stage is played whole or not at all."""
        if not ask.trials:
            return {}
        limit = self._settings.max_trials
        answer: Answer | None = None
        if self._stopped or (limit is not None and self.evidence.trials + ask.total > limit):
            self._stopped = True
        else:
            answer = yield ask
        if answer is None:
            self.evidence.unplayed.append(what)
        else:
            self.evidence.trials += ask.total
        return answer

    def _suspects(self) -> tuple[CaseKey, ...]:
        """Return the cases that look worse, the worst first."""
        limit = self._settings.suspect_p
        found = []
        for key, case in self.evidence.strata().items():
            p = case_p(case)
            if p <= limit or (case.a == case.k_a and case.b < case.k_b):
                found.append((p, key))
        return tuple(key for _, key in sorted(found))

    def _reds(self) -> set[LookName]:
        return {name for name, each in self.looks.items() if each.red and name is not LookName.DRIFT}

    def _leans_bad(self) -> bool:
        first = self.looks.get(LookName.SCREEN)
        if first is None:
            return False
        if first.p <= self._settings.extend_p:
            return True
        delta = delta_of(self.evidence) if self._settings.resolve else None
        return delta is not None and delta.low <= -self._settings.margin
