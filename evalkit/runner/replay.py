"""Scores the stored replies of a run with today's rules: no calls, no money, the same lines in a new run."""

from __future__ import annotations

from collections import defaultdict

from evalkit.records import (
    ScoreLine,
    Trial,
    TrialEnd,
    TrialScore,
    TrialStart,
    TrialVerdict,
)
from evalkit.runner.plan import Plan, PlannedTrial
from evalkit.runner.recorder import Now
from evalkit.runner.run import Progress
from evalkit.scoring import score_trial
from evalkit.store import RunReader, RunWriter, trial_lines


def replay(plan: Plan, reader: RunReader, writer: RunWriter, now: Now, progress: Progress) -> None:
    """Score every planned trial from the stored ones, in the order in which those ended; holes come last.

    A stored trial belongs to a planned one of the same case id and number: of the same suite when the run knows the
    suite, of any when it does not (imported conversations). Trials that served a comparison stay where they are.
    """
    waiting = {planned.key: planned for planned in plan.trials}
    alike: dict[tuple[str, int], list[PlannedTrial]] = defaultdict(list)
    for planned in plan.trials:
        alike[planned.key.case_id, planned.key.trial].append(planned)
    known_suites = {suite.path for suite in reader.suites}
    for stored in reader.trials():
        if not stored.key.is_own:
            continue
        for planned in alike[stored.key.case_id, stored.key.trial]:
            if planned.key not in waiting or not _is_of_suite(stored, planned, known_suites):
                continue
            del waiting[planned.key]
            progress.trial(planned, _replay_trial(planned, stored, writer, now()))
    for planned in waiting.values():
        progress.trial(planned, _replay_trial(planned, None, writer, now()))


def _is_of_suite(stored: Trial, planned: PlannedTrial, known_suites: set[str]) -> bool:
    return planned.key.suite == stored.key.suite or planned.key.suite not in known_suites


def _replay_trial(planned: PlannedTrial, stored: Trial | None, writer: RunWriter, now: str) -> TrialScore:
    """Write a stored trial into the new run and grade it; one that is missing or does not fit is not measured."""
    reason = _why_not(planned, stored)
    session_id = planned.key.session_id
    if reason or stored is None:
        writer.append(TrialStart(planned.key, session_id, planned.prompt.sha, ts=now))
        score = TrialScore(TrialVerdict.NOT_MEASURED, reason=reason)
    else:
        for line in trial_lines(planned.key, session_id, stored.transcript, now):
            writer.append(line)
        score = score_trial(stored.transcript, planned.case.record.assertions, stored.crash)
    writer.append(TrialEnd(session_id, stored.crash if stored else None))
    writer.append(ScoreLine(session_id, score))
    return score


def _why_not(planned: PlannedTrial, stored: Trial | None) -> str:
    if stored is None:
        return "the replayed run has no reply for this trial"
    if stored.transcript.prompt_sha != planned.prompt.sha:
        return f"the stored replies are for {stored.key.prompt_ref}, not for this text of {planned.prompt.ref}"
    said = tuple(turn.user for turn in stored.transcript.turns)
    asked = planned.case.record.turns
    if asked and said != asked[: len(said)]:
        return "the stored conversation has other user messages than the case has now"
    if asked and len(said) < len(asked) and stored.transcript.failure is None:
        return f"the stored conversation ends after turn {len(said)} of {len(asked)}"
    return ""
