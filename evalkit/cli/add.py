"""`evalkit add`: a conversation, a failed trial or a log entry becomes a case of a suite."""

from __future__ import annotations

import click

from evalkit.cli.terminal import Pair


@click.command(
    epilog="""\b
Examples:
  evalkit add suites/regressions.yaml --from logs#customer-42
  evalkit add suites/regressions.yaml --from last --failing"""
)
@click.argument("suite", metavar="SUITE")
@click.option("--from", "source", required=True, metavar="FILE[#N]", help="RUN#CASE, LOG#SESSION or a transcript.")
@click.option("--id", "case_id", default="", metavar="ID", help="The case's id.  [the first words said]")
@click.option("--failing", is_flag=True, help="One case for each case of the run that did not pass.")
@click.option("-p", "--prompt", "ref", metavar="REF", help="The prompt of a suite that is not there yet.")
@click.option("--set", "inputs", type=Pair(), multiple=True, metavar="KEY=VALUE", help="An input of that prompt.")
def add(
    suite: str, source: str, case_id: str, ref: str | None, inputs: tuple[tuple[str, str], ...], *, failing: bool
) -> None:
    """Turn a conversation, a failed case or a log entry into a case.

    Text is added to SUITE and nothing else in it changes; a suite that is not there is begun. The new case is only
    watched (`gate: false`) until you write what it expects.
    """
    from evalkit.cli.project import find_root
    from evalkit.repl.saving import AddOptions, add_cases

    if failing and case_id:
        raise click.UsageError("--id names one case; --failing may add several. Leave one of them out.")
    added = add_cases(AddOptions(find_root(), suite, source, case_id, ref, inputs, failing))
    for number, line in enumerate(added.text.split("\n"), added.first):
        click.echo(f"{number:5} {line}")
    click.echo(str(added), err=True)
