"""One trial as the page shows it: turns as steps in the order in which they happened, checks, numbers of each request.

Knows how a transcript's blocks become lines to read, which characters of a reply to mark, and what there is to say
of the cache. Every text in the result has its control characters made visible; none of it is markup.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise
from typing import Any, Literal

from evalkit.content import spoken
from evalkit.graders.budget import CacheUse, cache_use, place_of
from evalkit.records import (
    ANSWERS,
    Failure,
    JsonObject,
    Level,
    Request,
    Score,
    Span,
    ToolCall,
    Trial,
    TrialVerdict,
    Turn,
)
from evalkit.reporting.finished_run import turn_of
from evalkit.reporting.html.files import FileView, Pictures
from evalkit.reporting.safe_text import one_line, visible
from evalkit.reporting.wording import ending_in_words
from evalkit.wording import number, usd_exact

Mark = Literal[0, 1, 2]
"""Plain text, evidence of a broken error, evidence of a broken warning."""

Uses = Mapping[int, CacheUse]
"""Uses of the cache by the identity of their request."""

EXCERPT = 44
BETWEEN_BLOCKS = "\n\n"
"""What `Turn.reply` puts between the texts of a turn; spans count it."""


@dataclass(frozen=True)
class Step:
    """One thing that happened in a turn.

    `kind` is `say` (pieces of text with their mark), `call` (a tool call with its result), `think`, `block` (anything
    else, as JSON) or `fail` (no reply that can be used; `who` says what it is instead, the text is what had arrived).
    """

    kind: Literal["say", "call", "think", "block", "fail"]
    pieces: tuple[tuple[str, Mark], ...] = ()
    text: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""
    error: bool = False
    origin: str = ""
    who: str = ""


@dataclass(frozen=True)
class RequestView:
    """The numbers of one request; `miss` says in words what it did not find in the cache."""

    n: int
    purpose: str
    model: str
    stop_reason: str
    input: int | None
    write: int | None
    read: int | None
    output: int | None
    cost_usd: float | None
    miss: str
    first_token_ms: float | None
    total_ms: float | None
    waited_ms: float
    retries: tuple[str, ...]
    request_id: str
    cold: bool = False


@dataclass(frozen=True)
class TurnView:
    """A turn: what the customer said, the steps that followed, the requests they took, and its bill in words."""

    n: int
    user: str
    files: tuple[FileView, ...]
    steps: tuple[Step, ...]
    requests: tuple[RequestView, ...]
    broken: bool = False
    bill: str = ""


@dataclass(frozen=True)
class CheckView:
    """An assertion with what its grader found."""

    verdict: str
    level: str
    label: str
    place: str
    turn: int | None
    observed: str = ""
    expected: str = ""
    note: str = ""


@dataclass(frozen=True)
class TrialView:
    """A trial; `words` is a digest of everything said and called, to tell identical trials, `bill` its whole cost.

    `inputs` are the names and values that its system prompt was rendered with, the values as text or as JSON.
    """

    trial: int
    verdict: str
    reason: str
    turns: tuple[TurnView, ...]
    checks: tuple[CheckView, ...]
    history: tuple[tuple[str, str, tuple[FileView, ...]], ...] = ()
    words: str = ""
    session: str = ""
    bill: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    extra: tuple[str, ...] = field(default=())


def view_trial(trial: Trial, pictures: Pictures | None = None) -> TrialView:
    """Return what the page shows of a trial; its pictures join those of the page, where there is one."""
    pictures = pictures or Pictures()
    scores = trial.score.scores if trial.score else ()
    broken = {turn_of(score) for score in scores if score.fails_trial}
    uses = {id(use.request): use for use in cache_use(trial.transcript)}
    turns = tuple(_turn(turn, scores, uses, pictures, broken=turn.n in broken) for turn in trial.transcript.turns)
    reason = trial.score.reason if trial.score else "not graded"
    return TrialView(
        trial=trial.key.trial,
        verdict=(trial.score.verdict if trial.score else TrialVerdict.NOT_MEASURED).value,
        reason=one_line(reason),
        turns=turns,
        checks=tuple(view_check(score) for score in scores),
        history=tuple(_history(trial.transcript.history, pictures)),
        words=_digest(turns),
        session=one_line(trial.transcript.session_id),
        bill=bill_in_words(trial.transcript.requests),
        inputs=tuple((one_line(name), _written(value)) for name, value in trial.transcript.inputs.items()),
        extra=(f"evalkit broke down in this trial: {one_line(trial.crash)}",) if trial.crash else (),
    )


def _written(value: Any) -> str:
    """Return an input's value as a person reads it."""
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))


