"""`evalkit run`: play the selected cases, grade them, write the report, end with the verdict's exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.changed import narrow_targets, narrow_versions
from evalkit.cli.information import forecasts_of, run_with_versions
from evalkit.cli.options import Duration, Pair
from evalkit.errors import ExitCode

if TYPE_CHECKING:
    from evalkit.runner import Project, RunSettings


@click.command(
    epilog="""\b
Examples:
  evalkit run
  evalkit run suites/returns.yaml -p support@v4 --via live --max-cost 0.60"""
)
@click.argument("targets", nargs=-1, metavar="[SUITE[::CASE]]...")
@click.option("-p", "--prompt", metavar="REF", help="Use this prompt instead of the suite's.")
@click.option("-k", "keyword", metavar="TEXT", help="Cases whose id contains TEXT.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="Cases with this tag (repeatable).")
@click.option("--lf", "last_failed", is_flag=True, help="Only what did not pass last time.")
@click.option("--changed-since", metavar="REV", help="Only suites whose inputs changed since REV.")
@click.option("--trials", type=click.IntRange(1), metavar="N", help="Override trials.")
@click.option("--set", "inputs", type=Pair(), multiple=True, metavar="KEY=VALUE", help="Override a prompt input.")
@click.option(
    "--via",
    metavar="SOURCE",
    help="live, stand-in, baseline (its kept replies), or a finished run.  [auto: live if a key is set]",
)
@click.option("--fresh", is_flag=True, help="Ask again instead of taking replies from .evalkit_cache.")
@click.option("--resume", metavar="RUN", help="Go on with a run that was cut off (last, or its folder).")
@click.option("--max-cost", type=click.FloatRange(0), metavar="USD", help="Stop before spending more.")
@click.option("--max-time", type=Duration(), metavar="10m", help="Stop after this long.")
@click.option("-n", "--jobs", type=click.IntRange(1, 1000), metavar="N", help="Trials at once.  [8]")
@click.option("--against", metavar="RUN", help="Compare with this run instead of the baseline.")
@click.option("--strict", is_flag=True, help="Fail too when the comparison can't tell.")
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first failed critical case.")
@click.option("--exit-zero", is_flag=True, help="Report, but end with 0 whatever the verdict is.")
@click.option("--draw", type=click.IntRange(0), default=0, hidden=True, help="Let the stand-in draw anew.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="DIR", help="[reports/<time>-<hash>]")
@click.option("--open", "open_report", is_flag=True, help="Open the report when done.")
@click.option("--watch", is_flag=True, help="Run again what a saved file affects, failing cases first.")
@click.option("--dry-run", is_flag=True, help="List cases, requests and cost; ask nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict only.")
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Run suites, write a report, fail if the gate fails.

    Without an argument every suite in suites/ runs.
    """
    from evalkit.cli.ci_files import tell_unaffected
    from evalkit.cli.config import load_config
    from evalkit.cli.finish import finish_run
    from evalkit.cli.project_root import find_root
    from evalkit.runner import Invocation, resume_run, start_run
    from evalkit.runner.changed import find_affected

    root = find_root()
    config = load_config(root)
    project = make_project(root, config, quiet=options["quiet"])
    versions: dict[str, tuple[str, ...]] = {}
    if options["resume"]:
        _refuse_beside_resume(options)
        folder = resume_run(project, options["resume"])
    else:
        if options["changed_since"] is not None:
            affected = find_affected(root, options["changed_since"], options["prompt"])
            versions = narrow_versions(options["targets"], affected, root)
            options["targets"] = narrow_targets(options["targets"], affected, root)
            if not options["targets"] and (not versions or options["watch"]):
                tell_unaffected(affected.sentence, options["out"])
                return
            click.echo(affected.sentence, err=True)
        settings = _settings(options, root, config)
        if options["dry_run"]:
            for each in forecasts_of(settings, versions) if versions else [settings]:
                _tell_forecast(project, each, quiet=options["quiet"])
            return
        if options["watch"]:
            ctx.exit(_watch(project, settings, options))
        asked = Invocation(settings, options["out"], ("evalkit", *sys.argv[1:]))
        if versions:
            code = run_with_versions(project, asked, versions, options)
            ctx.exit(_told_zero(code) if options["exit_zero"] else code)
        folder = start_run(project, asked)
    code = finish_run(folder, quiet=options["quiet"], open_report=options["open_report"], strict=options["strict"])
    ctx.exit(_told_zero(code) if options["exit_zero"] else code)


