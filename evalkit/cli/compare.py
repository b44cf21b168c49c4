"""`evalkit compare`: two prompts side by side, or two finished runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.terminal import Dollars, Duration, inputs_option
from evalkit.errors import EvalkitError, ExitCode, UsageError

if TYPE_CHECKING:
    from evalkit.reporting.compare import CompareReport


@click.command(
    epilog="""\b
Examples:
  evalkit compare support@v3 support@v4
  evalkit compare support+claude-sonnet-4-5 support+claude-haiku-5-5
  evalkit compare reports/20261121-170200-91ab last --format md"""
)
@click.argument("baseline", metavar="A")
@click.argument("candidate", metavar="B")
@click.argument("targets", nargs=-1, metavar="[SUITE[::CASE]]...")
@click.option("--model", metavar="MODEL", help="Ask this model on both sides instead of the prompts' own.")
@click.option("-k", "keyword", metavar="TEXT", help="Cases whose id contains TEXT.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="Cases with this tag (repeatable).")
@click.option("--trials", type=click.IntRange(1), metavar="N", help="Rounds of every case on both sides.")
@inputs_option
@click.option("--via", metavar="SOURCE", help="live or stand-in.  [auto: live if a key is set]")
@click.option("--tools", metavar="MODULE", help="Let these Python functions answer what the suites do not.")
@click.option("--max-cost", type=Dollars(), metavar="USD", help="Stop before spending more.")
@click.option("--max-time", type=Duration(), metavar="10m", help="Stop after this long.")
@click.option("-n", "--jobs", type=click.IntRange(1, 1000), metavar="N", help="Trials at once.  [8]")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json", "md"]), default="text", show_default=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the report there.")
@click.option("--words", is_flag=True, help="Show the prompts' difference word by word.")
@click.option("--strict", is_flag=True, help="Fail too when the comparison can't tell.")
@click.option("--draw", type=click.IntRange(0), default=0, hidden=True, help="Let the stand-in draw anew.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict only.")
@click.pass_context
def compare(ctx: click.Context, /, **options: Any) -> None:
    """Compare two prompts, or two finished runs.

    A is what was, B what is to be. Two prompt references (support@v3, support@main) are played side by side, case by
    case and trial by trial; two finished runs are compared as they are, without calls. The same prompt on two models
    (support@v4+MODEL) is a migration. Exits 1 when B is worse.
    """
    from evalkit.cli.project import find_root, price_here
    from evalkit.reporting.compare import report_comparison
    from evalkit.runner.contrast import compare_runs
    from evalkit.store import find_run

    root = find_root()
    runs = [_names_a_run(options[side], root) for side in ("baseline", "candidate")]
    if any(runs) and not all(runs):
        raise UsageError(
            f"compare: {options['baseline']!r} and {options['candidate']!r} are a run and a prompt; "
            "expected two prompts or two runs. To compare a prompt with a run: evalkit run -p PROMPT --against RUN."
        )
    if all(runs):
        before, after = (find_run(options[side], root) for side in ("baseline", "candidate"))
        sides = compare_runs(before, after, price_here())
        report = report_comparison(sides.contrast, sides.compared, strict=options["strict"])
    else:
        report = _compare_prompts(options, root)
    _show(report, options)
    ctx.exit(report.exit_code)


def _names_a_run(name: str, root: Path) -> bool:
    """Whether a name on the command line means a finished run rather than a prompt."""
    from evalkit.records import PromptRef
    from evalkit.store import find_run

    try:
        find_run(name, root)
    except EvalkitError:
        return "/" in PromptRef.read(name).name or name == "last"
    return True


def _compare_prompts(options: Mapping[str, Any], root: Path) -> CompareReport:
    """Play both prompts and return the report; the records stay in a run folder of their own."""
    from evalkit.cli.project import load_config, make_project
    from evalkit.prompts.inputs import parse_inputs
    from evalkit.prompts.refs import asked_of
    from evalkit.reporting.compare import report_comparison
    from evalkit.runner import RunSettings
    from evalkit.runner.contrast import compare_prompts

    config = load_config(root)
    asked = {
        name: options[name]
        for name in ("targets", "via", "model", "keyword", "tags", "trials", "jobs", "draw", "tools")
    }
    asked["inputs"] = tuple(parse_inputs(options["inputs"], root).items())
    limits = {"max_cost_usd": options["max_cost"], "max_time_s": options["max_time"]}
    asked_of(options["candidate"], options["model"])  # two models for one prompt are a mistake
    prompts = {"prompt": options["candidate"], "against_prompt": options["baseline"]}
    settings = RunSettings.for_project(config, {**asked, **limits, **prompts})
    project = make_project(root, config, quiet=options["quiet"])
    sides = compare_prompts(project, settings, ("evalkit", *sys.argv[1:]))
    report = report_comparison(sides.contrast, sides.compared, strict=options["strict"])
    if sides.ended != "finished":
        why = f"the run did not come to its end ({sides.ended or 'cut off'})"
        report = replace(report, remarks=(why, *report.remarks), exit_code=report.exit_code or ExitCode.NO_VERDICT)
    return replace(report, run=os.path.relpath(sides.folder) if sides.folder else "")


def _show(report: CompareReport, options: Mapping[str, Any]) -> None:
    from evalkit.reporting.atomic import replacing
    from evalkit.reporting.compare_files import render_compare_json, render_compare_markdown
    from evalkit.reporting.compare_terminal import render_compare
    from evalkit.reporting.terminal import Screen

    out: Path | None = options["out"]
    if options["form"] == "json":
        text = render_compare_json(report).decode()
    elif options["form"] == "md":
        text = render_compare_markdown(report)
    else:
        text = render_compare(report, words=options["words"], screen=Screen() if out else None)
    if out is not None:
        with replacing(out) as file:
            file.write(text.encode())
        click.echo(f"{os.path.relpath(out)} written", err=True)
    if options["quiet"]:
        click.echo(report.sentence)
    elif out is None:
        click.echo(text, nl=False)
