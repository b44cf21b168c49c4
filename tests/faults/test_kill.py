"""kill -9 in the middle of a run, again and again: what is left resumes to the records of an unbroken run.

Real processes; FAULT_KILLS=50 (as `make faults` sets it) kills fifty times, the normal tests do it less often.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from evalkit.standin.reply import Cue, Reply
from evalkit.standin.server import StandIn
from evalkit.store import RunReader
from tests.faults.play import Model, cases, point_at
from tests.runner.project import make_project, run
from tests.runner.test_resume import sessions

KILLS = int(os.environ.get("FAULT_KILLS", "3"))
CASES_A_KILL = 8  # more than are over before a kill strikes, on any machine
JOBS = 4


class KillingModel(Model):
    """Answers, and kills the process that asks: at random requests, a random moment after the question."""

    def __init__(self, kills: int, seed: int) -> None:
        super().__init__()
        self.process: subprocess.Popen[bytes] | None = None
        self.asked: Counter[bytes] = Counter()
        self._random = Random(seed)
        self._left = kills
        self._next = 0
        self._doomed: subprocess.Popen[bytes] | None = None

    def __call__(self, request: dict[str, Any], trial: int, cue: Cue) -> Reply:
        """Answer one request."""
        reply = super().__call__(request, trial, cue)
        self.asked[orjson.dumps(request["messages"])] += 1
        if self._left and self.process and self.process is not self._doomed and self.answered >= self._next:
            self._left -= 1
            self._next = self.answered + JOBS + self._random.randint(1, 6)
            self._doomed = self.process
            threading.Timer(self._random.uniform(0, 0.03), self.process.send_signal, [signal.SIGKILL]).start()
        return reply


def test_a_run_killed_at_random_moments_resumes_to_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last resume every session has the lines of the unbroken run: none lost, none doubled, none wrong."""
    count = KILLS * CASES_A_KILL
    project = make_project(tmp_path, cases=cases(count), trials=1, tools={})
    model = KillingModel(KILLS, seed=11)
    with StandIn(model) as server:
        point_at(monkeypatch, server)
        whole = run(project, tmp_path / "whole", via="live")
        model.asked.clear()
        codes = _until_it_survives(tmp_path, model)

    killed = sum(code == -signal.SIGKILL for code in codes)
    print(
        f"\nkilled {killed} times; {sum(model.asked.values()) - len(model.asked)} requests were under way and repeated"
    )
    assert (killed, codes[-1]) == (KILLS, 0)
    assert sessions(tmp_path / "run") == sessions(whole)
    assert len(list(RunReader(tmp_path / "run").trials())) == count
    assert sum(model.asked.values()) <= len(model.asked) + killed * JOBS


def _until_it_survives(root: Path, model: KillingModel) -> list[int]:
    """Start the run, resume it whenever it was killed, and return the exit codes."""
    command = [sys.executable, "-m", "evalkit", "run", "--via", "live", "-n", str(JOBS), "-o", "run", "-q", "--fresh"]
    codes: list[int] = []
    while not codes or codes[-1] == -signal.SIGKILL:
        model.process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        codes.append(model.process.wait(120))
        started = (root / "run" / "run.jsonl").is_file()
        if started:
            command = [sys.executable, "-m", "evalkit", "run", "--resume", "run", "-q"]
    return codes
