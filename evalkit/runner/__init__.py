"""Plays suites: plan, schedule, record. The only part of evalkit that spends money on its own."""

from evalkit.runner.last_failed import failed_last_time
from evalkit.runner.plan import Plan, PlannedTrial
from evalkit.runner.project import Asked, Project
from evalkit.runner.run import Progress
from evalkit.runner.settings import LIVE, STAND_IN, RunSettings
from evalkit.runner.source import has_credential
from evalkit.runner.start import resume_run, start_run

__all__ = [
    "LIVE",
    "STAND_IN",
    "Asked",
    "Plan",
    "PlannedTrial",
    "Progress",
    "Project",
    "RunSettings",
    "failed_last_time",
    "has_credential",
    "resume_run",
    "start_run",
]
