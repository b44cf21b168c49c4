"""The value types that file schemas are written with.

A file schema is a pydantic model on `FileModel`: unknown keys are refused and nothing is converted, except that text
may be written without quotes (`version: 1.10` is the text "1.10" where text is expected). Knows no file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from evalkit.yamlsource.scalars import Plain


class FileModel(BaseModel):
    """A mapping of a file format.

    `called` is what messages call it; `refused` names keys that people will try, with the sentence that answers them.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    called: ClassVar[str] = ""
    refused: ClassVar[Mapping[str, str]] = {}


def refusal(message: str, key: str = "") -> PydanticCustomError:
    """Return the error with which a validator refuses a value (or its key `key`) in our own words."""
    return PydanticCustomError("evalkit", "{message}", {"message": message, "key": key})


def _as_text(value: Any) -> Any:
    if isinstance(value, Plain):
        return value.source if value.value is not None else None
    return value


def unwrapped(value: Any) -> Any:
    """Return a raw value with its plain values as Python values, at every depth."""
    if isinstance(value, Plain):
        return value.value
    if isinstance(value, dict):
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value


Text = Annotated[str, BeforeValidator(_as_text)]
"""Text; an unquoted number or boolean is taken as it was written."""
Flag = Annotated[bool, BeforeValidator(unwrapped)]
Count = Annotated[int, BeforeValidator(unwrapped)]
Number = Annotated[float, BeforeValidator(unwrapped)]
Json = Annotated[Any, BeforeValidator(unwrapped)]
"""Any JSON value."""
JsonMap = Annotated[dict[str, Any], BeforeValidator(unwrapped)]
