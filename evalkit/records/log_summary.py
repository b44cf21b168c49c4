"""What a production log amounts to: sessions instead of cases. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.records.run import Source
from evalkit.records.summary import FailureSummary, Times


@dataclass(frozen=True)
class SessionCost:
    """What one session used; `cost_usd` is None when a price is unknown."""

    session_id: str
    prompt_ref: str
    turns: int
    requests: int
    cost_usd: float | None


@dataclass(frozen=True)
class PromptUse:
    """What happened with one prompt version. `read_share` is the part of its prompts' tokens read from the cache."""

    ref: str
    sha: str
    sessions: int
    requests: int
    failed: int
    cost_usd: float | None
    read_share: float | None


@dataclass(frozen=True)
class LogSummary:
    """Everything about a log but its conversations.

    Costs are US dollars: `cost_usd` is the part with known prices (None when there is something to pay and no price is
    known), `unknown` counts the bills without one. `session_cost` is per session, `first_token` and `whole_reply` per
    complete turn, in milliseconds. `abandoned` turns began and have no request: the customer left, or a line was lost.
    `failed` counts requests without a complete reply, `retries` the failed tries before others.
    """

    files: int
    hashed: bool
    sources: tuple[Source, ...]
    first: str
    last: str
    sessions: int
    turns: int
    abandoned: int
    requests: int
    failed: int
    retries: int
    tool_calls: int
    tool_errors: int
    input_tokens: int
    write_tokens: int
    read_tokens: int
    output_tokens: int
    cost_usd: float | None
    unknown: int
    session_cost: Times
    first_token: Times
    whole_reply: Times
    failures: tuple[FailureSummary, ...]
    prompts: tuple[PromptUse, ...]
    dearest: tuple[SessionCost, ...]

    @property
    def only_stand_in(self) -> bool:
        """Whether every reply came from the stand-in, so that nothing was paid."""
        return all(source.kind == "stand-in" for source in self.sources)

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts: plain, written and read."""
        return self.input_tokens + self.write_tokens + self.read_tokens
