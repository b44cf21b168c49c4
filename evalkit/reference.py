"""The reference page: every key of every file format, with what it takes, its default, its unit and an example.

Nothing is written here by hand but what a format is for: the rest comes from the models that read the files, through
their JSON Schemas, so that page, editors and checks can't say different things. `docs/reference.md` is this page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from evalkit.suites.writing import flow
from evalkit.wording import listed
from evalkit.yamlsource import FileModel, json_schema

JsonSchema = Mapping[str, Any]

INTRODUCTION = """\
# Every key

This page is made from the code that reads the files: `evalkit schema reference`. The same formats as JSON Schema, for
editors: `evalkit schema suite` (`prompt`, `voice`, `stand-in`). A key that is not named here is an error. Patterns are
written between slashes, as `/refund(s|ed)?/`.

What is needed twice is written once:

- Anchors, aliases and merge keys work in every file: `expect: &polite {never_says: [you must]}`, and then
  `expect: *polite` or `{<<: *polite, says: [Northpost]}`, where the mapping's own keys win. `shared` is a suite's place
  for what is only used.
- In a suite `$include: FILE` stands for what another YAML or JSON file of the project holds, relative to the file that
  names it: `tools: {$include: shared/orders.yaml}`, `expect: {$include: shared/polite.yaml, says: [Northpost]}` (own
  keys win), `- $include: shared/greeting.yaml` (a list stands for its items), `$include: [a.yaml, b.yaml]`.
- A case with `rows` is played once for each row of a CSV file or of JSON Lines: `{id: "loan-{{ id }}", rows: loans.csv,
  user: "I need {{ amount }} euros.", expect: {says: ["{{ rate }}"]}}`. A cell of a CSV file is text, unless a key takes
  only numbers or `true` and `false`, or `rows` names its column under `numbers`.
"""

STATEMENTS = """\
## Ready-made statements for judges

`judge: [builtin/complete]` in an `expect`, or `message: builtin/complete` in a voice rule with `extends: judge`. A name
without a version means the newest wording; with one it stays what it is, and so do people's labels about it.
"""
SHARE = "share, 0 to 1"
UNITS = {
    "_usd": "US dollars",
    "_ms": "milliseconds",
    "_tokens": "tokens",
    "tokens": "tokens",
    "_words": "words",
    "_turns": "turns",
    "trials": "trials",
    "_rate": SHARE,
    "cache_hit": SHARE,
    "cache_kept": SHARE,
}
"""What a number counts, by how its key ends."""

_KINDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
_LIMITS = {
    "exclusiveMinimum": "more than {}",
    "minimum": "at least {}",
    "exclusiveMaximum": "less than {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "minProperties": "at least {} entries",
}


@dataclass(frozen=True)
class FileFormat:
    """A file format: its name on the command line, its schema's title, where its files are, and what reads them."""

    name: str
    title: str
    files: str
    model: type[FileModel]

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema (draft 2020-12)."""
        return json_schema(self.model, self.title)

    def editor_schema(self) -> dict[str, Any]:
        """Return its JSON Schema for editors, which see a file before its parts are put in place."""
        from evalkit.suites.editing import with_sharing

        return with_sharing(self.schema()) if self.name == "suite" else self.schema()


@dataclass(frozen=True)
class Section:
    """A mapping of a format: where it stands (`cases[].turns[]`), what it is, and the schemas of its own keys."""

    path: str
    about: str
    keys: Mapping[str, JsonSchema]
    required: frozenset[str]
    definition: str
    """Its name in the schema's `$defs`; empty for the file itself."""


def file_formats() -> tuple[FileFormat, ...]:
    """Return the formats of the files that people write."""
    from evalkit.prompts.header import Header
    from evalkit.standin.script.format import ScriptFile
    from evalkit.suites.format import SuiteFile
    from evalkit.suites.voice import VoiceFile

    return (
        FileFormat("suite", "evalkit suite", "`suites/NAME.yaml`", SuiteFile),
        FileFormat("voice", "evalkit brand voice", "a suite's `voice:`, such as `suites/voice.yaml`", VoiceFile),
        FileFormat("prompt", "evalkit prompt front matter", "between `---` above `prompts/NAME/VERSION.md`", Header),
        FileFormat("stand-in", "evalkit stand-in script", "`prompts/NAME/stand-in.yaml`", ScriptFile),
    )


def reference_page() -> str:
    """Return the page in Markdown."""
    from evalkit.graders.statements import ready_statements

    parts = [INTRODUCTION]
    for made in file_formats():
        parts.append(f"## {made.name.capitalize()}: {made.files}\n")
        found = list(sections(made.schema()))
        links = {one.definition: _link(made, one) for one in found}
        for section in found:
            heading = [f"### {made.name}: {section.path}\n"] if section.path else []
            parts += [*heading, section.about + "\n"]
            parts += [_entry(section, key, schema, links) for key, schema in section.keys.items()]
    parts.append(STATEMENTS)
    for name, ready in ready_statements().items():
        if "@" in name:
            parts.append(f"- **`{name}`** · {ready.title} · for {ready.place}\n\n  {ready.text}\n")
    return "\n".join(parts)


