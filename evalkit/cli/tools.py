"""`evalkit tools`: the definitions of a product's Python functions, as the tool files of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click


@click.group()
def tools() -> None:
    """Write the definitions of Python functions as tool files."""


@tools.command(
    epilog="""\b
Examples:
  evalkit tools export my_app.tools -o prompts/support/tools
  evalkit tools export my_app.tools:TOOLS -o prompts/support/tools --force"""
)
@click.argument("module", metavar="MODULE[:NAME]")
@click.option("-o", "--out", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option("--force", is_flag=True, help="Write over files that define a tool differently.")
def export(module: str, out: Path, *, force: bool) -> None:
    """Write each function's definition as a tool file, and say what to put into the prompt.

    MODULE is imported from the current folder or from where evalkit is installed. Its tools are the functions of its
    `__all__`, or every public function; NAME is a list of functions or a toolset.
    """
    from evalkit.engine.tool_module import load_tools
    from evalkit.prompts.tool_files import write_tools

    files = write_tools(load_tools(module).definitions, out, force=force)
    for path in files.files:
        click.echo(f"{path}   {'written' if path in files.written else 'says the same already'}")
    for name in files.refused:
        click.echo(f"note: {name} is defined by the API; pass it in code, a prompt's tools can't name it.", err=True)
    click.echo(f"\nin the front matter of the prompt:\ntools: [{', '.join(_names(files.files))}]")


def _names(files: Sequence[Path]) -> list[str]:
    """Return the files as a prompt names them: from its own folder, `prompts/NAME/` or `prompts/`."""
    names = []
    for path in files:
        parts = path.parts
        below = parts[len(parts) - parts[::-1].index("prompts") :] if "prompts" in parts else parts[-1:]
        names.append("/".join(below[1:] if len(below) > 2 else below))
    return names
