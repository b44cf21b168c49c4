"""How many tokens messages are, estimated from their length. Learns the scale from what the last request really was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from evalkit.prompts.models import facts_of
from evalkit.records import JsonObject, PromptVersion, Request

CHARACTERS_PER_TOKEN = 3.0  # for a model that is not in the table: cautious for English text and JSON
SMALLEST_WINDOW = 200_000  # of the models in use in November 2026; taken where a model's own is unknown
MARGIN = 0.95  # an estimate that is off by a twentieth must still fit


@dataclass(frozen=True)
class Gauge:
    """Measures a prompt version's messages.

    `fixed` is the length of system and tools in characters, `per_token` how many characters make a token, `room` how
    many tokens system, tools and messages may have together so that the longest reply still fits the model's window.
    """

    fixed: int
    per_token: float
    room: int

    def tokens(self, messages: Sequence[JsonObject]) -> int:
        """Return the estimated tokens of a request with these messages, system and tools included."""
        return round((self.fixed + _length(messages)) / self.per_token)

    def fits(self, messages: Sequence[JsonObject]) -> bool:
        """Tell whether a request with these messages and a reply to it fit the model's window."""
        return self.tokens(messages) <= self.room

    def after(self, request: Request) -> Gauge:
        """Return the gauge corrected by a request's real usage."""
        tokens = request.usage.prompt_tokens if request.usage else 0
        if not tokens:
            return self
        length = self.fixed + _length(request.body.get("messages", ()))
        return Gauge(self.fixed, max(1.0, length / tokens), self.room)


def gauge_of(prompt: PromptVersion) -> Gauge:
    """Return a gauge for a prompt version of which no request was made yet."""
    facts = facts_of(prompt.model)
    window = facts.context if facts else SMALLEST_WINDOW
    room = int((window - int(prompt.params.get("max_tokens", 0))) * MARGIN)
    fixed = _length(prompt.system) + _length(prompt.tools)
    return Gauge(fixed, facts.characters if facts else CHARACTERS_PER_TOKEN, max(room, 1))


def _length(objects: Sequence[JsonObject]) -> int:
    return sum(len(orjson.dumps(each).decode()) for each in objects)
