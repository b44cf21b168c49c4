"""`evalkit schema`: the JSON Schema of a file format, for editors and other tools."""

from __future__ import annotations

from typing import Any

import click

FORMATS = ("suite", "prompt", "voice", "stand-in", "record", "summary")
REFERENCE = "reference"


@click.command(
    epilog="""\b
Examples:
  evalkit schema suite > .schema/suite.json
  evalkit schema voice > .schema/voice.json
  evalkit schema reference > reference.md"""
)
@click.argument("name", type=click.Choice((*FORMATS, REFERENCE)), metavar="|".join((*FORMATS, REFERENCE)))
def schema(name: str) -> None:
    """Print the JSON Schema of a file format.

    suite and voice are the files in suites/, prompt is the front matter of a prompt file, stand-in a prompt's
    stand-in.yaml, record is one line of a run's run.jsonl, summary is its summary.json. reference is a page in
    Markdown with every key of the files that people write: what it takes, its default, its unit, an example.
    """
    import json

    if name == REFERENCE:
        from evalkit.reference import reference_page

        click.echo(reference_page(), nl=False)
        return
    click.echo(json.dumps(schema_of(name), ensure_ascii=False, indent=2))


def schema_of(name: str) -> dict[str, Any]:
    """Return a format's JSON Schema (draft 2020-12)."""
    from evalkit.reference import file_formats

    for made in file_formats():
        if made.name == name:
            return made.editor_schema()
    if name == "summary":
        from evalkit.reporting.summary import summary_schema

        return summary_schema()
    from pydantic import TypeAdapter

    from evalkit.records.run import KINDS

    # a line of a record: its first key, `line`, says which of the kinds it is
    adapters = [(name, "validation", TypeAdapter(kind)) for name, kind in KINDS.items()]
    schemas, shared = TypeAdapter.json_schemas(adapters, title="evalkit run record line")  # type: ignore[arg-type]
    lines = [
        {"allOf": [schemas[name, "validation"]], "properties": {"line": {"const": name}}, "required": ["line"]}
        for name in KINDS
    ]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **shared, "oneOf": lines}
