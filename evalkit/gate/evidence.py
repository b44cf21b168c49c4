"""The trials of two arms as the gate sees them, and the looks at them: which test of which trials at which level.

Knows outcomes, how they add up, and the division of the allowed false alarms; nothing of verdicts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit.gate.settings import CONFIRM_SHARE, EXTEND_SHARE, SCREEN_SHARE, GateCase, GateSettings
from evalkit.records import Arm, CaseKey, Counts, Look, LookName
from evalkit.stats import Stratum, breadth_p, gate_p

Outcomes = Sequence[bool | None]
"""Trials in the order in which they were asked for: passed, failed, or no verdict (None)."""
Answer = Mapping[tuple[Arm, CaseKey], Outcomes]
"""What came of the trials that were asked for."""


_SHARES = {LookName.SCREEN: SCREEN_SHARE, LookName.CONFIRM: CONFIRM_SHARE, LookName.EXTEND: EXTEND_SHARE}
NOBODY: frozenset[CaseKey] = frozenset()


def count(outcomes: Iterable[bool | None]) -> Counts:
    """Return outcomes as counts."""
    told = list(outcomes)
    passed, failed = told.count(True), told.count(False)
    return Counts(passed, failed, len(told) - passed - failed)


def add(one: Counts, other: Counts) -> Counts:
    """Return two counts together."""
    return Counts(one.passed + other.passed, one.failed + other.failed, one.errors + other.errors)


@dataclass
class Evidence:
    """Everything that is known of the cases so far.

    `rounds` are the counts by arm and case, `screened` the same before the first look, `confirm` the closer looks by
    arm and case (in order), `drift` the baseline's outcomes of today. `beside` are critical cases without a baseline,
    `must_pass` what was played of critical cases beyond their compared rounds. `unplayed` names stages left out.
    `looked_fine` says that no more rounds were played because the first look gave no reason to.
    """

    cases: Sequence[GateCase]
    rounds: dict[Arm, dict[CaseKey, Counts]]
    screened: dict[Arm, dict[CaseKey, Counts]] = field(default_factory=dict)
    confirm: dict[Arm, dict[CaseKey, Outcomes]] = field(default_factory=lambda: {arm: {} for arm in Arm})
    drift: dict[CaseKey, Counts] = field(default_factory=dict)
    beside: Sequence[GateCase] = ()
    must_pass: dict[CaseKey, Counts] = field(default_factory=dict)
    suspects: tuple[CaseKey, ...] = ()
    unplayed: list[str] = field(default_factory=list)
    trials: int = 0
    looked_fine: bool = False
    _together: dict[CaseKey, Stratum] | None = None

    @classmethod
    def before(cls, cases: Sequence[GateCase], beside: Sequence[GateCase] = ()) -> Evidence:
        """Return what is known before the first trial: the stored rounds."""
        stored = {case.key: case.stored for case in cases if case.stored is not None}
        return cls(cases, {Arm.BASELINE: stored, Arm.CANDIDATE: {}}, beside=beside)

    def keep_screen(self) -> None:
        """Remember the rounds so far as those of the first look."""
        self.screened = {arm: dict(known) for arm, known in self.rounds.items()}

    def add_rounds(self, answer: Answer) -> None:
        """Take in outcomes of rounds."""
        self._together = None
        for (arm, key), outcomes in answer.items():
            known = self.rounds[arm].get(key)
            told = count(outcomes)
            self.rounds[arm][key] = add(known, told) if known else told

    def add_must_pass(self, answer: Answer) -> None:
        """Take in trials of critical cases that are no rounds of the comparison."""
        for (_, key), outcomes in answer.items():
            self.must_pass[key] = add(self.must_pass.get(key, Counts()), count(outcomes))

    def critical(self) -> Iterator[tuple[GateCase, Counts]]:
        """Yield each critical case with all trials of it that the candidate has had."""
        for case in (*self.cases, *self.beside):
            if case.critical:
                rounds = self.rounds[Arm.CANDIDATE].get(case.key, Counts())
                closer = count(self.confirm[Arm.CANDIDATE].get(case.key, ()))
                yield case, add(add(rounds, closer), self.must_pass.get(case.key, Counts()))

    def strata(self) -> dict[CaseKey, Stratum]:
        """Return the rounds of all cases that have a valid trial in both arms."""
        if self._together is None:
            self._together = self._both(self.rounds)
        return self._together

    def screened_strata(self) -> dict[CaseKey, Stratum]:
        """Return the rounds before the first look, of all cases that have a valid trial in both arms."""
        return self._both(self.screened) if self.screened else self.strata()

    def _both(self, rounds: Mapping[Arm, Mapping[CaseKey, Counts]]) -> dict[CaseKey, Stratum]:
        return _strata(rounds[Arm.BASELINE], rounds[Arm.CANDIDATE], [case.key for case in self.cases])

    def confirm_strata(self) -> dict[CaseKey, Stratum]:
        """Return the closer looks at the suspects, those trials only."""
        looks = {arm: {key: count(told) for key, told in self.confirm[arm].items()} for arm in Arm}
        return _strata(looks[Arm.BASELINE], looks[Arm.CANDIDATE], self.suspects)

    def drift_strata(self) -> dict[CaseKey, Stratum]:
        """Return the stored baseline beside the baseline of today."""
        stored = {case.key: case.stored for case in self.cases if case.stored is not None}
        return _strata(stored, self.drift, [case.key for case in self.cases])

    def totals(self, arm: Arm) -> Counts:
        """Return all trials of an arm, rounds and closer looks."""
        known = [*self.rounds[arm].values(), *(count(outcomes) for outcomes in self.confirm[arm].values())]
        return Counts(sum(c.passed for c in known), sum(c.failed for c in known), sum(c.errors for c in known))

    def with_errors_against_the_candidate(self) -> Evidence:
        """Return the same trials, the candidate's errors as failures and the baseline's as passes."""
        worst = {Arm.BASELINE: True, Arm.CANDIDATE: False}
        rounds, screened = (
            {
                arm: {key: _settled(counts, passed=worst[arm]) for key, counts in of_arm.items()}
                for arm, of_arm in known.items()
            }
            for known in (self.rounds, self.screened)
        )
        confirm: dict[Arm, dict[CaseKey, Outcomes]] = {
            arm: {key: [worst[arm] if each is None else each for each in told] for key, told in of_arm.items()}
            for arm, of_arm in self.confirm.items()
        }
        must_pass = {key: _settled(counts, passed=False) for key, counts in self.must_pass.items()}
        return replace(self, rounds=rounds, screened=screened, confirm=confirm, must_pass=must_pass, _together=None)


def _settled(counts: Counts, *, passed: bool) -> Counts:
    if passed:
        return Counts(counts.passed + counts.errors, counts.failed)
    return Counts(counts.passed, counts.failed + counts.errors)


def _strata(
    baseline: Mapping[CaseKey, Counts], candidate: Mapping[CaseKey, Counts], keys: Iterable[CaseKey]
) -> dict[CaseKey, Stratum]:
    strata = {}
    for key in keys:
        a, b = baseline.get(key), candidate.get(key)
        if a is not None and b is not None:
            k_a, k_b = a[0] + a[1], b[0] + b[1]  # passed and failed; by name it takes twice as long
            if k_a and k_b:
                strata[key] = Stratum(a[0], k_a, b[0], k_b)
    return strata


def look(name: LookName, strata: Mapping[CaseKey, Stratum], level: float, settings: GateSettings) -> Look:
    """Test some strata at a level."""
    cases = list(strata.values())
    if settings.breadth_only:
        breadth = breadth_p(cases)
        return Look(name, len(cases), breadth, 1.0, breadth, level)
    found = gate_p(cases)
    return Look(name, len(cases), found.breadth, found.breaks, found.p, level)


def screen_look(
    evidence: Evidence, settings: GateSettings, *, staged: bool, without: Collection[CaseKey] = NOBODY
) -> Look:
    """Test the first rounds; without stages it is the only look and has the whole level."""
    level = settings.alpha * (SCREEN_SHARE if staged else 1)
    return look(LookName.SCREEN, _rest(evidence.screened_strata(), without), level, settings)


def confirm_look(evidence: Evidence, settings: GateSettings, without: Collection[CaseKey] = NOBODY) -> Look:
    """Test the closer looks at the suspects."""
    strata = _rest(evidence.confirm_strata(), without)
    return look(LookName.CONFIRM, strata, settings.alpha * CONFIRM_SHARE, settings)


def extend_look(evidence: Evidence, settings: GateSettings, without: Collection[CaseKey] = NOBODY) -> Look:
    """Test all rounds."""
    return look(LookName.EXTEND, _rest(evidence.strata(), without), settings.alpha * EXTEND_SHARE, settings)


def drift_look(evidence: Evidence, settings: GateSettings) -> Look:
    """Test whether the baseline of today is lower than the stored one."""
    return look(LookName.DRIFT, evidence.drift_strata(), settings.drift_level, replace(settings, breadth_only=False))


def again(
    looks: Collection[Look], evidence: Evidence, settings: GateSettings, without: Collection[CaseKey] = NOBODY
) -> list[Look]:
    """Repeat the same looks at other evidence, or without some cases."""
    staged = any(each.level != settings.alpha for each in looks if each.name is LookName.SCREEN)
    repeat = {
        LookName.SCREEN: lambda: screen_look(evidence, settings, staged=staged, without=without),
        LookName.CONFIRM: lambda: confirm_look(evidence, settings, without),
        LookName.EXTEND: lambda: extend_look(evidence, settings, without),
    }
    return [repeat[each.name]() for each in looks if each.name in repeat]


def overall_p(looks: Collection[Look], *, staged: bool) -> float | None:
    """Return one p for all looks: at most alpha exactly when one of them is red. None without a look."""
    counted = [each for each in looks if each.name is not LookName.DRIFT]
    if not counted:
        return None
    return min(1.0, *(each.p / (_SHARES[each.name] if staged else 1) for each in counted), 1.0)


def _rest(strata: Mapping[CaseKey, Stratum], without: Collection[CaseKey]) -> Mapping[CaseKey, Stratum]:
    return {key: stratum for key, stratum in strata.items() if key not in without} if without else strata
