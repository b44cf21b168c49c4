"""The recording step of the judge: asks a judge model through the engine; graders only read what it answered."""

from evalkit.judging.ask import recount_due, run_judges, run_recount
from evalkit.judging.self_test import failed_tests, run_self_test

__all__ = ["failed_tests", "recount_due", "run_judges", "run_recount", "run_self_test"]
