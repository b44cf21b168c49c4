"""`evalkit power`: what drop a suite can see, and what more trials or cases would buy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.errors import NothingSelected, UsageError
from evalkit.wording import plural

if TYPE_CHECKING:
    from evalkit.records import Counts


@click.command(
    epilog="""\b
Examples:
  evalkit power
  evalkit power suites/returns.yaml --trials 5"""
)
@click.argument("targets", nargs=-1, metavar="[SUITE]...")
@click.option("--trials", type=click.IntRange(1), metavar="N", help="Rounds of the candidate.  [the suite's trials]")
@click.option("--simulate", is_flag=True, help="Play the gate 300 times on made-up trials instead of a formula.")
def power(targets: tuple[str, ...], trials: int | None, *, simulate: bool) -> None:
    """Say what drop the suites can see, and what more would buy.

    From the blessed baselines; calls no model. All suites of a run are one comparison.
    """
    from evalkit.cli.project import find_root

    for line in _lines(_read_counts(targets, find_root(), trials), simulate=simulate):
        click.echo(line)


@dataclass(frozen=True)
class _KnownCounts:
    """The counts of all compared cases, the candidate's rounds, and what a trial costs (None when unknown)."""

    names: tuple[str, ...]
    counts: tuple[Counts, ...]
    rounds: int
    cost_usd: float | None


def _read_counts(targets: tuple[str, ...], root: Path, trials: int | None) -> _KnownCounts:
    """Read the baselines of the suites; UsageError when none of them has one."""
    from evalkit.baseline import baseline_name, load_baseline
    from evalkit.suites import find_suites, load_suites

    paths = [_suite(target, root) for target in targets] or list(find_suites(root))
    suites = load_suites(paths, root)
    if not suites:
        raise NothingSelected("no suite in suites/; expected files such as suites/returns.yaml.")
    found = {suite.path: load_baseline(root / baseline_name(suite.path), baseline_name(suite.path)) for suite in suites}
    if not any(found.values()):
        raise UsageError(
            f"power: no baseline for {', '.join(found)}, so nothing is known of how much its cases vary; "
            "make one: evalkit run && evalkit bless."
        )
    counts, costs, rounds, names = [], [], [], []
    for suite in suites:
        baseline = found[suite.path]
        if baseline is None:
            continue
        names.append(suite.path)
        gated = [case.record for case in suite.cases if case.record.gated and case.record.skip is None]
        for case in gated:
            blessed = baseline.cases.get(case.case_id)
            if blessed is not None and blessed.trials:
                counts.append(blessed.counts)
                rounds.append(trials or case.trials)
                costs += [blessed.cost_usd] if blessed.cost_usd is not None else []
    if not counts:
        raise UsageError(f"power: the baselines of {', '.join(names)} hold none of today's cases; evalkit bless.")
    cost = sum(costs) / len(costs) if costs else None
    return _KnownCounts(tuple(names), tuple(counts), round(sum(rounds) / len(rounds)), cost)


def _suite(target: str, root: Path) -> Path:
    for path in (Path(target), root / target):
        if path.is_file():
            return path.resolve()
    raise UsageError(f"{target}: no such suite; expected a file such as suites/returns.yaml.")


def _lines(known: _KnownCounts, *, simulate: bool) -> Iterator[str]:
    """Yield the lines: what is seen now, what more would buy, and on request how often by simulation."""
    from evalkit.gate import outlook

    seen = outlook([(c.passed, c.valid) for c in known.counts], known.rounds, known.cost_usd)
    if seen is None:
        raise UsageError("power: no case of the baseline ever passed; a drop can't be seen where nothing can fall.")
    trials = f"{seen.stored:.0f} stored trials and {known.rounds} new ones each"
    yield f"{', '.join(known.names)}: {seen.cases} cases, {trials}"
    drop = f"a drop of {seen.drop * 100:.1f} points everywhere" if seen.drop is not None else "no uniform drop"
    broken = f", or {plural(seen.breaks, 'broken case')}" if seen.breaks else ""
    yield f"seen in four of five runs: {drop}{broken}"
    if seen.cases < 20:
        yield "fewer than 20 cases: broken cases are visible, a uniform drop under about 12 points is not"
    for offer in seen.offers:
        if offer.drop is not None:
            price = f", about ${offer.cost_usd:,.2f}" if offer.cost_usd is not None else ""
            yield f"with {offer.what}: {offer.drop * 100:.1f} points everywhere   +{offer.trials} trials{price}"
    if simulate:
        yield from _simulated(known)


def _simulated(known: _KnownCounts) -> Iterator[str]:
    from evalkit.gate.power import break_cases, drop_by, forecast

    changes = (
        ("nothing changed", drop_by(0.0)),
        ("5 points less everywhere", drop_by(0.05)),
        ("10 points less everywhere", drop_by(0.10)),
        ("1 broken case", break_cases(1)),
        ("3 broken cases", break_cases(3)),
    )
    for words, change in changes:
        yield f"{words}: worse in {forecast(known.counts, known.rounds, change) * 100:.0f} % of 300 simulated runs"
