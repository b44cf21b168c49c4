"""What is to be said of critical cases: what clean trials do not prove yet, and what failed beyond the suite's trials.

A critical case promises to pass always. Pure words from records; whether a run fails is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from evalkit.analysis import ArmTrials
from evalkit.analysis.arms import KINDS
from evalkit.records import Arm, CaseKey, CaseRecord, Trial, TrialVerdict
from evalkit.stats import clean_trials_for
from evalkit.wording import plural

TOLD = 6
_KINDS = tuple(dict.fromkeys(KINDS.values()))


def wants_proof(cases: Iterable[CaseRecord]) -> bool:
    """Return whether a case asks for a pass rate to be proven."""
    return any(case.min_rate is not None for case in cases)


def tell_promises(cases: Iterable[CaseRecord], arms: ArmTrials) -> tuple[str, ...]:
    """Return a sentence for each critical case whose trials are clean and too few to prove the rate it asks for."""
    told = []
    for case in cases:
        if case.min_rate is None or not case.gated or case.skip is not None:
            continue
        key = (case.suite, case.case_id)
        outcomes = [outcome for kind in _KINDS for outcome in arms.outcomes(Arm.CANDIDATE, key, kind)]
        clean, needed = outcomes.count(True), clean_trials_for(case.min_rate)
        if clean < needed and False not in outcomes:
            trials = plural(clean, "clean trial")
            told.append(
                f"{case.case_id}: a pass rate of {case.min_rate * 100:g} % is not yet shown by {trials};"
                f" {needed} clean trials would"
            )
    return tuple(told)


def tell_broken(trials: Iterable[Trial], failed: Collection[CaseKey]) -> tuple[str, ...]:
    """Return what broke in critical cases that failed only beyond the suite's own trials, the first of each case."""
    told: dict[CaseKey, str] = {}
    shown: set[CaseKey] = set()
    for trial in trials:
        key, score = (trial.key.suite, trial.key.case_id), trial.score
        if key not in failed or trial.key.arm is not Arm.CANDIDATE:
            continue
        if score is None or score.verdict is not TrialVerdict.FAILED:
            continue
        if trial.key.is_own:
            shown.add(key)
        if key in told or trial.key.is_own:
            continue
        broken = next((each for each in score.scores if each.fails_trial), None)
        what = f": {broken.assertion.label}: {broken.finding.observed or 'nothing of it'}" if broken else ""
        told[key] = f"{trial.key.case_id} failed in trial {trial.key.trial} of the comparison ({trial.key.stage}){what}"
    return tuple(words for key, words in told.items() if key not in shown)[:TOLD]
