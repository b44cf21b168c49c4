"""Plays suites: plan, schedule, record. The only part of evalkit that spends money on its own."""

from evalkit.runner.changed import failed_last_time
from evalkit.runner.plan import Plan, PlannedTrial, RunSettings
from evalkit.runner.project import Invocation, Progress, Project
from evalkit.runner.start import resume_run, start_run

__all__ = [
    "Invocation",
    "Plan",
    "PlannedTrial",
    "Progress",
    "Project",
    "RunSettings",
    "failed_last_time",
    "resume_run",
    "start_run",
]
