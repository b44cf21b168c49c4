"""The progress line: one line on a terminal that rewrites itself, finished suites in a pipe."""

from __future__ import annotations

import sys
import time
from collections import Counter

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from evalkit.records import Request, TrialScore, TrialVerdict
from evalkit.runner.costs import cost_of_requests
from evalkit.runner.plan import Plan, PlannedTrial, RunSettings


def tell_notes(plan: Plan) -> None:
    """Say on standard error what people should know of a run before it is played."""
    for note in plan.notes():
        click.echo(f"note: {note}", err=True)


class LineProgress:
    """Shows trials done, money and time left on standard error; close it before printing anything else."""

    def __init__(self, plan: Plan, settings: RunSettings) -> None:
        tell_notes(plan)
        self._total = len(plan.trials)
        self._cap = settings.max_cost_usd
        self._began = time.monotonic()
        self._done = self._failed = self._requests = 0
        self._spent = 0.0
        console = Console(file=sys.stderr)
        self._live = Live(console=console, transient=True, refresh_per_second=8, get_renderable=self._line)
        self._live.start()

    def request(self, request: Request) -> None:
        """Count a request."""
        self._requests += 1
        self._spent += cost_of_requests([request])

    def trial(self, planned: PlannedTrial, score: TrialScore) -> None:
        """Count a trial."""
        self._done += 1
        self._failed += score.verdict is TrialVerdict.FAILED

    def added(self, trials: int) -> None:
        """Count trials that the comparison asks for."""
        self._total += trials

    def close(self) -> None:
        """Take the line away."""
        self._live.stop()

    def _line(self) -> Text:
        money = f"${self._spent:.2f}" + (f" of ${self._cap:.2f}" if self._cap is not None else "")
        parts = [f"{self._done}/{self._total} trials", f"{self._requests} requests", money]
        if self._failed:
            parts.insert(1, f"{self._failed} failed")
        if self._done:
            left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
            parts.append(f"{int(left // 60)}:{int(left % 60):02d} left")
        return Text(" · ".join(parts), style="dim", overflow="ellipsis", no_wrap=True)


class QuietProgress:
    """Says one line for each suite that is finished."""

    tells_notes = True

    def __init__(self, plan: Plan, settings: RunSettings) -> None:
        if self.tells_notes:
            tell_notes(plan)
        self._left = Counter(planned.suite.path for planned in plan.trials)
        self._verdicts: dict[str, Counter[TrialVerdict]] = {path: Counter() for path in self._left}

    def request(self, request: Request) -> None:
        """Say nothing."""

    def trial(self, planned: PlannedTrial, score: TrialScore) -> None:
        """Count a trial, and say when it was the suite's last."""
        if not planned.key.is_own:
            return
        path = planned.suite.path
        self._left[path] -= 1
        self._verdicts[path][score.verdict] += 1
        if not self._left[path]:
            counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self._verdicts[path].items()))
            click.echo(f"{path}: trials {counts}", err=True)

    def added(self, trials: int) -> None:
        """Say what the comparison does."""
        click.echo(f"comparing: {trials} more trials", err=True)

    def close(self) -> None:
        """Nothing to take away."""


class NoProgress(QuietProgress):
    """Says nothing at all."""

    tells_notes = False

    def added(self, trials: int) -> None:
        """Say nothing."""

    def trial(self, planned: PlannedTrial, score: TrialScore) -> None:
        """Say nothing."""
