"""`evalkit power`: what drop a suite can see, and what more trials or cases would buy."""

from __future__ import annotations

from pathlib import Path

import click


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
    from evalkit.cli.forecast import forecast_lines, read_counts
    from evalkit.cli.project_root import find_root

    root: Path = find_root()
    counts = read_counts(targets, root, trials)
    for line in forecast_lines(counts, simulate=simulate):
        click.echo(line)