def _link(made: FileFormat, section: Section) -> str:
    """Return the link to a section, by the name that GitHub gives its heading."""
    kind = section.path.partition("extends: ")[2].strip("`")
    anchor = re.sub(r"[^\w -]", "", f"{made.name}: {section.path}".lower()).replace(" ", "-")
    return f"[{kind or 'mapping'}](#{anchor})"


def sections(schema: JsonSchema) -> Iterator[Section]:
    """Yield the mappings of a format: the file, then what its keys hold, each where it is met first."""
    known: Mapping[str, JsonSchema] = schema.get("$defs", {})
    seen: set[str] = set()
    todo = [_section("", "", schema)]
    while todo:
        section = todo.pop(0)
        yield section
        for key, value in section.keys.items():
            met: dict[str, str] = {}
            for at, name in _mentioned(value, f"{section.path}.{key}".lstrip(".")):
                met.setdefault(name, at)
            made = [_section(at, name, known[name]) for name, at in met.items() if name not in seen]
            seen.update(met)
            todo += _kinds(made) if len(made) > 1 and all("extends" in one.keys for one in made) else made


def _section(path: str, definition: str, schema: JsonSchema) -> Section:
    required = frozenset(schema.get("required", ()))
    return Section(path, schema.get("description", ""), schema.get("properties", {}), required, definition)


def _kinds(made: list[Section]) -> list[Section]:
    """Return mappings that stand in one place by turns: first the keys that all have, then each one's own."""
    first = made[0]
    common = {key: value for key, value in first.keys.items() if all(one.keys.get(key) == value for one in made)}
    found = [replace(first, about="Whatever its kind.", keys=common, definition="")]
    for one in made:
        own = {key: value for key, value in one.keys.items() if key not in common and key != "extends"}
        found.append(replace(one, path=f"{one.path} with `extends: {one.keys['extends']['const']}`", keys=own))
    return found


def _mentioned(schema: JsonSchema, path: str) -> Iterator[tuple[str, str]]:
    """Yield the definitions that a key's schema leads to, each with its path."""
    if "$ref" in schema:
        yield path, schema["$ref"].rpartition("/")[2]
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _mentioned(part, path)
    if isinstance(schema.get("items"), dict):
        yield from _mentioned(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _mentioned(schema["additionalProperties"], f"{path}.NAME")


def _entry(section: Section, key: str, schema: JsonSchema, links: Mapping[str, str]) -> str:
    unit = unit_of(key, schema)
    facts = [unit if unit == SHARE else takes(schema, links), unit if unit != SHARE else ""]
    if key in section.required:
        facts.append("required")
    elif "default" in schema:
        facts.append(f"default `{flow(schema['default'])}`")
    paragraphs = [f"- **`{key}`** · {' · '.join(fact for fact in facts if fact)}"]
    paragraphs += schema.get("description", "").split("\n\n")
    paragraphs += [f"`{key}: {flow(example)}`" for example in schema.get("examples", ())[:1]]
    return "\n\n  ".join(paragraph.strip() for paragraph in paragraphs) + "\n"


def takes(schema: JsonSchema, links: Mapping[str, str]) -> str:
    """Return in words what a key takes; `links` lead to the mappings, by definition."""
    if "$ref" in schema:
        return links[schema["$ref"].rpartition("/")[2]]
    if "const" in schema:
        return f"`{flow(schema['const'])}`"
    if "enum" in schema:
        return listed([f"`{flow(value)}`" for value in schema["enum"]], "or")
    if choices := [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        return listed([*dict.fromkeys(takes(choice, links) for choice in choices)], "or")
    kind, inner = schema.get("type"), schema.get("items") or schema.get("additionalProperties")
    if kind == "array":
        words = f"list ({takes(inner, links)})" if inner else "list"
    elif kind == "object":
        words = f"mapping of names ({takes(inner, links)})" if isinstance(inner, dict) and inner else "mapping"
    else:
        words = _KINDS.get(str(kind), "any value")
    limits = [
        "not empty" if name.startswith("min") and name != "minimum" and schema[name] == 1 else said.format(schema[name])
        for name, said in _LIMITS.items()
        if name in schema
    ]
    return ", ".join([words, *limits])


def unit_of(key: str, schema: JsonSchema) -> str:
    """Return what a key's number counts; empty where it is no number or counts what the key is named after."""
    if schema.get("type") not in {"integer", "number"}:
        return ""
    return next((unit for ending, unit in UNITS.items() if key.endswith(ending)), "")
