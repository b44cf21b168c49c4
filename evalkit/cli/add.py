"""`evalkit add`: a conversation, a failed trial or a log entry becomes a case of a suite, or rules of a script."""

from __future__ import annotations

import click

from evalkit.cli.terminal import inputs_option


@click.command(
    short_help="Turn a conversation, a failed case or a log entry into a case.",
    epilog="""\b
Examples:
  evalkit add suites/regressions.yaml --from logs#customer-42
  evalkit add suites/regressions.yaml --from last --failing
  evalkit add --script --from last#books-a-visit""",
)
@click.argument("suite", metavar="[SUITE]", required=False)
@click.option("--from", "source", required=True, metavar="FILE[#N]", help="RUN#CASE, LOG#SESSION or a transcript.")
@click.option("--id", "case_id", default="", metavar="ID", help="The case's id.  [the first words said]")
@click.option("--failing", is_flag=True, help="One case for each case of the run that did not pass.")
@click.option("--script", is_flag=True, help="Rules of the prompt's stand-in.yaml instead: what was said, offline.")
@click.option("-p", "--prompt", "ref", metavar="REF", help="The prompt, where the suite or source names none.")
@inputs_option
def add(
    suite: str | None,
    source: str,
    case_id: str,
    ref: str | None,
    inputs: tuple[tuple[str, str], ...],
    *,
    failing: bool,
    script: bool,
) -> None:
    """Turn a conversation, a failed case or a log entry into a case, or into rules of a stand-in script.

    Text is added to SUITE and nothing else in it changes; a suite that is not there is begun. The new case is only
    watched (`gate: false`) until you write what it expects. Where the conversation had tools that the prompt does not
    declare, their definitions are written as tool files and named in it. With --script the conversation is played
    offline from then on: its rules are written in front of those of prompts/NAME/stand-in.yaml.
    """
    from evalkit.cli.project import find_root
    from evalkit.prompts.inputs import parse_inputs
    from evalkit.repl.saving import AddOptions, add_cases

    if script:
        from evalkit.repl.script_draft import add_rules

        if suite or case_id or failing or inputs:
            raise click.UsageError("--script takes --from and --prompt only; SUITE, --id, --failing, --set make cases.")
        added = add_rules(find_root(), source, ref)
    elif not suite:
        raise click.UsageError("which suite? expected a file such as suites/regressions.yaml, or --script.")
    elif failing and case_id:
        raise click.UsageError("--id names one case; --failing may add several. Leave one of them out.")
    else:
        root = find_root()
        given = parse_inputs(inputs, root)
        added = add_cases(AddOptions(root, suite, source, case_id, ref, given, failing))
    for number, line in enumerate(added.text.split("\n"), added.first):
        click.echo(f"{number:5} {line}")
    click.echo(str(added), err=True)
    if added.prompt:
        names = ", ".join(added.tools)
        click.echo(f"{added.prompt}: now names the tools that the product had added to it: {names}", err=True)
