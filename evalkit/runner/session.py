"""Plays one trial: its user messages through the engine, every line recorded, graded at the end."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import orjson

from evalkit.engine import (
    ApiReplies,
    Chatbot,
    Conversation,
    Door,
    EngineEvent,
    Limits,
    Price,
    RateLimiter,
    Replies,
    ReplyBegan,
    RequestFinished,
    RetryPolicy,
    TurnFinished,
)
from evalkit.errors import EvalkitError
from evalkit.judging import recount_due, run_judges, run_recount
from evalkit.records import (
    Arm,
    JsonObject,
    Judgement,
    ScoreLine,
    SideRequest,
    SimulatedMessage,
    Source,
    Transcript,
    TrialKey,
    TrialScore,
    TrialStart,
    Turn,
)
from evalkit.records import Stage as Purpose
from evalkit.runner.cached import CachedReplies
from evalkit.runner.fixtures import FixtureTools
from evalkit.runner.plan import PlannedTrial
from evalkit.runner.recorder import Now, SessionRecorder
from evalkit.runner.simulate import SimulatedUser, UserSide, WrittenUser, script_headers
from evalkit.runner.stored import StoredReplies
from evalkit.scoring import score_trial
from evalkit.store import OpenSession, ResponseCache, RunWriter

_APART = {
    (arm, stage): 3 * place + {Purpose.CONFIRM: 1, Purpose.DRIFT: 2, Purpose.MUST_PASS: 6}.get(stage, 0)
    for place, arm in enumerate((Arm.CANDIDATE, Arm.BASELINE))
    for stage in Purpose
}


class OutOfMoney(Exception):
    """The run's or the suite's money is spent in the middle of a trial; the trial stays open and can be resumed."""


@dataclass(frozen=True)
class Patience:
    """How the engine treats the API in this run; the limiter is the same for all trials."""

    retry: RetryPolicy
    limits: Limits
    limiter: RateLimiter


@dataclass(frozen=True)
class Stage:
    """What every trial of a run plays with.

    `paid` hears what each request of a conversation cost, `paid_aside` each one beside it (judge, simulated user); both
    raise OutOfMoney when it was the last.
    """

    door: Door
    source: Source
    writer: RunWriter
    price: Price
    now: Now
    began: Callable[[PlannedTrial], None]
    paid: Callable[[PlannedTrial, RequestFinished], None]
    paid_aside: Callable[[PlannedTrial, SideRequest], None]
    patience: Patience
    draw: int = 0
    cache: ResponseCache | None = None

    def asking(self, trial: str, headers: Mapping[str, str], asked: Iterable[str] = ()) -> Replies:
        """Return replies for one conversation: from the cache where the run has one, else from the API."""
        replies = self.replies(headers)
        if self.cache is None:
            return replies
        return CachedReplies(self.cache, replies, endpoint=self.source.detail, trial=trial, asked=asked)

    def replies(self, headers: Mapping[str, str]) -> ApiReplies:
        """Return replies from the API for one conversation, as patient as the run is."""
        patience = self.patience
        return ApiReplies(
            self.door,
            self.price,
            headers=headers,
            policy=patience.retry,
            limits=patience.limits,
            limiter=patience.limiter,
        )


@dataclass
class _Played:
    """What a trial has come to so far."""

    start: TrialStart
    system_text: str
    turns: list[Turn] = field(default_factory=list)
    simulated: list[SimulatedMessage] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)

    @property
    def transcript(self) -> Transcript:
        start = self.start
        return Transcript(
            start.session_id,
            start.prompt_sha,
            tuple(self.turns),
            start.history,
            self.system_text,
            tuple(self.simulated),
            tuple(self.judgements),
        )


async def play_trial(stage: Stage, planned: PlannedTrial, stored: OpenSession | None) -> TrialScore:
    """Play a trial to its end and return its score; what evalkit itself breaks is recorded as a crash."""
    start = stored.start if stored else _start(planned, stage.now())
    recorder = SessionRecorder(stage.writer, start, stage.now, stored)
    played = _Played(start, planned.prompt.text)
    crash = None
    try:
        await _play_turns(stage, planned, recorder, played, stored)
        await _ask_judges(stage, planned, recorder, played, stored)
    except (EvalkitError, OutOfMoney):
        raise
    except Exception as exc:  # noqa: BLE001 - a broken trial must not take the others with it; the record says why
        crash = f"{type(exc).__name__}: {exc}"
    recorder.end(crash)
    score = score_trial(played.transcript, planned.case.record.assertions, crash)
    stage.writer.append(ScoreLine(start.session_id, score))
    return score


def _start(planned: PlannedTrial, ts: str) -> TrialStart:
    return TrialStart(planned.key, planned.key.session_id, planned.prompt.sha, tuple(planned.case.history), ts)


async def _play_turns(
    stage: Stage, planned: PlannedTrial, recorder: SessionRecorder, played: _Played, stored: OpenSession | None
) -> None:
    asking = stage.asking(_asker(stage, planned), _headers(stage, planned))
    replies = StoredReplies(stored.requests if stored else (), asking)
    bot = Chatbot(planned.prompt, replies, FixtureTools(planned.case.fixtures))
    user = _user(stage, planned, recorder, played, stored)
    conversation = Conversation(messages=tuple(planned.case.history))
    while (said := await user.says(played.turns)) is not None:
        number = len(played.turns) + 1
        recorder.turn(number, said)
        async with aclosing(bot.send(conversation, said)) as events:
            async for event in events:
                recorder.take(event, number)
                _tell(stage, planned, event)
                if isinstance(event, TurnFinished):
                    played.turns.append(event.turn)
                    conversation = event.conversation
        if played.turns[-1].failure:
            return


def _user(
    stage: Stage, planned: PlannedTrial, recorder: SessionRecorder, played: _Played, stored: OpenSession | None
) -> UserSide:
    """Return who says the user's messages: the case itself, or a model."""
    simulation, history = planned.case.simulate, planned.case.history
    if simulation is None:
        return WrittenUser(planned.case.record.turns)
    stand_in = stage.source.kind == "stand-in"
    headers = script_headers(simulation, history, _draw(planned.key, stage.draw)) if stand_in else {}

    def said(message: SimulatedMessage, *, known: bool) -> None:
        played.simulated.append(message)
        if not known:
            recorder.simulated(message)
            stage.paid_aside(planned, message.request)

    asking = stage.asking(_asker(stage, planned), headers)
    return SimulatedUser(simulation, history, asking, stored=stored.simulated if stored else (), said=said)


