"""Plays one trial: its user messages through the engine, every line recorded, graded at the end.

A trial that was cut off is taken up again with the replies, messages and judgements that its record holds already.
Replies that were paid for are given again: those from before the cut, and those of earlier runs from the cache. Only
live runs have a cache: the stand-in costs nothing and a replay asks nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

import orjson

from evalkit.content import sent_messages, spoken
from evalkit.engine import (
    ApiReplies,
    Ask,
    Chatbot,
    Conversation,
    Door,
    Limits,
    Price,
    Replies,
    ReplyBegan,
    RequestEvent,
    RequestFinished,
    RetryPolicy,
    SharedLimiter,
    ToolOutcome,
    ToolSource,
    TurnFinished,
)
from evalkit.engine.recorder import Now, SessionRecorder
from evalkit.engine.requests import body_sha
from evalkit.engine.tool_module import ToolModule
from evalkit.engine.tools import INVALID_INPUT
from evalkit.errors import EvalkitError, UsageError
from evalkit.judging import recount_due, run_judges, run_recount
from evalkit.records import (
    Arm,
    JsonObject,
    Judgement,
    JudgementLine,
    Request,
    RequestLine,
    ScoreLine,
    SideRequest,
    SimulatedLine,
    SimulatedMessage,
    Source,
    Stage,
    ToolCall,
    Transcript,
    TrialScore,
    TrialStart,
    Turn,
)
from evalkit.runner.plan import PlannedTrial
from evalkit.runner.users import SimulatedUser, UserSide, WrittenUser, steps_of
from evalkit.scoring import score_trial
from evalkit.source import stand_in_headers
from evalkit.standin.reply import Cue, Part
from evalkit.standin.script import Script
from evalkit.store import OpenSession, ResponseCache, RunWriter, Scrubber, cache_key
from evalkit.suites.fixtures import tools_of

_DRAWS = {
    (arm, stage): 3 * place + {Stage.CONFIRM: 1, Stage.DRIFT: 2, Stage.MUST_PASS: 6}.get(stage, 0)
    for place, arm in enumerate((Arm.CANDIDATE, Arm.BASELINE))
    for stage in Stage
}
"""Which of the stand-in's draws the trials of an arm and a stage have: chances of their own for each."""


class OutOfMoney(Exception):
    """The run's or the suite's money is spent in the middle of a trial; the trial stays open and can be resumed."""


@dataclass(frozen=True)
class RunContext:
    """What every trial of a run plays with.

    `paid` hears what each request of a conversation cost, `paid_aside` each one beside it (judge, simulated user); both
    raise OutOfMoney when it was the last. `limiter` is the same for all trials. `scripts` are what the stand-in plays,
    by the name of the prompt. `functions` answer the tool calls that a case leaves open.
    """

    door: Door
    source: Source
    writer: RunWriter
    price: Price
    now: Now
    began: Callable[[PlannedTrial], None]
    paid: Callable[[PlannedTrial, RequestFinished], None]
    paid_aside: Callable[[PlannedTrial, SideRequest], None]
    retry: RetryPolicy
    limits: Limits
    limiter: SharedLimiter
    draw: int = 0
    cache: ResponseCache | None = None
    scripts: Mapping[str, Script] = field(default_factory=dict)
    functions: ToolModule | None = None

    def replies(self, trial: str, headers: Mapping[str, str], asked: Iterable[str] = ()) -> Replies:
        """Return replies for one conversation: from the cache where the run has one, else from the API."""
        replies = ApiReplies(
            self.door, self.price, headers=headers, policy=self.retry, limits=self.limits, limiter=self.limiter
        )
        if self.cache is None:
            return replies
        return CachedReplies(self.cache, replies, endpoint=self.source.detail, trial=trial, asked=asked)


class TrialRecorder(SessionRecorder):
    """The lines of one trial; `stored` holds those that an interrupted run has written already."""

    def __init__(self, writer: RunWriter, start: TrialStart, now: Now, stored: OpenSession | None = None) -> None:
        self._run = writer
        self._session_id = start.session_id
        self._time = now
        if stored is None:
            super().__init__(writer, start.session_id, now)
            writer.append(start)
            return
        super().__init__(
            writer,
            start.session_id,
            now,
            turns=set(stored.turns),
            requests={request.n for request in stored.requests},
            calls={call.id for _, call in stored.calls},
        )
        writer.open_session(start, tuple(RequestLine(start.session_id, request) for request in stored.requests))

    def simulated(self, message: SimulatedMessage) -> None:
        """Record what the model that plays the user says."""
        self._run.append(SimulatedLine(self._session_id, message, self._time()))

    def judgement(self, judgement: Judgement) -> None:
        """Record what a judge answered."""
        self._run.append(JudgementLine(self._session_id, judgement, self._time()))


