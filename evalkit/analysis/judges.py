"""What judges said, criterion by criterion, and what they and simulated users cost. Knows the tables of `rows.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args, get_type_hints

import pandas as pd

from evalkit.analysis.metrics import model_moneys
from evalkit.labels import Label, measure_agreement
from evalkit.records import CriterionSummary, SideMoney, SuiteRecord, Trial, TrialVerdict

PURPOSES: tuple[str, ...] = get_args(get_type_hints(SideMoney)["purpose"])


@dataclass
class CriterionCounts:
    """Counts the answers of judges while trials stream by: yes, no and not measured, by suite, criterion and model."""

    _counts: dict[tuple[str, str, str], Counter[TrialVerdict]] = field(default_factory=dict)

    def add(self, trial: Trial) -> None:
        """Take in the judge criteria of one trial."""
        for score in trial.score.scores if trial.score and trial.key.is_own else ():
            if score.assertion.kind in ("judge", "voice.judge"):
                params = score.assertion.params
                key = trial.key.suite, str(params["criterion"]), str(params["model"])
                self._counts.setdefault(key, Counter())[score.finding.verdict] += 1

    def summaries(
        self, suites: Iterable[SuiteRecord], labels: Mapping[str, Sequence[Label]]
    ) -> tuple[CriterionSummary, ...]:
        """Return each criterion with its answers and how far people agree with its judge, by suite."""
        wordings = {suite.path: str(suite.judge.get("wording", "")) for suite in suites}
        return tuple(
            CriterionSummary(
                suite=suite,
                criterion=criterion,
                model=model,
                yes=counts[TrialVerdict.PASSED],
                no=counts[TrialVerdict.FAILED],
                not_measured=counts[TrialVerdict.NOT_MEASURED],
                agreement=measure_agreement(labels.get(suite, ()), criterion, model, wordings.get(suite, "")),
            )
            for (suite, criterion, model), counts in self._counts.items()
        )


def sum_side_money(asides: pd.DataFrame) -> tuple[SideMoney, ...]:
    """Return what was paid beside the conversations, by purpose."""
    return tuple(
        SideMoney(purpose, models)  # type: ignore[arg-type]  # one of the literal's own values
        for purpose in PURPOSES
        if (models := model_moneys(asides[asides["purpose"] == purpose]))
    )
