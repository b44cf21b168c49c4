"""Log files -> LogSummary, in one pass. Keeps a few numbers a session and no conversation.

A session may be spread over files (days, processes, rotation); its turns are told apart by number and time, because a
rotated log tells of the running turn twice.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.analysis.metrics import SHOWN_VALUES
from evalkit.errors import NoVerdict
from evalkit.records import (
    Failure,
    FailureSummary,
    PromptVersion,
    Request,
    RequestLine,
    RunHeader,
    RunLine,
    Source,
    Times,
    ToolLine,
    TrialStart,
    TurnStart,
    Usage,
)
from evalkit.records.log_summary import LogSummary, PromptUse, SessionCost
from evalkit.stats import percentile, share, thin_out
from evalkit.store import parse_line, read_lines

DEAREST = 10


@dataclass
class _Bill:
    """Money and tokens of some requests."""

    requests: int = 0
    failed: int = 0
    billed: int = 0
    unknown: int = 0
    known_usd: float = 0.0
    tokens: Counter[str] = field(default_factory=Counter)

    def add(self, request: Request) -> None:
        """Take in a request with its failed tries: abandoned streams cost money too."""
        self.requests += 1
        self.failed += request.failure is not None
        self._pay(request.usage, request.cost_usd)
        for attempt in request.attempts:
            self._pay(attempt.usage, attempt.cost_usd)

    def _pay(self, usage: Usage | None, cost_usd: float | None) -> None:
        if usage is None:
            return
        self.billed += 1
        self.unknown += cost_usd is None
        self.known_usd += cost_usd or 0.0
        self.tokens["input"] += usage.input_tokens
        self.tokens["write"] += usage.cache_creation_input_tokens
        self.tokens["read"] += usage.cache_read_input_tokens
        self.tokens["output"] += usage.output_tokens

    @property
    def cost_usd(self) -> float | None:
        """The known part; None when nothing of what was billed has a price."""
        return None if self.billed and self.unknown == self.billed else self.known_usd


@dataclass
class _Session:
    """What is kept of a session while the log is read."""

    template_sha: str = ""
    bill: _Bill = field(default_factory=_Bill)
    turns: set[tuple[int, str]] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)
    times: dict[int, tuple[float, float]] = field(default_factory=dict)


@dataclass
class _Reader:
    """The whole log as it grows."""

    sessions: dict[str, _Session] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    """Each version by the hashes of its renderings: sessions have inputs of their own."""
    refs: dict[str, str] = field(default_factory=dict)
    by_prompt: dict[str, _Bill] = field(default_factory=dict)
    prompt_sessions: dict[str, set[str]] = field(default_factory=dict)
    total: _Bill = field(default_factory=_Bill)
    first_token: array[float] = field(default_factory=lambda: array("d"))
    whole_reply: array[float] = field(default_factory=lambda: array("d"))
    failures: dict[str, tuple[Failure, Counter[str]]] = field(default_factory=dict)
    tools: Counter[bool] = field(default_factory=Counter)
    retries: int = 0
    hashed: bool = False
    sources: dict[Source, None] = field(default_factory=dict)
    times: set[str] = field(default_factory=set)

    def take(self, line: RunLine) -> None:
        """Take in one line."""
        match line:
            case RunHeader():
                self.hashed = self.hashed or line.settings.get("content") == "hashed"
                self.sources[line.source] = None
            case PromptVersion():
                self.versions[line.sha] = line.template_sha or line.sha
                self.refs[self.versions[line.sha]] = line.ref
            case TrialStart():
                sha = line.prompt_sha
                self.session(line.session_id).template_sha = self.versions.get(sha, sha)
            case TurnStart():
                self.session(line.session_id).turns.add((line.turn, line.ts))
                self._at(line.ts)
            case RequestLine():
                self._request(self.session(line.session_id), line)
            case ToolLine():
                self.tools[line.call.is_error] += 1
            case _:
                pass

    def session(self, session_id: str) -> _Session:
        """Return what is kept of a session."""
        return self.sessions.setdefault(session_id, _Session())

    def _request(self, session: _Session, line: RequestLine) -> None:
        request = line.request
        self._at(line.ts)
        for bill in (session.bill, self.total, self.by_prompt.setdefault(session.template_sha, _Bill())):
            bill.add(request)
        self.prompt_sessions.setdefault(session.template_sha, set()).add(line.session_id)
        session.answered.add(request.turn)
        self._failures(request)
        self._time(session, request)

    def _failures(self, request: Request) -> None:
        for attempt in request.attempts:
            self.retries += 1
            self._failed(attempt.failure, "retried")
        if request.failure is not None:
            self._failed(request.failure, "final")

    def _failed(self, failure: Failure, what: str) -> None:
        self.failures.setdefault(failure.kind, (failure, Counter()))[1][what] += 1

    def _time(self, session: _Session, request: Request) -> None:
        """Add up a turn's requests until the one that ends it; a turn without a complete reply has no time."""
        if request.failure is not None or request.total_ms is None:
            session.times.pop(request.turn, None)
            return
        before = session.times.pop(request.turn, None)
        waited = before[1] if before else 0.0
        first = before[0] if before and before[0] >= 0 else -1.0
        if first < 0 and request.purpose == "reply" and request.first_token_ms is not None:
            first = waited + request.first_token_ms
        whole = waited + request.total_ms
        if request.stop_reason in {"tool_use", "pause_turn"} or request.purpose != "reply":
            session.times[request.turn] = (first, whole)
            return
        self.whole_reply.append(whole)
        if first >= 0:
            self.first_token.append(first)

    def _at(self, ts: str) -> None:
        if ts:
            self.times = {min((*self.times, ts)), max((*self.times, ts))}


