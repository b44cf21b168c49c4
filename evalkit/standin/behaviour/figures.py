"""Tool results in words: which fields answer the question, and how dates, money and yes or no are written. Knows JSON
shapes and field-name habits; no tool in particular."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from .dialogue import Call
from .instructions import Instructions
from .tables import phrase
from .toolbook import Tool
from .words import stems

_CURRENCY = {"gbp": "£", "usd": "$", "eur": "€"}
_ISO_DATE = re.compile(r"^(\d{4}-\d{2}-\d{2})(T.*)?$")
_DAY_FIRST = re.compile(
    r"\b\d{1,2} (January|February|March|April|May|June|July|August|September|October|November|December)\b"
)
_DEADLINE = re.compile(r"(_by|_until|deadline|expires(_on)?|valid_to)$")
_ABSENT_KEYS = ("found", "exists")
_SHOWN = 4  # fields of a result in one reply; a longer result is quoted as far as it was asked about


@dataclass(frozen=True)
class Field:
    """One field of a result, worded."""

    key: str
    label: str
    value: str

    @property
    def stems(self) -> frozenset[str]:
        """Return what the field is about."""
        return stems(self.label)

    def __str__(self) -> str:
        return self.value if self.key == "status" else f"{self.label} {self.value}"


def is_missing(call: Call) -> bool:
    """Say whether a result says that there is no such thing."""
    data = call.data
    if isinstance(data, dict):
        return any(data.get(key) is False for key in _ABSENT_KEYS)
    return data in ([], "", None)


def word_call(call: Call, tool: Tool | None) -> str:
    """Name what a call was about: `order AB-107`, or the tool's name in words."""
    codes = [
        str(value)
        for value in call.input.values()
        if isinstance(value, str) and re.search(r"\d", value) and " " not in value
    ]
    if not tool:
        return call.name
    noun = next((argument.noun.split(" ")[0] for argument in tool.codes), tool.subject)
    return f"{noun} {' '.join(codes[:1])}".strip()


def word_step(call: Call, tool: Tool | None) -> str:
    """Name a call as a step: the tool's name in words, and the code it was called with."""
    code = word_call(call, tool).rpartition(" ")[2]
    return f"{tool.words} {code}" if tool and re.search(r"\d", code) else (tool.words if tool else call.name)


def word_date(value: str, instructions: Instructions) -> str:
    """Write an ISO date as the prompt's own dates are written; month first when it shows none."""
    match = _ISO_DATE.match(value)
    if not match:
        return value
    day = date.fromisoformat(match.group(1))
    month = day.strftime("%B")
    day_first = _DAY_FIRST.search(instructions.text) or instructions.rules.get("british", "absent") != "absent"
    return f"{day.day} {month}" if day_first else f"{month} {day.day}"


def fields_of(call: Call, instructions: Instructions) -> tuple[Field, ...]:
    """Return the fields of a result that say something beyond what was asked with."""
    data = call.data
    if not isinstance(data, dict):
        return ()
    given = {str(value) for value in call.input.values()}
    return tuple(
        _field(key, value, instructions)
        for key, value in data.items()
        if str(value) not in given and value not in (None, "", [], {})
    )


def _field(key: str, value: Any, instructions: Instructions) -> Field:
    head, _, tail = key.rpartition("_")
    symbol = _CURRENCY.get(tail.lower(), "") if head else ""
    label = (head if symbol else key).replace("_", " ")
    if symbol and isinstance(value, int | float):
        return Field(key, label, f"{symbol}{value:.2f}")
    return Field(key, label, _worded(value, instructions))


def _worded(value: Any, instructions: Instructions) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return str(next((item for key, item in value.items() if "name" in key), next(iter(value.values()), "")))
    if isinstance(value, list):
        return " and ".join(_worded(item, instructions) for item in value[:3])
    text = word_date(str(value), instructions)
    return text.replace("_", " ") if re.fullmatch(r"[a-z]+(_[a-z]+)+", text) else text


def word_result(call: Call, tool: Tool | None, asked: frozenset[str], instructions: Instructions) -> str:
    """Quote a result in one sentence; from a long one only the fields that were asked about."""
    if is_missing(call):
        return phrase("not_found").format(what=word_call(call, tool))
    fields = fields_of(call, instructions)
    if not fields:
        return f"{word_call(call, tool).capitalize()}: {str(call.data)[:200].strip()}".rstrip(".") + "."
    name = next((field.value for field in fields if field.key in ("name", "title")), "")
    rest = [field for field in fields if field.key not in ("name", "title")]
    wanted = [field for field in rest if field.stems & asked]
    if len(rest) > _SHOWN and wanted:
        rest = _with_reasons(rest, wanted)
    subject = name or _capital(word_call(call, tool))
    return f"{subject}: {', '.join(str(field) for field in rest[:_SHOWN])}."


def _with_reasons(fields: list[Field], wanted: list[Field]) -> list[Field]:
    """Add the two fields that follow a bare yes or no: they tend to say why."""
    if any(field.value not in ("yes", "no") for field in wanted):
        return wanted
    last = fields.index(wanted[-1])
    return wanted + [field for field in fields[last + 1 : last + 3] if field not in wanted]


def word_details(call: Call, instructions: Instructions) -> str:
    """Quote all fields of a short result, without a subject: the number of a ticket, of a booking."""
    fields = fields_of(call, instructions)
    return ", ".join(f"{field.label} {field.value}" for field in fields[:_SHOWN]) or str(call.data)[:120]


def passed_deadline(call: Call, instructions: Instructions) -> str:
    """Return the date, in words, of a last day in the result that lies before today; empty when there is none."""
    data = call.data
    if not (isinstance(data, dict) and instructions.today):
        return ""
    for key, value in data.items():
        match = _ISO_DATE.match(str(value))
        if match and _DEADLINE.search(key) and date.fromisoformat(match.group(1)) < instructions.today:
            return word_date(str(value), instructions)
    return ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
