"""The grader of a reply that a program reads: JSON, its schema, and the values at paths in it.

Where the request asked for JSON of a schema, the value is what production reads from the last reply, by the same
function. Elsewhere the reply is text that holds JSON: alone, or in the one code block that it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from evalkit.graders.grader import Fault, Grader, all_hold, not_measured
from evalkit.graders.matching import SUBSET, MatchKey, is_choice, matches_value, may_be_missing, value_faults
from evalkit.graders.replies import replied_turns
from evalkit.json_schema import dead_end, find_misfit, respelled, shown_path
from evalkit.prompts.schemas import schema_faults
from evalkit.reading.json_text import JsonText, Steps, find_json, parse_path, step_into
from evalkit.reading.patterns import Undecided, pattern_of
from evalkit.records import Finding, PromptVersion, Span, Transcript, TrialVerdict, Turn
from evalkit.structured import CUT_OFF, NoValue, text_of, value_of
from evalkit.yamlsource import FileModel, Json, JsonMap, ValuePath, refusal

_LONGEST = 160


class JsonExpect(FileModel):
    """What a reply's JSON must be."""

    called: ClassVar[str] = "json"
    schema_: JsonMap | None = Field(
        None,
        alias="schema",
        description="A JSON Schema that it fits; all of JSON Schema may be used here.",
        examples=[{"type": "object", "properties": {"minutes": {"maximum": 60}}, "required": ["minutes"]}],
    )
    fields: dict[str, Json] | None = Field(
        None,
        min_length=1,
        description=(
            'What stands at a path (`a.b[0]`, `["odd key"]`): a value, /regex/, {one_of: [..]}, {min:, max:}, '
            "{value:, optional: true} or {absent: true}, as in the input of tool calls."
        ),
        examples=[{"urgency": "today", "symptoms[0].name": "/cough/", "minutes": {"max": 30}}],
    )
    match: MatchKey = SUBSET

    @model_validator(mode="after")
    def _asks_something(self) -> JsonExpect:
        if self.schema_ is None and self.fields is None:
            raise refusal("'json' needs `schema`, `fields` or both; that a reply is JSON at all, `format: json` asks.")
        return self