def summarise_logs(files: Sequence[Path]) -> LogSummary:
    """Return what the log files amount to. NoVerdict when a line is damaged or there is no session at all."""
    reader = _Reader()
    for file in files:
        for number, obj in read_lines(file):
            reader.take(parse_line(file, number, obj))
    if not reader.sessions:
        names = ", ".join(str(file) for file in files[:3]) or "no file"
        raise NoVerdict(f"{names}: no session in this log; expected the lines that ProductionLog writes.")
    return _summary(reader, len(files))


def _summary(reader: _Reader, files: int) -> LogSummary:
    total, sessions = reader.total, reader.sessions
    costs = [session.bill.cost_usd for session in sessions.values() if session.bill.requests]
    turns = sum(len(session.turns) for session in sessions.values())
    return LogSummary(
        files=files,
        hashed=reader.hashed,
        sources=tuple(reader.sources),
        first=min(reader.times, default=""),
        last=max(reader.times, default=""),
        sessions=len(sessions),
        turns=turns,
        abandoned=sum(len({n for n, _ in session.turns} - session.answered) for session in sessions.values()),
        requests=total.requests,
        failed=total.failed,
        retries=reader.retries,
        tool_calls=reader.tools.total(),
        tool_errors=reader.tools[True],
        input_tokens=total.tokens["input"],
        write_tokens=total.tokens["write"],
        read_tokens=total.tokens["read"],
        output_tokens=total.tokens["output"],
        cost_usd=total.cost_usd,
        unknown=total.unknown,
        session_cost=_distribution([cost for cost in costs if cost is not None]),
        first_token=_distribution(reader.first_token),
        whole_reply=_distribution(reader.whole_reply),
        failures=_failures(reader),
        prompts=_prompts(reader),
        dearest=_dearest(reader),
    )


def _distribution(values: Sequence[float]) -> Times:
    return Times(len(values), percentile(values, 50), percentile(values, 95), thin_out(values, SHOWN_VALUES))


def _failures(reader: _Reader) -> tuple[FailureSummary, ...]:
    rows = [
        FailureSummary(kind, counts["retried"], counts["final"], first.message, first.status, first.request_id)
        for kind, (first, counts) in reader.failures.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.final, -row.retried, row.kind)))


def _prompts(reader: _Reader) -> tuple[PromptUse, ...]:
    uses = []
    for sha, bill in reader.by_prompt.items():
        tokens = bill.tokens
        whole = tokens["input"] + tokens["write"] + tokens["read"]
        ref, sessions = reader.refs.get(sha, "unknown prompt"), len(reader.prompt_sessions[sha])
        uses.append(
            PromptUse(ref, sha, sessions, bill.requests, bill.failed, bill.cost_usd, share(tokens["read"], whole))
        )
    return tuple(sorted(uses, key=lambda use: (-use.requests, use.ref)))


def _dearest(reader: _Reader) -> tuple[SessionCost, ...]:
    rows = [
        SessionCost(
            session_id,
            reader.refs.get(session.template_sha, "unknown prompt"),
            len(session.turns),
            session.bill.requests,
            session.bill.cost_usd,
        )
        for session_id, session in reader.sessions.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-(row.cost_usd or 0.0), row.session_id))[:DEAREST])
