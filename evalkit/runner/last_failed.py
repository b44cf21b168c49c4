"""Which cases of a run did not pass, from its records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from evalkit.records import Stage, TrialVerdict
from evalkit.store import RunReader, last_run


def failed_last_time(root: Path) -> tuple[str, ...]:
    """Return `suite::case` of every case of the newest run that did not pass in all its trials."""
    return failed_in(last_run(root))


def failed_in(folder: Path) -> tuple[str, ...]:
    """Return `suite::case` of every case of a run with a trial that failed, was not measured, or never ended."""
    reader = RunReader(folder)
    passed = Counter(
        (trial.key.suite, trial.key.case_id)
        for trial in reader.trials()
        if trial.key.is_own and trial.score and trial.score.verdict is TrialVerdict.PASSED
    )
    broken = {
        (trial.key.suite, trial.key.case_id)
        for trial in reader.trials()
        if trial.key.stage is Stage.MUST_PASS and trial.score and trial.score.verdict is TrialVerdict.FAILED
    }
    return tuple(
        f"{case.suite}::{case.case_id}"
        for case in reader.cases
        if not case.skip
        if passed[case.suite, case.case_id] < case.trials or (case.suite, case.case_id) in broken
    )
