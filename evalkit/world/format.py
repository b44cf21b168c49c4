"""The format of a world in a suite file: entities, and the steps of the tools that read and write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from evalkit.wording import listed
from evalkit.yamlsource import Count, FileModel, Json, JsonMap, Text, Texts, refusal, unwrapped

VERBS: Mapping[str, frozenset[str]] = {
    "get": frozenset({"by", "where", "in_", "missing", "only", "as_"}),
    "find": frozenset({"where", "in_", "sort", "limit", "missing", "only", "as_"}),
    "update": frozenset({"by", "where", "set", "append", "missing", "as_"}),
    "create": frozenset({"id", "set", "as_"}),
    "delete": frozenset({"by", "where", "missing", "as_"}),
    "require": frozenset({"error"}),
}
"""What a step may do, and the keys that belong to it."""
ANYWHERE = frozenset({"if_", "each", "returns"})
MAX_FOUND = 1_000


class WorldStep(FileModel):
    """One step of a tool: it reads or writes entities, demands something, or says what the tool returns.

    `{{ … }}` in a text is filled in from `input` (the call's input), `inputs` (the prompt's inputs, as the suite and
    the case give them) and the entities that earlier steps read, each under the name of its kind. `by`, `require`,
    `if`, `each`, `in` and a `where` that is text are expressions, without braces. In `where`, `set`, `append` and
    `returns` a value that is missing, such as an input that was not given, is left out.
    """

    called: ClassVar[str] = "a step of a tool"
    get: Text | None = Field(
        None, min_length=1, description="Reads one entity of this kind: by its id, or the first that fits.",
        examples=["booking"],
    )  # fmt: skip
    find: Text | None = Field(
        None, min_length=1, description="Reads every entity of this kind that fits, as a list.", examples=["flight"]
    )
    update: Text | None = Field(
        None,
        min_length=1,
        description="Changes entities of this kind: the one with this id, those that fit, or the one that an earlier "
        "step read.",
        examples=["booking"],
    )
    create: Text | None = Field(None, min_length=1, description="Makes an entity of this kind.", examples=["refund"])
    delete: Text | None = Field(
        None, min_length=1, description="Removes entities of this kind, chosen as in `update`.", examples=["hold"]
    )
    require: Text | None = Field(
        None,
        min_length=1,
        description="An expression that must hold; else the tool fails with `error`, and no step of it counts.",
        examples=["booking.status == 'confirmed'"],
    )
    by: Text | None = Field(
        None, min_length=1, description="The id, as an expression.", examples=["input.booking_code", "booking.flight"]
    )
    where: JsonMap | Text | None = Field(
        None,
        description="What an entity must be like: fields with their values, or an expression about it.",
        examples=[{"from": "{{ input.from }}", "cabin": "{{ input.cabin }}"}, "flight.seats_left >= input.passengers"],
    )
    in_: Text | None = Field(
        None,
        alias="in",
        min_length=1,
        description="A list of objects to look in, instead of the entities of the kind.",
        examples=["booking.bags"],
    )
    sort: Text | None = Field(
        None, min_length=1, description="The field to sort by; `-price` begins with the highest.", examples=["-price"]
    )
    limit: Count | None = Field(None, ge=1, le=MAX_FOUND, description="At most so many.", examples=[5])
    only: Texts | None = Field(
        None, description="What the tool returns of it beside the id; all fields when left out.",
        examples=[["departs", "price"]],
    )  # fmt: skip
    missing: Text | None = Field(
        None,
        min_length=1,
        description="The tool's error where nothing fits. Left out: `There is no booking 'K1'.` for one entity; for "
        "several, no error.",
        examples=["There is no booking {{ input.booking_code }}."],
    )
    set: JsonMap | None = Field(
        None,
        min_length=1,
        description="Fields and their new values.",
        examples=[{"seat": "{{ input.seat }}", "changed_on": "{{ inputs.today }}"}],
    )
    append: JsonMap | None = Field(
        None,
        min_length=1,
        description="Lists, each with the entry that is put at its end.",
        examples=[{"payments": {"usd": "{{ input.bags * 40 }}", "for": "bags"}}],
    )
    id: Text | None = Field(
        None,
        min_length=1,
        description="The id of what is created; `next` is the first free number. KIND-1, KIND-2, … when left out.",
        examples=["RF-{{ next }}"],
    )
    error: Text | None = Field(
        None,
        min_length=1,
        description="What the tool fails with where `require` does not hold.",
        examples=["Booking {{ booking.id }} is {{ booking.status }}."],
    )
    if_: Text | None = Field(
        None, alias="if", min_length=1, description="The step is left out unless this expression holds.",
        examples=["booking.fare == 'flex'"],
    )  # fmt: skip
    each: Text | None = Field(
        None,
        min_length=1,
        description="The step is done for each value of this list, which is `one`; `at` counts from 0.",
        examples=["input.seats"],
    )
    as_: Text | None = Field(
        None,
        alias="as",
        pattern=r"^[A-Za-z_]\w*$",
        description="Another name than the kind's for what was read, for later steps.",
        examples=["new_flight"],
    )
    returns: Json = Field(
        None,
        description="What the tool returns, any JSON value with templates; when left out, what its last step read or "
        "wrote.",
        examples=[{"refund_usd": "{{ refund.usd }}"}],
    )

    @model_validator(mode="after")
    def _does_one_thing(self) -> WorldStep:
        given = self.model_fields_set
        verbs = [verb for verb in VERBS if verb in given]
        if len(verbs) > 1 or not (verbs or "returns" in given):
            raise refusal(f"a step does one thing: {', '.join(VERBS)}, or `returns` alone.")
        allowed = VERBS[verbs[0]] if verbs else frozenset()
        for name in sorted(given - allowed - ANYWHERE - {*verbs}):
            key = type(self).model_fields[name].alias or name
            if verbs:
                raise refusal(f"`{key}` says nothing beside `{verbs[0]}`.", key)
            takers = listed([f"`{verb}`" for verb, keys in VERBS.items() if name in keys], "or")
            raise refusal(f"`{key}` says nothing by itself; it belongs to {takers}.", key)
        for verb, needs in (("require", "error"), ("create", "set")):
            if verb in given and needs not in given:
                raise refusal(f"`{verb}` needs `{needs}`.", verb)
        if "update" in given and not given & {"set", "append"}:
            raise refusal("`update` needs `set` or `append`.", "update")
        if "by" in given and "where" in given:
            raise refusal("`by` and `where` both say which; write one of them.", "where")
        if "get" in given and not given & {"by", "where"}:
            raise refusal("`get` needs `by` (its id) or `where`.", "get")
        if "by" in given and "in_" in given:
            raise refusal("`by` is an id, and the entries of a list have none; write `where`.", "by")
        return self


def _as_steps(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Steps = Annotated[
    list[WorldStep],
    Field(min_length=1),
    BeforeValidator(_as_steps, json_schema_input_type=WorldStep | list[WorldStep]),
]


_Fields = Annotated[dict[str, Any] | None, BeforeValidator(unwrapped)]


class WorldFile(FileModel):
    """What there is, and the tools that read and write it: a write is seen by every later read of the conversation.

    Each trial begins with the same world, and calls change it in the order in which they are asked. Fixtures answer
    before it does.
    """

    called: ClassVar[str] = "the world"
    entities: dict[str, dict[str, _Fields]] = Field(
        {},
        description="What there is: by kind and id, the fields of each. A case's stand over the suite's, field by "
        "field; null takes an entity away.",
        examples=[{"booking": {"KX4P2A": {"passenger": "Mara Lindt", "flight": "NA210", "status": "confirmed"}}}],
    )
    shape: dict[str, Texts] = Field(
        {},
        description="The fields that the entities of a kind may have; when left out, those that an entity has or a "
        "tool writes.",
        examples=[{"booking": ["passenger", "flight", "seat", "status"]}],
    )
    tools: dict[str, Steps] = Field(
        {},
        description="What each tool does with the entities: one step, or several. Where one fails, none counts.",
        examples=[
            {
                "get_booking": {"get": "booking", "by": "input.code"},
                "cancel_booking": [
                    {"get": "booking", "by": "input.code", "missing": "There is no booking {{ input.code }}."},
                    {"require": "booking.status == 'confirmed'", "error": "It is {{ booking.status }}."},
                    {"update": "booking", "set": {"status": "cancelled"}},
                ],
            }
        ],
    )
