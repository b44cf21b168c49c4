"""Plays suites: plan, schedule, record. The only part of evalkit that spends money on its own."""

from evalkit.runner.last_failed import failed_last_time
from evalkit.runner.plan import Plan, PlannedTrial
from evalkit.runner.project import Asked, Project
from evalkit.runner.run import Progress
from evalkit.runner.settings import RunSettings
from evalkit.runner.start import resume_run, start_run

__all__ = [
    "Asked",
    "Plan",
    "PlannedTrial",
    "Progress",
    "Project",
    "RunSettings",
    "failed_last_time",
    "resume_run",
    "start_run",
]
