"""The verdict of a case over its trials. Knows the counting rule; knows nothing of where the counts come from."""

from __future__ import annotations

from evalkit.records import CaseRecord, CaseVerdict


def required_passes(case: CaseRecord) -> int:
    """Return how many trials of a case must pass: all of them when it is critical."""
    return max(case.min_pass, case.trials) if case.critical else case.min_pass


def case_verdict(passed: int, failed: int, planned: int, min_pass: int) -> CaseVerdict:
    """Return the verdict of a case from its trials; those neither passed nor failed are not measured.

    A case is decided as soon as the open trials cannot change it: enough passes make it at least unstable, too many
    failures make it fail. Everything else is not measured.
    """
    if passed >= planned > 0:
        return CaseVerdict.PASS
    if passed >= min_pass > 0:
        return CaseVerdict.UNSTABLE
    if planned - failed < min_pass:
        return CaseVerdict.FAIL
    return CaseVerdict.NOT_MEASURED