async def _ask_judges(
    stage: Stage, planned: PlannedTrial, recorder: SessionRecorder, played: _Played, stored: OpenSession | None
) -> None:
    """Ask the judges of a live run what they think of the conversation; the stand-in has no opinion."""
    played.judgements.extend(stored.judgements if stored else ())
    if stage.source.kind != "live":
        return
    assertions = planned.case.record.assertions
    before = [judgement.request.body_sha for judgement in played.judgements]
    asking = stage.asking(_asker(stage, planned), {}, before)

    async def take(answers: AsyncGenerator[Judgement]) -> None:
        async with aclosing(answers) as judgements:
            async for judgement in judgements:
                played.judgements.append(judgement)
                recorder.judgement(judgement)
                stage.paid_aside(planned, judgement.request)

    await take(run_judges(played.transcript, assertions, asking))
    if planned.case.record.critical:
        scores = score_trial(played.transcript, assertions).scores
        doubtful = recount_due(scores, played.transcript)
        await take(run_recount(played.transcript, doubtful, asking))


def _tell(stage: Stage, planned: PlannedTrial, event: EngineEvent) -> None:
    if isinstance(event, ReplyBegan):
        stage.began(planned)
    elif isinstance(event, RequestFinished):
        stage.paid(planned, event)


def _headers(stage: Stage, planned: PlannedTrial) -> dict[str, str]:
    """Return what the stand-in is told beside the request; nothing is added to a live one."""
    if stage.source.kind != "stand-in":
        return {}
    headers = {"x-evalkit-trial": str(_draw(planned.key, stage.draw))}
    script = planned.case.script
    if script:
        plan = {"steps": script, "from": _replies(planned.case.history)}
        headers["x-evalkit-script"] = base64.b64encode(orjson.dumps(plan)).decode()
    return headers


def _asker(stage: Stage, planned: PlannedTrial) -> str:
    """Return who asks, for the cache: the trial of the case, whatever its prompt version is called."""
    key = planned.key
    return f"{key.suite}::{key.case_id}#{_draw(key, stage.draw)}"


def _draw(key: TrialKey, draw: int) -> int:
    """Return another number for every trial of a case, so that arms, stages and draws have chances of their own.

    The suite's own trials of the first draw keep their numbers.
    """
    apart = _APART[key.arm, key.stage]
    return key.trial + 10_000 * (draw + 100_000 * apart)


def _replies(history: Sequence[JsonObject]) -> int:
    return sum(message.get("role") == "assistant" for message in history)
