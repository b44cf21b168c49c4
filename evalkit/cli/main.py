"""The entry point: finds the command, runs it, and turns every way of ending into the right exit code.

click alone would end Ctrl-C, a crash and a wrong argument with codes that read as "the prompt got worse"; here each has
its own (evalkit.errors.ExitCode). Commands are imported when they are called, so that `evalkit --help` is instant.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from evalkit.cli.pipes import outlive_readers
from evalkit.distribution import DISTRIBUTION
from evalkit.errors import EvalkitError, ExitCode, FileProblems

SECTIONS: dict[str, dict[str, str]] = {
    "Every day": {
        "run": "evalkit.cli.run:run",
        "compare": "evalkit.cli.compare:compare",
        "chat": "evalkit.cli.chat:chat",
        "check": "evalkit.cli.check:check",
    },
    "Results": {
        "report": "evalkit.cli.report:report",
        "bless": "evalkit.cli.bless:bless",
        "power": "evalkit.cli.power:power",
        "add": "evalkit.cli.add:add",
        "replay": "evalkit.cli.replay:replay",
        "label": "evalkit.cli.label:label",
        "import": "evalkit.cli.import_:import_",
    },
    "Setup": {
        "init": "evalkit.cli.init:init",
        "tools": "evalkit.cli.tools:tools",
        "serve": "evalkit.cli.serve:serve",
        "schema": "evalkit.cli.schema:schema",
    },
}
_COMMANDS = {name: target for section in SECTIONS.values() for name, target in section.items()}
EPILOG = "No key is needed: without ANTHROPIC_API_KEY everything runs on the stand-in model."


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help text."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands section by section."""
        for title, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, command.get_short_help_str(80)) for name, command in commands if command]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.command(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=DISTRIBUTION, message="evalkit %(version)s")
def cli() -> None:
    """Run eval suites against versioned prompts and grade what the chatbot does."""


def main() -> None:
    """Run the command line and exit."""
    outlive_readers()
    # Most of what a command makes lives to its end (suites, prompts, records), and looking through it for garbage again
    # and again took a third of the time of a large `check`.
    gc.set_threshold(100_000, 50, 50)
    code = run_command(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # everything is written: Ctrl-C now needs no traceback
    sys.exit(code)


def run_command(args: Sequence[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong is told on stderr in one line."""
    try:
        result = cli.main(list(args), prog_name="evalkit", standalone_mode=False, auto_envvar_prefix="EVALKIT")
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except click.ClickException as exc:
        exc.show()
        return ExitCode.WRONG_INPUT
    except FileProblems as exc:
        from evalkit.cli.terminal import print_problems

        print_problems(exc.problems)
        return exc.exit_code
    except EvalkitError as exc:
        click.echo(f"error: {exc}", err=True)
        return exc.exit_code
    except OSError as exc:
        return _tell_os_error(exc)
    except Exception as exc:  # noqa: BLE001 - the last line of defence: a crash must never read as a verdict
        return _tell_crash(exc)
    return result if isinstance(result, int) else ExitCode.PASSED


_ADVICE = {
    (errno.EACCES, errno.EPERM, errno.EROFS): "give yourself leave to use it, or choose another folder",
    (errno.ENOTDIR, errno.EEXIST, errno.EISDIR): "a file and a folder are in each other's place; move one of them",
    (errno.ENAMETOOLONG,): "choose a shorter one",
    (errno.EMFILE, errno.ENFILE): "raise the limit (`ulimit -n`), or play fewer trials at once with -n",
    (
        errno.ENOSPC,
        errno.EDQUOT,
    ): "make room; what is recorded stays, and `evalkit run --resume last` goes on",
}
"""What to do about a refusal of the operating system that is nobody's bug."""


def _tell_os_error(exc: OSError) -> int:
    """Tell what the operating system refused; a run that it has stopped has come to no verdict."""
    advice = next((words for numbers, words in _ADVICE.items() if exc.errno in numbers), "")
    if not _is_here():
        click.echo("error: the current folder is gone; change to one that exists.", err=True)
    elif advice:
        where = f"{os.path.relpath(os.fsdecode(exc.filename))}: " if exc.filename else ""
        click.echo(f"error: {where}{os.strerror(exc.errno or 0)}; {advice}.", err=True)
    else:
        return _tell_crash(exc)
    return ExitCode.NO_VERDICT if exc.errno in {errno.ENOSPC, errno.EDQUOT} else ExitCode.WRONG_INPUT


def _is_here() -> bool:
    """Tell whether the current folder still exists."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _tell_crash(exc: Exception) -> int:
    """Keep the traceback in a file and name it."""
    with tempfile.NamedTemporaryFile("w", prefix="evalkit-crash-", suffix=".log", delete=False) as log:
        traceback.print_exception(exc, file=log)
    what = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    click.echo(f"evalkit crashed ({type(exc).__name__}: {what}); this is a bug. Details: {log.name}", err=True)
    return ExitCode.NO_VERDICT
