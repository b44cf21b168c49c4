"""`evalkit chat`: talk to a prompt, at the terminal or with one message."""

from __future__ import annotations

import sys
from typing import Any

import click

from evalkit.cli.terminal import inputs_option


@click.command(
    epilog="""\b
Examples:
  evalkit chat support@v4
  evalkit chat support@v4 --vs support@v3
  evalkit chat support -m "Where is PR26-0977?"
  evalkit chat claims -m "Is this covered?" --attach dent.png
  git diff | evalkit chat reviewer --json | jq .usage
  evalkit chat support@v4 --load last#return-inside-window"""
)
@click.argument("ref", required=False, metavar="[REF]")
@click.option("--model", metavar="MODEL", help="Ask this model instead of the prompt's own.")
@click.option("-m", "--message", metavar="TEXT", help="Send this, print the reply, end.")
@click.option("--attach", metavar="FILE", multiple=True, help="Send this picture, PDF or text with the first message.")
@click.option("-c", "--continue", "resume", is_flag=True, help="Go on with the last chat.")
@click.option("--load", metavar="FILE[#N]", help="Begin with a conversation: RUN#CASE, LOG#SESSION, SUITE::CASE.")
@click.option("--vs", "versus", metavar="REF", help="Send every message to this version too.")
@click.option("--blind", is_flag=True, help="With --vs: hide which is which until you have said which is better.")
@click.option("--suite", metavar="FILE", help="Tools answer from this suite.  [every suite of the prompt]")
@click.option("--tools", metavar="MODULE", help="Let these Python functions answer what the suites do not.")
@inputs_option
@click.option("--via", metavar="SOURCE", help="live or stand-in.  [auto: live if a key is set]")
@click.option("--json", "as_json", is_flag=True, help="With one message: print one JSON object.")
@click.pass_context
def chat(ctx: click.Context, /, message: str | None, *, as_json: bool, **options: Any) -> None:
    """Talk to a prompt.

    REF is NAME, NAME@v4 or NAME@<git revision>, with +MODEL behind it to ask another model.

    At a terminal it is a conversation; /help there lists the commands. With -m, or with text on standard input, one
    message is sent and the reply printed: exit code 0 answered, 3 no complete answer. Every chat is kept in
    reports/chat/.
    """
    from evalkit.cli.project import find_root, load_config
    from evalkit.repl.command_line import ChatOptions

    if options["blind"] and not options["versus"]:
        raise click.UsageError("--blind hides which of two versions is which; add --vs REF.")
    root = find_root()
    if options["inputs"]:
        from evalkit.prompts.inputs import parse_inputs

        options["inputs"] = parse_inputs(options["inputs"], root)
    else:
        options["inputs"] = {}
    asked = ChatOptions(root=root, command=("evalkit", *sys.argv[1:]), config=load_config(root), **options)
    if message is None and sys.stdin.isatty():
        if as_json:
            raise click.UsageError("--json is for one message; add -m TEXT, or give the message on standard input.")
        from evalkit.repl.loop import run_chat

        ctx.exit(run_chat(asked))
    from evalkit.repl.opening import run_one_shot

    ctx.exit(run_one_shot(asked, message if message is not None else sys.stdin.read(), as_json=as_json))