def view_check(score: Score) -> CheckView:
    """Return a score as a line of the page."""
    assertion, finding = score.assertion, score.finding
    return CheckView(
        verdict=finding.verdict.value,
        level=assertion.level.value,
        label=one_line(assertion.label),
        place=one_line(str(assertion.place)),
        turn=turn_of(score),
        observed=one_line(finding.observed),
        expected=one_line(finding.expected),
        note=visible(finding.note),
    )


def _turn(turn: Turn, scores: Sequence[Score], uses: Uses, pictures: Pictures, *, broken: bool) -> TurnView:
    return TurnView(
        n=turn.n,
        user=visible(turn.user),
        files=pictures.view(turn.content),
        steps=tuple(_steps(turn, _marks(turn.n, scores))),
        requests=tuple(_request(request, uses) for request in turn.requests),
        broken=broken,
        bill=bill_in_words(turn.requests),
    )


def _marks(turn: int, scores: Iterable[Score]) -> list[tuple[Span, Mark]]:
    """The evidence in a turn's reply; errors come first, because they win where two overlap."""
    found: list[tuple[Span, Mark]] = []
    for score in scores:
        if score.finding.verdict is TrialVerdict.FAILED:
            mark: Mark = 1 if score.assertion.level is Level.ERROR else 2
            found += [(span, mark) for span in score.finding.spans if span.turn == turn]
    return sorted(found, key=lambda entry: entry[1])


def _steps(turn: Turn, marks: Sequence[tuple[Span, Mark]]) -> Iterator[Step]:
    calls = {call.id: call for call in turn.tool_calls}
    said = 0
    for request in turn.requests:
        if request.purpose not in ANSWERS:
            yield _own_request(request)
            continue
        if request not in turn.spoken:
            void = "not the JSON that was asked for; asked again"
            yield Step("fail", name=void, text=_texts(request.content), who="Void")
            continue
        for block in request.content:
            text = block.get("text")
            if block.get("type") == "text" and text:
                yield Step("say", split_marked(str(text), said, marks))
                said += len(str(text)) + len(BETWEEN_BLOCKS)
            elif block.get("type") != "text":
                yield _other_block(block, calls)
        if request.failure is not None:
            yield _failed(request.failure, request.partial)
    for call in calls.values():
        yield _call(call)
    if ending := ending_in_words(turn):
        yield Step("fail", name=one_line(ending), who="Ended")


def _own_request(request: Request) -> Step:
    """A request that the engine made for itself, such as a summary: shown folded, no part of the reply."""
    if request.failure is not None:
        return _failed(request.failure, request.partial)
    return Step("block", name=f"{one_line(request.purpose)}, never shown to the customer", text=_texts(request.content))


def _failed(failure: Failure, partial: Iterable[JsonObject]) -> Step:
    status = f" ({failure.status})" if failure.status else ""
    name = f"{failure.kind}{status}: {one_line(failure.message)}"
    return Step("fail", text=_texts(partial), name=name, origin=one_line(failure.request_id or ""), who="No reply")


def _texts(blocks: Iterable[JsonObject]) -> str:
    return visible(BETWEEN_BLOCKS.join(str(block.get("text", "")) for block in blocks).strip())


def _other_block(block: JsonObject, calls: dict[str, ToolCall]) -> Step:
    kind = str(block.get("type", "block"))
    if kind == "tool_use":
        call = calls.pop(str(block.get("id", "")), None)
        if call is not None:
            return _call(call)
        arguments = _json(block.get("input"))
        return Step("call", name=one_line(str(block.get("name"))), arguments=arguments, output="not run", error=True)
    if kind == "thinking":
        return Step("think", text=visible(str(block.get("thinking", ""))))
    return Step("block", name=f"block of type {one_line(kind)}", text=_json(block))


def _call(call: ToolCall) -> Step:
    return Step(
        "call",
        name=one_line(call.name),
        arguments=_json(call.input),
        output=visible(call.output),
        error=call.is_error,
        origin=one_line(call.origin),
    )