def _tell_forecast(project: Project, settings: RunSettings, *, quiet: bool) -> None:
    from evalkit.cli.dry_run import dry_run_lines
    from evalkit.runner.costs import forecast_run

    for line in dry_run_lines(forecast_run(project, settings), settings.via, cases=not quiet):
        click.echo(line)


def _watch(project: Project, settings: RunSettings, options: Mapping[str, Any]) -> int:
    """Play until Ctrl-C; each run gets a folder of its own."""
    from evalkit.cli.finish import finish_run
    from evalkit.cli.watch import ask_before_paying, changes_of, watch
    from evalkit.runner import Invocation, start_run
    from evalkit.runner.changed import SuiteWatch
    from evalkit.source import LIVE

    if options["out"] or options["open_report"]:
        raise click.UsageError("--watch makes a run of every change; leave out --out and --open.")

    def play(wanted: RunSettings) -> tuple[Path, int]:
        folder = start_run(project, Invocation(wanted, None, ("evalkit", *sys.argv[1:])))
        return folder, finish_run(folder, quiet=options["quiet"], strict=options["strict"])

    changes = changes_of(project.root)
    allow = ask_before_paying(partial(_cost_in_words, project)) if settings.via == LIVE else _free
    return watch(SuiteWatch(project.root), settings, play, allow, changes)


def _cost_in_words(project: Project, settings: RunSettings) -> str:
    from evalkit.cli.dry_run import cost_in_words
    from evalkit.runner.costs import forecast_run

    return cost_in_words(forecast_run(project, settings))


def _free(settings: RunSettings) -> bool:
    """A run that costs nothing may begin at once."""
    del settings
    return True


def _told_zero(code: int) -> int:
    """Return 0 for every verdict, and say what it stands for; an interruption is no verdict and stays."""
    if code in (ExitCode.PASSED, ExitCode.INTERRUPTED):
        return code
    click.echo(f"exit code 0 because of --exit-zero; it would be {code}.", err=True)
    return ExitCode.PASSED


def make_project(root: Path, config: Mapping[str, Any], *, quiet: bool) -> Project:
    """Return the project with its prices and who hears of progress."""
    from evalkit.cli.progress import LineProgress, NoProgress, QuietProgress
    from evalkit.pricing import parse_prices, price_table, price_with
    from evalkit.runner import Project

    loud = LineProgress if sys.stderr.isatty() else QuietProgress
    prices = parse_prices(config.get("prices", []))
    return Project(root, price_with(prices), NoProgress if quiet else loud, price_table(prices))


def _settings(options: Mapping[str, Any], root: Path, config: Mapping[str, Any]) -> RunSettings:
    from evalkit.runner import RunSettings, failed_last_time

    names = ("targets", "via", "prompt", "keyword", "tags", "trials", "inputs", "jobs", "against", "draw", "fresh")
    asked = {
        **{name: options[name] for name in (*names, "fail_fast")},
        "last_failed": failed_last_time(root) if options["last_failed"] else None,
        "max_cost_usd": options["max_cost"],
        "max_time_s": options["max_time"],
    }
    return RunSettings.for_project(config, asked)


def _refuse_beside_resume(options: Mapping[str, Any]) -> None:
    """A resumed run keeps its settings; options that would change them are a mistake."""
    harmless = {"resume", "open_report", "quiet", "strict", "exit_zero"}
    given = [name for name, value in options.items() if name not in harmless and value not in (None, (), False, 0)]
    if given:
        names = ", ".join(sorted(name.replace("_", "-") for name in given))
        msg = f"--resume goes on with the run's own settings; leave out: {names}."
        raise click.UsageError(msg)
