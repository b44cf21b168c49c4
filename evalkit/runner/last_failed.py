"""Which cases did not pass in the newest run, from its records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from evalkit.records import TrialVerdict
from evalkit.store import RunReader, last_run


def failed_last_time(root: Path) -> tuple[str, ...]:
    """Return `suite::case` of every case with a trial that failed, was not measured, or never ended."""
    reader = RunReader(last_run(root))
    passed = Counter(
        (trial.key.suite, trial.key.case_id)
        for trial in reader.trials()
        if trial.key.is_own and trial.score and trial.score.verdict is TrialVerdict.PASSED
    )
    return tuple(
        f"{case.suite}::{case.case_id}"
        for case in reader.cases
        if not case.skip and passed[case.suite, case.case_id] < case.trials
    )
