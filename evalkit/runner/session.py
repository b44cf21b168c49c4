"""Plays one trial: its user messages through the engine, every line recorded, graded at the end."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    ReplyBegan,
    RequestFinished,
    RetryPolicy,
    TurnFinished,
)
from evalkit.errors import EvalkitError
from evalkit.records import JsonObject, ScoreLine, Source, Transcript, TrialScore, TrialStart, Turn
from evalkit.runner.fixtures import FixtureTools
from evalkit.runner.plan import PlannedTrial
from evalkit.runner.recorder import Now, SessionRecorder
from evalkit.runner.stored import StoredReplies
from evalkit.scoring import score_trial
from evalkit.store import OpenSession, RunWriter


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
    """What every trial of a run plays with; `paid` hears each cost and raises OutOfMoney when it was the last."""

    door: Door
    source: Source
    writer: RunWriter
    price: Price
    now: Now
    began: Callable[[PlannedTrial], None]
    paid: Callable[[PlannedTrial, RequestFinished], None]
    patience: Patience


async def play_trial(stage: Stage, planned: PlannedTrial, stored: OpenSession | None) -> TrialScore:
    """Play a trial to its end and return its score; what evalkit itself breaks is recorded as a crash."""
    start = stored.start if stored else _start(planned, stage.now())
    recorder = SessionRecorder(stage.writer, start, stage.now, stored)
    turns: list[Turn] = []
    crash = None
    try:
        await _play_turns(stage, planned, recorder, turns, stored)
    except (EvalkitError, OutOfMoney):
        raise
    except Exception as exc:  # noqa: BLE001 - a broken trial must not take the others with it; the record says why
        crash = f"{type(exc).__name__}: {exc}"
    transcript = Transcript(start.session_id, start.prompt_sha, tuple(turns), start.history, planned.prompt.text)
    recorder.end(crash)
    score = score_trial(transcript, planned.case.record.assertions, crash)
    stage.writer.append(ScoreLine(start.session_id, score))
    return score


def _start(planned: PlannedTrial, ts: str) -> TrialStart:
    return TrialStart(planned.key, planned.key.session_id, planned.prompt.sha, tuple(planned.case.history), ts)


async def _play_turns(
    stage: Stage, planned: PlannedTrial, recorder: SessionRecorder, turns: list[Turn], stored: OpenSession | None
) -> None:
    patience = stage.patience
    api = ApiReplies(
        stage.door,
        stage.price,
        headers=_headers(stage.source, planned),
        policy=patience.retry,
        limits=patience.limits,
        limiter=patience.limiter,
    )
    replies = StoredReplies(stored.requests if stored else (), api)
    bot = Chatbot(planned.prompt, replies, FixtureTools(planned.case.fixtures))
    conversation = Conversation(messages=tuple(planned.case.history))
    for number, user in enumerate(planned.case.record.turns, 1):
        recorder.turn(number, user)
        async for event in bot.send(conversation, user):
            recorder.take(event, number)
            _tell(stage, planned, event)
            if isinstance(event, TurnFinished):
                turns.append(event.turn)
                conversation = event.conversation
        if turns[-1].failure:
            return


def _tell(stage: Stage, planned: PlannedTrial, event: EngineEvent) -> None:
    if isinstance(event, ReplyBegan):
        stage.began(planned)
    elif isinstance(event, RequestFinished):
        stage.paid(planned, event)


def _headers(source: Source, planned: PlannedTrial) -> dict[str, str]:
    """Return what the stand-in is told beside the request; nothing is added to a live one."""
    if source.kind != "stand-in":
        return {}
    headers = {"x-evalkit-trial": str(planned.key.trial)}
    script = planned.case.script
    if script:
        plan = {"steps": script, "from": _replies(planned.case.history)}
        headers["x-evalkit-script"] = base64.b64encode(orjson.dumps(plan)).decode()
    return headers


def _replies(history: Sequence[JsonObject]) -> int:
    return sum(message.get("role") == "assistant" for message in history)