async def play_trial(run: RunContext, planned: PlannedTrial, stored: OpenSession | None) -> TrialScore:
    """Play a trial to its end and return its score; what evalkit itself breaks is recorded as a crash."""
    key, history = planned.key, tuple(planned.case.history)
    start = stored.start if stored else TrialStart(key, key.session_id, planned.prompt.sha, history, run.now())
    recorder = TrialRecorder(run.writer, start, run.now, stored)
    trial = _OpenTrial(run, planned, stored, start, recorder)
    crash = None
    try:
        await trial.play_turns()
        await trial.ask_judges()
    except (EvalkitError, OutOfMoney):
        raise
    except Exception as exc:  # noqa: BLE001 - a broken trial must not take the others with it; the record says why
        crash = f"{type(exc).__name__}: {exc}"
    recorder.end(crash)
    score = score_trial(trial.transcript, planned.case.requirements, crash)
    run.writer.append(ScoreLine(start.session_id, score))
    return score


@dataclass
class _OpenTrial:
    """A trial that is being played, and what it has come to so far."""

    run: RunContext
    planned: PlannedTrial
    stored: OpenSession | None
    start: TrialStart
    recorder: TrialRecorder
    turns: list[Turn] = field(default_factory=list)
    simulated: list[SimulatedMessage] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)

    @property
    def transcript(self) -> Transcript:
        return Transcript(
            self.start.session_id,
            self.start.prompt_sha,
            tuple(self.turns),
            self.start.history,
            self.planned.prompt.text,
            tuple(self.simulated),
            tuple(self.judgements),
            self.planned.prompt.inputs,
        )

    async def play_turns(self) -> None:
        """Play the conversation until the user has nothing more to say or a turn fails."""
        history = self.planned.case.history
        replies_before = sum(message.get("role") == "assistant" for message in history)
        steps = self.planned.case.script
        headers = stand_in_headers(self.run.source, self._draw, self._cue("rules"), steps, replies_before)
        asking = self.run.replies(self._asker, headers)
        replies = StoredReplies(self.stored.requests if self.stored else (), asking)
        bot = Chatbot(self.planned.prompt, replies, await self._tools())
        user = self._user()
        conversation = Conversation(messages=sent_messages(history))
        while (said := await user.says(self.turns)) is not None:
            number = len(self.turns) + 1
            self.recorder.turn(number, said)
            async with aclosing(bot.send(conversation, said)) as events:
                async for event in events:
                    self.recorder.take(event, number)
                    if isinstance(event, ReplyBegan):
                        self.run.began(self.planned)
                    elif isinstance(event, RequestFinished):
                        self.run.paid(self.planned, event)
                    elif isinstance(event, TurnFinished):
                        self.turns.append(event.turn)
                        conversation = event.conversation
            if self.turns[-1].failure:
                return

    async def ask_judges(self) -> None:
        """Ask the judges what they think of the conversation; on the stand-in only where a script says it for them."""
        self.judgements.extend(self.stored.judgements if self.stored else ())
        if self.run.source.kind != "live" and not self._plays("judge"):
            return
        requirements = self.planned.case.requirements
        before = [judgement.request.body_sha for judgement in self.judgements]
        headers = stand_in_headers(self.run.source, self._draw, self._cue("judge"))
        asking = self.run.replies(self._asker, headers, before)
        await self._take_judgements(run_judges(self.transcript, requirements, asking))
        if self.planned.case.record.critical:
            scores = score_trial(self.transcript, requirements).scores
            doubtful = recount_due(requirements, scores, self.transcript)
            await self._take_judgements(run_recount(self.transcript, doubtful, asking))

    async def _take_judgements(self, answers: AsyncGenerator[Judgement]) -> None:
        async with aclosing(answers) as judgements:
            async for judgement in judgements:
                self.judgements.append(judgement)
                self.recorder.judgement(judgement)
                self.run.paid_aside(self.planned, judgement.request)

    async def _tools(self) -> ToolSource:
        """Return what answers the tool calls, and answers those that are recorded already as it did then."""
        functions = None
        if self.run.functions is not None:
            functions = self.run.functions.in_session(self.start.session_id, self.planned.prompt.inputs)
            await functions.open()
        tools = tools_of(self.planned.case, functions)
        return StoredCalls([call for _, call in self.stored.calls], tools) if self.stored else tools

    def _user(self) -> UserSide:
        """Return who says the user's messages: the case itself, or a model."""
        simulation, history = self.planned.case.simulate, self.planned.case.history
        if simulation is None:
            return WrittenUser(self.planned.case.messages)
        replies_before = sum(said.role == "user" for said in spoken(history))
        steps = () if self._plays("simulate") and not simulation.script else steps_of(simulation)
        headers = stand_in_headers(self.run.source, self._draw, self._cue("simulate"), steps, replies_before)

        def said(message: SimulatedMessage, *, known: bool) -> None:
            self.simulated.append(message)
            if not known:
                self.recorder.simulated(message)
                self.run.paid_aside(self.planned, message.request)

        stored = self.stored.simulated if self.stored else ()
        return SimulatedUser(simulation, history, self.run.replies(self._asker, headers), stored=stored, said=said)

    def _cue(self, part: Part) -> Cue:
        """Return whose script plays on the stand-in, and which part of it."""
        script = self.run.scripts.get(self.planned.prompt.name)
        return Cue(script.sha if script else "", part)

    def _plays(self, part: Part) -> bool:
        """Tell whether the prompt's script has rules for a judge, or for a simulated user."""
        script = self.run.scripts.get(self.planned.prompt.name)
        return script is not None and bool(script.parts[part])

    @property
    def _asker(self) -> str:
        """Who asks, for the cache: the trial of the case, whatever its prompt version is called."""
        key = self.planned.key
        return f"{key.suite}::{key.case_id}#{self._draw}"

    @property
    def _draw(self) -> int:
        """Another number for every trial of a case, so that arms, stages and draws have chances of their own.

        The suite's own trials of the first draw keep their numbers.
        """
        key = self.planned.key
        return key.trial + 10_000 * (self.run.draw + 100_000 * _DRAWS[key.arm, key.stage])


