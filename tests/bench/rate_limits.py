"""A run of 500 two-turn trials against a server that allows half of what is asked for: how long, how many refusals.

Run with `make bench`. Real time, real sockets, the stand-in's token buckets. Ideal is all work, less what the full
bucket holds at the start, at the limit's rate: no scheduler can be faster.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from evalkit.records import TrialVerdict
from evalkit.standin.protocol.ratelimits import RateLimits
from evalkit.standin.server import StandIn
from evalkit.store import RunReader
from tests.faults.play import Model, cases
from tests.runner.project import make_project, run

TRIALS, REQUESTS_A_TRIAL = 500, 3
PER_MINUTE = 600
FIRST_BYTE_S = 1.0
JOBS = 20  # at one second a request: twice the limit of ten a second


def main() -> None:
    """Print the figures."""
    model = Model()
    with (
        tempfile.TemporaryDirectory() as name,
        StandIn(model, limits=RateLimits(requests=PER_MINUTE), first_byte_s=FIRST_BYTE_S) as server,
    ):
        os.environ |= {"ANTHROPIC_BASE_URL": server.base_url, "ANTHROPIC_API_KEY": "any", "NO_PROXY": "127.0.0.1"}
        project = make_project(Path(name), cases=cases(TRIALS), trials=1, tools={})
        began = time.monotonic()
        folder = run(project, via="live", jobs=JOBS)
        took_s = time.monotonic() - began
        trials = list(RunReader(folder).trials())
    requests = [request for trial in trials for request in trial.transcript.requests]
    refused = sum(attempt.failure.status == 429 for request in requests for attempt in request.attempts)
    passed = sum(trial.score is not None and trial.score.verdict is TrialVerdict.PASSED for trial in trials)
    ideal_s = (TRIALS * REQUESTS_A_TRIAL - PER_MINUTE) / (PER_MINUTE / 60)
    waited_s = sum(request.waited_ms for request in requests) / 1000
    slowest_s = max(request.total_ms or 0.0 for request in requests) / 1000
    print(f"{TRIALS} trials at {JOBS / FIRST_BYTE_S:.0f} requests/s against a limit of {PER_MINUTE / 60:.0f}/s\n")
    print("| passed | requests | refused (429) | took s | ideal s | ratio | waited s | slowest request s |")
    print("|---|---|---|---|---|---|---|---|")
    share = refused / (len(requests) + refused)
    print(
        f"| {passed} | {len(requests)} | {refused} ({share:.1%}) | {took_s:.1f} | {ideal_s:.1f} |"
        f" {took_s / ideal_s:.3f} | {waited_s:.0f} | {slowest_s:.2f} |"
    )


if __name__ == "__main__":
    main()
