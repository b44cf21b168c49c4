"""The whole gate on the sample project, run by run: does it call the live version worse, does it catch weaker ones?

Run with `make gate-end-to-end`; about half an hour on two cores. Each run is `evalkit run` on the stand-in with a draw
of its own, in a copy of the project with a baseline that `evalkit bless` made; there are several baselines, since one
may be lucky. A decision's requests stand beside those of five fresh trials of every case under both versions.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import mean
from typing import Any

from evalkit.cli.main import run_command
from evalkit.stats import wilson_interval

LIVE_RUNS = int(os.environ.get("GATE_LIVE_RUNS", "200"))
WEAKER_RUNS = int(os.environ.get("GATE_WEAKER_RUNS", "50"))
BASELINES = 10
ROUNDS = 5
ABOUT_SUPPORT = ("suites/parcels.yaml", "suites/products.yaml", "suites/returns.yaml", "suites/tone.yaml")
WEAKER = {
    "support@v3": ABOUT_SUPPORT,
    "support@v2": ABOUT_SUPPORT,
    "support@v1": ABOUT_SUPPORT,
    "planner@v1": ("suites/memory.yaml",),
}
"""The versions that were live before, with the suites that follow their prompt."""


@dataclass(frozen=True)
class PlannedRun:
    """One run to make: in the project with that baseline, of that version (None: the live ones), with its own draw."""

    root: Path
    prompt: str | None
    draw: int


@dataclass(frozen=True)
class RunOutcome:
    """What a run came to: exit code, verdict of the comparison, whether one of its tests was red, and what it asked."""

    prompt: str | None
    code: int
    compared: str
    by_test: bool
    requests: int
    trials: int


def evalkit(*args: str) -> int:
    """Run a command in this process and return its exit code; what it prints is dropped."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        return int(run_command(args))


def copy_project(root: Path) -> None:
    """Copy the sample project."""
    for part in ("prompts", "suites"):
        shutil.copytree(part, root / part)


def make_baseline(root: Path, draw: int) -> None:
    """Play the live versions of a copy of the sample project and bless them."""
    copy_project(root)
    with chdir(root):
        evalkit("run", "--via", "stand-in", "--draw", str(draw), "-o", "reports/baseline")
        if evalkit("bless", "reports/baseline", "--yes", "--force"):
            raise SystemExit("the baseline could not be blessed")


def play(drawn: PlannedRun) -> RunOutcome:
    """Make one run and return what it came to."""
    version = ("-p", drawn.prompt, *WEAKER[drawn.prompt]) if drawn.prompt else ()
    with chdir(drawn.root):
        folder = Path(f"reports/{drawn.draw}")
        code = evalkit("run", *version, "--via", "stand-in", "--draw", str(drawn.draw), "-o", str(folder))
        told: Mapping[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
        trials = sum(line.startswith(b'{"line":"score"') for line in (folder / "run.jsonl").open("rb"))
        shutil.rmtree(folder)
    compared = told["comparison"]
    by_test = any(look["red"] for look in compared["decision"]["looks"])
    return RunOutcome(drawn.prompt, code, compared["verdict"], by_test, int(told["requests"]), trials)


def ask_fixed(root: Path, suites: Sequence[str]) -> tuple[int, int]:
    """Return the requests and the trials of five fresh trials of every case under both versions."""
    copy_project(root)
    with chdir(root):
        evalkit("run", *suites, "--via", "stand-in", "--trials", str(ROUNDS), "-o", "reports/fixed")
        told = json.loads(Path("reports/fixed/summary.json").read_text("utf-8"))
    return 2 * int(told["requests"]), 2 * int(told["trials_recorded"])


def print_row(name: str, came: Sequence[RunOutcome], fixed: tuple[int, int]) -> None:
    """Print what the runs of one version came to; a critical case that failed is red without any test."""
    red = sum(one.code == 1 for one in came)
    low, high = wilson_interval(red, len(came)) or (0.0, 1.0)
    compared = ", ".join(f"{word} {number}" for word, number in Counter(one.compared for one in came).most_common())
    print(f"{name}: {len(came)} runs, {red} red ({100 * low:.1f} to {100 * high:.1f} %)")
    print(f"  compared: {compared}; {sum(one.by_test for one in came)} by the exact tests alone")
    print(
        f"  a decision: {mean(one.requests for one in came):.0f} requests in {mean(one.trials for one in came):.0f}",
        end="",
    )
    print(f" trials; five fresh trials of both versions: {fixed[0]} in {fixed[1]}")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        roots = [Path(folder) / str(number) for number in range(BASELINES)]
        with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
            pool.starmap(make_baseline, [(root, number) for number, root in enumerate(roots)])
            versions: Iterable[str | None] = [None] * LIVE_RUNS + [one for one in WEAKER for _ in range(WEAKER_RUNS)]
            asked = [
                PlannedRun(roots[number % BASELINES], version, 1000 + number) for number, version in enumerate(versions)
            ]
            came = list(pool.imap_unordered(play, asked))
            sizes = [(), *dict.fromkeys(WEAKER.values())]
            asked_fixed = pool.starmap(
                ask_fixed, [(Path(folder) / f"fixed-{number}", suites) for number, suites in enumerate(sizes)]
            )
        fixed = dict(zip(sizes, asked_fixed, strict=True))
        for version in (None, *WEAKER):
            own = [one for one in came if one.prompt == version]
            if own:
                print_row(version or "live", own, fixed[WEAKER[version] if version else ()])


if __name__ == "__main__":
    main()