class CachedReplies:
    """Answers from the cache where it can, else from `onwards`.

    `trial` says who asks. The same body asked twice, as for two votes of a judge, is two questions; `asked` holds the
    hashes of bodies that were asked before this conversation was taken up again.
    """

    def __init__(
        self, cache: ResponseCache, onwards: Replies, *, endpoint: str, trial: str, asked: Iterable[str] = ()
    ) -> None:
        self._cache = cache
        self._onwards = onwards
        self._endpoint = endpoint
        self._trial = trial
        self._asked = Counter(asked)

    async def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        """Give the kept reply with the times it took then, or ask for one and keep it when it is complete."""
        sha = body_sha(ask.body)
        self._asked[sha] += 1
        key = cache_key(self._endpoint, ask.body, ask.headers, f"{self._trial}#{self._asked[sha]}")
        known = self._cache.load(key)
        if known is not None:
            here = replace(known, n=ask.n, turn=ask.turn, body=ask.body, purpose=ask.purpose, from_cache=True)
            yield RequestFinished(here)
            return
        async with aclosing(self._onwards.ask(ask)) as events:
            async for event in events:
                if isinstance(event, RequestFinished):
                    self._cache.save(key, event.request)
                yield event


class StoredCalls:
    """Makes every call again, so that what changes between calls stands where it stood, and gives the stored results.

    A function may answer otherwise today, and the stored replies were made from what it said then.
    """

    def __init__(self, stored: Iterable[ToolCall], onwards: ToolSource) -> None:
        self._stored = [call for call in stored if call.origin != INVALID_INPUT]
        self._onwards = onwards

    async def call(self, name: str, tool_input: JsonObject) -> ToolOutcome:
        """Answer one call; of the same call made several times, the results come in their order."""
        known = next((call for call in self._stored if call.name == name and call.input == tool_input), None)
        if known is None:
            return await self._onwards.call(name, tool_input)
        self._stored.remove(known)
        with suppress(Exception):
            await self._onwards.call(name, tool_input)
        return ToolOutcome(known.output, known.is_error, known.origin, known.trace)


class StoredReplies:
    """Answers from stored requests while there are some, then from `onwards`."""

    def __init__(self, stored: Sequence[Request], onwards: Replies) -> None:
        self._stored = {request.n: request for request in stored}
        self._onwards = onwards
        self._scrub = Scrubber()

    async def ask(self, ask: Ask) -> AsyncGenerator[RequestEvent]:
        """Give the stored reply of this request, or ask for one; UsageError when the stored body is another one."""
        stored = self._stored.get(ask.n)
        if stored is None:
            async with aclosing(self._onwards.ask(ask)) as events:
                async for event in events:
                    yield event
            return
        body = orjson.dumps(ask.body)
        if orjson.dumps(stored.body) not in {body, self._scrub(body)}:  # a record holds no secret that was sent
            msg = f"request {ask.n} would be sent differently now than it was recorded; start a new run."
            raise UsageError(msg)
        yield RequestFinished(stored)
