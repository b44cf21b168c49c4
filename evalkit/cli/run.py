"""`evalkit run`: play the selected cases, grade them, write the report, end with the verdict's exit code.

With `--watch` it plays again what a saved file affects, failing cases first, until Ctrl-C. A live run is then asked for
with Enter each time, because saving a file must not cost money.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.terminal import Dollars, Duration, inputs_option
from evalkit.errors import EvalkitError, ExitCode, FileProblems
from evalkit.wording import number, plural, usd

if TYPE_CHECKING:
    from evalkit.runner import Project, RunSettings
    from evalkit.runner.changed import SuiteWatch
    from evalkit.runner.costs import SuiteForecast


@click.command(
    epilog="""\b
Examples:
  evalkit run
  evalkit run suites/returns.yaml -p support@v4 --via live --max-cost 0.60"""
)
@click.argument("targets", nargs=-1, metavar="[SUITE[::CASE]]...")
@click.option("-p", "--prompt", metavar="REF", help="Use this prompt instead of the suite's.")
@click.option("--model", metavar="MODEL", help="Ask this model instead of the prompts' own.")
@click.option("-k", "keyword", metavar="TEXT", help="Cases whose id contains TEXT.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="Cases with this tag (repeatable).")
@click.option("--lf", "last_failed", is_flag=True, help="Only what did not pass last time.")
@click.option("--changed-since", metavar="REV", help="Only suites whose inputs changed since REV.")
@click.option("--trials", type=click.IntRange(1), metavar="N", help="Override trials.")
@inputs_option
@click.option(
    "--via",
    metavar="SOURCE",
    help="live, stand-in, baseline (its kept replies), or a finished run.  [auto: live if a key is set]",
)
@click.option("--tools", metavar="MODULE", help="Let these Python functions answer what the suites do not.")
@click.option("--fresh", is_flag=True, help="Ask again instead of taking replies from .evalkit_cache.")
@click.option("--resume", metavar="RUN", help="Go on with a run that was cut off (last, or its folder).")
@click.option("--max-cost", type=Dollars(), metavar="USD", help="Stop before spending more.")
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
    from evalkit.cli.finish import finish_run, tell_unaffected, tell_unplayed
    from evalkit.cli.project import find_root, load_config, make_project
    from evalkit.runner import Invocation, resume_run, start_run
    from evalkit.runner.changed import find_affected, folders_below, is_interrupted, play_affected

    root = find_root()
    config = load_config(root)
    project = make_project(root, config, quiet=options["quiet"])
    finish = partial(finish_run, quiet=options["quiet"], open_report=options["open_report"], strict=options["strict"])
    if options["resume"]:
        _refuse_beside_resume(options)
        ctx.exit(_code_of(finish(resume_run(project, options["resume"])), options))
    versions: Mapping[str, tuple[str, ...]] = {}
    if options["changed_since"] is not None:
        affected = find_affected(root, options["changed_since"], options["prompt"])
        versions = affected.narrow_versions(options["targets"], root)
        options["targets"] = affected.narrow_targets(options["targets"], root)
        if not options["targets"] and (not versions or options["watch"]):
            tell_unaffected(affected.sentence, options["out"])
            return
        click.echo(affected.sentence, err=True)
    settings = _settings(options, root, config)
    if options["dry_run"]:
        gated = [settings] if settings.targets or not versions else []
        for each in (*gated, *(replace(settings, prompt=ref, targets=some) for ref, some in versions.items())):
            _tell_forecast(project, each, quiet=options["quiet"])
        return
    if options["watch"]:
        ctx.exit(_watch(project, settings, options))
    invocation = Invocation(settings, options["out"], ("evalkit", *sys.argv[1:]))
    if not versions:
        ctx.exit(_code_of(finish(start_run(project, invocation)), options))
    folder, unplayed = play_affected(project, invocation, versions)
    if folder is None:
        tell_unplayed(unplayed)
        return
    code = finish(folder, unplayed=unplayed)
    if code == ExitCode.PASSED and any(is_interrupted(each) for each in folders_below(folder)):
        code = ExitCode.INTERRUPTED
    ctx.exit(_code_of(code, options))


def _code_of(code: int, options: Mapping[str, Any]) -> int:
    """Return the exit code, which `--exit-zero` makes 0 for every verdict; an interruption is no verdict and stays."""
    if not options["exit_zero"] or code in (ExitCode.PASSED, ExitCode.INTERRUPTED):
        return code
    click.echo(f"exit code 0 because of --exit-zero; it would be {code}.", err=True)
    return ExitCode.PASSED


def _refuse_beside_resume(options: Mapping[str, Any]) -> None:
    """A resumed run keeps its settings; options that would change them are a mistake."""
    harmless = {"resume", "open_report", "quiet", "strict", "exit_zero"}
    given = [name for name, value in options.items() if name not in harmless and value not in (None, (), False, 0)]
    if given:
        names = ", ".join(sorted(name.replace("_", "-") for name in given))
        raise click.UsageError(f"--resume goes on with the run's own settings; leave out: {names}.")


def _settings(options: Mapping[str, Any], root: Path, config: Mapping[str, Any]) -> RunSettings:
    from evalkit.prompts.inputs import parse_inputs
    from evalkit.prompts.refs import asked_of
    from evalkit.runner import RunSettings, failed_last_time

    if options["prompt"]:
        asked_of(options["prompt"], options["model"])  # two models for one prompt are a mistake
    names = (
        "targets",
        "via",
        "prompt",
        "model",
        "keyword",
        "tags",
        "trials",
        "inputs",
        "jobs",
        "against",
        "draw",
        "fresh",
        "tools",
    )
    asked = {
        **{name: options[name] for name in (*names, "fail_fast")},
        "last_failed": failed_last_time(root) if options["last_failed"] else None,
        "max_cost_usd": options["max_cost"],
        "max_time_s": options["max_time"],
        "inputs": tuple(parse_inputs(options["inputs"], root).items()),
    }
    return RunSettings.for_project(config, asked)


def _tell_forecast(project: Project, settings: RunSettings, *, quiet: bool) -> None:
    """Print what a run would ask and cost: a line for each suite with its cases below, then the totals."""
    from evalkit.runner.costs import forecast_run

    suites = forecast_run(project, settings)
    for suite in suites:
        skipped = f", {number(suite.skipped)} skipped" if suite.skipped else ""
        counted = f"{plural(len(suite.case_ids), 'case')}{skipped}, {plural(suite.trials, 'trial')}"
        costs = cost_in_words([suite])
        click.echo(f"{suite.path}   {suite.prompt_ref}, {suite.model}   {counted}, {costs}")
        for case_id in () if quiet else suite.case_ids:
            click.echo(f"  {case_id}")
    real = "" if settings.via == "live" else f" if it were live; {settings.via} costs nothing"
    trials = plural(sum(suite.trials for suite in suites), "trial")
    click.echo(
        f"dry run: {trials}, {cost_in_words(suites)}{real}. Judges are not counted, and a comparison with a baseline "
        "may ask for more. Nothing was asked, and there is no verdict."
    )


def cost_in_words(suites: Sequence[SuiteForecast]) -> str:
    """Return about how many requests that is, and what they cost."""
    costs = [suite.cost_usd for suite in suites]
    known = sum(cost for cost in costs if cost is not None)
    total = "cost unknown" if None in costs else f"about {usd(known)}"
    return f"about {plural(sum(suite.requests for suite in suites), 'request')}, {total}"


def _watch(project: Project, settings: RunSettings, options: Mapping[str, Any]) -> int:
    """Play until Ctrl-C; each run gets a folder of its own."""
    from evalkit.cli.finish import finish_run
    from evalkit.runner import Invocation, start_run
    from evalkit.runner.changed import SuiteWatch
    from evalkit.runner.costs import forecast_run
    from evalkit.source import LIVE

    if options["out"] or options["open_report"]:
        raise click.UsageError("--watch makes a run of every change; leave out --out and --open.")

    def play(wanted: RunSettings) -> tuple[Path, int]:
        folder = start_run(project, Invocation(wanted, None, ("evalkit", *sys.argv[1:])))
        return folder, finish_run(folder, quiet=options["quiet"], strict=options["strict"])

    changes = changes_of(project.root)
    ask = ask_before_paying(lambda wanted: cost_in_words(forecast_run(project, wanted)))
    allow = ask if settings.via == LIVE else lambda _: True
    return watch(SuiteWatch(project.root), settings, play, allow, changes)


Play = Callable[["RunSettings"], tuple[Path, int]]
"""Plays a run and prints its result; returns its folder and its exit code."""

Allow = Callable[["RunSettings"], bool]
"""Whether a run may begin now."""


def watch(watched: SuiteWatch, settings: RunSettings, play: Play, allow: Allow, changes: Iterable[set[Path]]) -> int:
    """Play everything asked for, then what each change affects; return the last run's exit code."""
    code = _play(watched, [settings], play)
    shown = _look(watched, settings, [])
    for changed in changes:
        if code == ExitCode.INTERRUPTED:
            break
        _refresh(watched, settings)
        suites = watched.affected(changed)
        if not suites:
            continue
        rounds = watched.rounds(settings, suites)
        if allow(rounds[-1]):
            code = _play(watched, rounds, play)
        shown = _look(watched, settings, shown)
    return code