def split_marked(text: str, offset: int, marks: Sequence[tuple[Span, Mark]]) -> tuple[tuple[str, Mark], ...]:
    """Cut a text at its marks; the first of those that overlap wins.

    `offset` is where the text begins in the reply that the spans count in. One sweep: a reply may hold thousands.
    """

    def within(at: int) -> int:
        return min(max(at - offset, 0), len(text))

    starts = [(within(span.start), number, within(span.end), mark) for number, (span, mark) in enumerate(marks)]
    coming = deque(sorted(starts))
    covering: list[tuple[int, int, Mark]] = []  # a heap by place in `marks`; what has ended stays until it is on top
    pieces: list[tuple[int, int, Mark]] = []
    for start, end in pairwise(sorted({0, len(text)}.union(*((each[0], each[2]) for each in starts)))):
        while coming and coming[0][0] <= start:
            _, number, until, mark = coming.popleft()
            heappush(covering, (number, until, mark))
        while covering and covering[0][1] <= start:
            heappop(covering)
        mark = covering[0][2] if covering else 0
        begin = pieces.pop()[0] if pieces and pieces[-1][2] == mark else start
        pieces.append((begin, end, mark))
    return tuple((visible(text[start:end]), mark) for start, end, mark in pieces)


def _request(request: Request, uses: Uses) -> RequestView:
    usage, use = request.usage, uses.get(id(request))
    retries = tuple(
        f"{attempt.failure.kind}{f' ({attempt.failure.status})' if attempt.failure.status else ''},"
        f" waited {attempt.waited_ms / 1000:.1f} s"
        for attempt in request.attempts
    )
    return RequestView(
        n=request.n,
        purpose=one_line(request.purpose),
        model=one_line(str(request.body.get("model", ""))),
        stop_reason=request.stop_reason or "",
        input=usage.input_tokens if usage else None,
        write=usage.cache_creation_input_tokens if usage else None,
        read=usage.cache_read_input_tokens if usage else None,
        output=usage.output_tokens if usage else None,
        cost_usd=request.cost_usd,
        miss=missed_in_words(request, use),
        first_token_ms=request.first_token_ms,
        total_ms=request.total_ms,
        waited_ms=request.waited_ms,
        retries=retries,
        request_id=one_line(request.request_id or ""),
        cold=use is not None and not use.is_warm,
    )


def _history(messages: Iterable[JsonObject], pictures: Pictures) -> Iterator[tuple[str, str, tuple[FileView, ...]]]:
    """Yield who said what before the first turn, with the files and the tool calls that came with it."""
    for part in spoken(messages):
        yield part.role, visible(part.text), pictures.view(part.content)
        for call in part.calls:
            output, is_error = part.result_of(call)
            failed = "error " if is_error else ""
            yield "tool", visible(f"{call.get('name')} {_json(call.get('input'))} → {failed}{output}"), ()


def _json(value: Any) -> str:
    plain = dict(value) if isinstance(value, Mapping) else value
    return visible(json.dumps(plain, ensure_ascii=False, default=str))


def _digest(turns: Iterable[TurnView]) -> str:
    words = [(turn.user, [(step.kind, step.pieces, step.text, step.arguments, step.output) for step in turn.steps])
             for turn in turns]  # fmt: skip
    told = json.dumps(words, default=lambda pieces: [text for text, _ in pieces])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def missed_in_words(request: Request, use: CacheUse | None) -> str:
    """Return what was in the cache and was not read, with the API's reason and the first byte that differs; else empty.

    A cold request has nothing to read, so that only the API's reason is told of it.
    """
    reason = one_line(request.cache_miss_reason or "")
    if use is None or not use.missed:
        return f"cache miss: {reason}" if reason else ""
    words = f"cache: read {number(use.read)} of {number(use.expected)} tokens left by this session"
    if reason:
        words += f"; the API says {reason}"
    lost = use.lost
    if lost is not None:
        words += f"; differs from byte {number(lost.byte)} on, in {one_line(place_of(lost))}: "
        words += f"“{_short(lost.before)}” became “{_short(lost.after)}”"
    return words


def _short(excerpt: str) -> str:
    """Return an excerpt, which begins shortly before the difference, on a part of a line."""
    text = one_line(excerpt)
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"


def bill_in_words(requests: Iterable[Request]) -> str:
    """Return what requests cost as billed and would have cost with an empty cache; empty where that is the same.

    Also empty when a price is unknown: a sum without it would be too low. Tries that failed and were billed count.
    """
    asked = [request for request in requests if request.usage is not None]
    tries = [attempt.cost_usd for request in asked for attempt in request.attempts if attempt.usage is not None]
    billed = _sum([*(request.cost_usd for request in asked), *tries])
    first = _sum([*(request.cost_as_first_usd for request in asked), *tries])
    if not asked or billed is None or first is None:
        return ""
    bill, empty = usd_exact(billed), usd_exact(first)
    return f"{bill} as billed, {empty} with an empty cache" if bill != empty else ""


def _sum(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
