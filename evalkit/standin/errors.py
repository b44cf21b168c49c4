"""The API's error answers: status, type, wording. Knows the shape of an error body, not when to send one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.standin.reply import JsonObject

STATUS_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class ErrorAnswer:
    """Describe one error response: its status, message and what travels with it."""

    status: int
    message: str
    details: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """Name the error type that belongs to the status."""
        return STATUS_TYPES[self.status]

    def body(self, request_id: str) -> JsonObject:
        """Return the JSON body of the response."""
        error: JsonObject = {"type": self.type, "message": self.message}
        if self.details:
            error["details"] = dict(self.details)
        return {"type": "error", "error": error, "request_id": request_id}


class ApiError(Exception):
    """A request the API answers with an error."""

    def __init__(self, answer: ErrorAnswer) -> None:
        super().__init__(f"{answer.status} {answer.type}: {answer.message}")
        self.answer = answer


def bad_request(message: str, **details: object) -> ApiError:
    """Return the 400 the API gives for a malformed request."""
    return ApiError(ErrorAnswer(400, message, details or None))


def not_found(message: str) -> ApiError:
    """Return the 404 for an unknown model, batch or path."""
    return ApiError(ErrorAnswer(404, message))