def changes_of(root: Path) -> Iterator[set[Path]]:
    """Listen from now on, and yield the files that change below the project as they are saved; never ends."""
    import watchfiles

    folders = [folder for folder in (root / "suites", root / "prompts", root / "pyproject.toml") if folder.exists()]
    saved: Queue[set[Path]] = Queue()

    def listen() -> None:
        for found in watchfiles.watch(*folders, raise_interrupt=False):
            saved.put({Path(path) for _, path in found})

    Thread(target=listen, name="evalkit-watch", daemon=True).start()  # hears what is saved while a run goes on, too
    return iter(saved.get, None)


def ask_before_paying(forecast: Callable[[RunSettings], str]) -> Allow:
    """Return how a live run is asked for: what it would cost, and Enter."""

    def allow(settings: RunSettings) -> bool:
        try:
            told = forecast(settings)
        except EvalkitError as error:
            _tell(error)
            return False
        click.echo(f"{told} Enter to run, s and Enter to skip: ", nl=False, err=True)
        return sys.stdin.readline().strip() == ""

    return allow


def _play(watched: SuiteWatch, rounds: Iterable[RunSettings], play: Play) -> int:
    """Play one run after the other; a file that is wrong is told, and the next change tries again."""
    code: int = ExitCode.NO_VERDICT
    for settings in rounds:
        try:
            folder, code = play(settings)
        except EvalkitError as error:
            _tell(error)
            return int(error.exit_code)
        watched.played(folder)
        if code == ExitCode.INTERRUPTED:
            break
    return code


def _look(watched: SuiteWatch, settings: RunSettings, shown: list[str]) -> list[str]:
    """Find what is to be watched now, and print it when it is not what was printed last."""
    _refresh(watched, settings)
    files = watched.files()
    click.echo(f"watching {len(files)} files: {', '.join(files)}" if files != shown else "watching", err=True)
    return files


def _refresh(watched: SuiteWatch, settings: RunSettings) -> None:
    """Find the inputs again; while a file is wrong, those of before are watched, and the run tells what is wrong."""
    with suppress(EvalkitError):
        watched.look(settings)


def _tell(error: EvalkitError) -> None:
    if isinstance(error, FileProblems):
        from evalkit.cli.terminal import print_problems

        print_problems(error.problems)
        return
    click.echo(f"error: {error}", err=True)