class JsonReply(Grader):
    """Require that each reply is JSON of a schema, and what stands at paths in it.

    Why: a program reads it, and a right sentence at the wrong key is wrong. Example: `json: {fields: {urgency: today,
    "items[0].sku": /^LMP-/}}`. Where the prompt has an `output`, the reply must fit that too, after the repair that
    production makes, and enumerated words count as the schema spells them. Elsewhere the reply is JSON alone, or holds
    one code block of it among its words. Instead of words somewhere in the JSON, which `says` finds at any key, name
    the path.
    """

    kind = "json"
    json_: JsonExpect = Field(
        alias="json",
        description="A schema that the reply's JSON fits, and values at paths in it.",
        examples=[{"fields": {"urgency": "today", "symptoms[0]": "/cough/"}}],
    )

    def label(self) -> str:
        return f"json {next(iter(self.json_.fields or {}), 'schema')}"

    def parts(self) -> Iterator[tuple[ValuePath, Self]]:
        """Yield one assertion for the schema, and one for each path."""
        whole = self.json_
        if whole.schema_ is not None:
            yield ("json", "schema"), self.model_copy(update={"json_": whole.model_copy(update={"fields": None})})
        for path, expected in (whole.fields or {}).items():
            only = whole.model_copy(update={"schema_": None, "fields": {path: expected}})
            yield ("json", "fields", path), self.model_copy(update={"json_": only})

    def problems(self) -> Iterator[Fault]:
        # A suite of ten thousand rows asks this of each, and most name paths alone.
        for at, message in schema_faults(self.json_.schema_) if self.json_.schema_ is not None else ():
            yield Fault(("json", "schema", *at), message)
        for path in self.json_.fields or {}:
            try:
                parse_path(path)
            except ValueError as error:
                yield Fault(("json", "fields", path), str(error), on_key=True)
        yield from value_faults(self.json_.fields or {}, ("json", "fields"))

    def misfits(self, prompt: PromptVersion) -> Iterator[str]:
        """Yield why a path can't lead anywhere, or a value never stand there, by the schema of the prompt's output."""
        for path, expected in (self.json_.fields or {}).items() if prompt.output_schema else ():
            plain = not (is_choice(expected) or (isinstance(expected, str) and pattern_of(expected)))
            if may_be_missing(expected):
                continue
            if why := dead_end(prompt.output_schema or {}, parse_path(path), expected if plain else None):
                yield f"{path!r} can't be, by the output of prompt {prompt.ref}: {why}"

    def grade(self, transcript: Transcript, turn: int | None) -> Finding:
        judged = replied_turns(transcript, turn)
        return all_hold([self._of_turn(one) for one in judged.turns], judged.missing)

    def _of_turn(self, turn: Turn) -> Finding:
        found = _json_of(turn)
        if isinstance(found, str):
            return Finding(TrialVerdict.FAILED, "no JSON that can be used", "JSON", turn=turn.n, note=found)
        if self.json_.schema_ is not None:
            return self._fits(found, turn.n)
        [(path, expected)] = (self.json_.fields or {}).items()
        try:
            return self._stands(found, path, expected, turn.n)
        except Undecided as undecided:
            return not_measured(str(undecided), turn.n)

    def _fits(self, found: JsonText, turn: int) -> Finding:
        schema = self.json_.schema_ or {}
        misfit = find_misfit(respelled(found.value, schema), schema)
        if misfit is None:
            return Finding(TrialVerdict.PASSED, "fits the schema", "JSON of the schema", turn=turn)
        observed = f"{shown_path(misfit.at) or 'the whole'}: {misfit.message}"
        spans = _spans(found, misfit.at, turn)
        return Finding(TrialVerdict.FAILED, observed, "JSON of the schema", spans, turn, note=misfit.message)

    def _stands(self, found: JsonText, path: str, expected: Any, turn: int) -> Finding:
        steps = parse_path(path)
        part, reached = step_into(found.value, steps)
        wanted = f"{path}: {_shown(expected)}"
        if reached < len(steps):
            verdict = TrialVerdict.PASSED if may_be_missing(expected) else TrialVerdict.FAILED
            return Finding(verdict, f"no {path}", wanted, turn=turn, note=_instead(part, steps[:reached]))
        if matches_value(expected, part, self.json_.match):
            return Finding(TrialVerdict.PASSED, f"{path}: {_shown(part)}", wanted, turn=turn)
        spans = _spans(found, steps, turn)
        return Finding(TrialVerdict.FAILED, f"{path}: {_shown(part)}", wanted, spans, turn, f"expected {wanted}")


def _json_of(turn: Turn) -> JsonText | str:
    """Return the JSON of a reply with its place in it, or why it has none that can be used."""
    read, last = value_of(turn), turn.replies[-1]
    if isinstance(read, NoValue):
        return read.reason
    if read is not None:
        text = text_of(last)
        # JSON that came in several blocks stands in the reply with gaps, so nothing in it can be marked.
        start = len(turn.reply) - len(text) if turn.reply.endswith(text) else None
        return JsonText(turn.reply, start, read.value)
    if last.stop_reason in CUT_OFF or last.stop_reason == "refusal":
        return f"the reply did not come to its end: {last.stop_reason}"
    return find_json(turn.reply)


def _spans(found: JsonText, steps: Steps, turn: int) -> tuple[Span, ...]:
    place = found.place_of(steps)
    return (Span(turn, *place),) if place else ()


def _instead(part: Any, steps: Steps) -> str:
    """Return what there is where a path breaks off."""
    where = shown_path(steps) or "the whole"
    if isinstance(part, dict):
        return f"{where} has {', '.join(map(str, part)) or 'no keys'}"
    if isinstance(part, list):
        return f"{where} has {len(part)} items"
    return f"{where} is {_shown(part)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=dict)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
