"""Every grader there is, and the mappings of a file that their keys make up.

The one list: the suite's format, its JSON Schema, the compiler and the reference read it. A new grader is a class and a
line here.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Optional

import orjson
from pydantic import Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from evalkit.errors import EvalkitError
from evalkit.graders import (
    budget,
    ending,
    form,
    grounding,
    json_reply,
    judge,
    outcome,
    privacy,
    sequence,
    style,
    team,
    text,
    tools,
    wordings,
)
from evalkit.graders.grader import Grader, Requirement
from evalkit.records import Assertion
from evalkit.yamlsource import FileModel

GRADERS: tuple[type[Grader], ...] = (
    text.Says,
    text.SaysAny,
    text.NeverSays,
    text.StartsWith,
    text.EndsWith,
    form.MaxWords,
    form.MaxSentencesPerParagraph,
    form.CountUnits,
    form.Format,
    json_reply.JsonReply,
    ending.Ended,
    form.LetterCase,
    form.Language,
    form.Postscript,
    form.Paragraph,
    grounding.Grounded,
    tools.NoTools,
    tools.RequiredCalls,
    tools.ForbiddenCalls,
    tools.MaxCalls,
    tools.MinCalls,
    sequence.MaxRedundant,
    tools.CallTimes,
    sequence.After,
    sequence.Before,
    sequence.Recovers,
    outcome.Writes,
    outcome.State,
    ending.ClosedBy,
    budget.CostUsd,
    budget.Requests,
    budget.OutputTokens,
    budget.CacheHit,
    budget.ColdCacheHit,
    budget.CacheKept,
    budget.TurnCacheKept,
    budget.PrefixKept,
    budget.MissReasons,
    budget.TurnCostUsd,
    budget.CostAsFirstUsd,
    budget.TurnCostAsFirstUsd,
    budget.FirstTokenMs,
    budget.TimeMs,
    judge.Judge,
    team.Team,
    wordings.Existence,
    wordings.Substitution,
    wordings.Occurrence,
    wordings.Repetition,
    wordings.Consistency,
    wordings.Conditional,
    style.Capitalization,
    style.Metric,
    style.Readability,
    style.Length,
    style.LanguageRule,
    privacy.Links,
    privacy.Leak,
    privacy.PersonalData,
    judge.JudgeRule,
)
"""In the order in which a case's assertions stand."""

BY_KIND = {grader.kind: grader for grader in GRADERS}


@cache
def graders_of(mapping: str) -> tuple[type[Grader], ...]:
    """Return the graders whose keys stand in a mapping: `tools`, `outcome`, `budget`, `voice`, or "" for `expect`."""
    return tuple(grader for grader in GRADERS if grader.mapping() == mapping)


def keys_of(mapping: str) -> type[FileModel]:
    """Return the model of a mapping, to be extended: each key of its graders once, each may be left out."""
    fields: dict[str, Any] = {}
    for grader in graders_of(mapping):
        for name, field in grader.model_fields.items():
            if name not in grader.given and name not in fields:
                fields[name] = _key(grader, name, field)
    return create_model(mapping or "expect", __base__=FileModel, **fields)


@cache
def _by_field(mapping: str) -> tuple[tuple[str, type[Grader]], ...]:
    return tuple((grader.field(), grader) for grader in graders_of(mapping))


def made_from(values: FileModel, mapping: str) -> tuple[Grader, ...]:
    """Return the graders that a mapping asks for; `values` is one whose model has the `keys_of` this mapping."""
    given = {name: value for name in values.model_fields_set if (value := getattr(values, name)) is not None}
    # Not validated again: the mapping's model has the same fields, and its values have been read from the file already.
    return tuple(
        grader.model_construct(**{name: given[name] for name in grader.model_fields if name in given})
        for name, grader in _by_field(mapping)
        if name in given
    )


def requirement_of(assertion: Assertion) -> Requirement:
    """Return an assertion as a record has it with its grader.

    Raises EvalkitError for a kind without a grader, and for params that the grader does not have (the record is of
    another version).
    """
    if assertion.kind not in BY_KIND:
        known = ", ".join(sorted(BY_KIND))
        raise EvalkitError(f"{assertion.place}: there is no grader for {assertion.kind!r}; expected one of {known}")
    try:
        grader = BY_KIND[assertion.kind].model_validate_json(orjson.dumps(assertion.params, default=dict))
    except ValidationError as error:
        what = f"{assertion.place}: {assertion.label!r} was recorded by another version of evalkit"
        raise EvalkitError(f"{what} and can't be read as {assertion.kind!r}; run or replay the suite again.") from error
    return Requirement(assertion, grader)


def _key(grader: type[Grader], name: str, field: FieldInfo) -> Any:
    """Return a field as it stands in a mapping; the key that a grader is known by is explained by its docstring too."""
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    about = explanation(grader) if name == grader.field() else ""
    description = "\n\n".join(part for part in (field.description, about) if part)
    default = None if field.is_required() else field.default
    return Optional[kind] if field.is_required() else kind, Field(  # noqa: UP045 - a value, not an annotation
        default, alias=field.alias, description=description or None, examples=field.examples
    )


def explanation(grader: type[Grader]) -> str:
    """Return what a grader's docstring says, as one paragraph."""
    return " ".join((grader.__doc__ or "").split())
