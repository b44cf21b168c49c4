"""Keeps the few trials that show why a case did not pass, while all trials stream by.

Knows which trial says most; never holds more than its limit.
"""

from __future__ import annotations

from collections.abc import Container

from evalkit.records import CaseKey, Trial, TrialVerdict

DETAIL_LIMIT = 60
"""More than any screen shows (12) or page opens (20), because some of these cases turn out unstable."""


class WhyTrials:
    """One trial per case that did not pass: the first failed, else the first not measured.

    At most `limit` are held; failures of critical cases push out failures, and those push out what was not measured.
    """

    def __init__(self, critical: Container[CaseKey] = (), limit: int = DETAIL_LIMIT) -> None:
        self._critical = critical
        self._limit = limit
        self._kept: dict[CaseKey, tuple[int, Trial]] = {}

    @property
    def trials(self) -> dict[CaseKey, Trial]:
        """The kept trials by case."""
        return {key: trial for key, (_, trial) in self._kept.items()}

    def offer(self, trial: Trial) -> None:
        """Keep the trial if it says more than what is held."""
        rank = self._rank(trial)
        key = (trial.key.suite, trial.key.case_id)
        if rank is None or (key in self._kept and self._order(key) <= (rank, trial.key.trial)):
            return
        self._kept[key] = (rank, trial)
        if len(self._kept) > self._limit:
            weakest = max(self._kept, key=lambda kept: self._kept[kept][0])
            del self._kept[weakest]

    def _order(self, key: CaseKey) -> tuple[int, int]:
        rank, trial = self._kept[key]
        return rank, trial.key.trial

    def _rank(self, trial: Trial) -> int | None:
        verdict = trial.score.verdict if trial.score else TrialVerdict.NOT_MEASURED
        if verdict is TrialVerdict.PASSED:
            return None
        critical = (trial.key.suite, trial.key.case_id) in self._critical
        return (0 if verdict is TrialVerdict.FAILED else 2) + (0 if critical else 1)
